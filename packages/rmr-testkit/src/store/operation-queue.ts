/**
 * The way of an operation: submitted, begun at the end of the turn, due after a latency, done, and
 * home in a batch with all others that are due.
 *
 * Data operations are carried out in any order, overlapping ones too, because no caller may lean on
 * one; metadata operations keep theirs, because commits promise it. One timer serves all of them,
 * and in steady state nothing is allocated.
 */
import type { Random, StoreOpen, Timer } from "@rmr/core"
import { NO_LEASE, STATUS_OK } from "@rmr/core"
import type { Operation, OperationKind } from "./operation.js"
import { Completions, OperationTable } from "./operation.js"

export interface OperationQueueOptions {
  readonly open: StoreOpen
  readonly inFlightMax: number
  readonly latencyMs: readonly [min: number, max: number]
  readonly random: Random
  /** Does what the operation asks; it may set its status. */
  readonly execute: (operation: Operation) => void
}

/** Times are sums of doubles: what is due within this is due now. */
const DUE_SLACK_MS = 1e-6

export class OperationQueue {
  private readonly options: OperationQueueOptions
  private readonly table: OperationTable
  private readonly completions: Completions
  /** Not begun yet: the first `submittedCount` of a list that only grows. */
  private readonly submitted: Operation[] = []
  private submittedCount = 0
  private readonly data: Operation[] = []
  private readonly metadata: Operation[] = []
  private timer: Timer | undefined
  private timerDueMs = Number.POSITIVE_INFINITY
  private isEndAsked = false
  private isAbandoned = false
  private whenIdle: (() => void) | undefined

  constructor(options: OperationQueueOptions) {
    this.options = options
    this.table = new OperationTable(options.inFlightMax)
    this.completions = new Completions(options.inFlightMax)
  }

  /** A record for a new operation, to be filled and given to `add`. */
  take(kind: OperationKind, token: number): Operation {
    return this.table.take(kind, token)
  }

  /** The operation begins at the end of the turn. Its lease is held from here on. */
  add(operation: Operation): void {
    if (operation.lease !== NO_LEASE) this.options.open.memory.retain(operation.lease)
    this.submitted[this.submittedCount++] = operation
    if (this.isEndAsked) return
    this.isEndAsked = true
    this.options.open.env.clock.endOfTurn(this.onEndOfTurn)
  }

  beginSubmitted(): void {
    if (this.submittedCount === 0 || this.isAbandoned) return
    for (let at = 0; at < this.submittedCount; at++) this.begin(this.submitted[at]!)
    this.submittedCount = 0
    this.arm()
  }

  /** Resolves when nothing is in flight any more. */
  async idle(): Promise<void> {
    if (this.table.inFlightCount === 0) return
    await new Promise<void>((resolve) => {
      this.whenIdle = resolve
    })
  }

  /** The process died: nothing completes any more. Tells what had begun and was not done. */
  abandon(): { data: readonly Operation[]; metadata: readonly Operation[] } {
    this.isAbandoned = true
    this.timer?.cancel()
    return { data: this.data, metadata: this.metadata }
  }

  private readonly onEndOfTurn = (): void => {
    this.isEndAsked = false
    this.beginSubmitted()
  }

  private begin(operation: Operation): void {
    const { latencyMs, open, random } = this.options
    const [min, max] = latencyMs
    operation.dueMs = open.env.clock.nowMs() + min + random.unit() * (max - min)
    if (!isMetadata(operation)) {
      this.data.push(operation)
      return
    }
    const before = this.metadata[this.metadata.length - 1]
    if (before !== undefined) operation.dueMs = Math.max(operation.dueMs, before.dueMs)
    this.metadata.push(operation)
  }

  private arm(): void {
    let dueMs = this.metadata[0]?.dueMs ?? Number.POSITIVE_INFINITY
    for (const operation of this.data) dueMs = Math.min(dueMs, operation.dueMs)
    if (dueMs >= this.timerDueMs) return
    this.timer?.cancel()
    this.timerDueMs = dueMs
    const { clock } = this.options.open.env
    this.timer = clock.schedule(Math.max(0, dueMs - clock.nowMs()), this.onDue)
  }

  private readonly onDue = (): void => {
    if (this.isAbandoned) return
    this.timerDueMs = Number.POSITIVE_INFINITY
    const untilMs = this.options.open.env.clock.nowMs() + DUE_SLACK_MS
    this.finishDueMetadata(untilMs)
    this.finishDueData(untilMs)
    this.arm()
    this.completions.deliverTo(this.options.open.events)
    if (this.table.inFlightCount === 0) this.whenIdle?.()
  }

  private finishDueMetadata(untilMs: number): void {
    while (this.metadata.length > 0 && this.metadata[0]!.dueMs <= untilMs) {
      this.finish(this.metadata.shift()!)
    }
  }

  /** Chance says which of the due operations is next, until none is left. */
  private finishDueData(untilMs: number): void {
    const { data } = this
    let dueCount = 0
    for (let at = 0; at < data.length; at++) {
      if (data[at]!.dueMs <= untilMs) swap(data, at, dueCount++)
    }
    for (; dueCount > 0; dueCount--) {
      swap(data, this.options.random.below(dueCount), dueCount - 1)
      swap(data, dueCount - 1, data.length - 1)
      this.finish(data.pop()!)
    }
  }

  private finish(operation: Operation): void {
    if (operation.status === STATUS_OK) this.options.execute(operation)
    const { token, status, badAt, badBytes } = operation
    this.completions.add(token, status, badAt, badBytes)
    if (operation.lease !== NO_LEASE) this.options.open.memory.release(operation.lease)
    this.table.give(operation)
  }
}

function isMetadata(operation: Operation): boolean {
  return operation.kind === "commit" || operation.kind === "heat" || operation.kind === "settle"
}

function swap(operations: Operation[], a: number, b: number): void {
  const kept = operations[a]!
  operations[a] = operations[b]!
  operations[b] = kept
}
