/**
 * failStore: operations that fail by rule, whatever the store inside would have said.
 *
 * What a rule strikes never reaches the inner store: it ends with the rule's code and has changed
 * nothing. Only a failed flush leaves something behind: it stands for a lost cache, so the next
 * open says so, as after a real one (S17).
 */
import type { ErrorCode, RestartClass, StoreSource } from "@rmr/core"
import { statusOf } from "@rmr/core"
import type { OperationKind } from "../store/operation.js"
import type { FilteredOperation } from "./filter-store.js"
import { filterStore } from "./filter-store.js"

export interface FailRule {
  /** Absent: all kinds. */
  readonly on?: readonly OperationKind[]
  /** Strikes reads, writes and zeroes that touch this range; absent: every place. */
  readonly offset?: number
  readonly bytes?: number
  readonly fails: Extract<ErrorCode, "io-error" | "media-error" | "no-space">
  /** How often it strikes. Absent: until it is taken back. */
  readonly times?: number
}

export interface FailStoreSource extends StoreSource {
  /** Returns the way to take it back. */
  addRule(rule: FailRule): () => void
  /** How many operations were made to fail. */
  readonly failedCount: number
}

interface Entry {
  readonly rule: FailRule
  leftCount: number
}

export function failStore(source: StoreSource): FailStoreSource {
  return new FailSource(source)
}

class FailSource implements FailStoreSource {
  readonly name: string
  readonly open: StoreSource["open"]
  failedCount = 0
  private readonly entries: Entry[] = []
  private isCacheLost = false

  constructor(source: StoreSource) {
    const filtered = filterStore(source, "failing", () => ({
      before: (operation) => this.strike(operation),
      after: (operation) => this.onSettled(operation),
      restart: (found): RestartClass => (this.isCacheLost ? "cache-lost" : found),
    }))
    this.name = filtered.name
    this.open = (options) => filtered.open(options)
  }

  addRule(rule: FailRule): () => void {
    const entry: Entry = { rule, leftCount: rule.times ?? Number.POSITIVE_INFINITY }
    this.entries.push(entry)
    return () => {
      entry.leftCount = 0
    }
  }

  private strike(operation: FilteredOperation): void {
    const entry = this.entries.find(
      ({ rule, leftCount }) => leftCount > 0 && touches(rule, operation),
    )
    if (entry === undefined) return
    entry.leftCount--
    this.failedCount++
    const { rule } = entry
    operation.status = statusOf(rule.fails)
    if (rule.fails === "media-error") nameBadRange(operation, rule)
    if (operation.kind === "flush") this.isCacheLost = true
  }

  private onSettled({ kind, status }: FilteredOperation): void {
    if (kind === "settle" && status === 0) this.isCacheLost = false
  }
}

function touches(rule: FailRule, { kind, offset, bytes }: FilteredOperation): boolean {
  if (rule.on !== undefined && !rule.on.includes(kind)) return false
  if (rule.offset === undefined) return true
  const hasRange = kind === "read" || kind === "write" || kind === "zero"
  const end = rule.offset + (rule.bytes ?? 1)
  return hasRange && offset < end && rule.offset < offset + bytes
}

/** The part of the operation that the rule covers. */
function nameBadRange(operation: FilteredOperation, rule: FailRule): void {
  const { offset, bytes } = operation
  const from = Math.max(offset, rule.offset ?? offset)
  const ruleEnd = rule.offset === undefined ? offset + bytes : rule.offset + (rule.bytes ?? 1)
  operation.badAt = from - offset
  operation.badBytes = Math.min(offset + bytes, ruleEnd) - from
}
