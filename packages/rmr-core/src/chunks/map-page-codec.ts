/**
 * Pages of a dirty map as bytes: for the map update (SEND_MAP_BUF) and for the cells of a store.
 *
 * A record says what one page holds; or a run of pages, where all their chunks are alike. Upstream
 * sent every page of every map raw, clean ones too, 512 MiB for 64 TiB, while IO stood still. Here
 * an empty page is not sent, a fully dirty volume is one record, and the worst page takes half a
 * byte a chunk.
 *
 * ```
 *   at   bytes   field         (little-endian)
 *    0     4     first page
 *    4     4     page count    1, or more where the encoding is uniform
 *    8     8     stamp         version u32, epoch u32; zeroes: none
 *   16     1     encoding      1 uniform, 2 runs, 3 packed
 *   17     1     byte          uniform: of every chunk; 0 empties the pages. Else 0
 *   18     2     run count     runs: 1…RUNS_MAX. Else 0
 *   20     4     zero
 *   24     …     runs: ascending, u32 each: first chunk (12 bits), length-1 (12), byte (8)
 *                packed: MAP_PAGE_CHUNKS / 2 bytes, the lower chunk in the lower four bits
 * ```
 *
 * Records have no checksum of their own: messages and cells have one around all of their bytes. But
 * a decoder believes nothing: a batch is checked to its last bit before its first page changes.
 */
import { MAP_PAGE_CHUNKS } from "../limits.js"
import type { ViewNumber } from "../rules/pool-metadata.js"
import { isChunkByte } from "../rules/rank.js"
import { ACCEPTED, REFUSALS, type Refusal } from "../wire/refusal.js"
import { clearPages, isOwnStamp, mergePage, mergeUniform, stampIn } from "./map-merge.js"
import {
  BYTE_WORDS,
  BYTES_AT,
  byteIn,
  EPOCH_AT,
  fillPage,
  isEmptyPage,
  type MapPage,
  NOT_IN_PAGE,
  newPage,
  nextDirtyIn,
  putByte,
  recount,
  uniformByteOf,
  VERSION_AT,
} from "./map-page.js"
import type { MapTree } from "./map-tree.js"

const RECORD_HEADER_BYTES = 24
const PACKED_BYTES = MAP_PAGE_CHUNKS / 2
/** With more runs than this the packed form is not longer. */
const RUNS_MAX = PACKED_BYTES / 4 - 1
export const MAP_RECORD_BYTES_MAX: number = RECORD_HEADER_BYTES + PACKED_BYTES

const ENCODING_UNIFORM = 1
const ENCODING_RUNS = 2
const ENCODING_PACKED = 3

/**
 * Writes `pageCount` pages from `first` on as one record; more than one only where they are the
 * same shared page. There must be room for MAP_RECORD_BYTES_MAX. Returns how many bytes were
 * written.
 */
export function writeRecord(
  tree: MapTree,
  first: number,
  pageCount: number,
  view: DataView,
  at: number,
): number {
  const page = tree.pageAt(first)
  const isEmpty = isEmptyPage(page)
  const byte = uniformByteOf(page)
  view.setUint32(at, first, true)
  view.setUint32(at + 4, pageCount, true)
  view.setUint32(at + 8, isEmpty ? 0 : page[VERSION_AT]!, true)
  view.setUint32(at + 12, isEmpty ? 0 : page[EPOCH_AT]!, true)
  view.setUint32(at + 16, ENCODING_UNIFORM | (byte << 8), true)
  view.setUint32(at + 20, 0, true)
  if (isEmpty || byte !== 0) return RECORD_HEADER_BYTES
  const runCount = writeRuns(page, view, at + RECORD_HEADER_BYTES)
  if (runCount <= RUNS_MAX) {
    view.setUint32(at + 16, ENCODING_RUNS | (runCount << 16), true)
    return RECORD_HEADER_BYTES + runCount * 4
  }
  view.setUint32(at + 16, ENCODING_PACKED, true)
  for (let index = 0; index < BYTE_WORDS; index++) {
    const word = page[BYTES_AT + index]!
    const packed = (word & 0x0007) | ((word >>> 4) & 0x0070)
    const upper = ((word >>> 8) & 0x0700) | ((word >>> 12) & 0x7000)
    view.setUint16(at + RECORD_HEADER_BYTES + index * 2, packed | upper, true)
  }
  return MAP_RECORD_BYTES_MAX
}

/**
 * Writes the page as runs, as far as they are allowed. Returns how many there are, or RUNS_MAX + 1.
 */
function writeRuns(page: MapPage, view: DataView, at: number): number {
  let runCount = 0
  let start = nextDirtyIn(page, 0)
  while (start !== NOT_IN_PAGE) {
    if (runCount === RUNS_MAX) return RUNS_MAX + 1
    const byte = byteIn(page, start)
    let end = start + 1
    while (end < MAP_PAGE_CHUNKS && byteIn(page, end) === byte) end++
    view.setUint32(at + runCount * 4, start | ((end - start - 1) << 12) | (byte << 24), true)
    runCount++
    start = end < MAP_PAGE_CHUNKS ? nextDirtyIn(page, end) : NOT_IN_PAGE
  }
  return runCount
}

/** Checks every record of a batch, then applies all, or none. Returns ACCEPTED or why not. */
export function readRecords(tree: MapTree, view: DataView, at: number, bytes: number): Refusal {
  const end = at + bytes
  for (let next = at; next < end; next += recordBytes(view, next)) {
    const refusal = checkRecord(tree, view, next, end)
    if (refusal !== ACCEPTED) return refusal
  }
  const scratch = newPage(0)
  for (let next = at; next < end; next += recordBytes(view, next)) {
    applyRecord(tree, view, next, scratch)
  }
  return ACCEPTED
}

function recordBytes(view: DataView, at: number): number {
  const encoding = view.getUint8(at + 16)
  if (encoding === ENCODING_PACKED) return MAP_RECORD_BYTES_MAX
  return RECORD_HEADER_BYTES + view.getUint16(at + 18, true) * 4
}

function checkRecord(tree: MapTree, view: DataView, at: number, end: number): Refusal {
  if (end - at < RECORD_HEADER_BYTES) return REFUSALS.short.number
  if (end - at < recordBytes(view, at)) return REFUSALS.short.number
  const first = view.getUint32(at, true)
  const pageCount = view.getUint32(at + 4, true)
  if (pageCount === 0 || first + pageCount > tree.pageCount) return REFUSALS.count.number
  if (view.getUint32(at + 20, true) !== 0) return REFUSALS.reserved.number
  const encoding = view.getUint8(at + 16)
  const byte = view.getUint8(at + 17)
  const isEmpty = encoding === ENCODING_UNIFORM && byte === 0
  const refusal = checkStamp(tree, view, at, isEmpty)
  if (refusal !== ACCEPTED) return refusal
  if (encoding === ENCODING_UNIFORM) {
    const isValid = isChunkByte(byte) && view.getUint16(at + 18, true) === 0
    return isValid ? ACCEPTED : REFUSALS.value.number
  }
  if (byte !== 0) return REFUSALS.value.number
  if (pageCount !== 1) return REFUSALS.count.number
  const chunksInPage = Math.min(MAP_PAGE_CHUNKS, tree.chunkCount - first * MAP_PAGE_CHUNKS)
  if (encoding === ENCODING_RUNS) return checkRuns(view, at, chunksInPage)
  if (encoding === ENCODING_PACKED) return checkPacked(view, at, chunksInPage)
  return REFUSALS.type.number
}

/**
 * A member's own marks have no stamp and marks about others have one: neither passes for the other.
 */
function checkStamp(tree: MapTree, view: DataView, at: number, isEmpty: boolean): Refusal {
  const version = view.getUint32(at + 8, true)
  const epoch = view.getUint32(at + 12, true)
  if ((version === 0) !== (epoch === 0)) return REFUSALS.view.number
  const hasStamp = version !== 0
  const mustHave = !isEmpty && !isOwnStamp(tree.stamp)
  return hasStamp === mustHave ? ACCEPTED : REFUSALS.view.number
}

function checkRuns(view: DataView, at: number, chunksInPage: number): Refusal {
  const runCount = view.getUint16(at + 18, true)
  if (runCount === 0 || runCount > RUNS_MAX) return REFUSALS.count.number
  let free = 0
  for (let index = 0; index < runCount; index++) {
    const run = view.getUint32(at + RECORD_HEADER_BYTES + index * 4, true)
    const start = run & 0xfff
    const runEnd = start + ((run >>> 12) & 0xfff) + 1
    const byte = run >>> 24
    if (byte === 0 || !isChunkByte(byte)) return REFUSALS.value.number
    if (start < free || runEnd > chunksInPage) return REFUSALS.chunks.number
    free = runEnd
  }
  return ACCEPTED
}

function checkPacked(view: DataView, at: number, chunksInPage: number): Refusal {
  if (view.getUint16(at + 18, true) !== 0) return REFUSALS.count.number
  let isUsed = false
  for (let index = 0; index < PACKED_BYTES; index++) {
    const pair = view.getUint8(at + RECORD_HEADER_BYTES + index)
    if (pair === 0) continue
    if (!isChunkByte(pair & 0xf) || !isChunkByte(pair >> 4)) return REFUSALS.value.number
    const last = 2 * index + (pair >> 4 === 0 ? 0 : 1)
    if (last >= chunksInPage) return REFUSALS.chunks.number
    isUsed = true
  }
  return isUsed ? ACCEPTED : REFUSALS.contradiction.number
}

/** A member's own map only grows; what it holds about others is replaced (Q4). */
function applyRecord(tree: MapTree, view: DataView, at: number, scratch: MapPage): void {
  const version = view.getUint32(at + 8, true)
  const stamp = { epoch: view.getUint32(at + 12, true), version }
  const first = view.getUint32(at, true)
  const pageCount = view.getUint32(at + 4, true)
  const encoding = view.getUint8(at + 16)
  const byte = view.getUint8(at + 17)
  if (!isOwnStamp(tree.stamp)) clearPages(tree, first, pageCount)
  if (encoding === ENCODING_UNIFORM) {
    if (byte !== 0) applyUniform(tree, first, pageCount, byte, stamp, scratch)
    return
  }
  fillPage(scratch, 0)
  if (encoding === ENCODING_RUNS) unpackRuns(view, at, scratch)
  else unpackPacked(view, at, scratch)
  mergePage(tree, first, scratch, stampIn(tree, stamp))
}

function applyUniform(
  tree: MapTree,
  first: number,
  pageCount: number,
  byte: number,
  stamp: ViewNumber,
  scratch: MapPage,
): void {
  const fullCount = Math.min(pageCount, tree.fullPageCount - first)
  if (fullCount > 0) mergeUniform(tree, first, fullCount, byte, stampIn(tree, stamp))
  if (first + pageCount <= tree.fullPageCount) return
  fillPage(scratch, 0)
  const tail = tree.chunkCount - tree.fullPageCount * MAP_PAGE_CHUNKS
  for (let chunk = 0; chunk < tail; chunk++) putByte(scratch, chunk, 0, byte)
  mergePage(tree, tree.fullPageCount, scratch, stampIn(tree, stamp))
}

function unpackRuns(view: DataView, at: number, page: MapPage): void {
  const runCount = view.getUint16(at + 18, true)
  for (let index = 0; index < runCount; index++) {
    const run = view.getUint32(at + RECORD_HEADER_BYTES + index * 4, true)
    const start = run & 0xfff
    const runEnd = start + ((run >>> 12) & 0xfff) + 1
    for (let chunk = start; chunk < runEnd; chunk++) putByte(page, chunk, 0, run >>> 24)
  }
}

function unpackPacked(view: DataView, at: number, page: MapPage): void {
  for (let index = 0; index < BYTE_WORDS; index++) {
    const packed = view.getUint16(at + RECORD_HEADER_BYTES + index * 2, true)
    const lower = (packed & 0x0007) | ((packed & 0x0070) << 4)
    page[BYTES_AT + index] = lower | ((packed & 0x0700) << 8) | ((packed & 0x7000) << 12)
  }
  recount(page)
}
