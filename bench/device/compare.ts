/**
 * Runs every job on every target, in turns, and tells the medians side by side.
 *
 * Absolute figures of a shared machine move by half; two targets that take turns inside the same
 * minutes see the same machine. So a ratio is the median of the ratios of neighbours, never the
 * ratio of two medians.
 */
import { type Run, runFio } from "./fio.js"
import type { Job } from "./jobs.js"
import type { Target } from "./target.js"

export interface Row {
  readonly job: Job
  readonly target: string
  readonly isOurs: boolean
  /** Medians over the rounds. */
  readonly run: Run
  readonly iopsLow: number
  readonly iopsHigh: number
  /** Of each round; the same round of another target is its neighbour. */
  readonly iopsOfRounds: readonly number[]
  /** The target that it is compared with. */
  readonly beside: string
  /** Of IOPS. */
  readonly ratio: number
  /** Of CPU per IO; undefined where one of both has no process of its own. */
  readonly cpuRatio: number | undefined
  /** System calls per IO of all its processes, where they were counted. */
  readonly calls: number | undefined
  /** Something is promised for it, by the job. */
  readonly isJudged: boolean
}

export interface CompareOptions {
  readonly targets: readonly Target[]
  readonly jobs: readonly Job[]
  readonly seconds: number
  readonly rounds: number
  readonly volumeBytes: number
  /** Counts system calls in a run of its own; undefined where nobody can. */
  readonly countCalls: ((target: Target, job: Job) => Promise<number>) | undefined
  say(line: string): void
}

export async function compare(options: CompareOptions): Promise<Row[]> {
  const { targets, jobs, rounds, countCalls } = options
  const rows: Row[] = []
  for (const job of jobs) {
    const runs = targets.map((): Run[] => [])
    for (let round = 0; round < rounds; round++) {
      // Every other round the other way round: who comes second finds a warmer machine.
      const order = targets.map((_, at) => (round % 2 === 0 ? at : targets.length - 1 - at))
      for (const at of order) {
        runs[at]!.push(await runOnce(targets[at]!, job, options))
      }
      const others = Math.max(...runs.map((of) => of[round]!.othersShare))
      const words = `other work had up to ${(100 * others).toFixed(0)} % of the machine`
      options.say(`${job.name}: round ${round + 1} of ${rounds}; ${words}`)
    }
    for (const [at, target] of targets.entries()) {
      const calls = target.pids.length === 0 ? undefined : await countCalls?.(target, job)
      const peer = peerOf(target, targets)
      rows.push(rowOf(job, target, runs[at]!, runs[peer]!, targets[peer]!, calls))
    }
  }
  return rows
}

async function runOnce(target: Target, job: Job, options: CompareOptions): Promise<Run> {
  await target.prepare?.()
  const run = runFio(target, job, options.seconds, options.volumeBytes)
  const note = await target.noteOf?.()
  if (note !== undefined) options.say(`${job.name}: ${target.name}: ${note}`)
  return run
}

/** Whom it is judged beside, if that is here; else the first. */
function peerOf({ judgedBeside }: Target, targets: readonly Target[]): number {
  return Math.max(
    0,
    targets.findIndex(({ name }) => name === judgedBeside),
  )
}

function rowOf(
  job: Job,
  target: Target,
  runs: readonly Run[],
  peerRuns: readonly Run[],
  peer: Target,
  calls: number | undefined,
): Row {
  const of = (key: keyof Run): number => median(runs.map((run) => run[key]))
  const iops = runs.map((run) => run.iops)
  return {
    job,
    target: target.name,
    isOurs: target.isOurs,
    run: {
      ios: of("ios"),
      iops: of("iops"),
      megabytesPerSecond: of("megabytesPerSecond"),
      p50Us: of("p50Us"),
      p99Us: of("p99Us"),
      cpuUs: of("cpuUs"),
      fioCpuUs: of("fioCpuUs"),
      othersShare: of("othersShare"),
    },
    iopsLow: Math.min(...iops),
    iopsHigh: Math.max(...iops),
    iopsOfRounds: iops,
    beside: peer.name,
    ratio: median(runs.map((run, round) => run.iops / peerRuns[round]!.iops)),
    cpuRatio:
      target.pids.length === 0 || peer.pids.length === 0
        ? undefined
        : median(runs.map((run, round) => run.cpuUs / peerRuns[round]!.cpuUs)),
    calls,
    isJudged: target.judgedBeside === peer.name,
  }
}

/** Of the ratios of neighbours. */
export function ratioOf(row: Row, peer: Row): number {
  return median(row.iopsOfRounds.map((iops, round) => iops / peer.iopsOfRounds[round]!))
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const below = sorted[Math.floor((sorted.length - 1) / 2)]!
  const above = sorted[Math.ceil((sorted.length - 1) / 2)]!
  return (below + above) / 2
}

/** What of the job's promises a row does not keep. Whoever has nothing promised is never short. */
export function shortOf({ isJudged, job, ratio, cpuRatio, calls }: Row): readonly string[] {
  if (!isJudged) return []
  const short: string[] = []
  const { must, mustCpu, mustCalls } = job
  if (must !== undefined && ratio < must) short.push(`IOPS < ${must}×`)
  if (mustCpu !== undefined && (cpuRatio ?? 0) > mustCpu) short.push(`CPU > ${mustCpu}×`)
  if (mustCalls !== undefined && (calls ?? 0) > mustCalls) short.push(`calls > ${mustCalls}`)
  return short
}

/** A promise that nobody looked at is not said to be kept. */
function verdictOf(row: Row): string {
  const short = shortOf(row)
  const isUncounted = row.job.mustCalls !== undefined && row.calls === undefined
  const verdict = short.length > 0 ? `short: ${short.join(", ")}` : "ok"
  return isUncounted ? `${verdict}; system calls not counted` : verdict
}

export function isShort(row: Row): boolean {
  return shortOf(row).length > 0
}

const HEAD =
  "| Job | Target | IOPS (spread) | MB/s | p50 µs | p99 µs | CPU µs/IO | fio µs/IO " +
  "| System calls/IO | Beside | CPU ratio | Ratio | Must | Verdict |\n" +
  "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | --- |"

export function tableOf(rows: readonly Row[]): string {
  return [HEAD, ...rows.map(lineOf)].join("\n")
}

function lineOf(row: Row): string {
  const { job, target, run, iopsLow, iopsHigh, beside, ratio, cpuRatio, calls, isJudged } = row
  const whole = (value: number): string => Math.round(value).toLocaleString("en-US")
  const isPromised = isJudged && job.must !== undefined
  return [
    "",
    job.name,
    target,
    `${whole(run.iops)} (${whole(iopsLow)} … ${whole(iopsHigh)})`,
    whole(run.megabytesPerSecond),
    whole(run.p50Us),
    whole(run.p99Us),
    cpuRatio === undefined && run.cpuUs === 0 ? "" : run.cpuUs.toFixed(1),
    run.fioCpuUs.toFixed(1),
    calls?.toFixed(2) ?? "",
    beside,
    cpuRatio?.toFixed(2) ?? "",
    ratio.toFixed(2),
    isPromised ? `≥ ${job.must}` : "",
    isPromised ? verdictOf(row) : "open",
    "",
  ]
    .join(" | ")
    .trim()
}
