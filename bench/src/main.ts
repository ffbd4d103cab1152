/**
 * `pnpm bench`: finds every bench beside this file, measures it, prints a table.
 *
 *   pnpm bench                     everything, in fresh processes, several rounds each
 *   pnpm bench --only wire         those whose name contains the text
 *   pnpm bench --smoke             tiny amounts of work, once: only that everything still runs
 *   pnpm bench --json              the results for a program
 *   pnpm bench --rounds 3 --processes 3
 *
 * Every bench gets its own processes, so that none inherits the compiled code and the heap of
 * another, and several of them, because two processes rarely compile the same code the same way.
 * The packages must be built. Exit code 1: something failed or fell short.
 */
import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { Bench } from "./bench.js"
import { failureOf, type Result, resultOf, tableOf } from "./report.js"

interface Found {
  readonly name: string
  readonly bench: Bench
}

const HARNESS = ["main.ts", "bench.ts", "report.ts"]
const SMOKE_SCALE = 0.0005
const PROCESS_MS_MAX = 180_000
const RESULT_MARK = "@values "
const ERROR_MARK = "@error "

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
if (options.child === undefined) await report()
else await measureAsChild(options.child)

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
  const results: Result[] = []
  for (const one of chosen) results.push(options.smoke ? await smoke(one) : measure(one))
  if (options.json) console.log(JSON.stringify(results, null, 2))
  else if (options.smoke) summarize(results)
  else console.log(tableOf(results))
  const enough = results.every(({ verdict }) => verdict === "ok" || verdict === "open")
  process.exitCode = enough ? 0 : 1
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

function measure({ name, bench }: Found): Result {
  const values: number[] = []
  for (let process_ = 0; process_ < Number(options.processes); process_++) {
    const args = [fileURLToPath(import.meta.url), "--child", name, "--rounds", options.rounds]
    const child = spawnSync(process.execPath, [...process.execArgv, ...args], {
      encoding: "utf8",
      timeout: PROCESS_MS_MAX,
      stdio: ["ignore", "pipe", "pipe"],
    })
    const lines = child.stdout.split("\n")
    const line = lines.find((one) => one.startsWith(RESULT_MARK))
    if (line === undefined) {
      const said = lines.find((one) => one.startsWith(ERROR_MARK))?.slice(ERROR_MARK.length)
      return failureOf(name, bench, said ?? child.error?.message ?? `exit code ${child.status}`)
    }
    // What is no number becomes null in JSON; it must not become a zero here.
    const measured = JSON.parse(line.slice(RESULT_MARK.length)) as (number | null)[]
    values.push(...measured.map((value) => value ?? Number.NaN))
  }
  if (!options.json) console.error(`measured ${name}`)
  return resultOf(name, bench, values)
}

async function measureAsChild(name: string): Promise<void> {
  try {
    console.log(RESULT_MARK + JSON.stringify(await roundsOf(name)))
  } catch (error) {
    console.log(ERROR_MARK + String(error))
    process.exitCode = 1
  }
}

/** One round to warm up, then the rounds that count. */
async function roundsOf(name: string): Promise<number[]> {
  const one = found.find((candidate) => candidate.name === name)
  if (one === undefined) throw new Error(`no bench is called ${name}`)
  await one.bench.run(1)
  const values: number[] = []
  for (let round = 0; round < Number(options.rounds); round++) {
    globalThis.gc?.()
    values.push(await one.bench.run(1))
  }
  return values
}
