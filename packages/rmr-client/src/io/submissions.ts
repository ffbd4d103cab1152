/**
 * Submissions: one for each request on its way to a leg.
 *
 * A leg that was put out of the view may answer long after its mutation was resolved and the io
 * unit is in use again. So what travels as a token is not the unit but a submission, which knows
 * which use of the unit it belonged to, and ends only when the transport is done with it (W7).
 * Columns grow: hold none of them over an `add`.
 */
import { assert, FreeRows, longer, NO_FREE_ROW } from "@rmr/core"

export const NO_SUBMISSION = -1

export class Submissions {
  rows: Int32Array
  serials: Int32Array
  slots: Uint8Array
  /** Number of the request, ascending over all legs. */
  numbers: Float64Array
  sentMs: Float64Array
  isLive: Uint8Array
  private readonly free: FreeRows
  /** The first is 2, so that there is a number before it: 0 says that nothing was asked. */
  private nextNumber = 2

  constructor(countMax: number) {
    this.free = new FreeRows(countMax)
    const { rows } = this.free
    this.rows = new Int32Array(rows)
    this.serials = new Int32Array(rows)
    this.slots = new Uint8Array(rows)
    this.numbers = new Float64Array(rows)
    this.sentMs = new Float64Array(rows)
    this.isLive = new Uint8Array(rows)
  }

  get hasRoom(): boolean {
    return !this.free.isFull
  }

  /** Some request is on its way, on whatever leg and for whomever. */
  get hasLive(): boolean {
    return this.free.takenCount > 0
  }

  get countMax(): number {
    return this.free.rowsMax
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
    const submission = this.free.take()
    assert(submission !== NO_FREE_ROW, "there is room for a submission")
    if (submission >= this.rows.length) this.grow(this.free.rows)
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
    this.free.give(submission)
  }

  /**
   * When the oldest of these rows' requests to this leg was sent; undefined where none is under
   * way.
   */
  oldestMs(slot: number, firstRow: number): number | undefined {
    let oldest: number | undefined
    if (!this.hasLive) return oldest
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

  private grow(count: number): void {
    this.rows = longer(this.rows, count)
    this.serials = longer(this.serials, count)
    this.slots = longer(this.slots, count)
    this.numbers = longer(this.numbers, count)
    this.sentMs = longer(this.sentMs, count)
    this.isLive = longer(this.isLive, count)
  }
}
