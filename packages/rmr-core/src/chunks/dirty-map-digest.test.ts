/**
 * Digests and equality of dirty maps: they tell any two maps apart that say different things, and
 * no two that say the same, whatever is shared or remembered inside.
 */
import type { ChunkNumber } from "../brand.js"
import { MAP_PAGE_CHUNKS } from "../limits.js"
import { NO_VIEW } from "../rules/pool-metadata.js"
import { RANK_IN_FLIGHT, RANK_REAL, type Rank } from "../rules/rank.js"
import { DirtyMap } from "./dirty-map.js"

const chunk = (value: number): ChunkNumber => value as ChunkNumber
const own = (chunkCount: number): DirtyMap => new DirtyMap({ chunkCount })
const absent = (chunkCount: number, version: number): DirtyMap =>
  new DirtyMap({ chunkCount, stamp: { epoch: 3, version } })

describe("DirtyMap: digest", () => {
  const base = (): DirtyMap => {
    const map = absent(3 * MAP_PAGE_CHUNKS, 6)
    map.mark(chunk(5), RANK_REAL)
    map.mark(chunk(MAP_PAGE_CHUNKS + 5), RANK_IN_FLIGHT)
    return map
  }

  it("M3: tells a lost mark and another rank, place, stamp or size from what was meant", () => {
    const other = absent(3 * MAP_PAGE_CHUNKS, 7)
    other.mark(chunk(5), RANK_REAL)
    other.mark(chunk(MAP_PAGE_CHUNKS + 5), RANK_IN_FLIGHT)
    const larger = base()
    larger.extendTo(4 * MAP_PAGE_CHUNKS)
    const moved = [0, 1, 1024, 2048].map((page) => {
      const map = absent(3 * 1024 * MAP_PAGE_CHUNKS, 6)
      map.mark(chunk(page * MAP_PAGE_CHUNKS + 5), RANK_REAL)
      return map
    })
    const variants = [base(), base(), base(), base(), base(), other, larger, ...moved]
    variants[1]!.clear(chunk(5))
    variants[2]!.mark(chunk(MAP_PAGE_CHUNKS + 5), RANK_REAL)
    variants[3]!.clear(chunk(5))
    variants[3]!.mark(chunk(6), RANK_REAL)
    variants[4]!.clear(chunk(5))
    variants[4]!.mark(chunk(2 * MAP_PAGE_CHUNKS + 5), RANK_REAL)
    const digests = variants.map((map) => map.digest())
    expect(new Set(digests).size).toBe(variants.length)
    expect(digests.every((digest) => /^[0-9a-f]{32}$/.test(digest))).toBe(true)
  })

  it("P9: a remembered digest is given up by a change, and comes back when that is undone", () => {
    const map = base()
    const before = map.digest()
    expect(map.digest()).toBe(before)
    map.mark(chunk(6), RANK_REAL)
    const marked = map.digest()
    expect(marked).not.toBe(before)
    map.clear(chunk(5)) // as many chunks as before, another one
    expect(map.digest()).not.toBe(before)
    map.mark(chunk(5), RANK_REAL)
    map.clear(chunk(6))
    expect(map.digest()).toBe(before)
    map.fill(RANK_REAL)
    map.clearRange(chunk(0), map.chunkCount)
    expect(map.digest()).toBe(absent(3 * MAP_PAGE_CHUNKS, 1).digest())
  })
})

describe("DirtyMap: digest that is remembered in part", () => {
  const fresh = (...marks: readonly number[]): DirtyMap => {
    const map = own(4 * MAP_PAGE_CHUNKS)
    for (const number of marks) map.mark(chunk(number), RANK_REAL)
    return map
  }
  const page = MAP_PAGE_CHUNKS

  it("P9: notices whole pages that go and come", () => {
    const map = fresh(1, page, 2 * page)
    map.digest()
    map.clearRange(chunk(page), page)
    expect(map.digest()).toBe(fresh(1, 2 * page).digest())
    map.markRange(chunk(3 * page), page, RANK_REAL)
    const filled = fresh(1, 2 * page)
    filled.fill(RANK_REAL)
    filled.clearRange(chunk(0), 3 * page)
    filled.merge(fresh(1, 2 * page), NO_VIEW)
    expect(map.digest()).toBe(filled.digest())
  })

  it("P9: a page that is used again does not bring its old digest along", () => {
    const map = fresh(7)
    map.digest()
    map.clearRange(chunk(0), page)
    map.merge(fresh(8, 9), NO_VIEW)
    expect(map.digest()).toBe(fresh(8, 9).digest())
    expect(map.equals(fresh(8, 9))).toBe(true)
  })
})

describe("DirtyMap: equality", () => {
  it("is of chunks, ranks, stamps and size, however the pages are shared", () => {
    const make = (
      version: number,
      ...marks: readonly (readonly [number, number, Rank])[]
    ): DirtyMap => {
      const map = absent(3 * MAP_PAGE_CHUNKS, version)
      for (const [first, count, rank] of marks) map.markRange(chunk(first), count, rank)
      return map
    }
    const page = MAP_PAGE_CHUNKS
    const same = [
      make(6, [5, 2, 0], [page, page, 1]),
      make(6, [page, page, 1], [5, 1, 0], [6, 1, 0]),
    ]
    expect(same[0]!.equals(same[1]!) && same[1]!.equals(same[0]!)).toBe(true)
    const others = [
      make(7, [5, 2, 0], [page, page, 1]),
      make(6, [4, 2, 0], [page, page, 1]),
      make(6, [5, 2, 1], [page, page, 1], [0, 0, 0]),
      make(6, [5, 2, 0], [2 * page, page, 1]),
      make(6, [5, 1, 0], [7, 1, 0], [page, page, 1]),
      make(6, [5, 2, 0], [page, page, 2]),
      make(6),
    ]
    for (const other of others) {
      expect([same[0]!.equals(other), other.equals(same[0]!)]).toEqual([false, false])
    }
    expect(absent(3 * MAP_PAGE_CHUNKS, 6).equals(absent(3 * MAP_PAGE_CHUNKS + 1, 6))).toBe(false)
  })
})
