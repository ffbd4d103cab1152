/**
 * The operations of a block file that are not over, as rows of numbers that are made once.
 */
import type { Lease } from "@rmr/core"

export const KIND_READ = 0
export const KIND_WRITE = 1
export const KIND_ZERO = 2
export const KIND_FLUSH = 3

export const RANGE_NONE = 0
export const RANGE_ZEROED = 1
export const RANGE_HOLE = 2

export class FileRows {
  readonly token: Int32Array
  readonly kind: Int32Array
  readonly lease: Int32Array
  /** Where the memory starts in the lease. */
  readonly at: Int32Array
  readonly bytes: Int32Array
  readonly flags: Int32Array
  readonly offset: Float64Array
  /** The open file that it goes through. */
  readonly fd: Int32Array
  /** How much of it is done. */
  readonly done: Int32Array
  /** What the file system was asked to do with the whole range, until it answers. */
  readonly range: Int32Array
  readonly status: Int32Array
  readonly badAt: Int32Array
  readonly badBytes: Int32Array
  private readonly free: Int32Array
  private freeCount: number

  constructor(count: number) {
    const column = (): Int32Array => new Int32Array(count)
    this.token = column()
    this.kind = column()
    this.lease = column()
    this.at = column()
    this.bytes = column()
    this.flags = column()
    this.offset = new Float64Array(count)
    this.fd = column()
    this.done = column()
    this.range = column()
    this.status = column()
    this.badAt = column()
    this.badBytes = column()
    this.free = column()
    for (let row = 0; row < count; row++) this.free[row] = count - 1 - row
    this.freeCount = count
  }

  get openCount(): number {
    return this.free.length - this.freeCount
  }

  get isFull(): boolean {
    return this.freeCount === 0
  }

  take(token: number, kind: number, offset: number, bytes: number, flags: number): number {
    const row = this.free[--this.freeCount]!
    this.token[row] = token
    this.kind[row] = kind
    this.offset[row] = offset
    this.bytes[row] = bytes
    this.flags[row] = flags
    this.done[row] = 0
    this.range[row] = 0
    this.status[row] = 0
    this.badAt[row] = 0
    this.badBytes[row] = 0
    return row
  }

  give(row: number): void {
    this.free[this.freeCount++] = row
  }

  leaseOf(row: number): Lease {
    return this.lease[row] as Lease
  }
}
