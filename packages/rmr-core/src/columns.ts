/**
 * Columns of numbers that begin short and double, up to the bound of what they describe.
 *
 * A process may serve a thousand pools, most of which have nothing to do. Were a table as long as
 * it may become from the start, an idle pool would cost as much memory as a busy one. What has
 * grown stays so: under a load that goes on nothing is made any more.
 */
import { assert } from "./assert.js"

export type Column = Float64Array | Int32Array | Uint16Array | Uint8Array

/** Rows that a table begins with, where it may have as many. */
const ROWS_FIRST = 16

export const NO_FREE_ROW = -1

export function firstRows(rowsMax: number): number {
  return Math.min(ROWS_FIRST, rowsMax)
}

/** How many rows a table gets that has `rows` and needs `needed`. */
export function moreRows(rows: number, needed: number, rowsMax: number): number {
  assert(needed <= rowsMax, "a table holds as many rows as were planned for")
  return Math.min(rowsMax, Math.max(needed, 2 * rows))
}

/** The column with so many rows; the new ones hold `filler`. */
export function longer<T extends Column>(column: T, rows: number, filler: number = 0): T {
  const grown = new (column.constructor as new (rows: number) => T)(rows)
  grown.set(column)
  if (filler !== 0) grown.fill(filler, column.length)
  return grown
}

/** Which rows of a table are free. There are more of them as soon as one is needed. */
export class FreeRows {
  readonly rowsMax: number
  private free: Int32Array
  private freeCount: number

  constructor(rowsMax: number) {
    this.rowsMax = rowsMax
    this.freeCount = firstRows(rowsMax)
    this.free = new Int32Array(this.freeCount)
    this.fill(0)
  }

  /** As long as the columns have to be; a row that was taken may be the first of more. */
  get rows(): number {
    return this.free.length
  }

  get takenCount(): number {
    return this.free.length - this.freeCount
  }

  /** All that there may be are taken. */
  get isFull(): boolean {
    return this.freeCount === 0 && this.free.length === this.rowsMax
  }

  /** The lowest one where none was given back; `NO_FREE_ROW` where all are taken. */
  take(): number {
    if (this.freeCount === 0) {
      if (this.free.length === this.rowsMax) return NO_FREE_ROW
      this.grow()
    }
    return this.free[--this.freeCount]!
  }

  give(row: number): void {
    this.free[this.freeCount++] = row
  }

  /** All rows until now are taken, so only new ones are free. */
  private grow(): void {
    const before = this.free.length
    this.free = new Int32Array(moreRows(before, before + 1, this.rowsMax))
    this.freeCount = this.free.length - before
    this.fill(before)
  }

  private fill(first: number): void {
    for (let at = 0; at < this.freeCount; at++) this.free[at] = first + this.freeCount - 1 - at
  }
}
