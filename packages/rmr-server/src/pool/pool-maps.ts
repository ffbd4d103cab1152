/**
 * PoolMaps: the dirty maps that one member holds, in memory and as cells (rules M1, M2, Q24).
 *
 * Its own map is the truth about itself; the others are marks for members that are absent. Marks
 * are made in memory at once and become durable in a save: `beginSave` says which pages it is
 * about, `nextCells` gives them to one commit after another. What is marked meanwhile is for the
 * save after it, so that a save ends however fast marks come. Until then the intent log covers
 * them: after a crash every chunk of a hot extent is marked anew (R3).
 *
 * A map that begins anew gets another generation, and the pages it left behind are void at once;
 * their cells are removed at leisure.
 */
import type {
  CellWrite,
  ChunkNumber,
  MemberId,
  Rank,
  Refusal,
  SavedMap,
  Store,
  ViewNumber,
} from "@rmr/core"
import {
  ACCEPTED,
  assert,
  CHUNK_REAL,
  DirtyMap,
  MAP_CELL,
  MAP_PAGE_CELL,
  MAP_PAGE_CHUNKS,
  MAP_RECORD_BYTES_MAX,
  MEMBERS_MAX,
  mapPageIndex,
  NO_RANK,
  NO_VIEW,
  pageOfMapPageIndex,
  RANK_REAL,
  Refused,
  RmrError,
  rankOfByte,
  slotOfMapPageIndex,
} from "@rmr/core"

/** Pages in one commit: about a megabyte where none of them packs well. */
export const PAGES_PER_COMMIT = 512

export interface PoolMapsEvents {
  /** A page holds something that no save is about. Said again at every mark until one is. */
  onChanged(): void
  /** A save is about all that has changed until now. */
  onTaken(): void
}

const NOBODY: PoolMapsEvents = { onChanged: () => undefined, onTaken: () => undefined }

export class PoolMaps {
  readonly ownSlot: number
  /** Whoever saves what has changed; nobody until the pool says who. */
  events: PoolMapsEvents = NOBODY
  private readonly maps: (DirtyMap | undefined)[] = []
  private readonly saved: (SavedMap | undefined)[] = []
  private readonly changedHeads = new Set<number>()
  private readonly pages = new Float64Array(PAGES_PER_COMMIT)
  private readonly record: Uint8Array = new Uint8Array(MAP_RECORD_BYTES_MAX)
  private readonly recordView: DataView = new DataView(this.record.buffer)
  /** Own chunks whose clear is on its way to the store. */
  private readonly clearing = new Set<number>()
  /** Cells of maps that are over, to be removed. */
  private readonly leftBehind: number[] = []
  /** Cells of pages that are about to be saved, or on their way to the store. */
  private readonly underWay = new Set<number>()
  private readonly toSave: number[] = []
  private isSavingHeads = false

  constructor(ownSlot: number, ownId: MemberId, chunkCount: number) {
    this.ownSlot = ownSlot
    this.maps[ownSlot] = new DirtyMap({ chunkCount })
    this.saved[ownSlot] = { memberId: ownId, stamp: NO_VIEW, generation: 1, elsewhere: 0 }
    this.changedHeads.add(ownSlot)
  }

  get own(): DirtyMap {
    const map = this.maps[this.ownSlot]
    assert(map !== undefined, "a member has a map of its own")
    return map
  }

  /** The marks about another member, if there are any. */
  about(slot: number): DirtyMap | undefined {
    return slot === this.ownSlot ? undefined : this.maps[slot]
  }

  stampOf(slot: number): ViewNumber | undefined {
    return this.about(slot)?.stamp
  }

  /** Whom the marks of a slot are about. */
  memberIdOf(slot: number): MemberId | undefined {
    return this.saved[slot]?.memberId
  }

  /** Another absence of this member begins: its marks are born again, empty (M1). */
  rebirth(slot: number, memberId: MemberId, stamp: ViewNumber, chunkCount: number): void {
    assert(slot !== this.ownSlot, "a member does not mark for itself")
    const before = this.saved[slot]
    const generation = (before?.generation ?? 0) + 1
    const map = this.maps[slot]
    if (map === undefined) this.maps[slot] = new DirtyMap({ chunkCount, stamp })
    else map.reset(stamp)
    this.saved[slot] = { memberId, stamp, generation, elsewhere: 0 }
    this.changedHeads.add(slot)
  }

  /** Marks chunks for all of these slots, except the own one. */
  markFor(slots: number, first: ChunkNumber, count: number, rank: Rank): void {
    for (let rest = slots; rest !== 0; rest &= rest - 1) {
      const slot = 31 - Math.clz32(rest & -rest)
      const map = slot === this.ownSlot ? undefined : this.maps[slot]
      if (map === undefined) continue
      map.markRange(first, count, rank)
      if (map.changedPageCount > 0) this.events.onChanged()
    }
  }

  /** Marks own chunks. Of a clear that is on its way to the store, these are excepted. */
  markOwn(first: ChunkNumber, count: number, rank: Rank): void {
    const { own, clearing } = this
    own.markRange(first, count, rank)
    if (clearing.size > 0) {
      for (let chunk = first as number; chunk < first + count; chunk++) {
        // The store is about to hear that it is clean, also where the mark itself is no news.
        if (clearing.delete(chunk)) own.noteChanged(Math.floor(chunk / MAP_PAGE_CHUNKS))
      }
    }
    if (own.changedPageCount > 0) this.events.onChanged()
  }

  /** M3: marks that others hold about this member; what it knows of itself only grows. */
  mergeOwn(marks: DirtyMap): void {
    const { own, clearing } = this
    assert(clearing.size === 0, "a member that returns clears nothing")
    own.merge(marks, NO_VIEW)
    if (own.changedPageCount > 0) this.events.onChanged()
  }

  /** M3: pages of the marks about another absent member take the place of what was here. */
  replacePages(slot: number, records: Uint8Array): Refusal {
    const map = this.about(slot)
    assert(map !== undefined, "marks that are replaced were born anew")
    const view = new DataView(records.buffer, records.byteOffset, records.length)
    const refusal = map.importPages(view, 0, records.length)
    if (map.changedPageCount > 0) this.events.onChanged()
    return refusal
  }

  /**
   * Clears own chunks: first in the cells that `commit` makes durable, then in memory. Until then
   * everybody sees them dirty. The cells are the whole pages, so what was marked in them is saved
   * with the clear, and neither needs another write.
   */
  async clearOwn(
    chunks: readonly ChunkNumber[],
    commit: (cells: readonly CellWrite[]) => Promise<void>,
  ): Promise<void> {
    const { own, clearing, underWay } = this
    for (let from = 0; from < chunks.length; from += PAGES_PER_COMMIT) {
      const part = chunks.slice(from, from + PAGES_PER_COMMIT)
      const pages = new Set(part.map((chunk) => Math.floor(chunk / MAP_PAGE_CHUNKS)))
      const cells = this.clearedCells(part, pages)
      for (const { index } of cells) underWay.add(index)
      try {
        await commit(cells)
        const unchanged = [...pages].filter((page) => !own.isPageChanged(page))
        for (const chunk of part) if (clearing.has(chunk)) own.clear(chunk)
        for (const page of unchanged) own.notePageTaken(page)
        for (const { index } of cells) underWay.delete(index)
      } finally {
        for (const chunk of part) clearing.delete(chunk)
      }
    }
  }

  /** The pages as they are without these chunks; in memory they stay dirty, and are `clearing`. */
  private clearedCells(part: readonly ChunkNumber[], pages: ReadonlySet<number>): CellWrite[] {
    const { own, clearing } = this
    const ranks = part.map((chunk) => own.rankOf(chunk))
    for (const chunk of part) own.clear(chunk)
    const cells = [...pages].map((page) => this.pageCell(this.ownSlot, page))
    for (const [nth, chunk] of part.entries()) {
      const rank = ranks[nth]
      if (rank === undefined || rank === NO_RANK) continue
      own.mark(chunk, rank)
      clearing.add(chunk)
    }
    for (const page of pages) own.notePageTaken(page)
    return cells
  }

  /**
   * Every chunk of the own map is missing: a new member beside old ones (G1), or a lost map. One
   * cell says so, however large the volume is.
   */
  fillOwn(): void {
    const before = this.saved[this.ownSlot]
    assert(before !== undefined, "a member has a map of its own")
    this.own.fill(RANK_REAL)
    this.own.forgetChanges()
    this.saved[this.ownSlot] = {
      ...before,
      generation: before.generation + 1,
      elsewhere: CHUNK_REAL,
    }
    this.changedHeads.add(this.ownSlot)
  }

  /**
   * The volume has so many chunks now. New ones are clean (G1); where a map says "dirty elsewhere",
   * cells have to say so of each new page, before a record tells of them.
   */
  resizeTo(chunkCount: number): void {
    for (const [slot, map] of this.maps.entries()) {
      if (map === undefined || map.chunkCount === chunkCount) continue
      const before = map.pageCount
      if (map.chunkCount > chunkCount) this.maps[slot] = map.cutTo(chunkCount)
      else map.extendTo(chunkCount)
      if (this.saved[slot]?.elsewhere === 0 || map.pageCount < before) continue
      for (let page = before - 1; page < map.pageCount; page++) map.noteChanged(page)
      this.events.onChanged()
    }
  }

  /** Something has changed that no save is about yet. */
  get hasChanges(): boolean {
    if (this.changedHeads.size > 0 || this.leftBehind.length > 0) return true
    for (const map of this.maps) if (map !== undefined && map.changedPageCount > 0) return true
    return false
  }

  /** One commit, with whatever else goes into it, takes all that has changed. */
  get fitsOneCommit(): boolean {
    let pages = this.leftBehind.length
    for (const map of this.maps) pages += map?.changedPageCount ?? 0
    return pages <= PAGES_PER_COMMIT
  }

  /** I2: what is marked and cleared in these chunks, by any map, is durable. */
  isDurable(first: ChunkNumber, count: number): boolean {
    if (this.isSavingHeads || this.changedHeads.size > 0) return false
    const end = Math.ceil((first + count) / MAP_PAGE_CHUNKS)
    for (let slot = 0; slot < MEMBERS_MAX; slot++) {
      const map = this.maps[slot]
      if (map === undefined) continue
      for (let page = Math.floor(first / MAP_PAGE_CHUNKS); page < end; page++) {
        if (map.isPageChanged(page)) return false
        if (this.underWay.size > 0 && this.underWay.has(mapPageIndex(page, slot))) return false
      }
    }
    return true
  }

  /**
   * A save of all that has changed begins, the own map first. One save ends before the next begins,
   * and whoever cannot commit its cells has lost its store.
   */
  beginSave(): void {
    assert(this.toSave.length === 0, "one save ends before the next begins")
    this.takePages(this.ownSlot)
    for (let slot = 0; slot < MEMBERS_MAX; slot++) if (slot !== this.ownSlot) this.takePages(slot)
    for (const index of this.leftBehind.splice(0)) {
      if (!this.underWay.has(index)) this.toSave.push(index)
      this.underWay.add(index)
    }
    this.toSave.reverse()
    this.events.onTaken()
  }

  /** Cells for the next commit of the save; none when it is complete. */
  nextCells(): CellWrite[] {
    const cells: CellWrite[] = []
    for (const slot of this.changedHeads) {
      const saved = this.saved[slot]
      assert(saved !== undefined, "a map that changed is there")
      cells.push({ kind: "map", index: slot, bytes: MAP_CELL.encode(saved) })
    }
    this.isSavingHeads = cells.length > 0
    this.changedHeads.clear()
    for (let room = PAGES_PER_COMMIT; room > 0 && this.toSave.length > 0; room--) {
      const index = this.toSave.pop()!
      cells.push(this.cellOf(index))
    }
    return cells
  }

  /** All cells of the save are durable. */
  endSave(): void {
    this.isSavingHeads = false
    this.underWay.clear()
  }

  private takePages(slot: number): void {
    const map = this.maps[slot]
    if (map === undefined) return
    while (map.changedPageCount > 0) {
      const taken = map.takeChangedPages(this.pages)
      for (let nth = 0; nth < taken; nth++) {
        const index = mapPageIndex(this.pages[nth]!, slot)
        this.toSave.push(index)
        this.underWay.add(index)
      }
    }
  }

  /** A page as it is now; nothing for one of a map that is not there any more. */
  private cellOf(index: number): CellWrite {
    const slot = slotOfMapPageIndex(index)
    const page = pageOfMapPageIndex(index)
    const map = this.maps[slot]
    if (map === undefined || page >= map.pageCount) {
      return { kind: "map-page", index, bytes: undefined }
    }
    return this.pageCell(slot, page)
  }

  private pageCell(slot: number, page: number): CellWrite {
    const map = this.maps[slot]
    const saved = this.saved[slot]
    assert(map !== undefined && saved !== undefined, "a page is of a map")
    const index = mapPageIndex(page, slot)
    if (saved.elsewhere === 0 && map.isPageEmpty(page)) {
      return { kind: "map-page", index, bytes: undefined }
    }
    const bytes = map.exportPage(page, this.recordView, 0)
    const record = this.record.slice(0, bytes)
    const { generation } = saved
    return { kind: "map-page", index, bytes: MAP_PAGE_CELL.encode({ generation, record }) }
  }

  /**
   * Loads what the store has. What is damaged is the worst it could have said: all of its chunks
   * are missing (Q24). `damaged` names maps about others whose head cannot be read: their stamp is
   * unknown, and whoever knows the view record makes them anew, full.
   */
  static async load(
    store: Store,
    ownSlot: number,
    ownId: MemberId,
    chunkCount: number,
  ): Promise<{ readonly maps: PoolMaps; readonly damaged: readonly number[] }> {
    const maps = new PoolMaps(ownSlot, ownId, chunkCount)
    const damaged: number[] = []
    for (const slot of store.cellIndexes("map")) {
      const saved = await readMapHead(store, slot)
      if (saved === undefined) damaged.push(slot)
      else maps.adopt(slot, saved, chunkCount)
    }
    const badPages: number[] = []
    for (const index of store.cellIndexes("map-page")) {
      if (!(await maps.loadPage(store, index))) badPages.push(index)
    }
    for (const map of maps.maps) map?.forgetChanges()
    for (const index of badPages) maps.fillPage(index)
    if (damaged.includes(ownSlot)) maps.fillOwn()
    return { maps, damaged: damaged.filter((slot) => slot !== ownSlot) }
  }

  private adopt(slot: number, saved: SavedMap, chunkCount: number): void {
    this.saved[slot] = saved
    this.changedHeads.delete(slot)
    const stamp = slot === this.ownSlot ? {} : { stamp: saved.stamp }
    const map = new DirtyMap({ chunkCount, ...stamp })
    if (saved.elsewhere !== 0) map.fill(rankOfByte(saved.elsewhere))
    this.maps[slot] = map
  }

  /** False where the page cannot be read: it marked something, and nobody knows what. */
  private async loadPage(store: Store, index: number): Promise<boolean> {
    const map = this.maps[slotOfMapPageIndex(index)]
    const saved = this.saved[slotOfMapPageIndex(index)]
    if (map === undefined || saved === undefined || pageOfMapPageIndex(index) >= map.pageCount) {
      this.leftBehind.push(index)
      return true
    }
    const content = await readPage(store, index)
    if (content === undefined) return false
    if (content.generation !== saved.generation) {
      this.leftBehind.push(index)
      return true
    }
    const { record } = content
    // Where the map says "dirty elsewhere", a page says what it has left, not what it adds.
    if (saved.elsewhere !== 0) clearPage(map, pageOfMapPageIndex(index))
    const view = new DataView(record.buffer, record.byteOffset, record.byteLength)
    return map.importPages(view, 0, record.length) === ACCEPTED
  }

  private fillPage(index: number): void {
    const map = this.maps[slotOfMapPageIndex(index)]
    assert(map !== undefined, "a damaged page is of a map")
    const first = pageOfMapPageIndex(index) * MAP_PAGE_CHUNKS
    map.markRange(first as ChunkNumber, pageChunks(map, pageOfMapPageIndex(index)), RANK_REAL)
  }
}

function clearPage(map: DirtyMap, page: number): void {
  map.clearRange((page * MAP_PAGE_CHUNKS) as ChunkNumber, pageChunks(map, page))
}

function pageChunks(map: DirtyMap, page: number): number {
  return Math.min(MAP_PAGE_CHUNKS, map.chunkCount - page * MAP_PAGE_CHUNKS)
}

async function readMapHead(store: Store, slot: number): Promise<SavedMap | undefined> {
  const bytes = await readOrDamaged(store, "map", slot)
  if (bytes === undefined) return undefined
  const saved = MAP_CELL.decode(bytes)
  return saved instanceof Refused ? undefined : saved
}

async function readPage(
  store: Store,
  index: number,
): Promise<{ readonly generation: number; readonly record: Uint8Array } | undefined> {
  const bytes = await readOrDamaged(store, "map-page", index)
  if (bytes === undefined) return undefined
  const page = MAP_PAGE_CELL.decode(bytes)
  return page instanceof Refused ? undefined : page
}

/** The cell, or undefined where it is damaged; any other failure is the store's. */
async function readOrDamaged(
  store: Store,
  kind: "map" | "map-page",
  index: number,
): Promise<Uint8Array | undefined> {
  try {
    return await store.readCell(kind, index)
  } catch (thrown) {
    const error = RmrError.from(thrown)
    if (error.code === "corrupt") return undefined
    throw error
  }
}
