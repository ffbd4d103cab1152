/**
 * Runs a load on a pool of real processes while a schedule of faults goes on, lets everything heal,
 * and looks at all that is left.
 *
 * A few faults, or with `RMR_LONG=1` ten minutes of them. The schedule is that of the seed, which
 * is printed, and so is every step with its time where `RMR_LONG` or `RMR_STEPS` is set.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { seededRandom } from "@rmr/testkit"
import { whyNoWires } from "../../../bench/device/wires.js"
import { isLong, MIB, missing } from "../nbd-tools.js"
import { type Step, schedule, wordsOf } from "./schedule.js"
import { type Load, NODES, Site } from "./site.js"

export const seed: number = Number(process.env["RMR_SEED"])

const LONG_MS = 60_000 * Number(process.env["RMR_MINUTES"] ?? 10)
const IS_TOLD = isLong() || (process.env["RMR_STEPS"] ?? "") !== ""

/** For one test: ten minutes of faults, and what is done before and behind them. */
export const RUN_MS_MAX: number = isLong() ? LONG_MS + 1_200_000 : 420_000

export function whyNotImpolite(): string {
  return whyNoWires() || missing("nbdkit")
}

/** `name`: of the test file, and of its schedule. */
export async function beImpolite(name: string, sizeMib: number, load: Load): Promise<void> {
  // A database that runs as another user has to get at its files.
  const folder = mkdtempSync(join(tmpdir(), `rmr-${name}-`))
  chmodSync(folder, 0o711)
  let site: Site | undefined
  let wrong: unknown
  try {
    const clientPool = shapeOf(name)
    site = await Site.open({ folder, sizeBytes: sizeMib * MIB, load, clientPool })
    await load.begin(site)
    const went = await goWrong(site, name, load)
    const done = await load.end()
    await load.close()
    await site.untilHealed()
    await site.finish()
    const mib = Math.round(site.writtenBytes / MIB)
    const words = `${tally(went.steps)}; ${done}; ${mib} MiB written; ${healing(went.healedMs)}`
    tell(`${name}: ${words}; RMR_SEED=${seed}`)
  } catch (thrown) {
    const words = thrown instanceof Error ? thrown.stack : String(thrown)
    const said = site === undefined ? "" : await site.words()
    const env = `RMR_SEED=${seed}${isLong() ? " RMR_LONG=1" : ""}`
    const again = `${env} npx jest --selectProjects e2e --testPathPatterns impolite/${name}`
    wrong = new Error(`${words}\n${said}\nagain: ${again}`)
  }
  try {
    await load.close()
    await site?.close()
    rmSync(folder, { recursive: true, force: true })
  } catch (thrown) {
    // What went wrong before is what matters.
    wrong ??= thrown
  }
  if (wrong !== undefined) throw wrong
}

/** Late sooner or later, and with one member left it goes on or waits: both of the seed. */
function shapeOf(name: string): string {
  const random = seededRandom(`impolite shape ${name} ${seed}`)
  const deadlineMs = isLong() ? random.pick([300, 1000, 3000]) : 1000
  const minNormal = random.pick([1, 2])
  if (IS_TOLD) tell(`${name}: io_deadline_ms = ${deadlineMs}, min_normal = ${minNormal}`)
  return `io_deadline_ms = ${deadlineMs}\nmin_normal = ${minNormal}\n`
}

interface Went {
  readonly steps: readonly string[]
  /** Of each time that it was waited for. */
  readonly healedMs: readonly number[]
}

/** Step by step, until the time is over; healed afterwards. */
async function goWrong(site: Site, name: string, load: Load): Promise<Went> {
  const steps: string[] = []
  const healedMs: number[] = []
  const heal = async (): Promise<void> => {
    const took = await site.untilHealed()
    healedMs.push(Math.round(took.healedMs))
    const words = `normal after ${Math.round(took.normalMs)} ms`
    if (IS_TOLD) tell(`${name} ${words}, healed after ${healedMs.at(-1)} ms`)
  }
  const startMs = performance.now()
  const random = seededRandom(`impolite ${name} ${seed}`)
  for (const step of schedule(random, NODES, !isLong())) {
    const atMs = performance.now() - startMs
    if (isLong() && atMs > LONG_MS) break
    if (IS_TOLD) tell(`${name} ${(atMs / 1000).toFixed(1)} s, ${wordsOf(step)}`)
    await pause(step.calmMs)
    await carryOut(site, step)
    load.look()
    if (step.isAwaited) await heal()
    load.look()
    steps.push(step.name)
  }
  await heal()
  return { steps, healedMs }
}

/** Until the last of its faults is over. Those of one host come one after the other. */
async function carryOut(site: Site, { faults, isPatient }: Step): Promise<void> {
  const startMs = performance.now()
  const lastOf = new Map<string, Promise<void>>()
  for (const { fault, atMs, forMs } of faults) {
    const whom = fault.what === "cut" ? `${fault.from} > ${fault.to}` : `${fault.host}`
    const before = lastOf.get(whom) ?? Promise.resolve()
    const run = async (): Promise<void> => {
      await before
      await pause(startMs + atMs - performance.now())
      await site.start(fault)
      await pause(forMs)
      await site.end(fault, isPatient)
    }
    lastOf.set(whom, run())
  }
  // All of them end, also where one fails: what is started is ended afterwards.
  const ends = await Promise.allSettled(lastOf.values())
  for (const end of ends) if (end.status === "rejected") throw end.reason
}

function tally(names: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  const each = [...counts].sort(([, a], [, b]) => b - a).map(([name, n]) => `${n} x ${name}`)
  return `${names.length} steps (${each.join(", ")})`
}

function healing(each: readonly number[]): string {
  const sorted = [...each].sort((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)]
  return `healed ${sorted.length} times, median ${median} ms, longest ${sorted.at(-1)} ms`
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Faults take time: it is what they are. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
