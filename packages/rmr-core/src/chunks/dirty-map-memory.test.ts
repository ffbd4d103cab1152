/**
 * What dirty maps cost: pages exist only where chunks differ. bench/src/chunks.ts weighs them for
 * real.
 */
import type { ChunkNumber } from "../brand.js"
import { MAP_PAGE_CHUNKS } from "../limits.js"
import { NO_VIEW } from "../rules/pool-metadata.js"
import { RANK_IN_FLIGHT, RANK_REAL } from "../rules/rank.js"
import { NO_CHUNK } from "./chunk-geometry.js"
import { DirtyMap } from "./dirty-map.js"

const KiB = 1024
const CHUNKS_64_TIB = 2 ** 29
const chunk = (value: number): ChunkNumber => value as ChunkNumber
const own = (chunkCount: number): DirtyMap => new DirtyMap({ chunkCount })

describe("DirtyMap: memory", () => {
  it("an empty map of 64 TiB takes less than 64 KiB, a fully dirty one less than 2 MiB", () => {
    const map = own(CHUNKS_64_TIB)
    expect(map.memoryBytes).toBeLessThan(64 * KiB)
    map.fill(RANK_REAL)
    expect(map.count).toBe(CHUNKS_64_TIB)
    expect(map.memoryBytes).toBeLessThan(64 * KiB)
  })

  it("a map that was fully dirty page by page, in any rank, takes less than 2 MiB", () => {
    const map = own(CHUNKS_64_TIB)
    for (let page = 0; page < map.pageCount; page++) {
      map.markRange(
        chunk(page * MAP_PAGE_CHUNKS),
        MAP_PAGE_CHUNKS,
        page % 2 === 0 ? RANK_REAL : RANK_IN_FLIGHT,
      )
    }
    expect(map.count).toBe(CHUNKS_64_TIB)
    expect(map.memoryBytes).toBeLessThan(2 * KiB * KiB)
  })

  it("a page that is marked one by one is shared when the last chunk is marked", () => {
    const map = own(CHUNKS_64_TIB)
    for (let number = 0; number < 300 * MAP_PAGE_CHUNKS; number++)
      map.mark(chunk(number), RANK_REAL)
    expect(map.memoryBytes).toBeLessThan(100 * KiB)
  })

  it("pages that a merge has made dirty alike are shared too", () => {
    const halves = [0, 1].map((half) => {
      const map = own(200 * MAP_PAGE_CHUNKS)
      for (let number = half; number < map.chunkCount; number += 2)
        map.mark(chunk(number), RANK_REAL)
      return map
    })
    halves[0]!.merge(halves[1]!, NO_VIEW)
    expect(halves[0]!.count).toBe(halves[0]!.chunkCount)
    expect(halves[0]!.memoryBytes).toBeLessThan(100 * KiB)
  })

  it("clearing one chunk of a fully dirty map costs a page and touches no other", () => {
    const map = own(CHUNKS_64_TIB)
    map.fill(RANK_REAL)
    const before = map.memoryBytes
    map.clear(chunk(123_456_789))
    expect(map.memoryBytes - before).toBeLessThan(16 * KiB)
    expect(map.count).toBe(CHUNKS_64_TIB - 1)
    expect(map.nextClean(0)).toBe(123_456_789)
    map.mark(chunk(123_456_789), RANK_REAL)
    expect(map.nextClean(0)).toBe(NO_CHUNK)
  })

  it("a map that was busy everywhere and is empty again is small again", () => {
    const map = own(CHUNKS_64_TIB)
    const step = 400_003
    for (let number = 0; number < CHUNKS_64_TIB; number += step) map.mark(chunk(number), RANK_REAL)
    expect(map.memoryBytes).toBeGreaterThan(1024 * KiB)
    for (let number = 0; number < CHUNKS_64_TIB; number += step) map.clear(chunk(number))
    map.forgetChanges()
    expect(map.memoryBytes).toBeLessThan(64 * KiB)
  })
})
