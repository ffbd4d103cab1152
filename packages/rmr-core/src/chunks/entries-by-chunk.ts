/**
 * EntriesByChunk: finds the entry of a chunk, for a bounded number of entries and without
 * allocating.
 *
 * An open table of twice the size, searched linearly; a removal closes the gap it leaves, so that
 * the table never fills with tombstones, however long it runs.
 */
import { assert } from "../assert.js"

export const NO_ENTRY = -1

const NO_KEY = -1
const TWO_32 = 2 ** 32

export class EntriesByChunk {
  private readonly mask: number
  private readonly countMax: number
  private readonly keys: Float64Array
  private readonly entries: Int32Array
  private size = 0

  constructor(countMax: number) {
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(2, 2 * countMax)))
    this.mask = capacity - 1
    this.countMax = countMax
    this.keys = new Float64Array(capacity).fill(NO_KEY)
    this.entries = new Int32Array(capacity)
  }

  get count(): number {
    return this.size
  }

  /** The entry of the chunk, or `NO_ENTRY`. */
  find(chunk: number): number {
    const place = this.placeOf(chunk)
    return this.keys[place] === NO_KEY ? NO_ENTRY : this.entries[place]!
  }

  add(chunk: number, entry: number): void {
    assert(this.size < this.countMax, "a table holds as many entries as it was made for")
    const place = this.placeOf(chunk)
    assert(this.keys[place] === NO_KEY, "a chunk has one entry")
    this.keys[place] = chunk
    this.entries[place] = entry
    this.size++
  }

  remove(chunk: number): void {
    let gap = this.placeOf(chunk)
    assert(this.keys[gap] !== NO_KEY, "an entry that is removed exists")
    this.size--
    let place = gap
    for (;;) {
      place = (place + 1) & this.mask
      const key = this.keys[place]!
      if (key === NO_KEY) break
      // An entry may move back into the gap unless its own place lies after the gap.
      const wanted = this.homeOf(key)
      const isAfterGap = ((place - wanted) & this.mask) < ((place - gap) & this.mask)
      if (isAfterGap) continue
      this.keys[gap] = key
      this.entries[gap] = this.entries[place]!
      gap = place
    }
    this.keys[gap] = NO_KEY
  }

  /** Where the chunk is, or where it would be put. */
  private placeOf(chunk: number): number {
    let place = this.homeOf(chunk)
    while (this.keys[place] !== chunk && this.keys[place] !== NO_KEY) {
      place = (place + 1) & this.mask
    }
    return place
  }

  private homeOf(chunk: number): number {
    const upper = Math.floor(chunk / TWO_32)
    const lower = chunk - upper * TWO_32
    const mixed = Math.imul((lower ^ upper) | 0, 0x9e37_79b1)
    return (mixed ^ (mixed >>> 15)) & this.mask
  }
}
