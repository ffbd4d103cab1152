/** What a receiver has after each pass of an export, and what a pass costs. */
import fc from "fast-check"
import type { ChunkNumber } from "../brand.js"
import { MAP_PAGE_CHUNKS } from "../limits.js"
import { RANK_CACHE_LOST, RANK_IN_FLIGHT, RANK_REAL, type Rank } from "../rules/rank.js"
import { ACCEPTED } from "../wire/refusal.js"
import { DirtyMap } from "./dirty-map.js"
import { Hash128 } from "./hash128.js"
import type { MapExport } from "./map-export.js"
import { MAP_RECORD_BYTES_MAX } from "./map-page-codec.js"

const STAMP = { epoch: 3, version: 7 }
/** More than one directory, and a last page that the volume's end cuts. */
const CHUNKS = 1500 * MAP_PAGE_CHUNKS + 100

const bytes = new Uint8Array(3 * MAP_RECORD_BYTES_MAX)
const view = new DataView(bytes.buffer)

function newMap(): DirtyMap {
  return new DirtyMap({ chunkCount: CHUNKS, stamp: STAMP })
}

/** Takes in a whole pass; how many bytes it had. */
function pass(pages: MapExport, into: DirtyMap, meanwhile?: () => void): number {
  let all = 0
  pages.begin()
  for (;;) {
    const written = pages.write(view, 0, bytes.length)
    if (written === 0) return all
    all += written
    expect(into.importPages(view, 0, written)).toBe(ACCEPTED)
    meanwhile?.()
  }
}

const rank = fc.constantFrom<Rank>(RANK_REAL, RANK_IN_FLIGHT, RANK_CACHE_LOST)
const first = fc.oneof(
  fc.integer({ min: 0, max: CHUNKS - 1 }),
  fc.integer({ min: 0, max: 3 * MAP_PAGE_CHUNKS }),
  fc.constantFrom(0, CHUNKS - 1, 1023 * MAP_PAGE_CHUNKS, 1024 * MAP_PAGE_CHUNKS),
)
const change = fc.record({
  first,
  count: fc.oneof(
    fc.integer({ min: 1, max: 40 }),
    fc.constantFrom(MAP_PAGE_CHUNKS, 9 * MAP_PAGE_CHUNKS, CHUNKS),
  ),
  rank,
  isClear: fc.boolean(),
})

function apply(map: DirtyMap, { first: from, count, rank: how, isClear }: Change): void {
  const fits = Math.min(count, CHUNKS - from)
  if (isClear) map.clearRange(from as ChunkNumber, fits)
  else map.markRange(from as ChunkNumber, fits, how)
}

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

describe("MapExport", () => {
  it("M3: after a pass at rest the receiver has the same map, whatever came before", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(change, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
        fc.array(change, { maxLength: 6 }),
        (rounds, meanwhile) => {
          const source = newMap()
          const receiver = newMap()
          const pages = source.startExport()
          for (const round of rounds) {
            for (const one of round) apply(source, one)
            const late = [...meanwhile]
            pass(pages, receiver, () => {
              const next = late.pop()
              if (next !== undefined) apply(source, next)
            })
          }
          pass(pages, receiver)
          expect(receiver.digest()).toBe(source.digest())
          expect(receiver.equals(source)).toBe(true)
          expect(pass(pages, receiver)).toBe(0)
        },
      ),
      { numRuns: 60 },
    )
  })

  it("P9: a pass has what changed since, and a map that is dirty alike is a few records", () => {
    const source = newMap()
    source.fill(RANK_REAL)
    const pages = source.startExport()
    const receiver = newMap()
    expect(pass(pages, receiver)).toBeLessThan(200)
    for (let page = 0; page < 1500; page++) {
      source.clear((page * MAP_PAGE_CHUNKS + 5) as ChunkNumber)
    }
    const all = pass(pages, receiver)
    source.mark(5 as ChunkNumber, RANK_REAL)
    source.clear((1200 * MAP_PAGE_CHUNKS + 6) as ChunkNumber)
    const delta = pass(pages, receiver)
    expect(delta).toBeGreaterThan(0)
    expect(delta).toBeLessThan(all / 500)
    expect(receiver.digest()).toBe(source.digest())
  })
})

describe("MapExport: what is hashed", () => {
  /** Words that go into digests in a pass after one mark, where every page holds something. */
  function wordsFor(pageCount: number): { source: number; receiver: number } {
    const shape = { chunkCount: pageCount * MAP_PAGE_CHUNKS, stamp: STAMP }
    const source = new DirtyMap(shape)
    const receiver = new DirtyMap(shape)
    source.fill(RANK_IN_FLIGHT)
    const pages = source.startExport()
    pass(pages, receiver)
    expect(receiver.digest()).toBe(source.digest())
    source.mark((Math.floor(pageCount / 2) * MAP_PAGE_CHUNKS) as ChunkNumber, RANK_REAL)
    const hashed = jest.spyOn(Hash128.prototype, "addWords")
    const words = (): number => hashed.mock.calls.reduce((sum, [, , count]) => sum + count, 0)
    try {
      expect(pass(pages, receiver)).toBeGreaterThan(0)
      const sent = words()
      const digest = receiver.digest()
      const taken = words() - sent
      expect(digest).toBe(source.digest())
      return { source: sent, receiver: taken }
    } finally {
      hashed.mockRestore()
    }
  }

  it("P9: is one page and its neighbours, and a little for each thousand pages", () => {
    const small = wordsFor(2048)
    const large = wordsFor(131_072)
    const onePage = MAP_PAGE_CHUNKS / 4
    expect(small.source).toBeLessThan(3 * onePage)
    expect(large.source - small.source).toBeLessThan(4)
    expect(small.receiver).toBeLessThan(2 * onePage)
    // The map's own digest is over one of each directory.
    expect(large.receiver - small.receiver).toBe((8 * (131_072 - 2048)) / 1024)
  })
})

describe("DirtyMap.cutTo", () => {
  it("G2: keeps the marks of the chunks that a shorter volume has, with their stamps", () => {
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 8 }),
        fc.integer({ min: 1, max: CHUNKS }),
        (changes, chunkCount) => {
          const map = newMap()
          for (const one of changes) apply(map, one)
          const model = newMap()
          for (const one of changes) apply(model, one)
          const cut = map.cutTo(chunkCount)
          expect(cut.chunkCount).toBe(chunkCount)
          const after = CHUNKS - chunkCount
          if (after > 0) model.clearRange(chunkCount as ChunkNumber, after)
          expect(cut.count).toBe(model.count)
          cut.extendTo(CHUNKS)
          expect(cut.equals(model)).toBe(true)
        },
      ),
      { numRuns: 40 },
    )
  })
})
