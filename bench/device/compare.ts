/**
 * Runs every job on every target, in turns, and tells the medians side by side.
 *
 * Absolute figures of a shared machine move by half; two targets that take turns inside the same
 * minutes see the same machine. So a ratio is the median of the ratios of neighbours, never the
 * ratio of two medians.
 */
import { type Job, type Run, runFio } from "./fio.js"
import type { Target } from "./target.js"

export interface Row {
  readonly job: Job
  readonly target: string
  /** Medians over the rounds. */
  readonly run: Run
  readonly iopsLow: number
  readonly iopsHigh: number
  /** Of IOPS, to the first target. */
  readonly ratio: number
  /** What the ratio must be, where something is promised. */
  readonly must: number | undefined
}

export interface CompareOptions {
  readonly targets: readonly Target[]
  readonly jobs: readonly Job[]
  readonly seconds: number
  readonly rounds: number
  readonly volumeBytes: number
  say(line: string): void
}

export function compare(options: CompareOptions): Row[] {
  const { targets, jobs, seconds, rounds, volumeBytes } = options
  const rows: Row[] = []
  for (const job of jobs) {
    const runs = targets.map((): Run[] => [])
    for (let round = 0; round < rounds; round++) {
      // Every other round the other way round: who comes second finds a warmer machine.
      const order = targets.map((_, at) => (round % 2 === 0 ? at : targets.length - 1 - at))
      for (const at of order) {
        runs[at]!.push(runFio(targets[at]!, job, seconds, volumeBytes))
      }
      options.say(`${job.name}: round ${round + 1} of ${rounds}`)
    }
    for (const [at, target] of targets.entries())
      rows.push(rowOf(job, target, runs[at]!, runs[0]!, targets[0]!))
  }
  return rows
}

function rowOf(
  job: Job,
  target: Target,
  runs: readonly Run[],
  peerRuns: readonly Run[],
  peer: Target,
): Row {
  const of = (key: keyof Run): number => median(runs.map((run) => run[key]))
  const iops = runs.map((run) => run.iops)
  return {
    job,
    target: target.name,
    run: {
      iops: of("iops"),
      megabytesPerSecond: of("megabytesPerSecond"),
      p50Us: of("p50Us"),
      p99Us: of("p99Us"),
      cpuUs: of("cpuUs"),
      fioCpuUs: of("fioCpuUs"),
    },
    iopsLow: Math.min(...iops),
    iopsHigh: Math.max(...iops),
    ratio: median(runs.map((run, round) => run.iops / peerRuns[round]!.iops)),
    must: target.judgedBeside === peer.name ? job.must : undefined,
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const below = sorted[Math.floor((sorted.length - 1) / 2)]!
  const above = sorted[Math.ceil((sorted.length - 1) / 2)]!
  return (below + above) / 2
}

/** Whoever has nothing promised is never short. */
export function isShort({ ratio, must }: Row): boolean {
  return must !== undefined && ratio < must
}

export function tableOf(rows: readonly Row[]): string {
  const head =
    "| Job | Target | IOPS (spread) | MB/s | p50 µs | p99 µs | CPU µs/IO | fio µs/IO | Ratio " +
    "| Must | Verdict |\n" +
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
  const whole = (value: number): string => Math.round(value).toLocaleString("en-US")
  const lines = rows.map((row) => {
    const { job, target, run, iopsLow, iopsHigh, ratio, must } = row
    return [
      "",
      job.name,
      target,
      `${whole(run.iops)} (${whole(iopsLow)} … ${whole(iopsHigh)})`,
      whole(run.megabytesPerSecond),
      whole(run.p50Us),
      whole(run.p99Us),
      run.cpuUs.toFixed(1),
      run.fioCpuUs.toFixed(1),
      ratio.toFixed(2),
      must === undefined ? "" : `≥ ${must}`,
      must === undefined ? "open" : isShort(row) ? "short" : "ok",
      "",
    ]
      .join(" | ")
      .trim()
  })
  return [head, ...lines].join("\n")
}
