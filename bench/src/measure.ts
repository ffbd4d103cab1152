/**
 * One bench in a process of its own: the parent starts it, the child measures and says what it got.
 *
 * The child also says how much of a core it had while it measured. A figure from half a core is
 * half a figure, and only the process itself can know.
 */
import { spawnSync } from "node:child_process"
import type { Bench } from "./bench.js"

const PROCESS_MS_MAX = 180_000
const MARK = "@sample "

export interface Sample {
  readonly values: readonly number[]
  /** CPU time over time that went by: 1 where it had a core to itself, more with helper threads. */
  readonly coreShare: number
}

export type Outcome = Sample | { readonly error: string }

/** Runs `main --child name` and reads what it says. */
export function sampleInChild(main: string, name: string, rounds: number): Outcome {
  const args = [...process.execArgv, main, "--child", name, "--rounds", String(rounds)]
  const child = spawnSync(process.execPath, args, {
    encoding: "utf8",
    timeout: PROCESS_MS_MAX,
    stdio: ["ignore", "pipe", "pipe"],
  })
  const line = child.stdout.split("\n").find((one) => one.startsWith(MARK))
  if (line === undefined) {
    return { error: child.error?.message ?? `it ended with exit code ${child.status}` }
  }
  const said = JSON.parse(line.slice(MARK.length)) as
    | { readonly error: string }
    | { readonly values: readonly (number | null)[]; readonly coreShare: number }
  if ("error" in said) return said
  // What is no number becomes null in JSON; it must not become a zero here.
  return { coreShare: said.coreShare, values: said.values.map((value) => value ?? Number.NaN) }
}

/** The child's side. */
export async function saySample(bench: Bench | undefined, rounds: number): Promise<void> {
  let said: Outcome
  try {
    if (bench === undefined) throw new Error("there is no such bench")
    said = await sample(bench, rounds)
  } catch (error) {
    said = { error: String(error) }
  }
  console.log(MARK + JSON.stringify(said))
}

/** One round to warm up, then the rounds that count. */
async function sample(bench: Bench, rounds: number): Promise<Sample> {
  await bench.run(1)
  const values: number[] = []
  const cpuBefore = process.cpuUsage()
  const msBefore = performance.now()
  for (let round = 0; round < rounds; round++) {
    globalThis.gc?.()
    values.push(await bench.run(1))
  }
  const { user, system } = process.cpuUsage(cpuBefore)
  return { values, coreShare: (user + system) / 1000 / (performance.now() - msBefore) }
}
