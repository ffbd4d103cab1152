/**
 * What must be in place before a job starts, as data: one entry per step.
 *
 * A step says in milliseconds whether it is done, and does its work only if not. Steps run side by
 * side as far as `after` lets them. A step that fails and is `required` ends the run; where it is
 * not, the job starts all the same and is told about it. Another kind of preparation is one more
 * entry here and one file beside this one.
 */
import { performance } from "node:perf_hooks"
import { buildPackages, buildState } from "./build.js"
import { debianState, installDebianPackages } from "./debian.js"
import { dependenciesState, installDependencies } from "./dependencies.js"
import { buildNative, nativeState } from "./native.js"

/**
 * @typedef {object} StepState
 * @property {boolean} isDone
 * @property {readonly string[]} notes features that are off although there is nothing to do
 */

/**
 * @typedef {{ ok: true, notes: readonly string[] } | { ok: false, text: string }} StepResult
 */

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string} title what a person reads while it runs
 * @property {readonly string[]} after
 * @property {boolean} required no job can start without it
 * @property {() => StepState} state
 * @property {() => Promise<StepResult>} run
 */

/** @type {readonly Step[]} */
export const STEPS = [
  {
    name: "debian",
    title: "Debian packages",
    after: [],
    required: false,
    state: debianState,
    run: installDebianPackages,
  },
  {
    name: "dependencies",
    title: "npm dependencies",
    after: [],
    required: true,
    state: dependenciesState,
    run: installDependencies,
  },
  {
    name: "build",
    title: "TypeScript build",
    after: ["dependencies"],
    required: false,
    state: buildState,
    run: buildPackages,
  },
  {
    name: "native",
    title: "native build",
    // A compiler may be one of the Debian packages; the headers are an npm dependency.
    after: ["debian", "dependencies"],
    required: false,
    state: nativeState,
    run: buildNative,
  },
]

/**
 * @typedef {object} SetUp
 * @property {boolean} ok whether the job may start
 * @property {readonly string[]} failed names of steps that failed and were not required
 */

/**
 * Does everything that is not done yet.
 *
 * @param {readonly Step[]} steps
 * @param {(line: string) => void} say
 * @returns {Promise<SetUp>}
 */
export async function setUp(steps, say) {
  /** @type {Map<string, Promise<boolean>>} */
  const outcomes = new Map()
  for (const step of steps) {
    const earlier = step.after.map((name) => outcomes.get(name))
    const outcome = Promise.all(earlier).then((oks) =>
      oks.every((ok) => ok === true) ? doStep(step, say) : false,
    )
    outcomes.set(step.name, outcome)
  }
  const failed = []
  for (const step of steps) {
    if (!(await outcomes.get(step.name))) failed.push(step)
  }
  return {
    ok: failed.every((step) => !step.required),
    failed: failed.map((step) => step.name),
  }
}

/**
 * @param {Step} step
 * @param {(line: string) => void} say
 */
async function doStep(step, say) {
  const { isDone, notes } = step.state()
  if (isDone) {
    for (const note of notes) say(note)
    return true
  }
  say(`${step.title} …`)
  const startMs = performance.now()
  const result = await step.run().catch((/** @type {Error} */ thrown) => {
    return { ok: /** @type {const} */ (false), text: `  ${thrown.message}` }
  })
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  if (result.ok) {
    for (const note of result.notes) say(note)
    say(`${step.title}: ready after ${seconds} s`)
  } else {
    say(`${step.title}: FAILED after ${seconds} s\n${result.text}`)
  }
  return result.ok
}
