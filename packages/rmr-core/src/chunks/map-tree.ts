/**
 * MapTree: where the pages of a dirty map are, who owns them, and what has changed.
 *
 * Three things stand in every place of the tree, and all are looked up alike, without a test for
 * "nothing there": the one empty page or directory, a shared page or directory whose chunks are all
 * dirty alike, or one of the map's own. Only its own are ever written. A change to a shared one
 * takes a copy; an own one that becomes empty, or dirty alike throughout, gives its place back. So
 * an empty map and a fully dirty one cost nearly nothing, and so does the way between them.
 *
 * Whoever changes an own page gets it by `openPage` and keeps `totals` true.
 * What marks mean, which may be merged and what is void is not decided here (dirty-map.ts).
 */
import { assert } from "../assert.js"
import { MAP_PAGE_CHUNKS } from "../limits.js"
import type { ViewNumber } from "../rules/pool-metadata.js"
import {
  DIRECTORY_BYTES,
  DIRECTORY_MASK,
  DIRECTORY_PAGES,
  DIRECTORY_SHIFT,
  EMPTY_DIRECTORY,
  MapDirectory,
  NO_SLOT_USED,
} from "./map-directory.js"
import {
  clearFlag,
  compareStamp,
  copyPage,
  EMPTY_PAGE,
  EPOCH_AT,
  FLAG_DIGESTED,
  FLAG_OLD_STAMP,
  FLAG_SETTLED,
  FLAG_SHARED,
  FLAGS_AT,
  fillPage,
  isEmptyPage,
  isShared,
  type MapPage,
  newPage,
  PAGE_WORDS,
  RANK_COUNT,
  setFlag,
  stampOf,
  TALLY_AT,
  uniformByteOf,
  VERSION_AT,
} from "./map-page.js"
import { PageSet } from "./page-set.js"

/** The answer of a search for a page that does not exist. */
export const NO_PAGE = -1

/** What is kept for the next change, so that steady work allocates nothing: about 50 KiB. */
const FREE_PAGES_MAX = 8
const FREE_DIRECTORIES_MAX = 1
/** Shared pages of other stamps than the map's: three ranks under a few stamps. */
const FOREIGN_UNIFORM_PAGES_MAX = 12

/** Sizes with the runtime's own bookkeeping, measured; see the memory benches. */
const PAGE_BYTES = PAGE_WORDS * 4 + 256
const TREE_BYTES = 1500

export class MapTree {
  chunkCount = 0
  pageCount = 0
  /** The stamp of marks that are made now; `NO_VIEW` in a member's own map. */
  stamp: ViewNumber
  /** Directories from the first chunk to the last. */
  readonly root: MapDirectory[] = []
  /** How many chunks are dirty, by rank. */
  readonly totals: Float64Array = new Float64Array(RANK_COUNT)
  readonly changed: PageSet = new PageSet(0)

  private readonly freePages: MapPage[] = []
  private readonly freeDirectories: MapDirectory[] = []
  private readonly uniformPages: MapPage[] = []
  private readonly uniformDirectories: MapDirectory[] = []
  private ownPageCount = 0
  private ownDirectoryCount = 0

  constructor(chunkCount: number, stamp: ViewNumber) {
    this.stamp = stamp
    this.extendTo(chunkCount)
  }

  /** Pages whose every chunk exists. The last page of a map is often cut; it is never shared. */
  get fullPageCount(): number {
    return Math.floor(this.chunkCount / MAP_PAGE_CHUNKS)
  }

  get memoryBytes(): number {
    const pages = this.ownPageCount + this.freePages.length + this.uniformPages.length
    const directories =
      this.ownDirectoryCount + this.freeDirectories.length + this.uniformDirectories.length
    const nodes = pages * PAGE_BYTES + directories * DIRECTORY_BYTES
    return nodes + this.root.length * 8 + this.changed.memoryBytes + TREE_BYTES
  }

  pageAt(number: number): MapPage {
    return this.root[number >>> DIRECTORY_SHIFT]!.pages[number & DIRECTORY_MASK]!
  }

  /** The first page at or after this one that is not empty, or `NO_PAGE`. */
  nextPage(number: number): number {
    let index = number >>> DIRECTORY_SHIFT
    let slot = number & DIRECTORY_MASK
    for (; index < this.root.length; index++, slot = 0) {
      const directory = this.root[index]!
      if (directory === EMPTY_DIRECTORY) continue
      const used = directory.nextUsed(slot)
      if (used !== NO_SLOT_USED) return index * DIRECTORY_PAGES + used
    }
    return NO_PAGE
  }

  /** How many pages from this one on are the same shared page; 1 where it is not a shared one. */
  uniformSpan(number: number): number {
    const page = this.pageAt(number)
    if (!isShared(page) || page === EMPTY_PAGE) return 1
    let next = number + 1
    while (next < this.pageCount) {
      const directory = this.root[next >>> DIRECTORY_SHIFT]!
      if (directory.pages[next & DIRECTORY_MASK] !== page) break
      next += directory.isShared && (next & DIRECTORY_MASK) === 0 ? DIRECTORY_PAGES : 1
    }
    return next - number
  }

  /**
   * The page in this place, as one of the map's own, to be changed now: from here on it is not
   * durable, and no digest above it is true.
   */
  openPage(number: number): MapPage {
    let page = this.pageAt(number)
    if (isShared(page)) page = this.copyShared(number, page)
    if ((page[FLAGS_AT]! & (FLAG_SETTLED | FLAG_DIGESTED)) === 0) return page
    clearFlag(page, FLAG_SETTLED | FLAG_DIGESTED)
    this.root[number >>> DIRECTORY_SHIFT]!.noteChanged(number & DIRECTORY_MASK)
    this.changed.add(number)
    return page
  }

  /** Makes the page's stamp at least this one. */
  raiseStamp(page: MapPage, stamp: ViewNumber): void {
    if (compareStamp(page, stamp) < 0) this.putStamp(page, stamp)
  }

  /** Puts another page in this place and keeps the totals. */
  setPage(number: number, page: MapPage): void {
    const old = this.pageAt(number)
    if (old === page) return
    this.count(old, -1)
    this.count(page, 1)
    const index = number >>> DIRECTORY_SHIFT
    const directory = this.ownDirectory(index)
    directory.put(number & DIRECTORY_MASK, page)
    this.changed.add(number)
    this.retirePage(old)
    if (!isShared(page)) this.ownPageCount++
    if (directory.usedCount === 0) {
      this.root[index] = EMPTY_DIRECTORY
      this.retireDirectory(directory)
    }
  }

  /** Puts a shared directory in this place and keeps the totals. */
  setDirectory(index: number, directory: MapDirectory): void {
    const old = this.root[index]!
    if (old === directory) return
    assert(directory.isShared, "a whole directory is replaced by a shared one")
    this.countDirectory(old, -1)
    this.countDirectory(directory, 1)
    const first = index * DIRECTORY_PAGES
    if (directory !== EMPTY_DIRECTORY || old.isShared) {
      this.changed.addRange(first, Math.min(DIRECTORY_PAGES, this.pageCount - first))
    }
    this.root[index] = directory
    if (old.isShared) return
    for (let slot = old.nextUsed(0); slot !== NO_SLOT_USED; slot = old.nextUsed(slot + 1)) {
      const page = old.pages[slot]!
      this.changed.add(first + slot)
      old.put(slot, EMPTY_PAGE)
      this.retirePage(page)
    }
    this.retireDirectory(old)
  }

  /**
   * After an own page changed: gives its place back where it is empty, or dirty alike throughout.
   */
  normalise(number: number, page: MapPage): void {
    const byte = uniformByteOf(page)
    if (byte !== 0) this.setPage(number, this.uniform(byte, stampOf(page)))
    else if (isEmptyPage(page)) this.setPage(number, EMPTY_PAGE)
  }

  /**
   * A page of this byte and stamp: a shared one, or, where marks of too many views have met, an own
   * one that must go to exactly one place.
   */
  uniform(byte: number, stamp: ViewNumber): MapPage {
    let foreignCount = 0
    for (const page of this.uniformPages) {
      if (uniformByteOf(page) === byte && compareStamp(page, stamp) === 0) return page
      if (compareStamp(page, this.stamp) !== 0) foreignCount++
    }
    const hasRoom = foreignCount < FOREIGN_UNIFORM_PAGES_MAX
    const isOurs = stamp.epoch === this.stamp.epoch && stamp.version === this.stamp.version
    const page = isOurs || hasRoom ? newPage(FLAG_SHARED | FLAG_SETTLED) : this.takePage()
    fillPage(page, byte)
    this.putStamp(page, stamp)
    if (isShared(page)) this.uniformPages.push(page)
    return page
  }

  /** A page of one's own with the bytes of another one; it must go to exactly one place. */
  own(source: MapPage, stamp: ViewNumber): MapPage {
    const page = this.takePage()
    copyPage(page, source)
    this.putStamp(page, stamp)
    return page
  }

  /** The shared directory of a shared page. */
  uniformDirectory(page: MapPage): MapDirectory {
    for (const directory of this.uniformDirectories) {
      if (directory.pages[0] === page) return directory
    }
    const directory = new MapDirectory(true, page)
    this.uniformDirectories.push(directory)
    return directory
  }

  /** Adds a page's tally to the totals, or takes it away. */
  count(page: MapPage, sign: 1 | -1): void {
    for (let rank = 0; rank < RANK_COUNT; rank++) {
      this.totals[rank]! += sign * page[TALLY_AT + rank]!
    }
  }

  /** Empties the map; marks that are made from now on have this stamp. */
  reset(stamp: ViewNumber): void {
    for (let index = 0; index < this.root.length; index++) this.setDirectory(index, EMPTY_DIRECTORY)
    this.stamp = stamp
    this.uniformPages.length = 0
    this.uniformDirectories.length = 0
  }

  /** Every page counts as durable, and the next change of each says so again. */
  settleAll(): void {
    this.changed.clear()
    let number = this.nextPage(0)
    while (number !== NO_PAGE) {
      setFlag(this.pageAt(number), FLAG_SETTLED)
      number = this.nextPage(number + this.uniformSpan(number))
    }
  }

  extendTo(chunkCount: number): void {
    this.chunkCount = chunkCount
    this.pageCount = Math.ceil(chunkCount / MAP_PAGE_CHUNKS)
    this.changed.extendTo(this.pageCount)
    while (this.root.length * DIRECTORY_PAGES < this.pageCount) this.root.push(EMPTY_DIRECTORY)
  }

  private copyShared(number: number, shared: MapPage): MapPage {
    const page = this.own(shared, shared === EMPTY_PAGE ? this.stamp : stampOf(shared))
    this.setPage(number, page)
    return page
  }

  private putStamp(page: MapPage, stamp: ViewNumber): void {
    page[EPOCH_AT] = stamp.epoch
    page[VERSION_AT] = stamp.version
    if (compareStamp(page, this.stamp) < 0) setFlag(page, FLAG_OLD_STAMP)
    else clearFlag(page, FLAG_OLD_STAMP)
  }

  private countDirectory(directory: MapDirectory, sign: 1 | -1): void {
    if (directory.isShared) {
      for (let rank = 0; rank < RANK_COUNT; rank++) {
        const each = directory.pages[0]![TALLY_AT + rank]!
        this.totals[rank]! += sign * each * DIRECTORY_PAGES
      }
      return
    }
    let slot = directory.nextUsed(0)
    for (; slot !== NO_SLOT_USED; slot = directory.nextUsed(slot + 1)) {
      this.count(directory.pages[slot]!, sign)
    }
  }

  private ownDirectory(index: number): MapDirectory {
    const old = this.root[index]!
    if (!old.isShared) return old
    const directory = this.freeDirectories.pop() ?? new MapDirectory(false, EMPTY_PAGE)
    if (old !== EMPTY_DIRECTORY) directory.copyFrom(old)
    this.root[index] = directory
    this.ownDirectoryCount++
    return directory
  }

  /** A page that stands nowhere yet. What it holds is what it held last: overwrite it. */
  private takePage(): MapPage {
    const page = this.freePages.pop() ?? newPage(FLAG_SETTLED)
    page[FLAGS_AT] = FLAG_SETTLED
    return page
  }

  private retirePage(page: MapPage): void {
    if (isShared(page)) return
    this.ownPageCount--
    if (this.freePages.length < FREE_PAGES_MAX) this.freePages.push(page)
  }

  private retireDirectory(directory: MapDirectory): void {
    this.ownDirectoryCount--
    if (this.freeDirectories.length < FREE_DIRECTORIES_MAX) this.freeDirectories.push(directory)
  }
}
