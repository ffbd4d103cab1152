/**
 * Where everything of a store lies, in the order in which it lies there.
 *
 * ```
 *   superblock │ … │ superblock │ commit log │ cells ×2 │ page directory ×2 │ pages │ sums │ data
 *   0                64 KiB       128 KiB
 * ```
 *
 * A layout is made once, when the store is created, and written into the superblock: the places
 * never move. Each begins at a multiple of 4096, and data begins behind all of them, at a multiple
 * of its own: no data operation reaches metadata.
 */
import {
  assert,
  CELL_BYTES_MAX,
  CELL_KINDS,
  type CellKind,
  CHUNK_BYTES_MIN,
  COMMIT_BYTES_MAX,
  COMMIT_CELLS_MAX,
  cellCountMax,
  MAP_PAGE_CHUNKS,
  MEMBERS_MAX,
  VOLUME_BLOCK_BYTES,
  VOLUME_BYTES_MAX,
} from "@rmr/core"
import { alignUp, ENTRY_BYTES, FRAME_HEAD_BYTES } from "./frame.js"
import { SLOT_BODY_BYTES, SLOT_BYTES, slotBytesOf } from "./slot.js"

/** Where the two superblocks of a new store lie: far enough apart for one bad spot. */
export const SUPERBLOCK_PLACES: readonly [number, number] = [0, 64 * 1024]
const LOG_START = 128 * 1024
const DATA_ALIGN = 1024 * 1024

const LOG_BYTES_LEAST = 8 * 1024 * 1024
const LOG_BYTES_USUAL_MOST = 32 * 1024 * 1024
/** The commit log of a large volume has one byte for as many of the volume. */
const LOG_SHARE = 128

export interface Places {
  /** A ring of frames. */
  readonly logStart: number
  readonly logBytes: number
  /** Two copies, one behind the other. */
  readonly cellsStart: number
  /** Two copies, one behind the other. */
  readonly directoryStart: number
  readonly pagesStart: number
  /** A slot for each extent; 0, like their count, in a store that keeps no sums of its data. */
  readonly sumsStart: number
  readonly sumsExtents: number
  readonly dataStart: number
}

/** What the places of a store depend on. */
export interface Proportions {
  readonly sizeBytes: number
  readonly extentBytes: number
  readonly hotExtentsMax: number
  readonly mapPagesMax: number
}

/** `sumsExtents`: how many extents there are slots of sums for; none in a store without. */
export function placesFor(shape: Proportions, sumsExtents = 0): Places {
  const logBytes = logBytesFor(shape)
  const places = placesFrom(LOG_START, logBytes, shape.mapPagesMax)
  const sumsStart = sumsExtents === 0 ? 0 : places.dataStart
  const end = places.dataStart + sumsExtents * sumsSlotBytes(shape.extentBytes)
  const align = Math.max(DATA_ALIGN, Math.min(shape.extentBytes, 4 * DATA_ALIGN))
  return { ...places, sumsStart, sumsExtents, dataStart: alignUp(end, align) }
}

/** The places behind one another from `start` on; data could begin right behind them. */
export function placesFrom(start: number, logBytes: number, mapPagesMax: number): Places {
  const cellsStart = start + logBytes
  const directoryStart = cellsStart + 2 * CELLS_COPY_BYTES
  const pagesStart = directoryStart + 2 * directoryBytes(mapPagesMax)
  const dataStart = pagesStart + MEMBERS_MAX * mapPagesMax * SLOT_BYTES
  const sums = { sumsStart: 0, sumsExtents: 0 }
  return { logStart: start, logBytes, cellsStart, directoryStart, pagesStart, ...sums, dataStart }
}

/** Data is summed in blocks of this size, whatever the blocks of the file are. */
export const SUM_BLOCK_BYTES: number = VOLUME_BLOCK_BYTES
const SUM_BYTES = 4

/** Blocks of an extent that have a sum. */
export function sumsOfExtent(extentBytes: number): number {
  return extentBytes / SUM_BLOCK_BYTES
}

/** What the sums of one extent take at their place. */
export function sumsSlotBytes(extentBytes: number): number {
  return slotBytesOf(sumsOfExtent(extentBytes) * SUM_BYTES)
}

function logBytesFor(shape: Proportions): number {
  const share = Math.floor(shape.sizeBytes / LOG_SHARE)
  const usual = Math.min(LOG_BYTES_USUAL_MOST, Math.max(LOG_BYTES_LEAST, share))
  return alignUp(Math.max(logBytesLeast(shape), usual), SLOT_BYTES)
}

/** Room for three of the largest frames beside what snapshots of the hot set need. */
export function logBytesLeast(shape: Proportions): number {
  return 6 * frameBytesMax(shape) + 2 * snapshotReserve(shape.hotExtentsMax)
}

/** One copy of the largest frame: a commit, and all that can happen to the hot set. */
export function frameBytesMax({ mapPagesMax, hotExtentsMax }: Proportions): number {
  const body = commitBytesMax(mapPagesMax) + 3 * 8 * hotExtentsMax
  return alignUp(FRAME_HEAD_BYTES + 3 * ENTRY_BYTES + body, SLOT_BYTES)
}

/** The longest commit that the cells of this store allow, entries included. */
export function commitBytesMax(mapPagesMax: number): number {
  let bytes = 0
  let count = 0
  for (const kind of CELL_KINDS) {
    const cells = cellCountMax(kind, { mapPagesMax })
    bytes += cells * CELL_BYTES_MAX[kind]
    count += cells
  }
  return Math.min(bytes, COMMIT_BYTES_MAX) + Math.min(count, COMMIT_CELLS_MAX) * ENTRY_BYTES
}

/** What is kept free in the log, so that a frame with the hot set as a whole always fits. */
export function snapshotReserve(hotExtentsMax: number): number {
  const bytes = FRAME_HEAD_BYTES + 3 * ENTRY_BYTES + 2 * 8 * hotExtentsMax
  return 4 * alignUp(bytes, SLOT_BYTES)
}

/** Whether there is such a cell: what a medium says is looked at before it is believed. */
export function isCell(kind: CellKind, index: number, mapPagesMax: number): boolean {
  return Number.isInteger(index) && index >= 0 && index < cellCountMax(kind, { mapPagesMax })
}

/** Map pages of the largest volume with the smallest chunks. */
const MAP_PAGES_MOST = VOLUME_BYTES_MAX / CHUNK_BYTES_MIN / MAP_PAGE_CHUNKS
const EXTENT_BYTES_MOST = 2 ** 30
export const HOT_EXTENTS_MOST: number = 2 ** 20

/** Whether a store can be laid out like this; whole bytes may still say what none has written. */
export function isLaidOut(block: Places & Proportions): boolean {
  const { logStart, logBytes, mapPagesMax, dataStart, sizeBytes, extentBytes } = block
  const areCounts =
    isWithin(mapPagesMax, 1, MAP_PAGES_MOST) &&
    isWithin(block.hotExtentsMax, 1, HOT_EXTENTS_MOST) &&
    isWithin(extentBytes, SLOT_BYTES, EXTENT_BYTES_MOST) &&
    isWithin(sizeBytes, 1, VOLUME_BYTES_MAX)
  if (!areCounts || !Number.isInteger(Math.log2(extentBytes))) return false
  const places = placesFrom(logStart, logBytes, mapPagesMax)
  const aligned = [logStart, logBytes, dataStart, sizeBytes]
  return (
    aligned.every((value) => value % SLOT_BYTES === 0) &&
    logStart > SUPERBLOCK_PLACES[0] &&
    logBytes >= logBytesLeast(block) &&
    block.cellsStart === places.cellsStart &&
    block.directoryStart === places.directoryStart &&
    block.pagesStart === places.pagesStart &&
    dataStart >= places.dataStart &&
    areSumsLaidOut(block, places.dataStart)
  )
}

/** Slots for every extent of the volume, between the map pages and the data; or none at all. */
function areSumsLaidOut(block: Places & Proportions, pagesEnd: number): boolean {
  const { sumsStart, sumsExtents, extentBytes, sizeBytes, dataStart } = block
  if (sumsExtents === 0) return sumsStart === 0
  return (
    sumsStart >= pagesEnd &&
    sumsStart % SLOT_BYTES === 0 &&
    sumsExtents * extentBytes >= sizeBytes &&
    sumsStart + sumsExtents * sumsSlotBytes(extentBytes) <= dataStart
  )
}

function isWithin(value: number, least: number, most: number): boolean {
  return value >= least && value <= most
}

/** A cell's place in one copy of the cells. Map pages are not among them. */
export function placeInCopy(kind: CellKind, index: number): { at: number; bytes: number } {
  assert(kind !== "map-page", "map pages have places of their own")
  const nth = { identity: 0, state: 1, map: 2 + index, "pool-metadata": 0, "last-io": 1 }[kind]
  if (kind === "pool-metadata" || kind === "last-io") {
    return { at: SMALL_CELLS_BYTES + nth * RECORD_BYTES, bytes: RECORD_BYTES }
  }
  return { at: nth * SLOT_BYTES, bytes: SLOT_BYTES }
}

const SMALL_CELLS = 2 + MEMBERS_MAX
export const SMALL_CELLS_BYTES: number = SMALL_CELLS * SLOT_BYTES
/** A place for the view record, or for last io. */
const RECORD_BYTES = slotBytesOf(CELL_BYTES_MAX["pool-metadata"])
export const CELLS_COPY_BYTES: number = SMALL_CELLS_BYTES + 2 * RECORD_BYTES

assert(CELL_BYTES_MAX["last-io"] <= CELL_BYTES_MAX["pool-metadata"], "both records fit")

/** Map pages that one block of the directory tells about. */
export const PAGES_PER_BLOCK: number = 8 * SLOT_BODY_BYTES

export function directoryBlocks(mapPagesMax: number): number {
  return Math.ceil((MEMBERS_MAX * mapPagesMax) / PAGES_PER_BLOCK)
}

/** Of one copy. */
export function directoryBytes(mapPagesMax: number): number {
  return directoryBlocks(mapPagesMax) * SLOT_BYTES
}

/** The position of a map page's cell: all pages of one member lie together. */
export function pagePosition(index: number, mapPagesMax: number): number {
  const page = Math.floor(index / MEMBERS_MAX)
  return (index % MEMBERS_MAX) * mapPagesMax + page
}

/** The cell index of a map page, by its position. */
export function pageIndex(position: number, mapPagesMax: number): number {
  return (position % mapPagesMax) * MEMBERS_MAX + Math.floor(position / mapPagesMax)
}
