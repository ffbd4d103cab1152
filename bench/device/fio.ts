/**
 * One fio run against one target: what fio saw, and what all processes of the target spent for it.
 *
 * CPU time is read from /proc before and after. fio's ramp is part of what was spent and not of
 * what fio counts, so the count of IOs is scaled to the whole run. What the machine spent and
 * neither of both did is other work, which a run has to be known with.
 */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { cpus } from "node:os"
import type { Job } from "./jobs.js"
import type { Target } from "./target.js"

export interface Run {
  /** With those of the ramp. */
  readonly ios: number
  readonly iops: number
  readonly megabytesPerSecond: number
  readonly p50Us: number
  readonly p99Us: number
  /** Of all processes of the target, per IO. */
  readonly cpuUs: number
  readonly fioCpuUs: number
  /** Of all processors together, what other work had, from 0 to 1. */
  readonly othersShare: number
}

const RAMP_SECONDS = 0.5
const SLACK_MS = 15_000
const TICK_US = 10_000
const PART_BYTES = 2 ** 20

export function runFio(target: Target, job: Job, seconds: number, volumeBytes: number): Run {
  const before = cpuUsOf(target.pids)
  const machineBefore = machineCpuUs()
  const startMs = performance.now()
  const words = [...(target.within ?? []), "fio", ...argsOf(target, job, seconds, volumeBytes)]
  const [program = "", ...args] = words
  const child = spawnSync(program, args, {
    encoding: "utf8",
    timeout: seconds * 1000 + SLACK_MS,
    killSignal: "SIGKILL",
    maxBuffer: 2 ** 26,
  })
  const spentUs = cpuUsOf(target.pids) - before
  const machineUs = machineCpuUs() - machineBefore
  const hadUs = (performance.now() - startMs) * 1000 * cpus().length
  const said = `${child.stdout}${child.stderr}`
  if (child.status !== 0) throw new Error(`fio on ${target.name}, ${job.name}: ${said}`)
  const report = JSON.parse(child.stdout.slice(child.stdout.indexOf("{"))) as FioReport
  const [only] = report.jobs
  if (only === undefined || only.error !== 0) throw new Error(`fio on ${target.name}: ${said}`)
  const sides = [only.read, only.write].filter(({ total_ios: count }) => count > 0)
  const sum = (of: (side: FioSide) => number): number =>
    sides.reduce((all, side) => all + of(side), 0)
  // Of a mix the slower side counts.
  const worst = (of: (side: FioSide) => number): number => Math.max(...sides.map(of))
  const counted = sum((side) => side.total_ios)
  const runtimeMs = worst((side) => side.runtime)
  const ios = counted * (1 + RAMP_SECONDS / (runtimeMs / 1000))
  // Of all of its processes, one for each connection.
  const fioUs = ((only.usr_cpu + only.sys_cpu) / 100) * only.job_runtime * 1000
  return {
    ios,
    iops: sum((side) => side.iops),
    megabytesPerSecond: sum((side) => side.bw_bytes) / 1e6,
    p50Us: worst((side) => side.clat_ns.percentile["50.000000"]) / 1000,
    p99Us: worst((side) => side.clat_ns.percentile["99.000000"]) / 1000,
    cpuUs: spentUs / ios,
    fioCpuUs: fioUs / counted,
    othersShare: Math.max(0, machineUs - spentUs - (fioUs / counted) * ios) / hadUs,
  }
}

interface FioSide {
  readonly iops: number
  readonly bw_bytes: number
  readonly total_ios: number
  readonly runtime: number
  readonly clat_ns: {
    readonly percentile: { readonly "50.000000": number; readonly "99.000000": number }
  }
}

interface FioReport {
  readonly jobs: readonly {
    readonly error: number
    readonly job_runtime: number
    readonly usr_cpu: number
    readonly sys_cpu: number
    readonly read: FioSide
    readonly write: FioSide
  }[]
}

export function argsOf(
  target: Pick<Target, "fio">,
  job: Job,
  seconds: number,
  volumeBytes: number,
): string[] {
  return [
    "--name=device",
    ...target.fio,
    ...(job.rw === "mix" ? ["--rw=randrw", "--rwmixread=70"] : [`--rw=${job.rw}`]),
    `--bs=${job.blockSize}`,
    ...partsOf(job, volumeBytes),
    `--runtime=${seconds}`,
    "--time_based=1",
    `--ramp_time=${RAMP_SECONDS}`,
    "--randrepeat=0",
    "--norandommap=1",
    "--eta=never",
    "--output-format=json",
  ]
}

/** Several connections share the depth, and each has a part of the volume for itself. */
function partsOf({ depth, connections = 1 }: Job, volumeBytes: number): string[] {
  if (connections === 1) return [`--iodepth=${depth}`, `--size=${volumeBytes}`]
  const bytes = Math.floor(volumeBytes / connections / PART_BYTES) * PART_BYTES
  return [
    `--iodepth=${depth / connections}`,
    `--size=${bytes}`,
    `--offset_increment=${bytes}`,
    `--numjobs=${connections}`,
    "--group_reporting=1",
  ]
}

/** User and system time of whole processes so far. */
export function cpuUsOf(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks * TICK_US
}

/** User and system time of all processes of the machine so far; interrupts are nobody's. */
function machineCpuUs(): number {
  const [first = ""] = readFileSync("/proc/stat", "utf8").split("\n")
  const [, user, nice, system] = first.split(/\s+/).map(Number)
  return ((user ?? 0) + (nice ?? 0) + (system ?? 0)) * TICK_US
}

/** Resident memory of a process. */
export function residentBytesOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, "utf8")
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(text)
  if (line === null) throw new Error(`process ${pid} does not say what memory it has`)
  return Number(line[1]) * 1024
}
