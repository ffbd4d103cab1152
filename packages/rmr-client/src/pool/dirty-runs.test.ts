/** That runs say of every chunk what the maps say, and are few where neighbours are alike. */
import {
  type ChunkNumber,
  DirtyMap,
  decideElection,
  RANK_CACHE_LOST,
  RANK_IN_FLIGHT,
  RANK_REAL,
} from "@rmr/core"
import fc from "fast-check"
import { dirtyRuns } from "./dirty-runs.js"
import { ElectionPlan } from "./election-plan.js"

const CHUNKS = 1200
const RANKS = [RANK_REAL, RANK_IN_FLIGHT, RANK_CACHE_LOST] as const

const marks = fc.array(
  fc.tuple(
    fc.nat(CHUNKS - 1),
    fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: CHUNKS })),
    fc.constantFrom(...RANKS),
  ),
  { maxLength: 12 },
)

function mapOf(ranges: readonly (readonly [number, number, 0 | 1 | 2])[]): DirtyMap {
  const map = new DirtyMap({ chunkCount: CHUNKS })
  for (const [first, count, rank] of ranges) {
    map.markRange(first as ChunkNumber, Math.min(count, CHUNKS - first), rank)
  }
  return map
}

describe("runs of dirty chunks", () => {
  it("R6: tell of each dirty chunk once, and what each member says of it", () => {
    fc.assert(
      fc.property(fc.array(marks, { minLength: 1, maxLength: 3 }), (all) => {
        const maps = all.map(mapOf)
        const said = maps.map((map) => Array.from({ length: CHUNKS }, () => map && 0))
        for (const { firstChunk, chunkCount, bytes } of dirtyRuns(maps)) {
          expect(chunkCount).toBeGreaterThan(0)
          for (const [slot, byte] of bytes.entries()) {
            said[slot]!.fill(byte, firstChunk, firstChunk + chunkCount)
          }
        }
        for (const [slot, map] of maps.entries()) {
          const bytes = said[slot]!.map((_, chunk) => map.byteOf(chunk as ChunkNumber))
          expect(said[slot]).toEqual(bytes)
        }
      }),
      { numRuns: 60 },
    )
  })

  it("R6: are few, however many chunks are dirty", () => {
    const chunkCount = 64 * 1024 * 1024
    const lost = new DirtyMap({ chunkCount })
    lost.fill(RANK_REAL)
    const other = new DirtyMap({ chunkCount })
    other.markRange(1000 as ChunkNumber, 3, RANK_REAL)
    const runs = Array.from(dirtyRuns([lost, undefined, other]), (run) => [
      run.firstChunk,
      run.chunkCount,
      ...run.bytes,
    ])
    expect(runs).toEqual([
      [0, 1000, 1, 0, 0],
      [1000, 3, 1, 0, 1],
      [1003, chunkCount - 1003, 1, 0, 0],
    ])
  })
})

describe("the plan of an election", () => {
  it("R6: says of all chunks what is decided of each one", () => {
    fc.assert(
      fc.property(fc.array(marks, { minLength: 1, maxLength: 3 }), fc.boolean(), (all, may) => {
        const maps = all.map(mapOf)
        const normal = (1 << maps.length) - 1
        const settled = { acceptsLoss: false, mayElectCacheLost: may }
        const terms = { normal, absent: 0, ...settled, chunkCount: CHUNKS }
        const plan = new ElectionPlan(terms)
        for (const run of dirtyRuns(maps)) plan.add(run)
        const elected: number[] = []
        let waitingChunks = 0
        for (let chunk = 0; chunk < CHUNKS; chunk++) {
          const decision = decideElection(
            maps.map((map) => map.byteOf(chunk as ChunkNumber)),
            normal,
          )
          const isLate = decision.decide === "elect" && decision.rank === 2 && !may
          if (decision.decide === "wait" || isLate) waitingChunks++
          if (decision.decide === "elect" && !isLate) elected.push(chunk * 8 + decision.slot)
        }
        const planned = [...plan.elected].flatMap(([slot, ranges]) =>
          ranges.flatMap(({ firstChunk, chunkCount }) =>
            Array.from({ length: chunkCount }, (_, nth) => (firstChunk + nth) * 8 + slot),
          ),
        )
        expect(planned.sort((a, b) => a - b)).toEqual(elected)
        expect(plan.waitingChunks).toBe(waitingChunks)
      }),
      { numRuns: 40 },
    )
  })
})
