/** Ranges of a map for admins: whole, in order, in parts, and by rank. */
import { chunkNumber } from "../brand.js"
import { RANK_CACHE_LOST, RANK_IN_FLIGHT, RANK_REAL } from "../rules/rank.js"
import { DirtyMap } from "./dirty-map.js"
import { dirtyRanges, rankName } from "./dirty-ranges.js"

const COUNT = 10_000

function someMap(): DirtyMap {
  const map = new DirtyMap({ chunkCount: COUNT })
  map.markRange(chunkNumber(3), 4, RANK_REAL)
  map.markRange(chunkNumber(7), 2, RANK_IN_FLIGHT)
  map.markRange(chunkNumber(4090), 20, RANK_REAL)
  map.markRange(chunkNumber(9999), 1, RANK_CACHE_LOST)
  return map
}

describe("dirtyRanges", () => {
  it("names what is dirty, each rank by itself, across pages and to the end", () => {
    expect(dirtyRanges(someMap(), 0, 100)).toEqual({
      ranges: [
        { first: 3, count: 4, rank: RANK_REAL },
        { first: 7, count: 2, rank: RANK_IN_FLIGHT },
        { first: 4090, count: 20, rank: RANK_REAL },
        { first: 9999, count: 1, rank: RANK_CACHE_LOST },
      ],
      next: undefined,
    })
    expect(dirtyRanges(new DirtyMap({ chunkCount: COUNT }), 0, 100).ranges).toEqual([])
  })

  it("is the same in parts, whatever their size", () => {
    const map = someMap()
    const whole = dirtyRanges(map, 0, 100).ranges
    for (const size of [1, 2, 3, 4, 5]) {
      const parts = []
      let next: number | undefined = 0
      while (next !== undefined) {
        const part = dirtyRanges(map, next, size)
        parts.push(...part.ranges)
        next = part.next
      }
      expect(parts).toEqual(whole)
    }
  })

  it("begins in the middle of a range where it is asked to", () => {
    expect(dirtyRanges(someMap(), 5, 1)).toEqual({
      ranges: [{ first: 5, count: 2, rank: RANK_REAL }],
      next: 7,
    })
  })

  it("has a word for each rank", () => {
    expect(([RANK_REAL, RANK_IN_FLIGHT, RANK_CACHE_LOST] as const).map(rankName)).toEqual([
      "real",
      "suspect-in-flight",
      "suspect-cache-lost",
    ])
  })
})
