import fc from "fast-check"
import type { ChunkNumber } from "../brand.js"
import { RmrError } from "../errors.js"
import { IO_BYTES_MAX, VOLUME_BLOCK_BYTES, VOLUME_BYTES_MAX } from "../limits.js"
import { ChunkGeometry } from "./chunk-geometry.js"
import {
  RANGE_CHECK_WORDS,
  RANGE_EMPTY,
  RANGE_MISALIGNED,
  RANGE_NOT_INTEGER,
  RANGE_OK,
  RANGE_OUT_OF_BOUNDS,
  RANGE_TOO_LONG,
  requireRange,
} from "./range-check.js"

const KiB = 1024
const TiB = 2 ** 40
const chunk = (value: number): ChunkNumber => value as ChunkNumber

const chunkSizes = fc.integer({ min: 12, max: 24 }).map((shift) => 2 ** shift)
const volumes = fc
  .oneof(
    fc.integer({ min: 1, max: 4096 }),
    fc.maxSafeInteger().map((value) => (Math.abs(value) % (VOLUME_BYTES_MAX / 4096)) + 1),
    fc.constantFrom(2 ** 19, 2 ** 20, 2 ** 20 + 1, 2 ** 37),
  )
  .map((blocks) => blocks * VOLUME_BLOCK_BYTES)

const geometries = fc
  .tuple(chunkSizes, volumes)
  .map(
    ([chunkSizeBytes, mappedSizeBytes]) => new ChunkGeometry({ chunkSizeBytes, mappedSizeBytes }),
  )

/** Offsets of blocks, mostly around the powers of two where 32-bit arithmetic breaks. */
const offsets = fc
  .oneof(
    fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 33, 2 ** 43, 2 ** 44, 2 ** 48),
    fc.maxSafeInteger().map((value) => Math.abs(value) % VOLUME_BYTES_MAX),
  )
  .chain((near) => fc.integer({ min: -40, max: 40 }).map((blocks) => near + blocks * 512))
  .map((offset) => Math.max(0, Math.floor(offset / 512) * 512))

const ranges = fc
  .tuple(offsets, fc.integer({ min: 1, max: IO_BYTES_MAX / 512 }))
  .map(([offset, blocks]): readonly [number, number] => [offset, blocks * 512])

describe("ChunkGeometry", () => {
  const default64 = new ChunkGeometry({ chunkSizeBytes: 128 * KiB, mappedSizeBytes: 64 * TiB })

  it("T15: no two bytes of a volume alias, not at 2^31 or 2^32 nor anywhere else", () => {
    const property = fc.property(chunkSizes, ranges, (chunkSizeBytes, [offset]) => {
      const geometry = new ChunkGeometry({ chunkSizeBytes, mappedSizeBytes: VOLUME_BYTES_MAX })
      fc.pre(offset < VOLUME_BYTES_MAX)
      const found = geometry.chunkOf(offset)
      expect(BigInt(found)).toBe(BigInt(offset) / BigInt(chunkSizeBytes))
      const start = geometry.offsetOf(found)
      expect(start <= offset && offset < start + geometry.sizeOf(found)).toBe(true)
      for (const wrap of [2 ** 31, 2 ** 32]) {
        const other = (offset + wrap) % VOLUME_BYTES_MAX
        expect(geometry.chunkOf(other)).not.toBe(found)
        expect(geometry.extentOf(other)).not.toBe(geometry.extentOf(offset))
      }
    })
    fc.assert(property, { numRuns: 500 })
  })

  it("T15: the block before 2^32 and the one at it are in different chunks and extents", () => {
    for (const edge of [2 ** 31, 2 ** 32, 2 ** 43]) {
      expect(default64.chunkOf(edge - 512)).toBe(edge / (128 * KiB) - 1)
      expect(default64.chunkOf(edge)).toBe(edge / (128 * KiB))
      expect(default64.extentOf(edge)).toBe(default64.extentOf(edge - 512) + 1)
    }
  })

  it("numbers the chunks of the largest volume exactly", () => {
    const finest = new ChunkGeometry({ chunkSizeBytes: 4096, mappedSizeBytes: VOLUME_BYTES_MAX })
    expect(finest.chunkCount).toBe(2 ** 37)
    expect(finest.chunkOf(VOLUME_BYTES_MAX - 1)).toBe(2 ** 37 - 1)
    expect(finest.offsetOf(chunk(2 ** 37 - 1))).toBe(VOLUME_BYTES_MAX - 4096)
  })

  it("chunks tile the volume: each starts where the one before ends, the last at its end", () => {
    const property = fc.property(
      geometries,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (geometry, place) => {
        const last = geometry.chunkCount - 1
        const some = Math.floor(place * last)
        const next = some + 1
        const end = geometry.offsetOf(chunk(some)) + geometry.sizeOf(chunk(some))
        const expected = next <= last ? geometry.offsetOf(chunk(next)) : geometry.mappedSizeBytes
        expect(end).toBe(expected)
        const lastEnd = geometry.offsetOf(chunk(last)) + geometry.sizeOf(chunk(last))
        expect(lastEnd).toBe(geometry.mappedSizeBytes)
      },
    )
    fc.assert(property)
  })

  it("a range touches and covers what counting chunk by chunk finds", () => {
    const small = fc.integer({ min: 1, max: 200 }).map((blocks) => blocks * VOLUME_BLOCK_BYTES)
    const property = fc.property(small, chunkSizes, fc.nat(), fc.nat(), (volume, size, a, b) => {
      fc.pre(size <= 64 * KiB)
      const geometry = new ChunkGeometry({ chunkSizeBytes: size, mappedSizeBytes: volume })
      const offset = (a % (volume / 512)) * 512
      const length = ((b % ((volume - offset) / 512)) + 1) * 512
      const touched: number[] = []
      const covered: number[] = []
      for (let number = 0; number < geometry.chunkCount; number++) {
        const start = number * size
        const end = Math.min(start + size, volume)
        if (offset < end && offset + length > start) touched.push(number)
        const isCovered = offset <= start && offset + length >= end
        if (isCovered) covered.push(number)
        expect(geometry.covers(offset, length, chunk(number))).toBe(isCovered)
      }
      expect(geometry.chunkOf(offset)).toBe(touched[0])
      expect(geometry.chunkSpan(offset, length)).toBe(touched.length)
      expect(geometry.coveredSpan(offset, length)).toBe(covered.length)
      if (covered.length > 0) expect(geometry.firstCovered(offset)).toBe(covered[0])
    })
    fc.assert(property, { numRuns: 500 })
  })

  it("a last partial chunk is covered by a range up to the end of the volume", () => {
    const geometry = new ChunkGeometry({ chunkSizeBytes: 128 * KiB, mappedSizeBytes: 132 * KiB })
    expect(geometry.chunkCount).toBe(2)
    expect(geometry.sizeOf(chunk(1))).toBe(4 * KiB)
    expect(geometry.covers(128 * KiB, 4 * KiB, chunk(1))).toBe(true)
    expect(geometry.coveredSpan(64 * KiB, 68 * KiB)).toBe(1)
    expect(geometry.covers(128 * KiB, 3.5 * KiB, chunk(1))).toBe(false)
  })

  it("extents tile the volume, and one io touches no more than extentsPerIoMax", () => {
    const property = fc.property(geometries, offsets, (geometry, anywhere) => {
      const offset = Math.floor((anywhere % geometry.mappedSizeBytes) / 512) * 512
      const length = Math.min(IO_BYTES_MAX, geometry.mappedSizeBytes - offset)
      const first = geometry.extentOf(offset)
      const span = geometry.extentSpan(offset, length)
      expect(geometry.extentOf(offset + length - 1)).toBe(first + span - 1)
      expect(span).toBeLessThanOrEqual(geometry.extentsPerIoMax)
      const last = geometry.extentCount - 1
      expect(geometry.extentOffset(last) + geometry.extentSizeOf(last)).toBe(
        geometry.mappedSizeBytes,
      )
    })
    fc.assert(property)
  })

  it("P8: check accepts exactly the ranges that a bigint finds inside the volume", () => {
    const anything = fc.oneof(
      offsets,
      fc.constantFrom(0, -0, -512, 1, 512, NaN, Infinity, -Infinity, 0.5, 2 ** 53, -(2 ** 53)),
      fc.constantFrom(2 ** 53 - 512, VOLUME_BYTES_MAX, VOLUME_BYTES_MAX - 512, IO_BYTES_MAX),
      fc.integer(),
    )
    const property = fc.property(geometries, anything, anything, (geometry, offset, length) => {
      const areSafe = Number.isSafeInteger(offset) && Number.isSafeInteger(length)
      const fits =
        areSafe &&
        offset >= 0 &&
        length > 0 &&
        length <= IO_BYTES_MAX &&
        BigInt(offset) % 512n === 0n &&
        BigInt(length) % 512n === 0n &&
        BigInt(offset) + BigInt(length) <= BigInt(geometry.mappedSizeBytes)
      expect(geometry.check(offset, length) === RANGE_OK).toBe(fits)
    })
    fc.assert(property, { numRuns: 2000 })
  })

  it("P8: check says which rule a range breaks, and requireRange throws it", () => {
    const cases = [
      [0, 512, RANGE_OK],
      [64 * TiB - 512, 512, RANGE_OK],
      [2 ** 53, 512, RANGE_NOT_INTEGER],
      [-512, 512, RANGE_NOT_INTEGER],
      [0, 0, RANGE_EMPTY],
      [0, IO_BYTES_MAX + 512, RANGE_TOO_LONG],
      [256, 512, RANGE_MISALIGNED],
      [0, 513, RANGE_MISALIGNED],
      [64 * TiB, 512, RANGE_OUT_OF_BOUNDS],
      [64 * TiB - 512, 1024, RANGE_OUT_OF_BOUNDS],
      [Number.MAX_SAFE_INTEGER - 511, 512, RANGE_OUT_OF_BOUNDS],
    ] as const
    for (const [offset, length, expected] of cases) {
      expect([offset, length, default64.check(offset, length)]).toEqual([offset, length, expected])
      const required = (): void => requireRange(offset, length, 64 * TiB, 512)
      if (expected === RANGE_OK) required()
      else
        expect(required).toThrow(
          `invalid-range: offset ${offset}, length ${length} ${RANGE_CHECK_WORDS[expected]}`,
        )
    }
  })

  it.each([
    { chunkSizeBytes: 2048, mappedSizeBytes: TiB },
    { chunkSizeBytes: 32 * KiB * KiB, mappedSizeBytes: TiB },
    { chunkSizeBytes: 96 * KiB, mappedSizeBytes: TiB },
    { chunkSizeBytes: NaN, mappedSizeBytes: TiB },
    { chunkSizeBytes: 128 * KiB, mappedSizeBytes: 0 },
    { chunkSizeBytes: 128 * KiB, mappedSizeBytes: TiB + 512 },
    { chunkSizeBytes: 128 * KiB, mappedSizeBytes: VOLUME_BYTES_MAX + 4096 },
    { chunkSizeBytes: 128 * KiB, mappedSizeBytes: 2 ** 53 },
    { chunkSizeBytes: 128 * KiB, mappedSizeBytes: TiB, blockBytes: 8192 },
    { chunkSizeBytes: 128 * KiB, mappedSizeBytes: TiB, blockBytes: 520 },
    { chunkSizeBytes: 128 * KiB, mappedSizeBytes: TiB, extentBytes: 5_000_000 },
    { chunkSizeBytes: 128 * KiB, mappedSizeBytes: TiB, extentBytes: 512 },
  ])("P8: refuses to be made of %p", (options) => {
    const make = (): ChunkGeometry => new ChunkGeometry(options)
    expect(make).toThrow(RmrError)
    expect(make).toThrow("invalid-argument")
  })

  it("asserts that a chunk or byte it is asked about exists", () => {
    const beyond = chunk(default64.chunkCount)
    expect(() => default64.offsetOf(beyond)).toThrow("inside the volume")
    expect(() => default64.sizeOf(chunk(-1))).toThrow("inside the volume")
    expect(() => default64.chunkOf(64 * TiB)).toThrow("inside the volume")
    expect(() => default64.chunkOf(NaN)).toThrow("inside the volume")
    expect(() => default64.chunkSpan(0, 0)).toThrow("inside the volume")
  })
})
