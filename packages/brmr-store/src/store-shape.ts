/** What an admin says of a store that is to be made, and what follows from it. */
import {
  CHUNK_BYTES_DEFAULT,
  EXTENT_BYTES_DEFAULT,
  HOT_EXTENTS_DEFAULT,
  MAP_PAGE_CHUNKS,
  QUEUE_DEPTH_MAX,
  RmrError,
  VOLUME_BLOCK_BYTES,
} from "@rmr/core"
import { HOT_EXTENTS_MOST, placesFor, SUPERBLOCK_PLACES } from "./layout.js"
import type { Superblock } from "./superblock.js"

export interface StoreShape {
  /** Room for a volume of this size; a multiple of 4096. */
  readonly sizeBytes: number
  /** How large it may ever grow; default `sizeBytes`. */
  readonly sizeBytesMax?: number
  /** Default 4 MiB. */
  readonly extentBytes?: number
  /** Hot extents above which a flush is wanted; default 512. */
  readonly hotExtentsSoft?: number
  /** Hot extents there is room for; default as many more as the deepest queue may need at once. */
  readonly hotExtentsMax?: number
  /** The smallest chunk of a pool that will live here; default 128 KiB. */
  readonly chunkSizeBytes?: number
  /** Keeps a checksum of every 4 KiB of data: a read that does not verify is a media error. */
  readonly dataSums?: boolean
}

/** An io that is not aligned touches two extents; copies of chunks come on top. */
const SPARE_EXTENTS = 2 * QUEUE_DEPTH_MAX + 512
const EXTENT_BYTES_MIN = 65_536
const EXTENT_BYTES_MAX = 2 ** 30

/** How many bytes a place needs for a store of this shape. */
export function storeBytes(shape: StoreShape): number {
  return superblockFor(shape, "0".repeat(32)).dataStart + shape.sizeBytes
}

/** A new store's superblock; fails with `invalid-argument` where no store has such a shape. */
export function superblockFor(shape: StoreShape, uuid: string): Superblock {
  const { sizeBytes, sizeBytesMax = sizeBytes } = shape
  const extentBytes = shape.extentBytes ?? EXTENT_BYTES_DEFAULT
  const hotExtentsSoft = shape.hotExtentsSoft ?? shape.hotExtentsMax ?? HOT_EXTENTS_DEFAULT
  const hotExtentsMax = shape.hotExtentsMax ?? hotExtentsSoft + SPARE_EXTENTS
  requireShape({ sizeBytes, sizeBytesMax, extentBytes, hotExtentsSoft, hotExtentsMax })
  const pageBytes = MAP_PAGE_CHUNKS * (shape.chunkSizeBytes ?? CHUNK_BYTES_DEFAULT)
  const mapPagesMax = Math.ceil(sizeBytesMax / pageBytes)
  const proportions = { sizeBytes, extentBytes, hotExtentsMax, mapPagesMax }
  // As far as the maps reach: a volume that grows into their last page has its sums there.
  const extentsMax = Math.ceil((mapPagesMax * pageBytes) / extentBytes)
  const places = placesFor(proportions, shape.dataSums === true ? extentsMax : 0)
  return {
    ...proportions,
    ...places,
    sequence: 1,
    uuid,
    hotExtentsSoft,
    secondAt: SUPERBLOCK_PLACES[1],
    tailSequence: 1,
    tailAt: places.logStart,
    isClean: true,
    lastSequence: 1,
    pending: "none",
    isHotUnreadable: false,
    sizeBytesMax: mapPagesMax * pageBytes,
    sumsFrom: 0,
    areSumsSaved: false,
    bootId: "",
  }
}

function requireShape(shape: {
  readonly sizeBytes: number
  readonly sizeBytesMax: number
  readonly extentBytes: number
  readonly hotExtentsSoft: number
  readonly hotExtentsMax: number
}): void {
  const { sizeBytes, sizeBytesMax, extentBytes, hotExtentsSoft, hotExtentsMax } = shape
  if (sizeBytesMax < sizeBytes) {
    const words = `a volume of ${sizeBytes} bytes cannot be held to ${sizeBytesMax} at most`
    throw new RmrError("invalid-argument", words)
  }
  if (sizeBytes <= 0 || sizeBytes % VOLUME_BLOCK_BYTES !== 0) {
    const words = `a store has a size that is a multiple of ${VOLUME_BLOCK_BYTES}, not ${sizeBytes}`
    throw new RmrError("invalid-argument", words)
  }
  const isPower = Number.isInteger(Math.log2(extentBytes))
  if (!isPower || extentBytes < EXTENT_BYTES_MIN || extentBytes > EXTENT_BYTES_MAX) {
    const words = `an extent is a power of two from 64 KiB to 1 GiB, not ${extentBytes} bytes`
    throw new RmrError("invalid-argument", words)
  }
  const isCount = Number.isInteger(hotExtentsSoft) && Number.isInteger(hotExtentsMax)
  if (!isCount || hotExtentsSoft < 1 || hotExtentsMax < hotExtentsSoft) {
    const words = `an intent log has at least one hot extent, and not more than it has room for`
    throw new RmrError("invalid-argument", words)
  }
  if (hotExtentsMax > HOT_EXTENTS_MOST) {
    throw new RmrError("invalid-argument", `${hotExtentsMax} hot extents are too many`)
  }
}
