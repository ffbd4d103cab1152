/**
 * PageSet: which pages of a map have changed since they were last made durable.
 *
 * A page is in the set or not, however often it changed, and a page that has become empty is in it
 * too: its durable copy must go. The set must be small when nothing changed and when everything
 * did, so it is cut like the map itself: leaves of 1,024 pages, made on demand, one shared leaf for
 * "all of them".
 */
import { assert } from "../assert.js"
import { lowestBit } from "./map-page.js"

const LEAF_SHIFT = 10
const LEAF_PAGES = 1 << LEAF_SHIFT
const LEAF_WORDS = LEAF_PAGES / 32
/** Leaves kept for the next page that changes: enough that steady work allocates nothing. */
const FREE_LEAVES_MAX = 16
/** A leaf with its share of the runtime's own bookkeeping. */
const LEAF_BYTES = LEAF_WORDS * 4 + 160

interface Leaf {
  readonly words: Int32Array
  count: number
}

const FULL_LEAF: Leaf = { words: new Int32Array(LEAF_WORDS).fill(-1), count: LEAF_PAGES }

export class PageSet {
  private pageCount: number
  private readonly leaves: (Leaf | undefined)[] = []
  private readonly freeLeaves: Leaf[] = []
  private size = 0
  private ownLeafCount = 0

  constructor(pageCount: number) {
    this.pageCount = 0
    this.extendTo(pageCount)
  }

  /** Pages in the set. */
  get count(): number {
    return this.size
  }

  get memoryBytes(): number {
    return this.leaves.length * 8 + (this.ownLeafCount + this.freeLeaves.length) * LEAF_BYTES
  }

  has(page: number): boolean {
    const leaf = this.leaves[page >>> LEAF_SHIFT]
    return leaf !== undefined && (leaf.words[wordOf(page)]! & bitOf(page)) !== 0
  }

  add(page: number): void {
    assert(page >= 0 && page < this.pageCount, "the page is inside the map")
    let leaf = this.leaves[page >>> LEAF_SHIFT]
    if (leaf === undefined) {
      leaf = this.freeLeaves.pop() ?? { words: new Int32Array(LEAF_WORDS), count: 0 }
      this.leaves[page >>> LEAF_SHIFT] = leaf
      this.ownLeafCount++
    }
    const word = leaf.words[wordOf(page)]!
    if ((word & bitOf(page)) !== 0) return
    leaf.words[wordOf(page)] = word | bitOf(page)
    leaf.count++
    this.size++
  }

  addRange(first: number, count: number): void {
    assert(first >= 0 && first + count <= this.pageCount, "the pages are inside the map")
    const end = first + count
    let page = first
    while (page < end) {
      const isWhole = page % LEAF_PAGES === 0 && page + LEAF_PAGES <= end
      if (isWhole) this.fillLeaf(page >>> LEAF_SHIFT)
      else this.add(page)
      page += isWhole ? LEAF_PAGES : 1
    }
  }

  remove(page: number): void {
    if (!this.has(page)) return
    const index = page >>> LEAF_SHIFT
    const leaf = this.ownLeaf(index)
    leaf.words[wordOf(page)]! &= ~bitOf(page)
    leaf.count--
    this.size--
    if (leaf.count === 0) this.dropLeaf(index, leaf)
  }

  /**
   * Moves pages out of the set into `into`, ascending, until either is at its end. Returns how
   * many.
   */
  take(into: Float64Array): number {
    let taken = 0
    for (let index = 0; index < this.leaves.length && taken < into.length; index++) {
      if (this.leaves[index] !== undefined) taken = this.takeFromLeaf(index, into, taken)
    }
    this.size -= taken
    return taken
  }

  clear(): void {
    for (let index = 0; index < this.leaves.length; index++) {
      const leaf = this.leaves[index]
      if (leaf === undefined) continue
      if (leaf !== FULL_LEAF) leaf.words.fill(0)
      this.dropLeaf(index, leaf)
    }
    this.size = 0
  }

  extendTo(pageCount: number): void {
    assert(pageCount >= this.pageCount, "a set of pages only grows")
    this.pageCount = pageCount
    while (this.leaves.length < Math.ceil(pageCount / LEAF_PAGES)) this.leaves.push(undefined)
  }

  private fillLeaf(index: number): void {
    const leaf = this.leaves[index]
    if (leaf === FULL_LEAF) return
    this.size += LEAF_PAGES - (leaf?.count ?? 0)
    if (leaf !== undefined) {
      leaf.words.fill(0)
      this.dropLeaf(index, leaf)
    }
    this.leaves[index] = FULL_LEAF
  }

  private takeFromLeaf(index: number, into: Float64Array, taken: number): number {
    const leaf = this.ownLeaf(index)
    let at = taken
    for (let word = 0; word < LEAF_WORDS; word++) {
      while (leaf.words[word] !== 0 && at < into.length) {
        const bit = lowestBit(leaf.words[word]!)
        leaf.words[word]! &= ~(1 << bit)
        into[at++] = index * LEAF_PAGES + word * 32 + bit
      }
    }
    leaf.count -= at - taken
    if (leaf.count === 0) this.dropLeaf(index, leaf)
    return at
  }

  /** The leaf, as a copy of its own where it was the shared one. */
  private ownLeaf(index: number): Leaf {
    const leaf = this.leaves[index]!
    if (leaf !== FULL_LEAF) return leaf
    const copy = this.freeLeaves.pop() ?? { words: new Int32Array(LEAF_WORDS), count: 0 }
    copy.words.set(FULL_LEAF.words)
    copy.count = LEAF_PAGES
    this.leaves[index] = copy
    this.ownLeafCount++
    return copy
  }

  /** Takes an emptied leaf out of its place. */
  private dropLeaf(index: number, leaf: Leaf): void {
    this.leaves[index] = undefined
    if (leaf === FULL_LEAF) return
    this.ownLeafCount--
    leaf.count = 0
    if (this.freeLeaves.length < FREE_LEAVES_MAX) this.freeLeaves.push(leaf)
  }
}

/** The word of a leaf that has the page's bit. */
function wordOf(page: number): number {
  return (page >>> 5) & (LEAF_WORDS - 1)
}

function bitOf(page: number): number {
  return 1 << (page & 31)
}
