/**
 * What can go wrong with a disk, as data: probabilities by name, and rules for single places.
 *
 * A simulation draws a `DiskFaults` from its seed; a story sets a rule for the one operation it is
 * about. Each kind of fault has its own stream of chance, so that switching one off leaves the
 * others where they were. What really struck is counted, because a test that provokes a fault must
 * be able to show that the fault happened.
 */
import type { ErrorCode } from "@rmr/core"
import type { SeededRandom } from "./seeded-random.js"

export const DISK_FAULT_KINDS = [
  "readError",
  "writeError",
  "flushError",
  "badSector",
  "bitRot",
  "misdirectedRead",
  "misdirectedWrite",
  "lostWrite",
  "staleRead",
  "slow",
  "stuck",
] as const

/**
 * - `readError`, `writeError`, `flushError`: the operation fails with `io-error`. A failed write
 *   may have been carried out in part; what a failed flush should have covered is never flushed
 *   again.
 * - `badSector`: a read makes one sector of its range unreadable until it is written again.
 * - `bitRot`: a read finds one bit of its range changed, and so does every later one.
 * - `misdirectedRead`, `misdirectedWrite`: it succeeds, at a wrong place.
 * - `lostWrite`: it succeeds, and nothing is written.
 * - `staleRead`: it succeeds with what was durable before the latest writes.
 * - `slow`: it takes `slowMs`.
 * - `stuck`: it ends when the disk is released, which may be never.
 */
export type DiskFaultKind = (typeof DISK_FAULT_KINDS)[number]

/** The probability of each fault per operation that it can strike; absent means never. */
export type DiskFaults = Readonly<Partial<Record<DiskFaultKind, number>>>

export const NO_DISK_FAULTS: DiskFaults = {}

export type DiskOperation = "read" | "write" | "zero" | "flush"

/** A fault at one place instead of by chance. */
export interface DiskRule {
  /** Absent: all of them. */
  readonly on?: readonly DiskOperation[]
  /**
   * It strikes operations that touch this range; absent: every place. A flush touches every place.
   */
  readonly offset?: number
  readonly length?: number
  readonly fails: Extract<ErrorCode, "io-error" | "no-space">
  /** How many such operations go through before it strikes. Default none. */
  readonly passes?: number
  /** How often it strikes. Absent: until it is taken back. */
  readonly times?: number
}

export class FaultDice {
  faults: DiskFaults = NO_DISK_FAULTS
  readonly struckCounts: Record<DiskFaultKind, number>
  private readonly streams: Record<DiskFaultKind, SeededRandom>

  constructor(random: SeededRandom) {
    this.struckCounts = byKind(() => 0)
    this.streams = byKind((kind) => random.fork(kind))
  }

  strikes(kind: DiskFaultKind): boolean {
    const isStruck = this.streams[kind].chance(this.faults[kind] ?? 0)
    if (isStruck) this.struckCounts[kind]++
    return isStruck
  }

  /** Where to strike: the stream of this kind. */
  streamOf(kind: DiskFaultKind): SeededRandom {
    return this.streams[kind]
  }
}

export class RuleBook {
  /** What was struck so far, in order: "write 4096+8192". */
  readonly struck: string[] = []
  private readonly entries: { readonly rule: DiskRule; passCount: number; leftCount: number }[] = []

  /** Returns the way to take it back. */
  add(rule: DiskRule): () => void {
    const { passes = 0, times = Number.POSITIVE_INFINITY } = rule
    const entry = { rule, passCount: passes, leftCount: times }
    this.entries.push(entry)
    return () => {
      entry.leftCount = 0
    }
  }

  /** The code that an operation fails with by the first rule that strikes it. */
  strike(on: DiskOperation, offset: number, length: number): ErrorCode | undefined {
    const entry = this.entries.find(
      (one) => one.leftCount > 0 && isStruck(one.rule, on, offset, length) && one.passCount-- <= 0,
    )
    if (entry === undefined) return undefined
    entry.leftCount--
    this.struck.push(on === "flush" ? on : `${on} ${offset}+${length}`)
    return entry.rule.fails
  }
}

function isStruck(rule: DiskRule, on: DiskOperation, offset: number, length: number): boolean {
  if (rule.on !== undefined && !rule.on.includes(on)) return false
  if (on === "flush" || rule.offset === undefined) return true
  const end = rule.offset + (rule.length ?? 1)
  return offset < end && rule.offset < offset + length
}

function byKind<T>(make: (kind: DiskFaultKind) => T): Record<DiskFaultKind, T> {
  const table = Object.fromEntries(DISK_FAULT_KINDS.map((kind) => [kind, make(kind)]))
  return table as Record<DiskFaultKind, T>
}
