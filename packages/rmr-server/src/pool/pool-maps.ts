/**
 * PoolMaps: the dirty maps that one member holds, in memory and as cells (rules M1, M2, Q24).
 *
 * Its own map is the truth about itself; the others are marks for members that are absent. Marks
 * are made in memory at once and become durable with the cells that `takeCells` gives to a commit.
 * Until then the intent log covers them: after a crash every chunk of a hot extent is marked anew
 * (R3).
 *
 * A map that begins anew gets another generation, and the pages it left behind are void at once;
 * their cells are removed at leisure.
 */
import type { CellWrite, ChunkNumber, MemberId, Rank, SavedMap, Store, ViewNumber } from "@rmr/core"
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

export class PoolMaps {
  readonly ownSlot: number
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
      map?.markRange(first, count, rank)
    }
  }

  /** Marks own chunks. Of a clear that is on its way to the store, these are excepted. */
  markOwn(first: ChunkNumber, count: number, rank: Rank): void {
    this.own.markRange(first, count, rank)
    if (this.clearing.size === 0) return
    for (let chunk = first as number; chunk < first + count; chunk++) this.clearing.delete(chunk)
  }

  /**
   * Clears own chunks: first in the cells that `commit` makes durable, then in memory. Until then
   * everybody sees them dirty.
   */
  async clearOwn(
    chunks: readonly ChunkNumber[],
    commit: (cells: readonly CellWrite[]) => Promise<void>,
  ): Promise<void> {
    const { own, clearing } = this
    for (let from = 0; from < chunks.length; from += PAGES_PER_COMMIT) {
      const part = chunks.slice(from, from + PAGES_PER_COMMIT)
      const ranks = part.map((chunk) => own.rankOf(chunk))
      const pages = new Set(part.map((chunk) => Math.floor(chunk / MAP_PAGE_CHUNKS)))
      for (const chunk of part) own.clear(chunk)
      const cells = [...pages].map((page) => this.pageCell(this.ownSlot, page))
      for (const [nth, chunk] of part.entries()) {
        const rank = ranks[nth]
        if (rank === undefined || rank === NO_RANK) continue
        own.mark(chunk, rank)
        clearing.add(chunk)
      }
      try {
        await commit(cells)
        for (const chunk of part) if (clearing.has(chunk)) own.clear(chunk)
      } finally {
        for (const chunk of part) clearing.delete(chunk)
      }
    }
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

  get hasChanges(): boolean {
    if (this.changedHeads.size > 0 || this.leftBehind.length > 0) return true
    return this.maps.some((map) => map !== undefined && map.changedPageCount > 0)
  }

  /**
   * Cells that make what has changed durable, at most `pagesMax` pages of them, the own map first.
   * Whoever cannot commit them has lost its store.
   */
  takeCells(pagesMax: number = PAGES_PER_COMMIT): CellWrite[] {
    const cells: CellWrite[] = []
    for (const slot of this.changedHeads) {
      const saved = this.saved[slot]
      assert(saved !== undefined, "a map that changed is there")
      cells.push({ kind: "map", index: slot, bytes: MAP_CELL.encode(saved) })
    }
    this.changedHeads.clear()
    let room = Math.min(pagesMax, PAGES_PER_COMMIT)
    room -= this.takePages(this.ownSlot, room, cells)
    for (let slot = 0; slot < MEMBERS_MAX && room > 0; slot++) {
      if (slot !== this.ownSlot) room -= this.takePages(slot, room, cells)
    }
    const named = new Set(cells.filter(({ kind }) => kind === "map-page").map(({ index }) => index))
    for (; room > 0 && this.leftBehind.length > 0; room--) {
      const index = this.leftBehind.pop()!
      if (!named.has(index)) cells.push({ kind: "map-page", index, bytes: undefined })
    }
    return cells
  }

  private takePages(slot: number, room: number, cells: CellWrite[]): number {
    const map = this.maps[slot]
    if (map === undefined || room <= 0) return 0
    const taken = map.takeChangedPages(this.pages.subarray(0, room))
    for (let nth = 0; nth < taken; nth++) cells.push(this.pageCell(slot, this.pages[nth]!))
    return taken
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
