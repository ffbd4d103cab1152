/**
 * Random operations on two dirty maps of several directories (1,024 pages each), where whole ones
 * are shared. Chunks between two cuts are always treated alike, so the model is one byte per
 * stretch.
 */
import fc from "fast-check"
import type { ChunkNumber } from "../brand.js"
import { MAP_PAGE_CHUNKS } from "../limits.js"
import { NO_VIEW } from "../rules/pool-metadata.js"
import { chunkByte, RANK_REAL, type Rank, rankOfByte, strongerByte } from "../rules/rank.js"
import { ACCEPTED } from "../wire/refusal.js"
import { NO_CHUNK } from "./chunk-geometry.js"
import { DirtyMap } from "./dirty-map.js"
import { NO_PAGE } from "./map-tree.js"

const DIRECTORY = 1024 * MAP_PAGE_CHUNKS
const CUTS = [
  ...[0, 1, 5, 4095, 4096, 8192, DIRECTORY - 4096, DIRECTORY - 1, DIRECTORY, DIRECTORY + 1],
  ...[DIRECTORY + 3 * 4096, 2 * DIRECTORY - 1, 2 * DIRECTORY, 2 * DIRECTORY + 10],
  ...[3 * DIRECTORY, 3 * DIRECTORY + 9 * 4096, 3 * DIRECTORY + 9 * 4096 + 76],
  3 * DIRECTORY + 9 * 4096 + 77,
]
const STRETCHES = CUTS.length - 1
const LARGE_CHUNKS = CUTS[STRETCHES]!

type LargeStep = { readonly verb: "mark" | "clear" | "merge" | "transfer" } & {
  readonly from: number
  readonly end: number
  readonly rank: Rank
  readonly map: number
}

const largeSteps = fc
  .record<LargeStep>({
    verb: fc.constantFrom("mark", "mark", "mark", "clear", "clear", "merge", "transfer"),
    from: fc.nat(STRETCHES - 1),
    end: fc.nat(STRETCHES - 1),
    rank: fc.constantFrom<Rank>(0, 1, 2),
    map: fc.nat(1),
  })
  .map((step) => ({
    ...step,
    from: Math.min(step.from, step.end),
    end: Math.max(step.from, step.end) + 1,
  }))

function applyLarge(
  maps: readonly DirtyMap[],
  models: readonly Uint8Array[],
  step: LargeStep,
): void {
  const map = maps[step.map]!
  const model = models[step.map]!
  const first = CUTS[step.from] as ChunkNumber
  const count = CUTS[step.end]! - first
  const other = models[1 - step.map]!
  if (step.verb === "clear") {
    map.clearRange(first, count)
    model.fill(0, step.from, step.end)
    return
  }
  if (step.verb === "mark") {
    map.markRange(first, count, step.rank)
    for (let at = step.from; at < step.end; at++) {
      model[at] = strongerByte(model[at]!, chunkByte(step.rank))
    }
    return
  }
  if (step.verb === "merge") map.merge(maps[1 - step.map]!, NO_VIEW)
  else transferAll(maps[1 - step.map]!, map)
  model.forEach((byte, at) => {
    model[at] = strongerByte(byte, other[at]!)
  })
}

function transferAll(from: DirtyMap, to: DirtyMap): void {
  const buffer = new DataView(new ArrayBuffer(1 << 16))
  for (const cursor = { page: 0 }; cursor.page !== NO_PAGE; ) {
    const written = from.exportPages(cursor, buffer, 0, buffer.byteLength)
    expect(to.importPages(buffer, 0, written)).toBe(ACCEPTED)
  }
}

function checkLarge(map: DirtyMap, model: Uint8Array): void {
  const counts = [0, 0, 0]
  let firstDirty: number = NO_CHUNK
  let firstClean: number = NO_CHUNK
  model.forEach((byte, at) => {
    const start = CUTS[at]!
    if (byte !== 0) counts[rankOfByte(byte)]! += CUTS[at + 1]! - start
    if (byte !== 0 && firstDirty === NO_CHUNK) firstDirty = start
    if (byte === 0 && firstClean === NO_CHUNK) firstClean = start
    const last = (CUTS[at + 1]! - 1) as ChunkNumber
    if (map.byteOf(start as ChunkNumber) !== byte || map.byteOf(last) !== byte) {
      throw new Error(`chunks ${start}…${last} have not byte ${byte}`)
    }
  })
  expect([map.countOf(0), map.countOf(1), map.countOf(2)]).toEqual(counts)
  expect([map.nextDirty(0), map.nextClean(0)]).toEqual([firstDirty, firstClean])
}

describe("DirtyMap of several directories against a model", () => {
  it("R1 M3: whole directories are marked, cleared, merged and transferred exactly", () => {
    const property = fc.property(
      fc.array(largeSteps, { maxLength: 20, size: "max" }),
      (schedule) => {
        const maps = [0, 1].map(() => new DirtyMap({ chunkCount: LARGE_CHUNKS }))
        const models = [0, 1].map(() => new Uint8Array(STRETCHES))
        for (const step of schedule) {
          applyLarge(maps, models, step)
          checkLarge(maps[step.map]!, models[step.map]!)
        }
        const copy = new DirtyMap({ chunkCount: LARGE_CHUNKS })
        models[0]!.forEach((byte, at) => {
          const first = CUTS[at] as ChunkNumber
          if (byte !== 0) copy.markRange(first, CUTS[at + 1]! - first, rankOfByte(byte))
        })
        expect(copy.equals(maps[0]!) && maps[0]!.equals(copy)).toBe(true)
        expect(copy.digest()).toBe(maps[0]!.digest())
      },
    )
    fc.assert(property, { numRuns: 60 })
  })

  it("finds the next dirty chunk across every cut", () => {
    const map = new DirtyMap({ chunkCount: LARGE_CHUNKS })
    for (const cut of CUTS.slice(0, -1)) map.mark(cut as ChunkNumber, RANK_REAL)
    const found: number[] = []
    let next = map.nextDirty(0)
    for (; next !== NO_CHUNK; next = map.nextDirty(next + 1)) found.push(next)
    expect(found).toEqual(CUTS.slice(0, -1))
  })
})
