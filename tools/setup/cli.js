/**
 * What `npm start` and `npm test` do after the version check: help, set-up, and then the job.
 */
import { existsSync } from "node:fs"
import { performance } from "node:perf_hooks"
import { STAGES } from "../test/stage-list.js"
import { takeLock } from "./lock.js"
import { at, ROOT, toolEnv } from "./paths.js"
import { runForeground } from "./run.js"
import { STEPS, setUp } from "./steps.js"

const TOUR = "examples/src/tour.ts"
const PROGRAM = "packages/rmr-cli/src/main.ts"
/** Where the demo keeps stores, sockets and logs; never in the repository. */
const DEMO_FOLDER = ".rmr-demo"

/** Programs run from TypeScript sources, and package names mean sources too. */
const RUN_TYPESCRIPT = ["--import", "tsx"]

/** @type {Readonly<Record<string, { help: () => string, run: (args: Job) => Promise<number> }>>} */
const JOBS = {
  start: { help: startHelp, run: start },
  test: { help: testHelp, run: test },
}

/**
 * @typedef {object} Job
 * @property {readonly string[]} args what was typed after the name of the job
 * @property {readonly string[]} failedSteps steps of the set-up that failed
 */

/** @param {readonly string[]} words */
export async function main(words) {
  const [name = "", ...args] = words
  const job = JOBS[name]
  if (job === undefined) {
    console.error(`usage: node tools/setup/main.mjs ${Object.keys(JOBS).join("|")} [arguments]`)
    process.exitCode = 2
  } else if (args.includes("--help") || args.includes("-h")) {
    console.log(job.help())
  } else {
    process.exitCode = await prepareAndRun(job.run, args)
  }
}

/**
 * @param {(job: Job) => Promise<number>} runJob
 * @param {readonly string[]} args
 */
async function prepareAndRun(runJob, args) {
  const startMs = performance.now()
  const say = (/** @type {string} */ line) => console.log(`set-up: ${line}`)
  const release = await takeLock(say)
  const { ok, failed } = await setUp(STEPS, say)
  await release()
  if (!ok) {
    console.error(`set-up: cannot go on without: ${failed.join(", ")}`)
    return 1
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  say(`done in ${seconds} s${failed.length > 0 ? `, without: ${failed.join(", ")}` : ""}`)
  return runJob({ args, failedSteps: failed })
}

/** @param {Job} job */
async function start({ args, failedSteps }) {
  // Tools for tests and speed may be missing; the programs themselves may not.
  const missing = failedSteps.filter((name) => name !== "debian" && name !== "native")
  if (missing.length > 0) {
    console.error(`nothing can run: ${missing.join(", ")} failed, see above`)
    return 1
  }
  const [first, ...rest] = args
  if (first === "tour" && existsSync(at(TOUR))) return runSource(TOUR, rest)
  return runSource(PROGRAM, ["demo", "--folder", at(DEMO_FOLDER), ...args])
}

/** @param {Job} job */
function test({ args, failedSteps }) {
  const failed = failedSteps.flatMap((name) => ["--failed-step", name])
  return runSource("tools/test/main.ts", [...failed, ...args])
}

/**
 * @param {string} file
 * @param {readonly string[]} args
 */
function runSource(file, args) {
  const env = { ...toolEnv(), TSX_TSCONFIG_PATH: at("tsconfig.run.json") }
  return runForeground(process.execPath, [...RUN_TYPESCRIPT, file, ...args], { cwd: ROOT, env })
}

function startHelp() {
  return `npm start: sets everything up, then runs three storage nodes and a compute client on this
machine, with a replicated device exported by NBD, and shows what they do. Ctrl-C ends all of it;
what was written stays in ${DEMO_FOLDER} and is there again the next time.

  npm start -- --size "1 GiB"      another size (remove ${DEMO_FOLDER} first)
  npm start -- --nodes 2           another number of storage nodes
  npm start -- tour                the life of a pool on paper
  npm test                         every check and test; npm test -- --help says which
  pnpm model                       the exhaustive model of the rules, large bound
  pnpm bench, pnpm bench:device    the benchmarks

npx pnpm runs pnpm where it is not installed.`
}

function testHelp() {
  const width = Math.max(...STAGES.map((stage) => stage.name.length))
  const lines = STAGES.map((stage) => `  ${stage.name.padEnd(width)}  ${stage.title}`)
  return `npm test: sets everything up, then runs these stages, fast ones first:

${lines.join("\n")}

npm test -- --only unit,lint     these stages alone
npm test -- --bail               stop at the first stage that fails

The last line is "N passed, N failed" (", N skipped"); the exit code is 0 when nothing failed.`
}
