/**
 * `pnpm bench`: finds every bench beside this file, measures it, prints a table.
 *
 *   pnpm bench                     everything, in fresh processes, several rounds each, and then
 *                                  a replicated device beside its peers (bench/device)
 *   pnpm bench --only wire         those whose name contains the text
 *   pnpm bench --smoke             tiny amounts of work, once: only that everything still runs
 *   pnpm bench --json              the results for a program
 *   pnpm bench --rounds 3 --processes 3
 *
 * Every bench gets its own processes, so that none inherits the compiled code and the heap of
 * another, and several of them, because two processes rarely compile the same code the same way.
 * Package names mean sources here (tsconfig.run.json): what is written is what is measured. Exit
 * code 1: something failed or fell short.
 */
import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { missingTools } from "../device/tools.js"
import type { Bench } from "./bench.js"
import { type Outcome, type Sample, sampleInChild, saySample } from "./measure.js"
import { failureOf, type Result, resultOf, tableOf } from "./report.js"

interface Found {
  readonly name: string
  readonly bench: Bench
}

const HARNESS = ["main.ts", "bench.ts", "measure.ts", "report.ts"]
const SMOKE_SCALE = 0.0005
/** A sample from less of a core than this is taken again, this often; then it is said to be low. */
const CORE_SHARE_MIN = 0.9
const ATTEMPTS_MAX = 5

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    smoke: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    processes: { type: "string", default: "3" },
    child: { type: "string" },
  },
})

setFlagsFromString("--expose-gc")
globalThis.gc = runInNewContext("gc")

const found = await discover()
const rounds = Number(options.rounds)
if (options.child === undefined) await report()
else await saySample(found.find(({ name }) => name === options.child)?.bench, rounds)

async function discover(): Promise<Found[]> {
  const here = import.meta.dirname
  const files = readdirSync(here)
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !HARNESS.includes(file))
    .sort()
  const all: Found[] = []
  for (const file of files) {
    const module: { benches?: readonly Bench[] } = await import(
      pathToFileURL(join(here, file)).href
    )
    if (module.benches === undefined) throw new Error(`bench/src/${file} exports no benches`)
    for (const bench of module.benches) {
      all.push({ name: `${file.slice(0, -".ts".length)}: ${bench.name}`, bench })
    }
  }
  return all
}

async function report(): Promise<void> {
  const chosen = found.filter(({ name }) => name.includes(options.only))
  if (chosen.length === 0) throw new Error(`no bench has "${options.only}" in its name`)
  const results = options.smoke ? await smokeAll(chosen) : measureAll(chosen)
  if (options.json) console.log(JSON.stringify(results, null, 2))
  else if (options.smoke) summarize(results)
  else console.log(tableOf(results))
  const enough = results.every(({ verdict }) => verdict === "ok" || verdict === "open")
  const isAll = options.only === "" && !options.smoke && !options.json
  // Measured in any case, also where something else is short.
  const isFast = !isAll || isDeviceFast()
  process.exitCode = enough && isFast ? 0 : 1
}

/** The bench of a replicated device is a program of its own; see there. */
function isDeviceFast(): boolean {
  const missing = missingTools()
  if (missing !== undefined) {
    console.log(`the replicated device was not measured: ${missing}`)
    return true
  }
  const program = fileURLToPath(new URL("../device/main.ts", import.meta.url))
  const shape = ["--mib", "256", "--seconds", "2", "--rounds", "3"]
  const args = [...process.execArgv, program, ...shape]
  return spawnSync(process.execPath, args, { stdio: "inherit" }).status === 0
}

async function smokeAll(chosen: readonly Found[]): Promise<Result[]> {
  const results: Result[] = []
  for (const one of chosen) results.push(await smoke(one))
  return results
}

/** A smoke run judges no number, only that there is one. */
async function smoke({ name, bench }: Found): Promise<Result> {
  const { must: _, ...unjudged } = bench
  try {
    return resultOf(name, unjudged, [await bench.run(SMOKE_SCALE)])
  } catch (error) {
    return failureOf(name, unjudged, String(error))
  }
}

function summarize(results: readonly Result[]): void {
  const failed = results.filter(({ verdict }) => verdict === "failed")
  for (const { name, error } of failed) console.log(`failed: ${name}: ${error}`)
  console.log(`${results.length - failed.length} passed, ${failed.length} failed`)
}

/**
 * All benches, then all again: a minute in which the machine is busy must not make up all that is
 * known about one of them.
 */
function measureAll(chosen: readonly Found[]): Result[] {
  const taken = chosen.map(() => ({ values: [] as number[], error: "" }))
  let coreShareMin = Number.POSITIVE_INFINITY
  for (let pass = 1; pass <= Number(options.processes); pass++) {
    for (const [at, { name }] of chosen.entries()) {
      const outcome = sampleOf(name)
      const one = taken[at]
      if (one === undefined) continue
      if ("error" in outcome) one.error = outcome.error
      else {
        one.values.push(...outcome.values)
        coreShareMin = Math.min(coreShareMin, outcome.coreShare)
      }
    }
    if (!options.json) console.error(`pass ${pass} of ${options.processes} is done`)
  }
  if (coreShareMin < CORE_SHARE_MIN) {
    const percent = Math.round(coreShareMin * 100)
    console.error(`the machine was busy: some process had ${percent} % of a core; figures are low`)
  }
  return chosen.map(({ name, bench }, at) => {
    const { values, error } = taken[at] ?? { values: [], error: "it was never run" }
    return error === "" ? resultOf(name, bench, values) : failureOf(name, bench, error)
  })
}

/** The sample that had the most of a core, out of as few attempts as are needed. */
function sampleOf(name: string): Outcome {
  let best: Sample | undefined
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const outcome = sampleInChild(fileURLToPath(import.meta.url), name, rounds)
    if ("error" in outcome) return outcome
    if (best === undefined || outcome.coreShare > best.coreShare) best = outcome
    if (best.coreShare >= CORE_SHARE_MIN) break
  }
  return best ?? { error: "it was never run" }
}
