/**
 * How many system calls all processes of a target make per IO, counted by perf.
 *
 * Counting costs something at each call, and whoever makes fifty per IO would pay fifty times. So
 * it is done in a run of its own, whose speed is not looked at.
 */
import { spawn, spawnSync } from "node:child_process"
import { runFio } from "./fio.js"
import type { Job } from "./jobs.js"
import type { Target } from "./target.js"

const EVENT = "raw_syscalls:sys_enter"
const SETTLE_MS = 200
const PERF_MS_MAX = 10_000

/** Whether this machine counts system calls for us; otherwise why not. */
export function whyNoCounts(): string | undefined {
  const args = ["stat", "-e", EVENT, "-x", ",", "true"]
  const tried = spawnSync("perf", args, { encoding: "utf8", timeout: PERF_MS_MAX })
  if (tried.error !== undefined) return "there is no perf"
  return tried.status === 0 && countIn(tried.stderr) !== undefined
    ? undefined
    : "perf may not count system calls here"
}

/** Per IO, of all processes of the target together. */
export async function syscallsPerIo(
  target: Target,
  job: Job,
  seconds: number,
  volumeBytes: number,
): Promise<number> {
  const args = ["stat", "-e", EVENT, "-x", ",", "-p", target.pids.join(",")]
  const counter = spawn("perf", args, { stdio: ["ignore", "ignore", "pipe"] })
  let said = ""
  counter.stderr.on("data", (text: Buffer) => {
    said += text.toString()
  })
  const gone = new Promise<void>((resolve) => {
    counter.once("error", () => resolve())
    counter.once("close", () => resolve())
  })
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  const run = runFio(target, job, seconds, volumeBytes)
  counter.kill("SIGINT")
  const forced = setTimeout(() => counter.kill("SIGKILL"), PERF_MS_MAX)
  await gone
  clearTimeout(forced)
  const count = countIn(said)
  if (count === undefined) throw new Error(`perf does not count: ${said}`)
  return count / run.ios
}

/** Of perf's table of one line; undefined where it counted nothing. */
export function countIn(said: string): number | undefined {
  const line = said.split("\n").find((text) => text.includes(EVENT))
  const count = Number(line?.split(",")[0])
  return Number.isFinite(count) ? count : undefined
}
