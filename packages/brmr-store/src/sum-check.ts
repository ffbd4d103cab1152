/**
 * SumCheck: makes sums of blocks in memory, and holds what was read against those that are known.
 *
 * Neighbouring blocks are summed in one call: a native function is far away, and sums several
 * blocks side by side. What it found is kept in a table of its own until the next range is looked
 * at, so nothing is allocated once that has seen a range as long.
 */
import type { BlockChecksums } from "@rmr/core"
import { type ExtentSums, NOT_KNOWN } from "./data-sums.js"
import { SUM_BLOCK_BYTES as BLOCK } from "./layout.js"

/** A sum is never NOT_KNOWN: what would be is kept as this. */
const IN_PLACE_OF_ZERO = 1

/** Bytes that were read: where they are, and where they are from. */
export interface CheckedRange {
  readonly view: DataView
  readonly start: number
  readonly offset: number
  readonly bytes: number
}

/** Relative to what was read. */
export interface Damage {
  readonly at: number
  readonly bytes: number
}

export interface SumCounts {
  /** Blocks that were held against a sum; those of a read that is repeated count again. */
  checkedBlocks: number
  damagedBlocks: number
}

export class SumCheck {
  readonly counts: SumCounts = { checkedBlocks: 0, damagedBlocks: 0 }
  /** What a block of zeroes has. */
  readonly zeroSum: number
  private readonly blockChecksums: BlockChecksums
  private readonly perExtent: number
  /** What blocks that are looked at have; NOT_KNOWN where there is nothing to hold it against. */
  private actual: Int32Array = new Int32Array(1)
  private actualFirst = 0
  private actualCount = 0

  constructor(blockChecksums: BlockChecksums, perExtent: number) {
    this.blockChecksums = blockChecksums
    this.perExtent = perExtent
    this.sum(new DataView(new ArrayBuffer(BLOCK)), 0, 1, this.actual, 0)
    this.zeroSum = this.actual[0]!
  }

  /** The sums of so many blocks from `at` on. */
  sum(view: DataView, at: number, count: number, sums: Int32Array, from: number): void {
    this.blockChecksums(view, at, BLOCK, count, sums, from)
    for (let nth = from; nth < from + count; nth++) {
      if (sums[nth] === NOT_KNOWN) sums[nth] = IN_PLACE_OF_ZERO
    }
  }

  /**
   * The first blocks of a range, of those in this extent, that do not match their sums. Where there
   * are sums `before`, only blocks whose sum is still the same count.
   */
  firstDamage(range: CheckedRange, one: ExtentSums, before?: Int32Array): Damage | undefined {
    this.sumKnown(range, one, before)
    return this.damageFrom(this.actualFirst, range, one)
  }

  /** All blocks of a range, of those in this extent, whose sum is still the same and not theirs. */
  damageOf(range: CheckedRange, one: ExtentSums, before: Int32Array): Damage[] {
    const all: Damage[] = []
    this.sumKnown(range, one, before)
    let found = this.damageFrom(this.actualFirst, range, one)
    while (found !== undefined) {
      all.push(found)
      found = this.damageFrom((range.offset + found.at + found.bytes) / BLOCK, range, one)
    }
    return all
  }

  /** What blocks have that there is something to hold against, run by run. */
  private sumKnown(range: CheckedRange, one: ExtentSums, before: Int32Array | undefined): void {
    const { view, start, offset, bytes } = range
    const base = one.extent * this.perExtent
    const beforeFirst = Math.floor(offset / BLOCK)
    const first = Math.max(Math.ceil(offset / BLOCK), base)
    const end = Math.min(Math.floor((offset + bytes) / BLOCK), base + this.perExtent)
    this.begin(first, Math.max(0, end - first))
    let run = first
    for (let block = first; block < end; block++) {
      const sum = one.sums[block - base]!
      const isSame = before === undefined || before[block - beforeFirst] === sum
      if (isSame && sum !== NOT_KNOWN) continue
      this.sumRun(view, start - offset, run, block)
      this.actual[block - first] = NOT_KNOWN
      run = block + 1
    }
    this.sumRun(view, start - offset, run, end)
  }

  private begin(first: number, count: number): void {
    if (this.actual.length < count) this.actual = new Int32Array(2 ** Math.ceil(Math.log2(count)))
    this.actualFirst = first
    this.actualCount = count
  }

  private sumRun(view: DataView, toView: number, from: number, end: number): void {
    const count = end - from
    if (count <= 0) return
    this.counts.checkedBlocks += count
    this.sum(view, toView + from * BLOCK, count, this.actual, from - this.actualFirst)
  }

  private damageFrom(from: number, range: CheckedRange, one: ExtentSums): Damage | undefined {
    const last = this.actualFirst + this.actualCount
    let block = from
    while (block < last && !this.isDamaged(block, one)) block++
    if (block >= last) return undefined
    let end = block + 1
    while (end < last && this.isDamaged(end, one)) end++
    return { at: block * BLOCK - range.offset, bytes: (end - block) * BLOCK }
  }

  private isDamaged(block: number, one: ExtentSums): boolean {
    const sum = this.actual[block - this.actualFirst]!
    return sum !== NOT_KNOWN && sum !== one.sums[block - one.extent * this.perExtent]
  }
}
