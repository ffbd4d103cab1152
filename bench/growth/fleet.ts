/**
 * Daemons of the growth bench, and what they cost: resident memory, the part of a core that they
 * have while nobody asks anything, and the CPU of a load.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Daemons, type Said } from "../device/daemons.js"
import { cpuUsOf, type Run, residentBytesOf, runFio } from "../device/fio.js"
import type { Job } from "../device/jobs.js"
import { fioByNbd, type Target } from "../device/target.js"
import { medianOf, proportionalBytes } from "./figures.js"

export interface Options {
  readonly folder: string
  readonly isQuick: boolean
  readonly seconds: number
  readonly rounds: number
  readonly ios: number
  say(line: string): void
}

export const WRITES: Job = { name: "writes", rw: "randwrite", blockSize: "4k", depth: 32 }
const WARM_SECONDS = 2

/** Runs with a folder and daemons of its own, which are gone afterwards whatever happens. */
export async function withDaemons<T>(
  { folder }: Options,
  run: (daemons: Daemons, log: readonly Said[]) => Promise<T>,
): Promise<T> {
  const own = mkdtempSync(join(folder, "rmr-growth-"))
  const log: Said[] = []
  const daemons = new Daemons(own, (said) => log.push(said))
  try {
    return await run(daemons, log)
  } finally {
    await daemons.endAll()
    rmSync(own, { recursive: true, force: true })
  }
}

/** A process may take a while to answer when it has a thousand pools to open. */
export async function eventually(
  what: string,
  secondsMax: number,
  isSo: () => boolean | Promise<boolean>,
): Promise<void> {
  const endMs = performance.now() + secondsMax * 1000
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`${what}: not so after ${secondsMax} s`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export async function pidOf(daemons: Daemons, name: string): Promise<number> {
  return ((await daemons.ask(name, "status")) as { readonly pid: number }).pid
}

export interface Idle {
  readonly residentMb: number
  readonly proportionalMb: number
  /** Of a core, in per cent. */
  readonly cpu: number
}

/** What each of these processes has while nobody asks anything. */
export async function idleOf(pids: readonly number[], seconds: number): Promise<readonly Idle[]> {
  const before = pids.map((pid) => cpuUsOf([pid]))
  const startMs = performance.now()
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  const us = (performance.now() - startMs) * 1000
  return pids.map((pid, nth) => ({
    residentMb: residentBytesOf(pid) / 1e6,
    proportionalMb: proportionalBytes(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) / 1e6,
    cpu: ((cpuUsOf([pid]) - (before[nth] ?? 0)) / us) * 100,
  }))
}

export interface Loaded {
  readonly iops: number
  readonly cpuUs: number
}

/** Code that is compiled while it runs is slower at first. */
export function warm(uri: string, pids: readonly number[], bytes: number): void {
  runFio(targetOf(uri, pids), WRITES, WARM_SECONDS, bytes)
}

/** Medians of several runs of random writes over so many bytes, after one that warms up. */
export function loaded(
  uri: string,
  pids: readonly number[],
  bytes: number,
  { rounds, seconds }: Options,
): Loaded {
  warm(uri, pids, bytes)
  const runs: Run[] = []
  for (let nth = 0; nth < rounds; nth++) {
    runs.push(runFio(targetOf(uri, pids), WRITES, seconds, bytes))
  }
  const iops = medianOf(runs.map((run) => run.iops))
  return { iops, cpuUs: medianOf(runs.map((run) => run.cpuUs)) }
}

function targetOf(uri: string, pids: readonly number[]): Target {
  const fio = fioByNbd(uri)
  return { name: "ours", fio, pids, isOurs: true, stop: () => Promise.resolve() }
}
