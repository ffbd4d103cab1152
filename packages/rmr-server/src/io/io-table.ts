/**
 * IoTable: what a member knows of each request that it has admitted and not answered.
 *
 * Columns of numbers, made once: a request is a row, its row is its token in the store, the locks
 * and the wait lists. Rows are few, so whoever asks a question about all of them (is this mutation
 * still on its way?) walks the table.
 */
import type { Lease, Session } from "@rmr/core"
import { assert, type IoRecord, isMutation, NO_LEASE } from "@rmr/core"

export const STAGE_FREE = 0
/** It waits: for its extents, its chunks, a copy, memory, or room in the store. */
export const STAGE_WAITING = 1
/** The store carries it out. */
export const STAGE_STORE = 2
/** A mutation of dirty chunks has been applied; its bytes, then their clears become durable. */
export const STAGE_CLEARING = 3
/** What it missed becomes durable, before it says so. */
export const STAGE_MISSING = 4

/** What a waiting request waits for. */
export const WAIT_HEAT = 1
export const WAIT_LOCK = 2
export const WAIT_COPY = 4
export const WAIT_MEMORY = 8
export const WAIT_ROOM = 16

export const NO_ROW = -1

export class IoTable {
  readonly rowsMax: number
  readonly sessions: (Session | undefined)[]
  readonly tickets: Int32Array
  readonly leases: Float64Array
  readonly operations: Uint8Array
  readonly ioFlags: Uint8Array
  readonly offsets: Float64Array
  readonly lengths: Float64Array
  readonly firstChunks: Float64Array
  readonly chunkCounts: Int32Array
  readonly units: Int32Array
  readonly epochs: Float64Array
  readonly sequences: Float64Array
  readonly stages: Uint8Array
  readonly waits: Uint8Array
  /** A mutation is carried out without the chunks that nobody has clean (W2). */
  readonly goesWithout: Uint8Array
  /** When it was admitted; NaN where how long it takes says nothing of this member's pace (S11). */
  readonly beginsMs: Float64Array
  private readonly free: Int32Array
  private freeCount: number

  constructor(rowsMax: number) {
    this.rowsMax = rowsMax
    this.sessions = new Array<Session | undefined>(rowsMax).fill(undefined)
    this.tickets = new Int32Array(rowsMax)
    this.leases = new Float64Array(rowsMax)
    this.operations = new Uint8Array(rowsMax)
    this.ioFlags = new Uint8Array(rowsMax)
    this.offsets = new Float64Array(rowsMax)
    this.lengths = new Float64Array(rowsMax)
    this.firstChunks = new Float64Array(rowsMax)
    this.chunkCounts = new Int32Array(rowsMax)
    this.units = new Int32Array(rowsMax)
    this.epochs = new Float64Array(rowsMax)
    this.sequences = new Float64Array(rowsMax)
    this.stages = new Uint8Array(rowsMax)
    this.waits = new Uint8Array(rowsMax)
    this.goesWithout = new Uint8Array(rowsMax)
    this.beginsMs = new Float64Array(rowsMax)
    this.free = Int32Array.from({ length: rowsMax }, (_, row) => rowsMax - 1 - row)
    this.freeCount = rowsMax
  }

  /** Requests that are admitted and not answered. */
  get count(): number {
    return this.rowsMax - this.freeCount
  }

  /** A row for the request, or `NO_ROW` where all are taken. */
  add(session: Session, ticket: number, lease: Lease, io: IoRecord): number {
    if (this.freeCount === 0) return NO_ROW
    const row = this.free[--this.freeCount]!
    this.sessions[row] = session
    this.tickets[row] = ticket
    this.leases[row] = lease
    this.operations[row] = io.operation
    this.ioFlags[row] = io.ioFlags
    this.offsets[row] = io.offset
    this.lengths[row] = io.length
    this.firstChunks[row] = io.firstChunk
    this.chunkCounts[row] = io.chunkCount
    this.units[row] = io.unit
    this.epochs[row] = io.epoch
    this.sequences[row] = io.sequence
    this.stages[row] = STAGE_WAITING
    this.waits[row] = 0
    this.goesWithout[row] = 0
    this.beginsMs[row] = Number.NaN
    return row
  }

  remove(row: number): void {
    assert(this.stages[row] !== STAGE_FREE, "a request is answered once")
    this.sessions[row] = undefined
    this.leases[row] = NO_LEASE
    this.stages[row] = STAGE_FREE
    this.free[this.freeCount++] = row
  }

  leaseOf(row: number): Lease {
    return this.leases[row]! as Lease
  }

  isMutation(row: number): boolean {
    return isMutation(this.operations[row]!)
  }

  /** Whether this mutation is admitted here and not applied (V2, S9). */
  isUnderWay(unit: number, epoch: number, sequence: number): boolean {
    if (this.count === 0) return false
    for (let row = 0; row < this.rowsMax; row++) {
      if (this.stages[row] === STAGE_FREE || this.units[row] !== unit) continue
      const isSame = this.epochs[row] === epoch && this.sequences[row] === sequence
      if (isSame && this.isMutation(row)) return true
    }
    return false
  }
}
