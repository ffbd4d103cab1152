/**
 * What the growth bench makes of what it reads: shares, fractions, verdicts, and a table of them.
 */

export type Verdict = "ok" | "short" | "open"

/** One line of the answer. */
export interface Row {
  readonly part: string
  readonly what: string
  readonly value: number
  readonly unit: string
  /** The value may be so much at most; without it, nothing is promised. */
  readonly most?: number
  /** To the smallest of its kind. */
  readonly ratio?: number
}

export function verdictOf({ value, most }: Row): Verdict {
  if (most === undefined) return "open"
  return value <= most ? "ok" : "short"
}

export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const most = row.most === undefined ? "" : `≤ ${shown(row.most)}`
    const ratio = row.ratio === undefined ? "" : row.ratio.toFixed(2)
    const cells = [`${row.part}: ${row.what}`, shown(row.value), row.unit, ratio, most]
    return `| ${[...cells, verdictOf(row)].join(" | ")} |`
  })
  const head = "| What | Median | Unit | Ratio | Must | Verdict |"
  return [head, "| --- | ---: | --- | ---: | ---: | --- |", ...lines].join("\n")
}

function shown(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return value.toFixed(0)
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1)
}

/** The value below which so large a part of them is; of none it is not a number. */
export function fractionOf(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN
}

export function medianOf(values: readonly number[]): number {
  return fractionOf(values, 0.5)
}

/** The median of the last fifth, in times of that of the second one: the first one warms up. */
export function growthOf(samples: readonly number[]): number {
  const fifth = Math.max(1, Math.floor(samples.length / 5))
  return medianOf(samples.slice(-fifth)) / medianOf(samples.slice(fifth, 2 * fifth))
}

/** What `smaps_rollup` says a process has, its part of what it shares with others. */
export function proportionalBytes(text: string): number {
  const line = /^Pss:\s+(\d+) kB$/m.exec(text)
  if (line === null) throw new Error("smaps_rollup says nothing of Pss")
  return Number(line[1]) * 1024
}

/** One line of watch.mjs. */
export interface Sample {
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
  readonly arrayBuffers: number
  readonly pauses: readonly number[]
}

/** All that was said until now; a line that is not whole yet is not said. */
export function samplesIn(text: string): readonly Sample[] {
  const lines = text.split("\n").slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Sample)
}
