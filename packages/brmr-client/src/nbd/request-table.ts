/**
 * Requests under way, as rows of typed arrays that exist from the start: a row is the token of all
 * operations that carry out its request.
 *
 * A row is in at most one list at a time (it waits for memory, for its turn at the volume, or for a
 * lock), so one column links them all.
 */
import { assert } from "@rmr/core"

/** Int32 columns. */
export const ROW_KIND = 0
export const ROW_FLAGS = 1
/** The client's number for the request, as two halves. */
export const ROW_COOKIE_HIGH = 2
export const ROW_COOKIE_LOW = 3
export const ROW_LEASE = 4
/** The first error of its operations, as an NBD errno. */
export const ROW_ERRNO = 5
/** Operations that were submitted and have not completed. */
export const ROW_PENDING = 6
/** Place among the mutations of its export that are under way, or -1. */
export const ROW_MUTATION_PLACE = 7
/** Whether the request is block by block, with what lies around it read first. */
export const ROW_IS_UNALIGNED = 8
const ROW_NEXT = 9
export const ROW_STRIDE = 12

/** Float64 columns: what the client asked for, … */
export const ROW_OFFSET = 0
export const ROW_BYTES = 1
/** … whole blocks, … */
export const ROW_FROM = 2
export const ROW_TO = 3
/** … how far it was submitted, and where the first bad byte is (-1: not known). */
export const ROW_AT = 4
export const ROW_BAD_AT = 5
export const ROW_PLACE_STRIDE = 6

export const NO_ROW = -1

export class RequestTable {
  readonly words: Int32Array
  readonly places: Float64Array
  readonly count: number
  /** Rows that are in use. */
  usedCount = 0
  private firstFree = 0

  constructor(count: number) {
    this.count = count
    this.words = new Int32Array(count * ROW_STRIDE)
    this.places = new Float64Array(count * ROW_PLACE_STRIDE)
    for (let row = 0; row < count; row++) {
      this.words[row * ROW_STRIDE + ROW_NEXT] = row === count - 1 ? NO_ROW : row + 1
    }
  }

  take(): number {
    const row = this.firstFree
    assert(row !== NO_ROW, "every connection has as many rows as it may have frames open")
    this.firstFree = this.nextOf(row)
    this.usedCount++
    return row
  }

  give(row: number): void {
    this.setNext(row, this.firstFree)
    this.firstFree = row
    this.usedCount--
  }

  word(row: number, column: number): number {
    return this.words[row * ROW_STRIDE + column]!
  }

  set(row: number, column: number, value: number): void {
    this.words[row * ROW_STRIDE + column] = value
  }

  place(row: number, column: number): number {
    return this.places[row * ROW_PLACE_STRIDE + column]!
  }

  setPlace(row: number, column: number, value: number): void {
    this.places[row * ROW_PLACE_STRIDE + column] = value
  }

  nextOf(row: number): number {
    return this.words[row * ROW_STRIDE + ROW_NEXT]!
  }

  setNext(row: number, next: number): void {
    this.words[row * ROW_STRIDE + ROW_NEXT] = next
  }
}

/** Rows that wait, first come first served. */
export class RowQueue {
  first: number = NO_ROW
  private last = NO_ROW
  private readonly table: RequestTable

  constructor(table: RequestTable) {
    this.table = table
  }

  get isEmpty(): boolean {
    return this.first === NO_ROW
  }

  push(row: number): void {
    this.table.setNext(row, NO_ROW)
    if (this.first === NO_ROW) this.first = row
    else this.table.setNext(this.last, row)
    this.last = row
  }

  /** The first, or NO_ROW. */
  shift(): number {
    const row = this.first
    if (row !== NO_ROW) this.first = this.table.nextOf(row)
    return row
  }
}
