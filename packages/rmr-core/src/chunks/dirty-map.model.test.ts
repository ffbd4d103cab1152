/**
 * Random operations on four dirty maps at once, against a model with an array of bytes and a stamp
 * per page and no cleverness at all. What fast-check prints on a failure, seed and path, replays
 * it.
 */
import fc from "fast-check"
import type { ChunkNumber } from "../brand.js"
import { MAP_PAGE_CHUNKS } from "../limits.js"
import { isMarkValid } from "../rules/marks.js"
import { compareViews, NO_VIEW, type ViewNumber } from "../rules/pool-metadata.js"
import { chunkByte, type Rank, rankOfByte, strongerByte } from "../rules/rank.js"
import { ACCEPTED } from "../wire/refusal.js"
import { NO_CHUNK } from "./chunk-geometry.js"
import { DirtyMap, NO_RANK } from "./dirty-map.js"
import { MAP_RECORD_BYTES_MAX } from "./map-page-codec.js"
import { NO_PAGE } from "./map-tree.js"

const CHUNKS = 2 * MAP_PAGE_CHUNKS + 100
const PAGES = 3

const isOwnStamp = (stamp: ViewNumber): boolean => stamp.epoch === 0

class Model {
  stamp: ViewNumber
  bytes = new Uint8Array(CHUNKS)
  stamps = new Map<number, ViewNumber>()
  durable = new Map<number, string>()

  constructor(stamp: ViewNumber) {
    this.stamp = stamp
  }

  get isOwn(): boolean {
    return isOwnStamp(this.stamp)
  }

  pageBytes(page: number): Uint8Array {
    return this.bytes.subarray(page * MAP_PAGE_CHUNKS, (page + 1) * MAP_PAGE_CHUNKS)
  }

  isPageEmpty(page: number): boolean {
    return this.pageBytes(page).every((byte) => byte === 0)
  }

  addByte(chunk: number, byte: number, stamp: ViewNumber): void {
    const page = Math.floor(chunk / MAP_PAGE_CHUNKS)
    this.bytes[chunk] = strongerByte(this.bytes[chunk]!, byte)
    const old = this.stamps.get(page)
    if (old === undefined || compareViews(old, stamp) < 0) this.stamps.set(page, stamp)
  }

  addRange(first: number, count: number, byte: number, stamp: ViewNumber): void {
    for (let chunk = first; chunk < first + count; chunk++) {
      if (this.bytes[chunk] === 0) this.bytes[chunk] = byte
      else this.bytes[chunk] = strongerByte(this.bytes[chunk]!, byte)
    }
    for (let page = 0; page < PAGES; page++) {
      const probe = Math.max(first, page * MAP_PAGE_CHUNKS)
      const isTouched = probe < Math.min(first + count, (page + 1) * MAP_PAGE_CHUNKS)
      if (isTouched) this.addByte(probe, byte, stamp)
    }
  }

  clear(chunk: number): void {
    this.bytes[chunk] = 0
  }

  /** A page without marks has no stamp. */
  tidy(): void {
    for (let page = 0; page < PAGES; page++) {
      if (this.isPageEmpty(page)) this.stamps.delete(page)
    }
  }

  dropPage(page: number): void {
    this.pageBytes(page).fill(0)
    this.stamps.delete(page)
  }

  isVoid(page: number, normalThrough: ViewNumber): boolean {
    const stamp = this.stamps.get(page)
    return stamp !== undefined && !isOwnStamp(stamp) && !isMarkValid(stamp, normalThrough)
  }

  addPage(page: number, from: Model): void {
    const theirs = from.stamps.get(page)
    if (theirs === undefined) return
    const stamp = this.isOwn ? NO_VIEW : isOwnStamp(theirs) ? this.stamp : theirs
    from.pageBytes(page).forEach((byte, at) => {
      if (byte !== 0) this.addByte(page * MAP_PAGE_CHUNKS + at, byte, stamp)
    })
  }

  /** What a page holds, as text: to see whether it changed. */
  describe(page: number): string {
    const stamp = this.stamps.get(page)
    const name = stamp === undefined ? "-" : `${stamp.epoch}.${stamp.version}`
    return `${name} ${this.pageBytes(page).join("")}`
  }

  chunksWhere(isWanted: (byte: number, chunk: number) => boolean): number[] {
    const chunks: number[] = []
    this.bytes.forEach((byte, chunk) => {
      if (isWanted(byte, chunk)) chunks.push(chunk)
    })
    return chunks
  }
}

interface Pair {
  readonly map: DirtyMap
  readonly model: Model
}

type Step = (pairs: readonly Pair[]) => void

const view = fc
  .tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 4 }))
  .map(([epoch, version]): ViewNumber => ({ epoch, version }))
const which = fc.nat(3)
const rank = fc.constantFrom<Rank>(0, 1, 2)
const chunk = fc
  .oneof(fc.nat(CHUNKS - 1), fc.constantFrom(0, 31, 32, 4095, 4096, 8191, 8192, CHUNKS - 1))
  .map((value) => value as ChunkNumber)
const range = fc.tuple(chunk, chunk).map(([a, b]): [ChunkNumber, number] => {
  const first = Math.min(a, b)
  return [first as ChunkNumber, Math.max(a, b) - first + 1]
})

/** Gives what a step does a name, which fast-check shows. */
function named(step: Step, name: string): Step {
  return Object.assign(step, { toString: () => name })
}

const marks = fc.tuple(which, chunk, rank).map(([at, number, how]) =>
  named((pairs) => {
    const { map, model } = pairs[at]!
    const page = Math.floor(number / MAP_PAGE_CHUNKS)
    const before = [model.bytes[number], model.stamps.get(page)]
    model.addByte(number, chunkByte(how), model.stamp)
    const isNews = before[0] !== model.bytes[number] || before[1] !== model.stamps.get(page)
    expect(map.mark(number, how)).toBe(isNews)
  }, `mark ${number} rank ${how} in ${at}`),
)

const clears = fc.tuple(which, chunk).map(([at, number]) =>
  named((pairs) => {
    const { map, model } = pairs[at]!
    expect(map.clear(number)).toBe(model.bytes[number] !== 0)
    model.clear(number)
  }, `clear ${number} in ${at}`),
)

const markRanges = fc
  .tuple(which, range, rank, fc.boolean())
  .map(([at, [first, count], how, oneByOne]) =>
    named(
      (pairs) => {
        const { map, model } = pairs[at]!
        model.addRange(first, count, chunkByte(how), model.stamp)
        for (let number = first as number; oneByOne && number < first + count; number++) {
          map.mark(number as ChunkNumber, how)
        }
        if (!oneByOne) map.markRange(first, count, how)
      },
      `mark ${first}+${count} rank ${how} in ${at}${oneByOne ? ", one by one" : ""}`,
    ),
  )

const clearRanges = fc.tuple(which, range, fc.boolean()).map(([at, [first, count], oneByOne]) =>
  named(
    (pairs) => {
      const { map, model } = pairs[at]!
      model.bytes.fill(0, first, first + count)
      for (let number = first as number; oneByOne && number < first + count; number++) {
        map.clear(number as ChunkNumber)
      }
      if (!oneByOne) map.clearRange(first, count)
    },
    `clear ${first}+${count} in ${at}${oneByOne ? ", one by one" : ""}`,
  ),
)

const fills = fc.tuple(which, rank).map(([at, how]) =>
  named((pairs) => {
    const { map, model } = pairs[at]!
    map.fill(how)
    model.addRange(0, CHUNKS, chunkByte(how), model.stamp)
  }, `fill rank ${how} in ${at}`),
)

const resets = fc.tuple(which, view).map(([at, stamp]) =>
  named((pairs) => {
    const { map, model } = pairs[at]!
    const next = model.isOwn ? NO_VIEW : stamp
    map.reset(next)
    model.stamp = next
    for (let page = 0; page < PAGES; page++) model.dropPage(page)
  }, `reset ${at} to ${stamp.epoch}.${stamp.version}`),
)

const merges = fc
  .tuple(which, which, fc.oneof(view, fc.constant(NO_VIEW)))
  .map(([from, to, normalThrough]) =>
    named((pairs) => {
      if (from === to) return
      pairs[to]!.map.merge(pairs[from]!.map, normalThrough)
      const source = pairs[from]!.model
      for (let page = 0; page < PAGES; page++) {
        if (!source.isVoid(page, normalThrough)) pairs[to]!.model.addPage(page, source)
      }
    }, `merge ${from} into ${to}, normal through ${normalThrough.epoch}.${normalThrough.version}`),
  )

const drops = fc.tuple(fc.integer({ min: 2, max: 3 }), view).map(([at, normalThrough]) =>
  named((pairs) => {
    const { map, model } = pairs[at]!
    map.dropVoid(normalThrough)
    for (let page = 0; page < PAGES; page++) {
      if (model.isVoid(page, normalThrough)) model.dropPage(page)
    }
  }, `drop void of ${at}, normal through ${normalThrough.epoch}.${normalThrough.version}`),
)

const transfers = fc.tuple(which, which, fc.nat(3000)).map(([from, to, room]) =>
  named((pairs) => {
    if (from === to) return
    const bytes = MAP_RECORD_BYTES_MAX + room
    const buffer = new DataView(new ArrayBuffer(bytes + 16))
    const source = pairs[from]!
    const target = pairs[to]!
    const cursor = { page: 0 }
    while (cursor.page !== NO_PAGE) {
      const written = source.map.exportPages(cursor, buffer, 8, bytes)
      const isAccepted = target.map.importPages(buffer, 8, written) === ACCEPTED
      expect(isAccepted).toBe(source.model.isOwn === target.model.isOwn || written === 0)
      if (!isAccepted) return
    }
    for (const page of source.model.stamps.keys()) {
      if (!target.model.isOwn) target.model.dropPage(page)
      target.model.addPage(page, source.model)
    }
  }, `transfer ${from} to ${to}`),
)

const takes = which.map((at) =>
  named(({ [at]: pair }) => {
    const { map, model } = pair!
    const into = new Float64Array(PAGES)
    expect(map.changedPageCount).toBeLessThanOrEqual(PAGES)
    const taken = new Set(into.subarray(0, map.takeChangedPages(into)))
    for (let page = 0; page < PAGES; page++) {
      const isChanged =
        model.describe(page) !== (model.durable.get(page) ?? new Model(NO_VIEW).describe(page))
      if (isChanged) expect([...taken]).toContain(page)
      model.durable.set(page, model.describe(page))
    }
    expect(map.changedPageCount).toBe(0)
  }, `take changed pages of ${at}`),
)

const digests = which.map((at) =>
  named((pairs) => {
    const { map, model } = pairs[at]!
    expect(map.digest()).toBe(rebuild(model).digest())
  }, `digest ${at}`),
)

const steps = fc.oneof(
  { weight: 8, arbitrary: marks },
  { weight: 5, arbitrary: clears },
  { weight: 4, arbitrary: markRanges },
  { weight: 4, arbitrary: clearRanges },
  { weight: 1, arbitrary: fills },
  { weight: 1, arbitrary: resets },
  { weight: 3, arbitrary: merges },
  { weight: 2, arbitrary: drops },
  { weight: 3, arbitrary: transfers },
  { weight: 2, arbitrary: takes },
  { weight: 2, arbitrary: digests },
)

/** The model's content in a fresh map, made page by page and one by one. */
function rebuild(model: Model): DirtyMap {
  const result = new DirtyMap({ chunkCount: CHUNKS, stamp: model.stamp })
  for (const [page, stamp] of model.stamps) {
    const part = new DirtyMap({ chunkCount: CHUNKS, stamp })
    model.pageBytes(page).forEach((byte, at) => {
      if (byte !== 0) part.mark((page * MAP_PAGE_CHUNKS + at) as ChunkNumber, rankOfByte(byte))
    })
    result.merge(part, NO_VIEW)
  }
  return result
}

function checkCounts({ map, model }: Pair): void {
  const byByte = new Uint32Array(8)
  for (let number = 0; number < CHUNKS; number++) byByte[model.bytes[number]!]!++
  const byRank = [byByte[1]!, byByte[3]!, byByte[5]!]
  const count = CHUNKS - byByte[0]!
  expect([map.count, map.countOf(0), map.countOf(1), map.countOf(2)]).toEqual([count, ...byRank])
  expect(map.isEmpty).toBe(count === 0)
}

function isAsInModel(map: DirtyMap, model: Model, number: number): boolean {
  const byte = model.bytes[number]!
  const expected = byte === 0 ? NO_RANK : rankOfByte(byte)
  const chunkNumber = number as ChunkNumber
  return map.byteOf(chunkNumber) === byte && map.rankOf(chunkNumber) === expected
}

function checkAll({ map, model }: Pair): void {
  const dirty = model.chunksWhere((byte) => byte !== 0)
  const scanned = new Float64Array(CHUNKS + 1)
  expect(Array.from(scanned.subarray(0, map.scan(0, scanned)))).toEqual(dirty)
  const clean: number[] = []
  let next = map.nextClean(0)
  for (; next !== NO_CHUNK; next = map.nextClean(next + 1)) clean.push(next)
  expect(clean).toEqual(model.chunksWhere((byte) => byte === 0))
  const differing = model.chunksWhere((_, number) => !isAsInModel(map, model, number))
  expect(differing).toEqual([])
  const copy = rebuild(model)
  expect(map.equals(copy) && copy.equals(map)).toBe(true)
  expect(map.digest()).toBe(copy.digest())
  for (let page = 0; page < PAGES; page++) {
    expect(map.isPageEmpty(page)).toBe(!model.stamps.has(page))
  }
}

describe("DirtyMap against a model", () => {
  it("R1 M1 M2 M3: four maps hold what arrays of bytes hold, whatever is done to them", () => {
    const schedules = fc.array(steps, { minLength: 1, maxLength: 40, size: "max" })
    const property = fc.property(schedules, (schedule) => {
      const kinds = [NO_VIEW, NO_VIEW, { epoch: 1, version: 2 }, { epoch: 1, version: 3 }]
      const pairs = kinds.map((stamp) => ({
        map: new DirtyMap({ chunkCount: CHUNKS, stamp }),
        model: new Model(stamp),
      }))
      for (const step of schedule) {
        step(pairs)
        for (const pair of pairs) {
          pair.model.tidy()
          checkCounts(pair)
        }
      }
      for (const pair of pairs) checkAll(pair)
    })
    fc.assert(property, { numRuns: 40 })
  })
})
