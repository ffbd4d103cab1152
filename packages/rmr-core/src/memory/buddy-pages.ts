/**
 * Which pages of the arenas are free: a buddy system over 4 KiB pages.
 *
 * A block is 2^order pages and starts at a multiple of its size inside its arena, so its *buddy*,
 * the other half of the block twice as large, is found by flipping one bit. Taking splits a larger
 * block as often as needed; giving back merges with the buddy for as long as that one is free and
 * whole. Both cost O(log pages), and a run of 4 KiB leases never leaves dust behind once it is
 * given back.
 *
 * The block of each order that was given back last is kept aside as it is, since whoever does one
 * thing after the other takes the same again at once, and need not split and merge all the way each
 * time. Whatever is kept merges before a block is split that is larger than one of them, and before
 * anybody is told that there is none large enough.
 *
 * Free blocks are in one doubly linked list per order. The links lie in typed arrays beside the
 * memory, never in it: an arena may belong to a device, and what a late write scribbles into a free
 * block must not break the allocator.
 *
 * Pages are numbered through all arenas, one after the other.
 */
import { assert } from "../assert.js"

export const PAGE_BYTES = 4096
/** The answer of `take` when no block is large enough. */
export const NO_PAGE = -1

/** Orders 0…18 are 4 KiB…1 GiB; one more bit would still fit the mask of non-empty lists. */
const ORDER_COUNT_MAX = 30
const NONE = -1

export class BuddyPages {
  readonly pageCount: number
  freePageCount = 0

  /** Per page: its arena, and its neighbours in a free list if a free block starts here. */
  private readonly arenaByPage: Uint16Array
  private readonly next: Int32Array
  private readonly previous: Int32Array
  /** Per page: the order of the free block that starts here, or NONE. */
  private readonly freeOrder: Int8Array

  private readonly firstPages: Int32Array
  private readonly arenaOrders: Int32Array
  private readonly heads = new Int32Array(ORDER_COUNT_MAX).fill(NONE)
  /** Bit n is set when the list of order n is not empty. */
  private nonEmpty = 0
  /** Per order: a free block that is in no list, or NO_PAGE. */
  private readonly kept = new Int32Array(ORDER_COUNT_MAX).fill(NO_PAGE)
  /** Bit n is set when one of order n is kept. */
  private keptOrders = 0

  /** Each arena holds 2^order pages. */
  constructor(arenaOrders: readonly number[]) {
    let pageCount = 0
    this.firstPages = new Int32Array(arenaOrders.length)
    this.arenaOrders = Int32Array.from(arenaOrders)
    for (const [arena, order] of arenaOrders.entries()) {
      assert(order >= 0 && order < ORDER_COUNT_MAX, `an arena of 2^${order} pages`)
      this.firstPages[arena] = pageCount
      pageCount += 2 ** order
    }
    assert(pageCount > 0 && pageCount < 2 ** 31, `${pageCount} pages cannot be numbered`)
    this.pageCount = pageCount
    this.arenaByPage = new Uint16Array(pageCount)
    this.next = new Int32Array(pageCount).fill(NONE)
    this.previous = new Int32Array(pageCount).fill(NONE)
    this.freeOrder = new Int8Array(pageCount).fill(NONE)
    for (const [arena, order] of arenaOrders.entries()) {
      const first = this.firstPages[arena]!
      this.arenaByPage.fill(arena, first, first + 2 ** order)
      this.link(first, order)
    }
    this.freePageCount = pageCount
  }

  /** The order of the largest free block, or -1 when nothing is free. */
  get largestFreeOrder(): number {
    this.mergeKept()
    return 31 - Math.clz32(this.nonEmpty)
  }

  arenaOf(page: number): number {
    return this.arenaByPage[page]!
  }

  /** Where the page starts in its arena. */
  offsetOf(page: number): number {
    return (page - this.firstPages[this.arenaByPage[page]!]!) * PAGE_BYTES
  }

  /** The first page of a block of 2^order pages, or NO_PAGE. */
  take(order: number): number {
    const fitting = (this.keptOrders >>> order) << order
    const listed = (this.nonEmpty >>> order) << order
    if ((fitting & (1 << order)) !== 0) return this.takeKept(order)
    // The smallest that fits is split, wherever it is.
    const isKeptSmaller = fitting !== 0 && (listed === 0 || lowestBit(fitting) < lowestBit(listed))
    if (isKeptSmaller || listed === 0) this.mergeKept()
    return this.split(order)
  }

  /** Gives back a block that `take(order)` gave. */
  give(page: number, order: number): void {
    const before = this.kept[order]!
    this.kept[order] = page
    this.keptOrders |= 1 << order
    this.freePageCount += 1 << order
    if (before !== NO_PAGE) this.merge(before, order)
  }

  private takeKept(order: number): number {
    const page = this.kept[order]!
    this.kept[order] = NO_PAGE
    this.keptOrders &= ~(1 << order)
    this.freePageCount -= 1 << order
    return page
  }

  private split(order: number): number {
    const candidates = (this.nonEmpty >>> order) << order
    if (candidates === 0) return NO_PAGE
    let foundOrder = 31 - Math.clz32(lowestBit(candidates))
    const page = this.heads[foundOrder]!
    this.unlink(page, foundOrder)
    while (foundOrder > order) {
      foundOrder--
      this.link(page + (1 << foundOrder), foundOrder)
    }
    this.freePageCount -= 1 << order
    return page
  }

  private mergeKept(): void {
    while (this.keptOrders !== 0) {
      const order = 31 - Math.clz32(lowestBit(this.keptOrders))
      const page = this.kept[order]!
      this.kept[order] = NO_PAGE
      this.keptOrders &= ~(1 << order)
      this.merge(page, order)
    }
  }

  /** Into the list of its order, or with its buddy into that of the next one. */
  private merge(page: number, order: number): void {
    const arena = this.arenaByPage[page]!
    const first = this.firstPages[arena]!
    const orderEnd = this.arenaOrders[arena]!
    let start = page - first
    let merged = order
    while (merged < orderEnd) {
      const buddy = start ^ (1 << merged)
      if (this.freeOrder[first + buddy] !== merged) break
      this.unlink(first + buddy, merged)
      start &= buddy
      merged++
    }
    this.link(first + start, merged)
  }

  private link(page: number, order: number): void {
    const head = this.heads[order]!
    this.next[page] = head
    this.previous[page] = NONE
    if (head !== NONE) this.previous[head] = page
    this.heads[order] = page
    this.freeOrder[page] = order
    this.nonEmpty |= 1 << order
  }

  private unlink(page: number, order: number): void {
    const next = this.next[page]!
    const previous = this.previous[page]!
    if (next !== NONE) this.previous[next] = previous
    if (previous !== NONE) this.next[previous] = next
    else {
      this.heads[order] = next
      if (next === NONE) this.nonEmpty &= ~(1 << order)
    }
    this.freeOrder[page] = NONE
  }
}

function lowestBit(bits: number): number {
  return bits & -bits
}
