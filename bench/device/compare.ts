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
    for (const [at, target] of targets.entries()) rows.push(rowOf(job, target, runs[at]!, runs[0]!))
  }
  return rows
}

function rowOf(job: Job, target: Target, runs: readonly Run[], peer: readonly Run[]): Row {
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
    ratio: median(runs.map((run, round) => run.iops / peer[round]!.iops)),
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const below = sorted[Math.floor((sorted.length - 1) / 2)]!
  const above = sorted[Math.ceil((sorted.length - 1) / 2)]!
  return (below + above) / 2
}

export function tableOf(rows: readonly Row[]): string {
  const head =
    "| Job | Target | IOPS (spread) | MB/s | p50 µs | p99 µs | CPU µs/IO | fio µs/IO | Ratio |\n" +
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
  const whole = (value: number): string => Math.round(value).toLocaleString("en-US")
  const lines = rows.map(({ job, target, run, iopsLow, iopsHigh, ratio }) =>
    [
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
      "",
    ]
      .join(" | ")
      .trim(),
  )
  return [head, ...lines].join("\n")
}
