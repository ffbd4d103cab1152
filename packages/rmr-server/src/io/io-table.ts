/**
 * IoTable: what a member knows of each request that it has admitted and not answered.
 *
 * Columns of numbers: a request is a row, its row is its token in the store, the locks
 * and the wait lists. Rows are few, so whoever asks a question about all of them (is this mutation
 * still on its way?) walks the table.
 */
import type { IoRecord, Lease, Session } from "@rmr/core"
import { assert, FreeRows, isMutation, longer, NO_FREE_ROW, NO_LEASE } from "@rmr/core"

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
  tickets: Int32Array
  leases: Float64Array
  operations: Uint8Array
  ioFlags: Uint8Array
  offsets: Float64Array
  lengths: Float64Array
  firstChunks: Float64Array
  chunkCounts: Int32Array
  units: Int32Array
  epochs: Float64Array
  sequences: Float64Array
  stages: Uint8Array
  waits: Uint8Array
  /** A mutation is carried out without the chunks that nobody has clean (W2). */
  goesWithout: Uint8Array
  /** When it was admitted; NaN where how long it takes says nothing of this member's pace (S11). */
  beginsMs: Float64Array
  private readonly free: FreeRows

  constructor(rowsMax: number) {
    this.rowsMax = rowsMax
    this.free = new FreeRows(rowsMax)
    const { rows } = this.free
    this.sessions = new Array<Session | undefined>(rows).fill(undefined)
    this.tickets = new Int32Array(rows)
    this.leases = new Float64Array(rows)
    this.operations = new Uint8Array(rows)
    this.ioFlags = new Uint8Array(rows)
    this.offsets = new Float64Array(rows)
    this.lengths = new Float64Array(rows)
    this.firstChunks = new Float64Array(rows)
    this.chunkCounts = new Int32Array(rows)
    this.units = new Int32Array(rows)
    this.epochs = new Float64Array(rows)
    this.sequences = new Float64Array(rows)
    this.stages = new Uint8Array(rows)
    this.waits = new Uint8Array(rows)
    this.goesWithout = new Uint8Array(rows)
    this.beginsMs = new Float64Array(rows)
  }

  /** Rows behind have never been taken. */
  get rows(): number {
    return this.stages.length
  }

  /** Requests that are admitted and not answered. */
  get count(): number {
    return this.free.takenCount
  }

  /** A row for the request, or `NO_ROW` where all are taken. */
  add(session: Session, ticket: number, lease: Lease, io: IoRecord): number {
    const row = this.free.take()
    if (row === NO_FREE_ROW) return NO_ROW
    if (row >= this.rows) this.grow(this.free.rows)
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
    this.free.give(row)
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
    for (let row = 0; row < this.rows; row++) {
      if (this.stages[row] === STAGE_FREE || this.units[row] !== unit) continue
      const isSame = this.epochs[row] === epoch && this.sequences[row] === sequence
      if (isSame && this.isMutation(row)) return true
    }
    return false
  }

  private grow(rows: number): void {
    while (this.sessions.length < rows) this.sessions.push(undefined)
    this.tickets = longer(this.tickets, rows)
    this.leases = longer(this.leases, rows)
    this.operations = longer(this.operations, rows)
    this.ioFlags = longer(this.ioFlags, rows)
    this.offsets = longer(this.offsets, rows)
    this.lengths = longer(this.lengths, rows)
    this.firstChunks = longer(this.firstChunks, rows)
    this.chunkCounts = longer(this.chunkCounts, rows)
    this.units = longer(this.units, rows)
    this.epochs = longer(this.epochs, rows)
    this.sequences = longer(this.sequences, rows)
    this.stages = longer(this.stages, rows)
    this.waits = longer(this.waits, rows)
    this.goesWithout = longer(this.goesWithout, rows)
    this.beginsMs = longer(this.beginsMs, rows)
  }
}
