/**
 * Operations in flight as preallocated records, and completions as the batch they leave in.
 *
 * A store takes a record per submitted operation and gives it back at completion; in steady state
 * nothing is allocated. The table is as large as `inFlightMax`, and one more is our own mistake.
 */
import type { BlockBatch, BlockEvents, CellWrite, Lease } from "@rmr/core"
import {
  assert,
  BLOCK_BAD_AT,
  BLOCK_BAD_BYTES,
  BLOCK_STATUS,
  BLOCK_STRIDE,
  BLOCK_TOKEN,
  NO_LEASE,
  STATUS_OK,
} from "@rmr/core"

export type OperationKind = "read" | "write" | "zero" | "flush" | "commit" | "heat" | "settle"

const NO_CELLS: readonly CellWrite[] = []

export class Operation {
  /** Its place in the table; a small number that can stand for it. */
  readonly slot: number
  kind: OperationKind = "flush"
  token = 0
  offset = 0
  bytes = 0
  flags = 0
  lease: Lease = NO_LEASE
  at = 0
  cells: readonly CellWrite[] = NO_CELLS
  /** Reused: filled at submit. */
  readonly extents: number[] = []
  dueMs = 0
  status: number = STATUS_OK
  badAt = 0
  badBytes = 0
  isInFlight = false

  constructor(slot: number) {
    this.slot = slot
  }
}

export class OperationTable {
  private readonly operations: readonly Operation[]
  private readonly free: Operation[]

  constructor(countMax: number) {
    this.operations = Array.from({ length: countMax }, (_, slot) => new Operation(slot))
    this.free = [...this.operations].reverse()
  }

  get inFlightCount(): number {
    return this.operations.length - this.free.length
  }

  take(kind: OperationKind, token: number): Operation {
    const operation = this.free.pop()
    assert(operation !== undefined, `more than ${this.operations.length} operations in flight`)
    operation.kind = kind
    operation.token = token
    operation.isInFlight = true
    return operation
  }

  /** The operation in flight that has this slot. */
  at(slot: number): Operation {
    const operation = this.operations[slot]
    assert(operation?.isInFlight === true, `no operation is in flight in slot ${slot}`)
    return operation
  }

  give(operation: Operation): void {
    assert(operation.isInFlight, "an operation ends once")
    operation.isInFlight = false
    operation.offset = 0
    operation.bytes = 0
    operation.flags = 0
    operation.lease = NO_LEASE
    operation.cells = NO_CELLS
    if (operation.extents.length > 0) operation.extents.length = 0
    operation.status = STATUS_OK
    operation.badAt = 0
    operation.badBytes = 0
    this.free.push(operation)
  }
}

/** Completions that leave together. It is reused: full, delivered, empty again. */
export class Completions implements BlockBatch {
  count = 0
  readonly words: Int32Array

  constructor(countMax: number) {
    this.words = new Int32Array(countMax * BLOCK_STRIDE)
  }

  add(token: number, status: number, badAt: number, badBytes: number): void {
    const row = this.count * BLOCK_STRIDE
    assert(row < this.words.length, "completions fit their batch")
    this.words[row + BLOCK_TOKEN] = token
    this.words[row + BLOCK_STATUS] = status
    this.words[row + BLOCK_BAD_AT] = badAt
    this.words[row + BLOCK_BAD_BYTES] = badBytes
    this.count++
  }

  deliverTo(events: BlockEvents): void {
    if (this.count === 0) return
    events.onCompletions(this)
    this.count = 0
  }
}
