import fc from "fast-check"
import type { ChunkNumber } from "../brand.js"
import { MAP_PAGE_CHUNKS } from "../limits.js"
import { CELL_BYTES_MAX } from "../ports/store.js"
import { RANK_CACHE_LOST, RANK_IN_FLIGHT, RANK_REAL, type Rank } from "../rules/rank.js"
import { ACCEPTED, REFUSALS } from "../wire/refusal.js"
import { DirtyMap } from "./dirty-map.js"
import { MAP_RECORD_BYTES_MAX } from "./map-page-codec.js"
import { NO_PAGE } from "./map-tree.js"

const CHUNKS = 3 * MAP_PAGE_CHUNKS + 10
const STAMP = { epoch: 0x01020304, version: 0x05060708 }
const chunk = (value: number): ChunkNumber => value as ChunkNumber
const absent = (chunkCount: number = CHUNKS): DirtyMap => new DirtyMap({ chunkCount, stamp: STAMP })

function exportAll(map: DirtyMap): Uint8Array {
  const buffer = new DataView(new ArrayBuffer(64 * MAP_RECORD_BYTES_MAX))
  const cursor = { page: 0 }
  const written = map.exportPages(cursor, buffer, 0, buffer.byteLength)
  expect(cursor.page).toBe(NO_PAGE)
  return new Uint8Array(buffer.buffer, 0, written).slice()
}

function importInto(map: DirtyMap, bytes: Uint8Array): number {
  // A buffer that ends where the records do: reading past them would throw.
  const exact = bytes.slice()
  return map.importPages(new DataView(exact.buffer), 0, exact.length)
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const fromHex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replace(/\s/g, ""), "hex"))

/** first page, page count, version, epoch, encoding, byte, run count, zero */
const record = (first: string, count: string, how: string, rest = ""): string =>
  `${first} ${count} 08070605 04030201 ${how} 00000000 ${rest}`.replace(/\s/g, "")

describe("map page codec", () => {
  it("writes the records that its table says", () => {
    const map = absent()
    map.markRange(chunk(0), 2 * MAP_PAGE_CHUNKS, RANK_REAL)
    map.mark(chunk(2 * MAP_PAGE_CHUNKS + 1), RANK_IN_FLIGHT)
    map.markRange(chunk(3 * MAP_PAGE_CHUNKS - 2), 3, RANK_CACHE_LOST)
    expect(hex(exportAll(map))).toBe(
      record("00000000", "02000000", "01010000") +
        record("02000000", "01000000", "02000200", "01000003 fe1f0005") +
        record("03000000", "01000000", "02000100", "00000005"),
    )
  })

  it("packs a page of many runs into half a byte a chunk", () => {
    const map = absent()
    for (let number = 0; number < MAP_PAGE_CHUNKS; number += 4) {
      map.mark(chunk(number), RANK_REAL)
      map.mark(chunk(number + 1), RANK_IN_FLIGHT)
      map.mark(chunk(number + 3), RANK_CACHE_LOST)
    }
    const bytes = exportAll(map)
    expect(hex(bytes)).toBe(record("00000000", "01000000", "03000000", "3150".repeat(1024)))
    expect(bytes.length).toBe(MAP_RECORD_BYTES_MAX)
    const copy = absent()
    expect(importInto(copy, bytes)).toBe(ACCEPTED)
    expect(copy.equals(map)).toBe(true)
  })

  it("a record of any page fits a cell of a store", () => {
    expect(MAP_RECORD_BYTES_MAX).toBeLessThanOrEqual(CELL_BYTES_MAX["map-page"])
  })

  it("says all of a fully dirty volume of 512 TiB in one record", () => {
    const map = absent(2 ** 37)
    map.fill(RANK_REAL)
    const bytes = exportAll(map)
    expect(bytes.length).toBe(24)
    const copy = absent(2 ** 37)
    expect(importInto(copy, bytes)).toBe(ACCEPTED)
    expect(copy.count).toBe(2 ** 37)
    expect(copy.digest()).toBe(map.digest())
  })

  it("empties a page in a map about another member, never in a member's own (Q4)", () => {
    const bytes = new DataView(new ArrayBuffer(MAP_RECORD_BYTES_MAX))
    const written = absent().exportPage(0, bytes, 0)
    expect(hex(new Uint8Array(bytes.buffer, 0, written))).toBe(
      "00000000 01000000 00000000 00000000 01000000 00000000".replace(/\s/g, ""),
    )
    const other = absent()
    const own = new DirtyMap({ chunkCount: CHUNKS })
    for (const map of [other, own]) {
      map.mark(chunk(5), RANK_REAL)
      map.mark(chunk(MAP_PAGE_CHUNKS), RANK_REAL)
      expect(map.importPages(bytes, 0, written)).toBe(ACCEPTED)
    }
    expect([other.count, other.isDirty(chunk(5))]).toEqual([1, false])
    expect([own.count, own.isDirty(chunk(5))]).toEqual([2, true])
  })

  it("takes pages that are dirty alike up to the end of the volume, the cut one too", () => {
    for (const [first, count, chunks] of [
      ["02000000", "02000000", MAP_PAGE_CHUNKS + 10],
      ["03000000", "01000000", 10],
    ] as const) {
      const map = absent()
      expect(importInto(map, fromHex(record(first, count, "01050000")))).toBe(ACCEPTED)
      expect([map.count, map.countOf(RANK_CACHE_LOST)]).toEqual([chunks, chunks])
      expect(map.nextDirty(0)).toBe(CHUNKS - chunks)
    }
  })

  it.each([
    ["half a header", record("00000000", "01000000", "01010000").slice(0, 46), "short"],
    ["runs that are cut off", record("00000000", "01000000", "02000200", "01000003"), "short"],
    ["a packed page that is cut off", record("00000000", "01000000", "03000000", "11"), "short"],
    ["no page", record("00000000", "00000000", "01010000"), "count"],
    ["a page past the last", record("04000000", "01000000", "01010000"), "count"],
    ["pages past the last", record("00000000", "05000000", "01010000"), "count"],
    ["page counts that wrap", record("ffffffff", "ffffffff", "01010000"), "count"],
    ["several pages of runs", record("00000000", "02000000", "02000100", "01000003"), "count"],
    ["no runs", record("00000000", "01000000", "02000000"), "count"],
    ["an unknown encoding", record("00000000", "01000000", "04000000"), "type"],
    ["no encoding", record("00000000", "01000000", "00000000"), "type"],
    ["a byte that is none", record("00000000", "01000000", "01020000"), "value"],
    ["a rank that is none", record("00000000", "01000000", "01070000"), "value"],
    ["a reserved bit", record("00000000", "01000000", "01090000"), "value"],
    ["a byte beside runs", record("00000000", "01000000", "02010100", "01000003"), "value"],
    ["a run of clean chunks", record("00000000", "01000000", "02000100", "01000000"), "value"],
    ["a run of no rank", record("00000000", "01000000", "02000100", "01000007"), "value"],
    [
      "runs that overlap",
      record("00000000", "01000000", "02000200", "01200001 02000001"),
      "chunks",
    ],
    [
      "runs out of order",
      record("00000000", "01000000", "02000200", "09000001 02000001"),
      "chunks",
    ],
    ["a run past the page", record("00000000", "01000000", "02000100", "ff1f0001"), "chunks"],
    ["a run past the volume", record("03000000", "01000000", "02000100", "0a000001"), "chunks"],
    [
      "a packed chunk past the volume",
      record("03000000", "01000000", "03000000", `${"00".repeat(5)}01${"00".repeat(2042)}`),
      "chunks",
    ],
    [
      "a packed page of nothing",
      record("00000000", "01000000", "03000000", "00".repeat(2048)),
      "contradiction",
    ],
    [
      "a packed byte that is none",
      record("00000000", "01000000", "03000000", `20${"00".repeat(2047)}`),
      "value",
    ],
  ] as const)("P8: refuses %s, and changes nothing", (_, text, reason) => {
    const map = absent()
    map.mark(chunk(77), RANK_REAL)
    const before = map.digest()
    const good = record("01000000", "01000000", "01010000")
    expect(importInto(map, fromHex(good + text))).toBe(REFUSALS[reason].number)
    expect([map.digest(), map.count]).toEqual([before, 1])
  })

  it("P8: refuses reserved bytes that are not zero", () => {
    const bytes = fromHex(record("00000000", "01000000", "01010000"))
    bytes[21] = 1
    expect(importInto(absent(), bytes)).toBe(REFUSALS.reserved.number)
  })

  it("M1: refuses bare marks in a map about another member, and stamped ones in an own map", () => {
    const stamped = fromHex(record("00000000", "01000000", "01010000"))
    const bare = stamped.slice().fill(0, 8, 16)
    const halves = [stamped.slice().fill(0, 8, 12), stamped.slice().fill(0, 12, 16)]
    const own = new DirtyMap({ chunkCount: CHUNKS })
    expect(importInto(own, stamped)).toBe(REFUSALS.view.number)
    expect(importInto(own, bare)).toBe(ACCEPTED)
    expect(importInto(absent(), bare)).toBe(REFUSALS.view.number)
    for (const half of halves) expect(importInto(absent(), half)).toBe(REFUSALS.view.number)
    expect(own.count).toBe(MAP_PAGE_CHUNKS)
  })

  it("P8: no bytes make it throw, read past the end, or accept what contradicts itself", () => {
    const marks = fc.array(
      fc.tuple(
        fc.oneof(fc.nat(CHUNKS - 1), fc.nat(MAP_PAGE_CHUNKS - 1)), // so that one page is packed
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom<Rank>(0, 1, 2),
      ),
      { maxLength: 2500, size: "max" },
    )
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
      maxLength: 6,
      size: "max",
    })
    const property = fc.property(marks, damage, fc.nat(40), (facts, hits, cut) => {
      const source = absent()
      for (const [first, length, rank] of facts) {
        source.markRange(chunk(first), Math.min(length, CHUNKS - first), rank)
      }
      const bytes = exportAll(source)
      for (const [at, value] of hits) {
        // Half of the hits in the first records' headers, which decide most.
        const reach = at % 2 === 0 ? bytes.length : Math.min(bytes.length, 64)
        if (reach > 0) bytes[at % reach] = value
      }
      const damaged = bytes.subarray(0, Math.max(0, bytes.length - (cut > 30 ? cut : 0)))
      const target = absent()
      const refusal = importInto(target, damaged)
      if (refusal !== ACCEPTED) {
        expect(target.isEmpty).toBe(true)
        return
      }
      const found = new Float64Array(CHUNKS + 1)
      expect(target.scan(0, found)).toBe(target.count)
      const again = absent()
      expect(importInto(again, exportAll(target))).toBe(ACCEPTED)
      expect(again.equals(target)).toBe(true)
    })
    fc.assert(property, { numRuns: 300 })
  })
})
