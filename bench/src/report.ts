/**
 * From measured values to a verdict and a table that a person reads.
 */
import type { Bench } from "./bench.js"

/** `open`: nothing is promised for it. `failed`: it threw, or its answer is no number. */
export type Verdict = "ok" | "short" | "open" | "failed"

export interface Result {
  readonly name: string
  readonly unit: string
  readonly better: "more" | "less"
  readonly must: number | undefined
  readonly values: readonly number[]
  readonly median: number
  readonly low: number
  readonly high: number
  readonly verdict: Verdict
  /** Why it failed. */
  readonly error: string | undefined
}

export function resultOf(name: string, bench: Bench, values: readonly number[]): Result {
  const bad = values.find((value) => !Number.isFinite(value) || value < 0)
  if (values.length === 0) return failureOf(name, bench, "measured nothing")
  if (bad !== undefined) return failureOf(name, bench, `measured ${bad}`)
  const sorted = [...values].sort((a, b) => a - b)
  const median = medianOf(sorted)
  return {
    ...describe(name, bench),
    values,
    median,
    low: sorted[0] as number,
    high: sorted[sorted.length - 1] as number,
    verdict: verdictOf(bench, median),
    error: undefined,
  }
}

export function failureOf(name: string, bench: Bench, error: string): Result {
  const none = Number.NaN
  return {
    ...describe(name, bench),
    values: [],
    median: none,
    low: none,
    high: none,
    verdict: "failed",
    error,
  }
}

function describe(name: string, bench: Bench): Pick<Result, "name" | "unit" | "better" | "must"> {
  return { name, unit: bench.unit, better: bench.better, must: bench.must }
}

/** The middle of sorted values; between the two middle ones where there is none. */
export function medianOf(sorted: readonly number[]): number {
  const middle = (sorted.length - 1) / 2
  const below = sorted[Math.floor(middle)] as number
  const above = sorted[Math.ceil(middle)] as number
  return (below + above) / 2
}

function verdictOf({ must, better }: Bench, median: number): Verdict {
  if (must === undefined) return "open"
  return (better === "more" ? median >= must : median <= must) ? "ok" : "short"
}

export function tableOf(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.name,
    result.verdict === "failed" ? "–" : numberText(result.median),
    result.verdict === "failed"
      ? (result.error ?? "")
      : `${numberText(result.low)} … ${numberText(result.high)}`,
    result.unit,
    result.must === undefined
      ? ""
      : `${result.better === "more" ? "≥" : "≤"} ${numberText(result.must)}`,
    result.verdict,
  ])
  const head = ["bench", "median", "spread", "unit", "must", "verdict"]
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd()
  return [line(head), line(widths.map((width) => "─".repeat(width))), ...rows.map(line)].join("\n")
}

/** Three significant digits, without exponents. */
export function numberText(value: number): string {
  if (value === 0) return "0"
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US")
  if (Math.abs(value) < 0.001) return "< 0.001"
  return String(Number(value.toPrecision(3)))
}
