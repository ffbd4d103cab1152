/** What pools.sh says, as rows, and what they come to. */
import { medianOf } from "../src/report.js"

export interface PoolRow {
  readonly target: string
  /** What fio does, and how many at a time. */
  readonly job: string
  readonly perSecond: number
  /** Of the whole guest: of both copies, whoever makes them, and fio. */
  readonly cpuUs: number
}

const TICK_US = 10_000

export function parsePools(said: string): PoolRow[] {
  return said
    .trim()
    .split("\n")
    .map((line) => {
      const words = line.split(" ")
      const [ios, ms, ticks] = words.slice(3).map(Number)
      if (words.length !== 6 || ![ios, ms, ticks].every((number) => number! > 0)) {
        throw new Error(`this is no row of a pool: ${line}`)
      }
      return {
        target: words[0]!,
        job: `${words[1]} ${words[2]}`,
        perSecond: (ios! * 1000) / ms!,
        cpuUs: (ticks! * TICK_US) / ios!,
      }
    })
}

/** Of the guest of one peer. */
export function poolSummary(rows: readonly PoolRow[]): string {
  const peer = rows.find(({ target }) => target !== "pool")?.target ?? "none"
  const columns = ["4 KiB", `${peer} IO/s`, "pool IO/s", `to ${peer}`]
  const cpus = [`${peer} CPU µs/IO`, "pool CPU µs/IO", `to ${peer}`]
  const lines = [`| ${[...columns, ...cpus].join(" | ")} |`, `|---${"|---:".repeat(6)}|`]
  for (const job of new Set(rows.map((row) => row.job))) {
    const of = (isPool: boolean, value: (row: PoolRow) => number): number => {
      const own = rows.filter((row) => row.job === job && (row.target === "pool") === isPool)
      return medianOf(own.map(value).toSorted((a, b) => a - b))
    }
    const rates = [false, true].map((isPool) => of(isPool, ({ perSecond }) => perSecond))
    const costs = [false, true].map((isPool) => of(isPool, ({ cpuUs }) => cpuUs))
    const cells = [rates, costs].flatMap(([theirs, ours]) => [
      Math.round(theirs!),
      Math.round(ours!),
      (ours! / theirs!).toFixed(2),
    ])
    lines.push(`| ${[job, ...cells].join(" | ")} |`)
  }
  return lines.join("\n")
}
