/**
 * Rows of one line that find no room in its queue, in the order in which they are to be posted.
 *
 * What is taken to be posted, and finds no room after all, goes back to the front.
 */
import { POST_STRIDE } from "./verbs-table.js"

const ROWS_FIRST = 16

export class WaitingRows {
  count = 0
  /** There may be room for them: the device is through with something of their line. */
  isDue = false
  private rows = new Int32Array(ROWS_FIRST * POST_STRIDE)
  private first = 0
  private takenCount = 0

  get words(): Int32Array {
    return this.rows
  }

  /** A place in the words for one more behind all others, for the caller to fill. */
  add(): number {
    this.makeRoom()
    return (this.first + this.count++) * POST_STRIDE
  }

  /** The first of them, no more than so many, to this row of a table; answers how many. */
  takeInto(table: Int32Array, row: number, most: number): number {
    const taken = Math.min(most, this.count)
    const at = this.first * POST_STRIDE
    table.set(this.rows.subarray(at, at + taken * POST_STRIDE), row * POST_STRIDE)
    this.first += taken
    this.count -= taken
    this.takenCount = taken
    return taken
  }

  /** One of those that were taken, the last one first. False where none is out. */
  giveBack(): boolean {
    if (this.takenCount === 0) return false
    this.takenCount--
    this.first--
    this.count++
    this.isDue = false
    return true
  }

  /** What was taken and not given back is posted. */
  settle(): void {
    this.takenCount = 0
  }

  private makeRoom(): void {
    if ((this.first + this.count + 1) * POST_STRIDE <= this.rows.length) return
    const used = this.rows.subarray(
      this.first * POST_STRIDE,
      (this.first + this.count) * POST_STRIDE,
    )
    const isHalfFree = this.count * 2 * POST_STRIDE <= this.rows.length
    const rows = isHalfFree ? this.rows : new Int32Array(this.rows.length * 2)
    rows.set(used)
    this.rows = rows
    this.first = 0
  }
}
