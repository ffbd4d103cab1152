/**
 * BusyRanges: where mutations are, coarsely, so that one that meets no other is known at once.
 *
 * The volume is cut into parts of 64 KiB, and each range counts in the buckets of its parts. Many
 * parts share a bucket, so `mayMeet` is right when it says no, and a reason to look when it says
 * yes. A range of more than 1 MiB would fill the buckets: it counts as meeting everything.
 */
import { assert } from "@rmr/core"

const PART_BYTES = 64 * 1024
/** A power of two; far more than mutations in flight have parts. */
const BUCKET_COUNT = 4096
const PARTS_MAX = 17

export class BusyRanges {
  private readonly buckets = new Int32Array(BUCKET_COUNT)
  private wideCount = 0

  /** Whether a range that was added and not removed may overlap this one. */
  mayMeet(offset: number, length: number): boolean {
    if (this.wideCount > 0) return true
    const first = Math.floor(offset / PART_BYTES)
    const last = Math.floor((offset + length - 1) / PART_BYTES)
    if (last - first >= PARTS_MAX) return true
    for (let part = first; part <= last; part++) {
      if (this.buckets[part % BUCKET_COUNT] !== 0) return true
    }
    return false
  }

  add(offset: number, length: number): void {
    this.change(offset, length, 1)
  }

  remove(offset: number, length: number): void {
    this.change(offset, length, -1)
  }

  private change(offset: number, length: number, by: number): void {
    const first = Math.floor(offset / PART_BYTES)
    const last = Math.floor((offset + length - 1) / PART_BYTES)
    if (last - first >= PARTS_MAX) {
      this.wideCount += by
      assert(this.wideCount >= 0, "a range is removed once")
      return
    }
    for (let part = first; part <= last; part++) {
      const bucket = part % BUCKET_COUNT
      const count = this.buckets[bucket]! + by
      assert(count >= 0, "a range is removed once")
      this.buckets[bucket] = count
    }
  }
}
