/**
 * IoRows: what a client pool knows of each operation that is not over.
 *
 * A mutation's row is its io unit (`mem_id`), so there are as many as the pool has units, and a row
 * is used again only when its mutation is resolved (W1, W7); reads and flushes have rows behind
 * those. Columns of numbers, made once: a steady state allocates nothing.
 */
import type { Lease } from "@rmr/core"
import { assert, NO_LEASE } from "@rmr/core"
import type { PoolVolume } from "../volume/pool-volume.js"

export const KIND_FREE = 0
export const KIND_MUTATION = 1
export const KIND_READ = 2
export const KIND_FLUSH = 3

export const NO_ROW = -1

export class IoRows {
  readonly unitCount: number
  readonly rowCount: number
  readonly kinds: Uint8Array
  readonly volumes: (PoolVolume | undefined)[]
  /** The user's token. */
  readonly tokens: Int32Array
  readonly operations: Uint8Array
  readonly ioFlags: Uint8Array
  readonly offsets: Float64Array
  readonly lengths: Float64Array
  readonly leases: Float64Array
  readonly leaseAts: Float64Array
  readonly payloadCrcs: Float64Array
  /** Of a mutation once it was sent, else 0. */
  readonly sequences: Float64Array
  /** In which order operations came. */
  readonly arrivals: Float64Array
  readonly startMs: Float64Array
  /** When it was sent first; a flush, in the view in force. */
  readonly sentMs: Float64Array
  /** Members held it until then for want of a clean copy: they are not late with it (V7). */
  readonly grantedMs: Float64Array
  /** Overlapping mutations that came earlier and are not resolved (W1). */
  readonly blockers: Int32Array
  /** The normal set of the view that it was sent under. */
  readonly sentTo: Uint8Array
  /**
   * Legs that it has to be submitted to still: no credit, or no session. A read: the leg that had
   * no credit for it; it may go to another one.
   */
  readonly owed: Uint8Array
  readonly done: Uint8Array
  /** A read: legs that knew nobody with a clean copy. */
  readonly missed: Uint8Array
  readonly carriedOut: Uint8Array
  readonly missedMarked: Uint8Array
  /** A read: legs that could not serve it. A flush: legs it was sent to in this view. */
  readonly tried: Uint8Array
  /**
   * A read: number of the last request before it was submitted (F7). A flush: what it makes stable.
   */
  readonly marks: Float64Array
  /** The first error of a leg, for the caller if nobody does it. */
  readonly statuses: Int32Array
  readonly badAts: Float64Array
  readonly badBytes: Float64Array
  /** The caller has been told, though it is not resolved (W6). */
  readonly isTold: Uint8Array
  /** Tells the uses of a row apart, for submissions that end late. */
  readonly serials: Int32Array
  private readonly freeUnits: Int32Array
  private readonly freeOthers: Int32Array
  private freeUnitCount: number
  private freeOtherCount: number

  constructor(unitCount: number, otherCount: number) {
    const rows = unitCount + otherCount
    this.unitCount = unitCount
    this.rowCount = rows
    this.kinds = new Uint8Array(rows)
    this.volumes = new Array<PoolVolume | undefined>(rows).fill(undefined)
    this.tokens = new Int32Array(rows)
    this.operations = new Uint8Array(rows)
    this.ioFlags = new Uint8Array(rows)
    this.offsets = new Float64Array(rows)
    this.lengths = new Float64Array(rows)
    this.leases = new Float64Array(rows).fill(NO_LEASE)
    this.leaseAts = new Float64Array(rows)
    this.payloadCrcs = new Float64Array(rows)
    this.sequences = new Float64Array(rows)
    this.arrivals = new Float64Array(rows)
    this.startMs = new Float64Array(rows)
    this.sentMs = new Float64Array(rows)
    this.grantedMs = new Float64Array(rows)
    this.blockers = new Int32Array(rows)
    this.sentTo = new Uint8Array(rows)
    this.owed = new Uint8Array(rows)
    this.done = new Uint8Array(rows)
    this.missed = new Uint8Array(rows)
    this.carriedOut = new Uint8Array(rows)
    this.missedMarked = new Uint8Array(rows)
    this.tried = new Uint8Array(rows)
    this.marks = new Float64Array(rows)
    this.statuses = new Int32Array(rows)
    this.badAts = new Float64Array(rows)
    this.badBytes = new Float64Array(rows)
    this.isTold = new Uint8Array(rows)
    this.serials = new Int32Array(rows)
    this.freeUnits = Int32Array.from({ length: unitCount }, (_, at) => unitCount - 1 - at)
    this.freeOthers = Int32Array.from({ length: otherCount }, (_, at) => rows - 1 - at)
    this.freeUnitCount = unitCount
    this.freeOtherCount = otherCount
  }

  get count(): number {
    return this.rowCount - this.freeUnitCount - this.freeOtherCount
  }

  hasRoomFor(kind: number): boolean {
    return kind === KIND_MUTATION ? this.freeUnitCount > 0 : this.freeOtherCount > 0
  }

  take(kind: number): number {
    const row =
      kind === KIND_MUTATION
        ? this.freeUnits[--this.freeUnitCount]!
        : this.freeOthers[--this.freeOtherCount]!
    this.kinds[row] = kind
    this.grantedMs[row] = 0
    this.blockers[row] = 0
    this.forgetAsked(row)
    this.statuses[row] = 0
    this.badAts[row] = 0
    this.badBytes[row] = 0
    this.isTold[row] = 0
    this.payloadCrcs[row] = 0
    return row
  }

  /** Nobody counts as asked any more, and what is still answered is not about this row. */
  askAnew(row: number): void {
    this.serials[row]!++
    this.forgetAsked(row)
  }

  private forgetAsked(row: number): void {
    this.sequences[row] = 0
    this.sentMs[row] = 0
    this.sentTo[row] = 0
    this.owed[row] = 0
    this.done[row] = 0
    this.missed[row] = 0
    this.carriedOut[row] = 0
    this.missedMarked[row] = 0
    this.tried[row] = 0
    this.marks[row] = 0
  }

  give(row: number): void {
    assert(this.kinds[row] !== KIND_FREE, "an operation ends once")
    this.kinds[row] = KIND_FREE
    this.volumes[row] = undefined
    this.leases[row] = NO_LEASE
    this.serials[row]!++
    if (row < this.unitCount) this.freeUnits[this.freeUnitCount++] = row
    else this.freeOthers[this.freeOtherCount++] = row
  }

  /** A mutation or flush that was sent, and that this leg of the view has not carried out. */
  isOwedBy(row: number, slot: number): boolean {
    const kind = this.kinds[row]
    const isSent = kind === KIND_FLUSH ? this.tried[row] !== 0 : this.sequences[row]! > 0
    if (kind === KIND_FREE || kind === KIND_READ || !isSent || this.isTold[row] === 1) return false
    return ((this.done[row]! | this.missed[row]!) & (1 << slot)) === 0
  }

  /** Its caller waits for it: it is sent again where it has to be (W6, P6). */
  isWaitedFor(row: number): boolean {
    return this.isTold[row] === 0 && this.volumes[row]?.isGivenUp !== true
  }

  leaseOf(row: number): Lease {
    return this.leases[row]! as Lease
  }

  overlaps(a: number, b: number): boolean {
    const startA = this.offsets[a]!
    const startB = this.offsets[b]!
    return startA < startB + this.lengths[b]! && startB < startA + this.lengths[a]!
  }
}
