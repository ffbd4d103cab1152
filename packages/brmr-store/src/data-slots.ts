/** DataSlots: the user's tokens of data operations while the file has them, as small numbers. */
import { assert } from "@rmr/core"

/** The write has to be flushed before it counts: FUA on a file that cannot force it. */
export const NEEDS_FLUSH = 1

export class DataSlots {
  private readonly tokens: Int32Array
  private readonly marks: Uint8Array
  private readonly flushes: Uint8Array
  /** Flushes that had failed when the operation began. */
  private readonly failures: Float64Array
  private readonly free: Int32Array
  private freeCount: number

  constructor(slotCount: number) {
    this.tokens = new Int32Array(slotCount)
    this.marks = new Uint8Array(slotCount)
    this.flushes = new Uint8Array(slotCount)
    this.failures = new Float64Array(slotCount)
    this.free = Int32Array.from({ length: slotCount }, (_, at) => slotCount - 1 - at)
    this.freeCount = slotCount
  }

  get count(): number {
    return this.tokens.length - this.freeCount
  }

  take(token: number, mark: number, failures: number, isFlush = false): number {
    if (this.freeCount === 0) assert(false, `more than ${this.tokens.length} operations in flight`)
    const slot = this.free[--this.freeCount]!
    this.tokens[slot] = token
    this.marks[slot] = mark
    this.flushes[slot] = isFlush ? 1 : 0
    this.failures[slot] = failures
    return slot
  }

  needsFlush(slot: number): boolean {
    return this.marks[slot] === NEEDS_FLUSH
  }

  failuresBefore(slot: number): number {
    return this.failures[slot]!
  }

  isFlush(slot: number): boolean {
    return this.flushes[slot] === 1
  }

  /** The user's token; the slot is free. */
  give(slot: number): number {
    this.free[this.freeCount++] = slot
    return this.tokens[slot]!
  }
}
