/**
 * ChunkGeometry: byte offsets ⇄ chunks ⇄ extents of one pool.
 *
 * Upstream carried offsets in 32 bits, so that a volume above 4 GiB wrapped and two far-apart
 * blocks overwrote each other. Here an offset is a safe integer: everything is checked once,
 * against the volume, before it is used, and no 32-bit operator ever sees an offset or a chunk
 * number. Chunk and extent sizes are powers of two, so every quotient below is exact in a double.
 *
 * ```
 *              chunk sizes      chunks of a full volume   largest chunk number
 *   smallest   4 KiB            512 TiB / 4 KiB           2³⁷-1
 *   default    128 KiB          512 TiB / 128 KiB         2³²-1
 *   largest    16 MiB           512 TiB / 16 MiB          2²⁵-1
 * ```
 *
 * The volume need not be a whole number of chunks. The last chunk then ends where the volume ends,
 * everywhere: nothing may copy, mark or write past it, because the metadata of a store may lie
 * there.
 */
import { assert } from "../assert.js"
import type { ChunkNumber } from "../brand.js"
import { RmrError } from "../errors.js"
import {
  BLOCK_BYTES_MIN,
  CHUNK_BYTES_MAX,
  CHUNK_BYTES_MIN,
  EXTENT_BYTES_DEFAULT,
  IO_BYTES_MAX,
  VOLUME_BLOCK_BYTES,
  VOLUME_BYTES_MAX,
} from "../limits.js"
import { type RangeCheck, rangeRefusal } from "./range-check.js"

/** The answer of a search for a chunk that does not exist. */
export const NO_CHUNK: ChunkNumber = -1 as ChunkNumber

export interface ChunkGeometryOptions {
  /** A power of two, 4 KiB…16 MiB. */
  readonly chunkSizeBytes: number
  /** A multiple of VOLUME_BLOCK_BYTES, at most 512 TiB. */
  readonly mappedSizeBytes: number
  /** What offsets and lengths are multiples of; a power of two, 512…4096. Default 512. */
  readonly blockBytes?: number
  /** Extent size of the intent log: a power of two, at least VOLUME_BLOCK_BYTES. Default 4 MiB. */
  readonly extentBytes?: number
}

/** Fixed but for the size of the volume. */
export class ChunkGeometry {
  readonly chunkSizeBytes: number
  readonly blockBytes: number
  readonly extentBytes: number
  /** How many extents the longest IO can touch: for the spare slots of the intent log (rule I3). */
  readonly extentsPerIoMax: number
  private sizeNow = 0
  private chunkCountNow = 0
  private extentCountNow = 0

  constructor(options: ChunkGeometryOptions) {
    const { chunkSizeBytes, mappedSizeBytes } = options
    const { blockBytes = BLOCK_BYTES_MIN, extentBytes = EXTENT_BYTES_DEFAULT } = options
    requirePower("chunk size", chunkSizeBytes, CHUNK_BYTES_MIN, CHUNK_BYTES_MAX)
    requirePower("block size", blockBytes, BLOCK_BYTES_MIN, VOLUME_BLOCK_BYTES)
    requirePower("extent size", extentBytes, VOLUME_BLOCK_BYTES, VOLUME_BYTES_MAX)
    this.chunkSizeBytes = chunkSizeBytes
    this.blockBytes = blockBytes
    this.extentBytes = extentBytes
    this.resizeTo(mappedSizeBytes)
    this.extentsPerIoMax = Math.ceil(IO_BYTES_MAX / extentBytes) + 1
  }

  get mappedSizeBytes(): number {
    return this.sizeNow
  }

  get chunkCount(): number {
    return this.chunkCountNow
  }

  get extentCount(): number {
    return this.extentCountNow
  }

  /**
   * G1: what was there keeps its chunks; a last one that the old end cut is longer now. A volume
   * only grows, but a member may have to take back a growth that never came into force.
   */
  resizeTo(mappedSizeBytes: number): void {
    requireMappedSize(mappedSizeBytes)
    this.sizeNow = mappedSizeBytes
    this.chunkCountNow = Math.ceil(mappedSizeBytes / this.chunkSizeBytes)
    this.extentCountNow = Math.ceil(mappedSizeBytes / this.extentBytes)
  }

  /** 0 where this is a range that an IO may name, else which rule it breaks. Never throws. */
  check(offset: number, length: number): RangeCheck {
    return rangeRefusal(offset, length, this.mappedSizeBytes, this.blockBytes)
  }

  /** The chunk that holds this byte. */
  chunkOf(offset: number): ChunkNumber {
    assert(offset >= 0 && offset < this.mappedSizeBytes, "the byte is inside the volume")
    return Math.floor(offset / this.chunkSizeBytes) as ChunkNumber
  }

  /** Where the chunk starts. */
  offsetOf(chunk: ChunkNumber): number {
    this.assertChunk(chunk)
    return chunk * this.chunkSizeBytes
  }

  /** The chunk's bytes: all alike, but for a last one that the volume's end cuts. */
  sizeOf(chunk: ChunkNumber): number {
    this.assertChunk(chunk)
    return Math.min(this.chunkSizeBytes, this.mappedSizeBytes - chunk * this.chunkSizeBytes)
  }

  /** How many chunks a range touches; `chunkOf(offset)` is the first. */
  chunkSpan(offset: number, length: number): number {
    this.assertRange(offset, length)
    const size = this.chunkSizeBytes
    return Math.floor((offset + length - 1) / size) - Math.floor(offset / size) + 1
  }

  /** Whether the range holds every byte of the chunk: then a mutation needs no copy first (S3). */
  covers(offset: number, length: number, chunk: ChunkNumber): boolean {
    const start = this.offsetOf(chunk)
    return offset <= start && offset + length >= start + this.sizeOf(chunk)
  }

  /** How many chunks the range holds wholly; they are the ones from `firstCovered` on. */
  coveredSpan(offset: number, length: number): number {
    this.assertRange(offset, length)
    const size = this.chunkSizeBytes
    const end = offset + length
    const endChunk = end === this.mappedSizeBytes ? this.chunkCount : Math.floor(end / size)
    return Math.max(0, endChunk - Math.ceil(offset / size))
  }

  /** The first chunk that starts in the range; it may be one past the last of the volume. */
  firstCovered(offset: number): ChunkNumber {
    return Math.ceil(offset / this.chunkSizeBytes) as ChunkNumber
  }

  /** The extent of the intent log that holds this byte. */
  extentOf(offset: number): number {
    assert(offset >= 0 && offset < this.mappedSizeBytes, "the byte is inside the volume")
    return Math.floor(offset / this.extentBytes)
  }

  /** How many extents a range touches; `extentOf(offset)` is the first. */
  extentSpan(offset: number, length: number): number {
    this.assertRange(offset, length)
    const size = this.extentBytes
    return Math.floor((offset + length - 1) / size) - Math.floor(offset / size) + 1
  }

  /** Where the extent starts. */
  extentOffset(extent: number): number {
    this.assertExtent(extent)
    return extent * this.extentBytes
  }

  /**
   * The extent's bytes, cut by the volume's end. Chunks of an extent: those of this byte range
   * (R3).
   */
  extentSizeOf(extent: number): number {
    this.assertExtent(extent)
    return Math.min(this.extentBytes, this.mappedSizeBytes - extent * this.extentBytes)
  }

  private assertChunk(chunk: number): void {
    assert(chunk >= 0 && chunk < this.chunkCount, "the chunk is inside the volume")
  }

  private assertExtent(extent: number): void {
    assert(extent >= 0 && extent < this.extentCount, "the extent is inside the volume")
  }

  private assertRange(offset: number, length: number): void {
    const fits = offset >= 0 && length > 0 && length <= this.mappedSizeBytes - offset
    assert(fits, "the range is inside the volume")
  }
}

function requirePower(what: string, bytes: number, min: number, max: number): void {
  const isPower = Number.isSafeInteger(bytes) && bytes > 0 && Number.isInteger(Math.log2(bytes))
  if (isPower && bytes >= min && bytes <= max) return
  const words = `${what} ${bytes} is not a power of two in ${min}…${max} bytes`
  throw new RmrError("invalid-argument", words)
}

function requireMappedSize(bytes: number): void {
  const isWhole = Number.isSafeInteger(bytes) && bytes > 0 && bytes % VOLUME_BLOCK_BYTES === 0
  if (isWhole && bytes <= VOLUME_BYTES_MAX) return
  const words = `is not a multiple of ${VOLUME_BLOCK_BYTES} up to ${VOLUME_BYTES_MAX} bytes`
  throw new RmrError("invalid-argument", `mapped size ${bytes} ${words}`)
}
