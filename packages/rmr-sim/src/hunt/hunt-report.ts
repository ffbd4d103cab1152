/**
 * How hunts are told: what a set of seeds came to, and the trace of one.
 */
import type { LogFields } from "@rmr/core"
import type { LogRecord } from "@rmr/testkit"
import { type BreachKind, breachOf, exitStatusOf } from "./breach.js"
import type { Seed } from "./hunt.js"
import type { SeedReport } from "./hunt-workers.js"

const HOUR_MS = 3_600_000

/** Adds up reports as they come in. */
export class HuntTally {
  readonly failures: SeedReport[] = []
  seedCount = 0
  private virtualMs = 0
  private operationCount = 0
  private readonly faultCounts = new Map<string, number>()
  private readonly digests = new Map<Seed, string>()

  /** Of a seed that came before: whether it came out the same. */
  add(report: SeedReport): SeedReport {
    const { seed, digest } = report
    const before = this.digests.get(seed)
    this.digests.set(seed, digest)
    const isSame = before === undefined || before === digest
    const words = `the same seed came to ${before} before, and to ${digest} now`
    const noted = isSame ? report : { ...report, breach: report.breach ?? breachOf(words) }
    this.seedCount++
    this.virtualMs += report.virtualMs
    this.operationCount += report.operationCount
    for (const [name, count] of Object.entries(report.faultCounts)) {
      this.faultCounts.set(name, (this.faultCounts.get(name) ?? 0) + count)
    }
    if (noted.breach !== undefined) this.failures.push(noted)
    return noted
  }

  get kinds(): readonly BreachKind[] {
    return this.failures.map(({ breach }) => breach!.kind)
  }

  get exitStatus(): number {
    return exitStatusOf(this.kinds)
  }

  get virtualHours(): number {
    return this.virtualMs / HOUR_MS
  }

  progress(of: number): string {
    const { seedCount, failures, virtualHours } = this
    const hours = virtualHours.toFixed(1)
    return `${seedCount} of ${of} seeds, ${hours} virtual hours, ${failures.length} failed`
  }

  toJson(): Record<string, unknown> {
    const { seedCount, virtualHours, operationCount, faultCounts, failures } = this
    const failed = failures.map(({ seed, breach, story }) => ({ seed, ...breach, story }))
    const faults = Object.fromEntries([...faultCounts].sort(byCount))
    return { seeds: seedCount, virtualHours, operations: operationCount, faults, failed }
  }

  /** The last line counts, as every runner here does. */
  summary(): string[] {
    const { seedCount, failures, virtualHours, operationCount, faultCounts } = this
    const counted = [...faultCounts].sort(byCount).map(([name, count]) => `${name} ${count}`)
    return [
      `${virtualHours.toFixed(1)} virtual hours, ${operationCount} operations`,
      ...wrapped("faults: ", counted),
      ...failures.map(({ seed }) => `replay: pnpm sim ${seed}`),
      `${seedCount - failures.length} passed, ${failures.length} failed`,
    ]
  }
}

function byCount([, a]: [string, number], [, b]: [string, number]): number {
  return b - a
}

const COLUMNS = 100

function wrapped(label: string, words: readonly string[]): string[] {
  const lines = [label]
  for (const word of words) {
    const line = lines[lines.length - 1]!
    if (line.length + word.length + 2 < COLUMNS) {
      lines[lines.length - 1] = line === label ? `${line}${word}` : `${line}, ${word}`
    } else {
      lines[lines.length - 1] = `${line},`
      lines.push(`${" ".repeat(label.length)}${word}`)
    }
  }
  return lines
}

export function failureLines({ seed, breach, virtualMs, story }: SeedReport): string[] {
  const at = Math.round(virtualMs)
  return [
    `FAIL seed ${seed}: ${breach?.kind}, at ${at} ms: ${breach?.words}`,
    `     ${story.join(", ")}`,
  ]
}

/** Time, who, what, and the rest: columns that stay where they are. */
export function traceLine({ atMs, level, event, fields }: LogRecord): string {
  const time = atMs.toFixed(3).padStart(12)
  const { who, rest } = partsOf(fields)
  return `${time} ${level.padEnd(5)} ${who.padEnd(10)} ${event.padEnd(28)} ${rest}`.trimEnd()
}

/** Where a record says which process or member it is of. */
const NAMES = ["host", "node", "client", "memberId", "member"]

function partsOf(fields: LogFields): { readonly who: string; readonly rest: string } {
  const name = NAMES.find((one) => fields[one] !== undefined)
  const rest = Object.entries(fields).filter(([key]) => key !== name)
  const who = name === undefined ? "" : String(fields[name])
  return { who, rest: rest.map(([key, value]) => `${key}=${String(value)}`).join(" ") }
}
