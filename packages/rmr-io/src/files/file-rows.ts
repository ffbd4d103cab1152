/**
 * The operations of a block file that are not over, as rows of numbers. Columns grow: hold none of
 * them over a `take`.
 */
import { FreeRows, type Lease, longer } from "@rmr/core"

export const KIND_READ = 0
export const KIND_WRITE = 1
export const KIND_ZERO = 2
export const KIND_FLUSH = 3

export const RANGE_NONE = 0
export const RANGE_ZEROED = 1
export const RANGE_HOLE = 2

export class FileRows {
  token: Int32Array
  kind: Int32Array
  lease: Int32Array
  /** Where the memory starts in the lease. */
  at: Int32Array
  bytes: Int32Array
  flags: Int32Array
  offset: Float64Array
  /** The open file that it goes through. */
  fd: Int32Array
  /** How much of it is done. */
  done: Int32Array
  /** What the file system was asked to do with the whole range, until it answers. */
  range: Int32Array
  status: Int32Array
  badAt: Int32Array
  badBytes: Int32Array
  private readonly free: FreeRows

  constructor(countMax: number) {
    this.free = new FreeRows(countMax)
    const { rows } = this.free
    const column = (): Int32Array => new Int32Array(rows)
    this.token = column()
    this.kind = column()
    this.lease = column()
    this.at = column()
    this.bytes = column()
    this.flags = column()
    this.offset = new Float64Array(rows)
    this.fd = column()
    this.done = column()
    this.range = column()
    this.status = column()
    this.badAt = column()
    this.badBytes = column()
  }

  /** So many there are; more as soon as one is needed. */
  get count(): number {
    return this.kind.length
  }

  get openCount(): number {
    return this.free.takenCount
  }

  get isFull(): boolean {
    return this.free.isFull
  }

  take(token: number, kind: number, offset: number, bytes: number, flags: number): number {
    const row = this.free.take()
    if (row >= this.count) this.grow(this.free.rows)
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
    this.free.give(row)
  }

  leaseOf(row: number): Lease {
    return this.lease[row] as Lease
  }

  private grow(count: number): void {
    this.token = longer(this.token, count)
    this.kind = longer(this.kind, count)
    this.lease = longer(this.lease, count)
    this.at = longer(this.at, count)
    this.bytes = longer(this.bytes, count)
    this.flags = longer(this.flags, count)
    this.offset = longer(this.offset, count)
    this.fd = longer(this.fd, count)
    this.done = longer(this.done, count)
    this.range = longer(this.range, count)
    this.status = longer(this.status, count)
    this.badAt = longer(this.badAt, count)
    this.badBytes = longer(this.badBytes, count)
  }
}
