/**
 * What was measured before, line by line, and whether something was lost since.
 *
 * Ratios are compared, never speeds: those are the machine's. A line need not have all jobs, so of
 * each the newest one counts. One loss may be the machine's mood, so a loss counts only where
 * measuring again finds it again (main.ts does that). What a peer loses is no loss.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs"
import { cpus, release } from "node:os"
import { dirname } from "node:path"
import type { Row } from "./compare.js"

/** A ratio that has lost more than this part of what it was is lost. */
const LOSS_MAX = 0.2

/** One line of the file. */
export interface Measured {
  readonly time: string
  readonly machine: string
  /** Where the bytes lie: `tmpfs` or `disk`. */
  readonly place: string
  readonly seconds: number
  readonly rounds: number
  /** Of the machine, what other work had, from 0 to 1; lines of before do not say it. */
  readonly othersShare?: number
  readonly rows: readonly MeasuredRow[]
}

export interface MeasuredRow {
  readonly job: string
  readonly target: string
  /** Whom the ratios are to. */
  readonly beside: string
  readonly iops: number
  readonly iopsLow: number
  readonly iopsHigh: number
  readonly p50Us: number
  readonly p99Us: number
  readonly cpuUs: number
  readonly ratio: number
  readonly cpuRatio: number | undefined
  readonly calls: number | undefined
  readonly must: number | undefined
}

/** A row, and when it was measured. */
export interface Known extends MeasuredRow {
  readonly time: string
}

export function measuredOf(row: Row): MeasuredRow {
  const { job, target, beside, run, iopsLow, iopsHigh, ratio, cpuRatio, calls, isJudged } = row
  return {
    job: job.name,
    target,
    beside,
    iops: rounded(run.iops, 0),
    iopsLow: rounded(iopsLow, 0),
    iopsHigh: rounded(iopsHigh, 0),
    p50Us: rounded(run.p50Us, 0),
    p99Us: rounded(run.p99Us, 0),
    cpuUs: rounded(run.cpuUs, 1),
    ratio: rounded(ratio, 3),
    cpuRatio: cpuRatio === undefined ? undefined : rounded(cpuRatio, 3),
    calls: calls === undefined ? undefined : rounded(calls, 2),
    must: isJudged ? job.must : undefined,
  }
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

export function machineHere(): string {
  const [first] = cpus()
  const processors = `${cpus().length} × ${first?.model.trim() ?? "unknown"}`
  return `${processors}, Linux ${release()}, Node ${process.versions.node}`
}

export function record(path: string, measured: Measured): void {
  mkdirSync(dirname(path), { recursive: true })
  appendFileSync(path, `${JSON.stringify(measured)}\n`)
}

/** Of this place: of each job and target beside another the newest. */
export function knownIn(path: string, place: string): readonly Known[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, "utf8").split("\n")
  const all = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Measured)
  const known: Known[] = []
  for (const { time, rows } of all.filter((measured) => measured.place === place).reverse()) {
    for (const row of rows) {
      if (!known.some((newer) => isSameRow(newer, row))) known.push({ ...row, time })
    }
  }
  return known
}

export function isSameRow(one: MeasuredRow, other: MeasuredRow): boolean {
  return one.job === other.job && one.target === other.target && one.beside === other.beside
}

/** Those that can lose something: ours, beside another. */
export function oursAmong(rows: readonly Row[]): readonly MeasuredRow[] {
  return rows.filter(({ isOurs, target, beside }) => isOurs && target !== beside).map(measuredOf)
}

/** Rows whose ratio to the same peer has lost too much, in words, by the name of their job. */
export function lossesSince(
  known: readonly Known[],
  rows: readonly MeasuredRow[],
): ReadonlyMap<string, string> {
  const losses = new Map<string, string>()
  for (const row of rows) {
    const before = known.find((one) => isSameRow(one, row))
    if (before === undefined || row.ratio >= before.ratio * (1 - LOSS_MAX)) continue
    const was = `${before.ratio.toFixed(2)} on ${before.time.slice(0, 10)}`
    const words = `${row.target}: ${row.ratio.toFixed(2)} times ${row.beside}, ${was}`
    losses.set(row.job, [losses.get(row.job), words].filter(Boolean).join("; "))
  }
  return losses
}
