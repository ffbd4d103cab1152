/**
 * DirtyMap: which chunks a member lacks, and how surely (upstream's `rmr_dirty_id_map`).
 *
 * Two levels: pages of one byte per chunk, and above them a table of pages that exist only where
 * they hold something. A byte has the dirty bit and the rank of the fact (rules/rank.ts, rule R1);
 * facts only get stronger until the chunk is cleared, and chunks are cleared by the member itself,
 * when it has the bytes.
 *
 * A storage node holds one map per member, and they are of two kinds (rules M1, M2):
 * - its *own* map, the truth about itself while it is normal. It has no stamp and is never void.
 * - maps about *absent* members, for when they come back. Each is born empty when a view expels the
 *   member, and every page of it has that view as its stamp. Once the record shows that the member
 *   was normal in that view or a later one, these marks are over: void. Nothing void is ever
 *   merged.
 *
 * ```
 *   chunk ──÷ 4096──► page ──÷ 1024──► directory          64 TiB of 128 KiB chunks: 2²⁹ chunks,
 *                                                         131,072 pages, 128 directories
 * ```
 *
 * All marking and clearing of single chunks is here and allocates nothing once a page exists; pages
 * and their sharing are in map-tree.ts, merging in map-merge.ts, bytes in map-page-codec.ts.
 */
import { assert } from "../assert.js"
import type { ChunkNumber } from "../brand.js"
import { MAP_PAGE_CHUNKS } from "../limits.js"
import { isMarkValid } from "../rules/marks.js"
import { NO_VIEW, type ViewNumber } from "../rules/pool-metadata.js"
import {
  chunkByte,
  RANK_CACHE_LOST,
  RANK_IN_FLIGHT,
  RANK_REAL,
  type Rank,
  rankOfByte,
} from "../rules/rank.js"
import type { Digest } from "../wire/field-types.js"
import { ACCEPTED, type Refusal } from "../wire/refusal.js"
import { NO_CHUNK } from "./chunk-geometry.js"
import { digestOf } from "./map-digest.js"
import { haveSameMarks } from "./map-equal.js"
import { MapExport } from "./map-export.js"
import { clearPages, isOwnStamp, mergePage, mergeUniform, stampIn } from "./map-merge.js"
import {
  byteIn,
  EMPTY_PAGE,
  FLAG_OLD_STAMP,
  FLAG_SETTLED,
  FLAGS_AT,
  isEmptyPage,
  type MapPage,
  putByte,
  STRONGER,
  setFlag,
  stampOf,
  TALLY_AT,
} from "./map-page.js"
import { MAP_RECORD_BYTES_MAX, readRecords, writeRecord } from "./map-page-codec.js"
import { nextClean, nextDirty } from "./map-scan.js"
import { MapTree, NO_PAGE } from "./map-tree.js"

/** The answer of `rankOf` for a clean chunk. */
export const NO_RANK = -1

export interface DirtyMapOptions {
  readonly chunkCount: number
  /** The view that expelled the member. Without it, the map is a member's own. */
  readonly stamp?: ViewNumber
}

/** Where an export of all pages has come to. Begin with page 0; it is done at `NO_PAGE`. */
export interface PageCursor {
  page: number
}

export class DirtyMap {
  private readonly tree: MapTree

  constructor(options: DirtyMapOptions) {
    this.tree = new MapTree(options.chunkCount, options.stamp ?? NO_VIEW)
  }

  get chunkCount(): number {
    return this.tree.chunkCount
  }

  get pageCount(): number {
    return this.tree.pageCount
  }

  get stamp(): ViewNumber {
    return this.tree.stamp
  }

  /** A member's own map, not one about an absent member. */
  get isOwn(): boolean {
    return isOwnStamp(this.tree.stamp)
  }

  get isEmpty(): boolean {
    return this.count === 0
  }

  /** Dirty chunks of all ranks. */
  get count(): number {
    const totals = this.tree.totals
    return totals[RANK_REAL]! + totals[RANK_IN_FLIGHT]! + totals[RANK_CACHE_LOST]!
  }

  countOf(rank: Rank): number {
    return this.tree.totals[rank]!
  }

  /** About how much memory the map occupies. */
  get memoryBytes(): number {
    return this.tree.memoryBytes
  }

  /** Marks a chunk. True where that is news: a stronger fact, or one of a later absence. */
  mark(chunk: ChunkNumber, rank: Rank): boolean {
    const tree = this.tree
    assert(chunk >= 0 && chunk < tree.chunkCount, "a marked chunk is inside the volume")
    const number = Math.floor(chunk / MAP_PAGE_CHUNKS)
    const place = chunk - number * MAP_PAGE_CHUNKS
    let page = tree.pageAt(number)
    const old = byteIn(page, place)
    const next = STRONGER[(old << 3) | chunkByte(rank)]!
    const flags = page[FLAGS_AT]!
    if (next === old && (flags & FLAG_OLD_STAMP) === 0) return false
    if (flags !== 0) {
      page = tree.openPage(number)
      tree.raiseStamp(page, tree.stamp)
      if (next === old) return true
    }
    this.put(page, place, old, next)
    if (page[TALLY_AT + (next >> 1)] === MAP_PAGE_CHUNKS) tree.normalise(number, page)
    return true
  }

  /** Clears a chunk. Only who has its bytes on stable storage may (P4). True where it was dirty. */
  clear(chunk: ChunkNumber): boolean {
    const tree = this.tree
    assert(chunk >= 0 && chunk < tree.chunkCount, "a cleared chunk is inside the volume")
    const number = Math.floor(chunk / MAP_PAGE_CHUNKS)
    const place = chunk - number * MAP_PAGE_CHUNKS
    let page = tree.pageAt(number)
    const old = byteIn(page, place)
    if (old === 0) return false
    if (page[FLAGS_AT] !== 0) page = tree.openPage(number)
    this.put(page, place, old, 0)
    if (isEmptyPage(page)) tree.normalise(number, page)
    return true
  }

  markRange(first: ChunkNumber, count: number, rank: Rank): void {
    this.assertRange(first, count)
    const end = first + count
    const firstWhole = Math.ceil(first / MAP_PAGE_CHUNKS)
    const endWhole = Math.min(Math.floor(end / MAP_PAGE_CHUNKS), this.tree.fullPageCount)
    if (endWhole <= firstWhole) {
      for (let chunk = first as number; chunk < end; chunk++) this.mark(chunk as ChunkNumber, rank)
      return
    }
    const head = firstWhole * MAP_PAGE_CHUNKS
    for (let chunk = first as number; chunk < head; chunk++) this.mark(chunk as ChunkNumber, rank)
    const byte = chunkByte(rank)
    mergeUniform(this.tree, firstWhole, endWhole - firstWhole, byte, this.tree.stamp)
    let chunk = endWhole * MAP_PAGE_CHUNKS
    for (; chunk < end; chunk++) this.mark(chunk as ChunkNumber, rank)
  }

  clearRange(first: ChunkNumber, count: number): void {
    this.assertRange(first, count)
    const end = first + count
    const firstWhole = Math.ceil(first / MAP_PAGE_CHUNKS)
    const isToEnd = end === this.tree.chunkCount
    const endWhole = isToEnd ? this.tree.pageCount : Math.floor(end / MAP_PAGE_CHUNKS)
    if (endWhole > firstWhole) clearPages(this.tree, firstWhole, endWhole - firstWhole)
    // What is left of it are parts of two pages at most.
    let chunk = nextDirty(this.tree, first, end)
    for (; chunk !== NO_CHUNK; chunk = nextDirty(this.tree, chunk + 1, end)) this.clear(chunk)
  }

  /** Marks every chunk: a new member's map, or one about which nothing is known (V4b, G1, Q24). */
  fill(rank: Rank): void {
    this.markRange(0 as ChunkNumber, this.tree.chunkCount, rank)
  }

  /** Begins anew, empty: another absence, with the view that expelled the member now (M1). */
  reset(stamp: ViewNumber): void {
    assert(isOwnStamp(stamp) === this.isOwn, "an own map stays one, and so does another")
    this.tree.reset(stamp)
  }

  isDirty(chunk: ChunkNumber): boolean {
    return this.byteOf(chunk) !== 0
  }

  /** The chunk's byte as in rules/rank.ts; 0 where it is clean. */
  byteOf(chunk: ChunkNumber): number {
    assert(chunk >= 0 && chunk < this.tree.chunkCount, "the chunk is inside the volume")
    const number = Math.floor(chunk / MAP_PAGE_CHUNKS)
    return byteIn(this.tree.pageAt(number), chunk - number * MAP_PAGE_CHUNKS)
  }

  rankOf(chunk: ChunkNumber): Rank | typeof NO_RANK {
    const byte = this.byteOf(chunk)
    return byte === 0 ? NO_RANK : rankOfByte(byte)
  }

  /** The first dirty chunk in `from`…`end`-1, or `NO_CHUNK`. */
  nextDirty(from: number, end: number = this.tree.chunkCount): ChunkNumber {
    assert(from >= 0 && end <= this.tree.chunkCount, "a scan stays inside the volume")
    return nextDirty(this.tree, from, end)
  }

  /** The first clean chunk in `from`…`end`-1, or `NO_CHUNK`. */
  nextClean(from: number, end: number = this.tree.chunkCount): ChunkNumber {
    assert(from >= 0 && end <= this.tree.chunkCount, "a scan stays inside the volume")
    return nextClean(this.tree, from, end)
  }

  /**
   * Puts the dirty chunks from `from` on into `into`, ascending, until it is full. Returns how
   * many.
   */
  scan(from: number, into: Float64Array): number {
    let found = 0
    let chunk: number = from
    while (found < into.length) {
      chunk = this.nextDirty(chunk)
      if (chunk === NO_CHUNK) break
      into[found++] = chunk++
    }
    return found
  }

  /**
   * Adds the marks of another map (R1), except void ones: those with a stamp at or before
   * `normalThrough`, which the record of the highest view shows for the member (M2).
   */
  merge(other: DirtyMap, normalThrough: ViewNumber): void {
    assert(other.chunkCount === this.chunkCount, "maps of one volume are merged")
    assert(other !== this, "a map is merged into another one")
    const source = other.tree
    let number = source.nextPage(0)
    while (number !== NO_PAGE) {
      const page = source.pageAt(number)
      const span = source.uniformSpan(number)
      if (!isVoid(page, normalThrough)) this.mergeSpan(number, span, page)
      number = source.nextPage(number + span)
    }
  }

  /**
   * Drops the pages whose marks are over, because the member was normal in their view or later
   * (M2).
   */
  dropVoid(normalThrough: ViewNumber): void {
    assert(!this.isOwn, "what a member says of itself is never void")
    let number = this.tree.nextPage(0)
    while (number !== NO_PAGE) {
      const span = this.tree.uniformSpan(number)
      if (isVoid(this.tree.pageAt(number), normalThrough)) clearPages(this.tree, number, span)
      number = this.tree.nextPage(number + span)
    }
  }

  /** 128 bits over counts, stamps and bytes (M3); costs what has changed since the last one. */
  digest(): Digest {
    return digestOf(this.tree)
  }

  /** The same marks with the same stamps. */
  equals(other: DirtyMap): boolean {
    return haveSameMarks(this.tree, other.tree)
  }

  /** The first page at or after this one that holds something, or `NO_PAGE`. */
  nextPage(from: number): number {
    return this.tree.nextPage(from)
  }

  /**
   * Writes the pages that hold something as records, from the cursor on, as many as fit. Returns
   * how many bytes were written; the cursor then is on the first page that was not.
   */
  exportPages(cursor: PageCursor, view: DataView, at: number, bytes: number): number {
    assert(bytes >= MAP_RECORD_BYTES_MAX, "an export has room for one record")
    let written = 0
    let number = cursor.page === NO_PAGE ? NO_PAGE : this.tree.nextPage(cursor.page)
    while (number !== NO_PAGE && bytes - written >= MAP_RECORD_BYTES_MAX) {
      const span = this.tree.uniformSpan(number)
      written += writeRecord(this.tree, number, span, view, at + written)
      number = this.tree.nextPage(number + span)
    }
    cursor.page = number
    return written
  }

  /** For another member: all that the map holds, and then what changes in it (M3). */
  startExport(): MapExport {
    return new MapExport(this.tree)
  }

  /** Writes one page as a record, an empty one too, for a cell. Returns its bytes. */
  exportPage(page: number, view: DataView, at: number): number {
    return writeRecord(this.tree, page, 1, view, at)
  }

  /**
   * Takes in records. An own map only grows and takes only its own pages, from its own store; what
   * it shall learn from others it merges. Any other map becomes what the records say (Q4).
   */
  importPages(view: DataView, at: number, bytes: number): Refusal {
    return readRecords(this.tree, view, at, bytes)
  }

  isPageEmpty(page: number): boolean {
    return this.tree.pageAt(page) === EMPTY_PAGE
  }

  get changedPageCount(): number {
    return this.tree.changed.count
  }

  isPageChanged(page: number): boolean {
    return this.tree.changed.has(page)
  }

  /**
   * Moves the numbers of pages that changed since they were last taken into `into`, ascending, as
   * many as fit. Returns how many. Who then cannot make one durable gives it back by `noteChanged`.
   */
  takeChangedPages(into: Float64Array): number {
    const taken = this.tree.changed.take(into)
    for (let index = 0; index < taken; index++)
      setFlag(this.tree.pageAt(into[index]!), FLAG_SETTLED)
    return taken
  }

  noteChanged(page: number): void {
    this.tree.changed.add(page)
  }

  /** What the page holds now is on its way to the store, as if it had been taken. */
  notePageTaken(page: number): void {
    this.tree.changed.remove(page)
    setFlag(this.tree.pageAt(page), FLAG_SETTLED)
  }

  /** Everything is durable: after loading, or after the map was written as a whole. */
  forgetChanges(): void {
    this.tree.settleAll()
  }

  /** The same marks, as far as a shorter volume has the chunks. */
  cutTo(chunkCount: number): DirtyMap {
    assert(chunkCount <= this.chunkCount, "a map is cut, not extended")
    if (chunkCount < this.chunkCount) {
      this.clearRange(chunkCount as ChunkNumber, this.chunkCount - chunkCount)
    }
    const cut = new DirtyMap({ chunkCount, stamp: this.stamp })
    const bytes = new Uint8Array(MAP_RECORD_BYTES_MAX)
    const view = new DataView(bytes.buffer)
    for (let page = this.nextPage(0); page !== NO_PAGE; page = this.nextPage(page + 1)) {
      const written = writeRecord(this.tree, page, 1, view, 0)
      assert(cut.importPages(view, 0, written) === ACCEPTED, "a page of a map is one of its cut")
    }
    return cut
  }

  /** The volume has grown (G1, G2). The new chunks are clean until somebody marks them. */
  extendTo(chunkCount: number): void {
    assert(chunkCount >= this.tree.chunkCount, "a volume only grows")
    this.tree.extendTo(chunkCount)
  }

  /** The one place where the byte of a single chunk changes. */
  private put(page: MapPage, place: number, old: number, next: number): void {
    const totals = this.tree.totals
    putByte(page, place, old, next)
    if (old !== 0) totals[old >> 1]!--
    if (next !== 0) totals[next >> 1]!++
  }

  private mergeSpan(first: number, span: number, page: MapPage): void {
    const stamp = stampIn(this.tree, stampOf(page))
    if (span === 1) mergePage(this.tree, first, page, stamp)
    else mergeUniform(this.tree, first, span, byteIn(page, 0), stamp)
  }

  private assertRange(first: number, count: number): void {
    const fits = first >= 0 && count >= 0 && first + count <= this.tree.chunkCount
    assert(fits, "the chunks are inside the volume")
  }
}

/** M2, for a page; a member's own pages have no stamp and are never void. */
function isVoid(page: MapPage, normalThrough: ViewNumber): boolean {
  const stamp = stampOf(page)
  return !isOwnStamp(stamp) && !isMarkValid(stamp, normalThrough)
}
