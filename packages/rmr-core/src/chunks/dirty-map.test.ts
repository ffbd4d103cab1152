import type { ChunkNumber } from "../brand.js"
import { MAP_PAGE_CHUNKS } from "../limits.js"
import { NO_VIEW, type ViewNumber } from "../rules/pool-metadata.js"
import { RANK_CACHE_LOST, RANK_IN_FLIGHT, RANK_REAL } from "../rules/rank.js"
import { NO_CHUNK } from "./chunk-geometry.js"
import { DirtyMap, NO_RANK } from "./dirty-map.js"

const CHUNKS_64_TIB = 2 ** 29
const chunk = (value: number): ChunkNumber => value as ChunkNumber
const view = (version: number): ViewNumber => ({ epoch: 3, version })
const own = (chunkCount: number): DirtyMap => new DirtyMap({ chunkCount })
const absent = (chunkCount: number, version: number): DirtyMap =>
  new DirtyMap({ chunkCount, stamp: view(version) })

describe("DirtyMap: facts about chunks", () => {
  it("R1: a stronger fact replaces a weaker one, never the other way", () => {
    const map = own(100)
    expect(map.mark(chunk(7), RANK_IN_FLIGHT)).toBe(true)
    expect(map.mark(chunk(7), RANK_CACHE_LOST)).toBe(true)
    expect(map.mark(chunk(7), RANK_IN_FLIGHT)).toBe(false)
    expect(map.rankOf(chunk(7))).toBe(RANK_CACHE_LOST)
    expect(map.mark(chunk(7), RANK_REAL)).toBe(true)
    expect(map.mark(chunk(7), RANK_CACHE_LOST)).toBe(false)
    expect([map.rankOf(chunk(7)), map.count]).toEqual([RANK_REAL, 1])
    expect([map.clear(chunk(7)), map.clear(chunk(7))]).toEqual([true, false])
    expect([map.rankOf(chunk(7)), map.isEmpty]).toEqual([NO_RANK, true])
  })

  it("P4: marking or clearing a chunk that does not exist is our mistake, and said so", () => {
    const map = own(5000)
    for (const number of [-1, 5000, 2 ** 40, Number.NaN]) {
      expect(() => map.clear(chunk(number))).toThrow("a cleared chunk is inside the volume")
      expect(() => map.mark(chunk(number), RANK_REAL)).toThrow("inside the volume")
      expect(() => map.isDirty(chunk(number))).toThrow("inside the volume")
    }
    expect(() => map.markRange(chunk(4000), 1001, RANK_REAL)).toThrow("inside the volume")
    expect(() => map.clearRange(chunk(4000), 1001)).toThrow("inside the volume")
    expect(map.isEmpty).toBe(true)
  })

  it("T15: chunks that agree in their lower 31 or 32 bits are different chunks", () => {
    const map = own(2 ** 37)
    map.mark(chunk(5), RANK_REAL)
    for (const wrap of [2 ** 31, 2 ** 32, 2 ** 36]) {
      expect(map.isDirty(chunk(wrap + 5))).toBe(false)
      map.mark(chunk(wrap + 5), RANK_IN_FLIGHT)
      expect(map.rankOf(chunk(5))).toBe(RANK_REAL)
      expect(map.nextDirty(wrap - 1)).toBe(wrap + 5)
    }
    expect(map.count).toBe(4)
  })

  it("a scan goes on where a full buffer ended it", () => {
    const map = own(3 * MAP_PAGE_CHUNKS)
    const dirty = [0, 1, 2, 4095, 4096, 9000, 12287]
    for (const number of dirty) map.mark(chunk(number), RANK_REAL)
    const into = new Float64Array(3)
    const found: number[] = []
    for (let from = 0; from < map.chunkCount; ) {
      const count = map.scan(from, into)
      if (count === 0) break
      found.push(...into.subarray(0, count))
      from = into[count - 1]! + 1
    }
    expect(found).toEqual(dirty)
  })

  it("a search for the chunks of one io does not look past its end", () => {
    const map = own(CHUNKS_64_TIB)
    map.mark(chunk(100), RANK_REAL)
    expect(map.nextDirty(0, 100)).toBe(NO_CHUNK)
    expect(map.nextDirty(0, 101)).toBe(100)
    expect(map.nextDirty(100, 100)).toBe(NO_CHUNK)
    expect(map.nextClean(100, 101)).toBe(NO_CHUNK)
    expect(map.nextClean(100, 102)).toBe(101)
  })

  it("G2: a volume that grows keeps its marks, and its new chunks are clean", () => {
    const map = own(MAP_PAGE_CHUNKS + 10)
    map.fill(RANK_REAL)
    map.extendTo(CHUNKS_64_TIB)
    expect(map.count).toBe(MAP_PAGE_CHUNKS + 10)
    expect(map.nextClean(0)).toBe(MAP_PAGE_CHUNKS + 10)
    map.fill(RANK_REAL)
    expect(map.count).toBe(CHUNKS_64_TIB)
    expect(() => map.extendTo(10)).toThrow("only grows")
  })
})

describe("DirtyMap: marks about absent members", () => {
  it("M1: a new absence begins empty, under the view that began it", () => {
    const map = absent(5000, 6)
    map.fill(RANK_REAL)
    map.reset(view(9))
    expect([map.isEmpty, map.stamp]).toEqual([true, view(9)])
    map.mark(chunk(1), RANK_REAL)
    map.dropVoid(view(8))
    expect(map.count).toBe(1)
    map.dropVoid(view(9))
    expect(map.isEmpty).toBe(true)
  })

  it("M2: RT-1, a mark of an earlier absence does not come back with the next", () => {
    // B was away since v6, came back in v7 and is its own authority; A kept c for B on disk.
    const heldByA = absent(5000, 6)
    heldByA.mark(chunk(4), RANK_REAL)
    // B is now absent again, since v9; A wrongly still holds the old mark beside a new one.
    const since9 = absent(5000, 9)
    since9.mark(chunk(4500), RANK_REAL)
    const ofB = own(5000)
    ofB.merge(heldByA, view(8))
    ofB.merge(since9, view(8))
    expect([ofB.count, ofB.isDirty(chunk(4)), ofB.isDirty(chunk(4500))]).toEqual([1, false, true])
  })

  it("M2: every page is judged by its own stamp", () => {
    const map = absent(3 * MAP_PAGE_CHUNKS, 6)
    map.mark(chunk(0), RANK_REAL)
    const later = absent(3 * MAP_PAGE_CHUNKS, 8)
    later.markRange(chunk(MAP_PAGE_CHUNKS), MAP_PAGE_CHUNKS, RANK_REAL)
    later.mark(chunk(2 * MAP_PAGE_CHUNKS), RANK_REAL)
    map.merge(later, NO_VIEW)
    expect(map.count).toBe(MAP_PAGE_CHUNKS + 2)
    map.dropVoid(view(7))
    expect([map.count, map.isDirty(chunk(0))]).toEqual([MAP_PAGE_CHUNKS + 1, false])
  })

  it("M2: epochs order stamps before versions do", () => {
    const map = new DirtyMap({ chunkCount: 10, stamp: { epoch: 2, version: 9 } })
    map.mark(chunk(1), RANK_REAL)
    map.dropVoid({ epoch: 1, version: 50 })
    expect(map.count).toBe(1)
    map.dropVoid({ epoch: 3, version: 1 })
    expect(map.count).toBe(0)
  })

  it("M1: a mark that is made again under a later view is of that view", () => {
    const map = absent(MAP_PAGE_CHUNKS, 9)
    const older = absent(MAP_PAGE_CHUNKS, 7)
    older.mark(chunk(3), RANK_REAL)
    map.merge(older, NO_VIEW)
    expect(map.mark(chunk(3), RANK_REAL)).toBe(true)
    expect(map.mark(chunk(3), RANK_REAL)).toBe(false)
    map.dropVoid(view(8))
    expect(map.count).toBe(1)
  })

  it("M1: a page that takes marks of two views is of the later one, however they meet", () => {
    const page = MAP_PAGE_CHUNKS
    const shapes = [
      [
        [5, 1, RANK_REAL],
        [9, 1, RANK_REAL],
      ], // byte by byte
      [
        [0, page, RANK_IN_FLIGHT],
        [0, page, RANK_REAL],
      ], // dirty alike, and stronger
      [
        [0, page, RANK_REAL],
        [0, page, RANK_IN_FLIGHT],
      ], // dirty alike, and weaker
      [
        [5, 1, RANK_REAL],
        [0, page, RANK_IN_FLIGHT],
      ], // some stronger than what is everywhere
      [
        [0, page, RANK_IN_FLIGHT],
        [5, 1, RANK_REAL],
      ],
    ] as const
    for (const [older, newer] of shapes) {
      for (const isOlderFirst of [true, false]) {
        const maps = [absent(2 * page, 6), absent(2 * page, 8)]
        maps[0]!.markRange(chunk(older[0]), older[1], older[2])
        maps[1]!.markRange(chunk(newer[0]), newer[1], newer[2])
        const [into, from] = isOlderFirst ? maps : maps.toReversed()
        into!.merge(from!, NO_VIEW)
        const { count } = into!
        into!.dropVoid(view(7))
        expect(into!.count).toBe(count)
        into!.dropVoid(view(8))
        expect(into!.isEmpty).toBe(true)
      }
    }
  })

  it("M2: what a member says of itself is never void, and stays its own", () => {
    const map = own(100)
    map.mark(chunk(1), RANK_REAL)
    expect(() => map.dropVoid(view(9))).toThrow("never void")
    expect(() => map.reset(view(9))).toThrow("an own map stays one")
    const about = absent(100, 2)
    about.merge(map, view(9))
    expect(about.count).toBe(1)
    about.dropVoid(view(1))
    expect(about.count).toBe(1)
    about.dropVoid(view(2))
    expect(about.isEmpty).toBe(true)
  })

  it("keeps apart more stamps than it shares pages for", () => {
    const map = absent(64 * MAP_PAGE_CHUNKS, 40)
    for (let page = 0; page < 40; page++) {
      const part = absent(64 * MAP_PAGE_CHUNKS, page + 1)
      part.markRange(chunk(page * MAP_PAGE_CHUNKS), MAP_PAGE_CHUNKS, RANK_REAL)
      map.merge(part, NO_VIEW)
    }
    map.dropVoid(view(25))
    expect(map.count).toBe(15 * MAP_PAGE_CHUNKS)
    expect(map.nextDirty(0)).toBe(25 * MAP_PAGE_CHUNKS)
  })
})

describe("DirtyMap: what is not durable yet", () => {
  const taken = (map: DirtyMap): number[] => {
    const into = new Float64Array(100)
    return Array.from(into.subarray(0, map.takeChangedPages(into)))
  }

  it("names each changed page once, and again after the next change", () => {
    const map = own(10 * MAP_PAGE_CHUNKS)
    map.mark(chunk(0), RANK_REAL)
    map.mark(chunk(1), RANK_REAL)
    map.mark(chunk(5 * MAP_PAGE_CHUNKS), RANK_REAL)
    expect(taken(map)).toEqual([0, 5])
    expect(taken(map)).toEqual([])
    map.mark(chunk(1), RANK_REAL)
    expect(taken(map)).toEqual([])
    map.mark(chunk(2), RANK_REAL)
    expect(taken(map)).toEqual([0])
    map.clear(chunk(2))
    expect(taken(map)).toEqual([0])
  })

  it("a digest in between does not hide a change", () => {
    const map = own(10 * MAP_PAGE_CHUNKS)
    map.markRange(chunk(0), 10, RANK_REAL)
    taken(map)
    map.digest()
    map.mark(chunk(20), RANK_REAL)
    map.digest()
    expect(taken(map)).toEqual([0])
    map.digest()
    map.clear(chunk(1))
    expect(taken(map)).toEqual([0])
  })

  it("names all pages of a filled directory, and of an emptied one those it had", () => {
    const map = own(3 * 1024 * MAP_PAGE_CHUNKS)
    const all = new Float64Array(4000)
    map.markRange(chunk(1024 * MAP_PAGE_CHUNKS), 1024 * MAP_PAGE_CHUNKS, RANK_REAL)
    expect([map.takeChangedPages(all), all[0], all[1023]]).toEqual([1024, 1024, 2047])
    map.mark(chunk(0), RANK_REAL)
    map.mark(chunk(700 * MAP_PAGE_CHUNKS), RANK_REAL)
    map.forgetChanges()
    map.clearRange(chunk(0), map.chunkCount)
    expect(map.takeChangedPages(all)).toBe(1026)
    expect(Array.from(all.subarray(0, 3))).toEqual([0, 700, 1024])
  })

  it("names a page that has become empty, because its durable copy must go", () => {
    const map = own(10 * MAP_PAGE_CHUNKS)
    map.mark(chunk(7), RANK_REAL)
    expect(taken(map)).toEqual([0])
    map.clear(chunk(7))
    expect(taken(map)).toEqual([0])
    expect(map.isPageEmpty(0)).toBe(true)
  })

  it("names a page whose stamp alone changed", () => {
    const map = absent(MAP_PAGE_CHUNKS, 9)
    const older = absent(MAP_PAGE_CHUNKS, 7)
    older.mark(chunk(3), RANK_REAL)
    map.merge(older, NO_VIEW)
    expect(taken(map)).toEqual([0])
    map.mark(chunk(3), RANK_REAL)
    expect(taken(map)).toEqual([0])
  })

  it("does not name a page that somebody saves by himself, until it changes again", () => {
    const map = own(10 * MAP_PAGE_CHUNKS)
    map.fill(RANK_REAL)
    map.clear(chunk(3))
    map.notePageTaken(0)
    map.notePageTaken(9)
    expect([map.isPageChanged(0), map.isPageChanged(1), map.isPageChanged(9)]).toEqual([
      false,
      true,
      false,
    ])
    map.clear(chunk(4))
    expect(taken(map)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  })

  it("takes a page back that could not be made durable, and forgets all after a load", () => {
    const map = own(10 * MAP_PAGE_CHUNKS)
    map.fill(RANK_REAL)
    map.clear(chunk(3))
    expect(map.changedPageCount).toBe(10)
    map.forgetChanges()
    expect(taken(map)).toEqual([])
    map.noteChanged(4)
    map.clear(chunk(4))
    expect(taken(map)).toEqual([0, 4])
  })
})
