/**
 * Submissions: one for each request on its way to a leg.
 *
 * A leg that was put out of the view may answer long after its mutation was resolved and the io
 * unit is in use again. So what travels as a token is not the unit but a submission, which knows
 * which use of the unit it belonged to, and ends only when the transport is done with it (W7).
 */
import { assert } from "@rmr/core"

export const NO_SUBMISSION = -1

export class Submissions {
  readonly rows: Int32Array
  readonly serials: Int32Array
  readonly slots: Uint8Array
  /** Number of the request, ascending over all legs. */
  readonly numbers: Float64Array
  readonly sentMs: Float64Array
  readonly isLive: Uint8Array
  private readonly free: Int32Array
  private freeCount: number
  /** The first is 2, so that there is a number before it: 0 says that nothing was asked. */
  private nextNumber = 2

  constructor(countMax: number) {
    this.rows = new Int32Array(countMax)
    this.serials = new Int32Array(countMax)
    this.slots = new Uint8Array(countMax)
    this.numbers = new Float64Array(countMax)
    this.sentMs = new Float64Array(countMax)
    this.isLive = new Uint8Array(countMax)
    this.free = Int32Array.from({ length: countMax }, (_, at) => countMax - 1 - at)
    this.freeCount = countMax
  }

  get hasRoom(): boolean {
    return this.freeCount > 0
  }

  /** Some request is on its way, on whatever leg and for whomever. */
  get hasLive(): boolean {
    return this.freeCount < this.rows.length
  }

  get countMax(): number {
    return this.rows.length
  }

  /** Number of the newest request; 1 before there is any. */
  get lastNumber(): number {
    return this.nextNumber - 1
  }

  /** Also for what is asked as a command: an answer to it proves as much (F7). */
  takeNumber(): number {
    return this.nextNumber++
  }

  add(row: number, serial: number, slot: number, nowMs: number): number {
    assert(this.freeCount > 0, "there is room for a submission")
    const submission = this.free[--this.freeCount]!
    this.rows[submission] = row
    this.serials[submission] = serial
    this.slots[submission] = slot
    this.numbers[submission] = this.takeNumber()
    this.sentMs[submission] = nowMs
    this.isLive[submission] = 1
    return submission
  }

  remove(submission: number): void {
    assert(this.isLive[submission] === 1, "a submission ends once")
    this.isLive[submission] = 0
    this.free[this.freeCount++] = submission
  }

  /**
   * When the oldest of these rows' requests to this leg was sent; undefined where none is under
   * way.
   */
  oldestMs(slot: number, firstRow: number): number | undefined {
    let oldest: number | undefined
    for (let at = 0; at < this.rows.length; at++) {
      if (this.isLive[at] === 0 || this.slots[at] !== slot) continue
      if (this.rows[at]! < firstRow) continue
      const sent = this.sentMs[at]!
      if (oldest === undefined || sent < oldest) oldest = sent
    }
    return oldest
  }

  /** Legs on which a request of this use of the row is under way. */
  legsOf(row: number, serial: number): number {
    let legs = 0
    for (let at = 0; at < this.rows.length; at++) {
      const isIt = this.rows[at] === row && this.serials[at] === serial
      if (this.isLive[at] === 1 && isIt) legs |= 1 << this.slots[at]!
    }
    return legs
  }
}
