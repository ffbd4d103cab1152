/** What echo.sh says, as rows, and what they come to. */
import { medianOf } from "../src/report.js"

export interface EchoRow {
  readonly kind: string
  readonly depth: number
  readonly perSecond: number
  /** Of both processes. */
  readonly cpuUs: number
}

export function parseEchoes(said: string): EchoRow[] {
  return said
    .trim()
    .split("\n")
    .map((line) => {
      const words = line.split(" ")
      const [messages, seconds, client, server] = words.slice(2).map(Number)
      const numbers = [messages, seconds, client, server]
      if (words.length !== 6 || !numbers.every((number) => number !== undefined && number > 0)) {
        throw new Error(`this is no row of an echo: ${line}`)
      }
      return {
        kind: words[0]!,
        depth: Number(words[1]),
        perSecond: messages! / seconds!,
        cpuUs: ((client! + server!) * 1e6) / messages!,
      }
    })
}

/** Of the C program, and of the same with as many bytes as we send. */
const REFERENCES = ["c", "c+heads"]
const COLUMNS = ["echo of 4 KiB", "depth", "messages/s", "to c", "to c+heads"]

export function summary(rows: readonly EchoRow[]): string {
  const columns = [...COLUMNS, "CPU µs, both", "to c", "to c+heads"]
  const lines = [`| ${columns.join(" | ")} |`, `|---${"|---:".repeat(columns.length - 1)}|`]
  const depths = [...new Set(rows.map(({ depth }) => depth))]
  const kinds = [...new Set(rows.map(({ kind }) => kind))]
  for (const depth of depths) {
    const of = (kind: string): readonly [rate: number, cpu: number] =>
      medians(rows.filter((row) => row.kind === kind && row.depth === depth))
    const references = REFERENCES.map(of)
    for (const kind of kinds) {
      const [rate, cpu] = of(kind)
      const rates = references.map(([one]) => (rate / one).toFixed(2))
      const cpus = references.map(([, one]) => (cpu / one).toFixed(2))
      const cells = [kind, depth, Math.round(rate), ...rates, Math.round(cpu), ...cpus]
      lines.push(`| ${cells.join(" | ")} |`)
    }
  }
  return lines.join("\n")
}

function medians(rows: readonly EchoRow[]): [rate: number, cpu: number] {
  const of = (value: (row: EchoRow) => number): number =>
    medianOf(rows.map(value).toSorted((a, b) => a - b))
  return [of(({ perSecond }) => perSecond), of(({ cpuUs }) => cpuUs)]
}
