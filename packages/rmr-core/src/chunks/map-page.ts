/**
 * MapPage: one second-level page of a dirty map, a byte for each of MAP_PAGE_CHUNKS chunks.
 *
 * Beside the bytes a page keeps two summaries, exact at all times: how many chunks are in each
 * state, so that nobody counts, and which groups of 32 chunks hold anything, so that a scan costs
 * what is dirty and not what exists. A page is one array of words and nothing else: a mark must be
 * quick on maps that no cache holds, and each object on the way would be one more miss.
 *
 * ```
 *   word   0            flags
 *          1 …  3       tally: how many chunks are dirty, by rank
 *          4 …  7       groups: one bit per 32 chunks, set where they hold something
 *          8, 9         stamp: epoch, version of the view that expelled the member, u32; 0: none
 *         12 … 15       digest of stamp and bytes, where the flag says so
 *         16 … 1039     bytes of the chunks, four to a word, the lowest chunk in the lowest byte
 * ```
 *
 * A shared page stands in several places at once: the one empty page of all maps, and pages whose
 * chunks are all dirty alike. It is never written; who wants to change it takes a copy
 * (map-tree.ts).
 */
import { MAP_PAGE_CHUNKS } from "../limits.js"
import type { ViewNumber } from "../rules/pool-metadata.js"
import { chunkByte, isChunkByte, type Rank, strongerByte } from "../rules/rank.js"

export type MapPage = Int32Array

export const FLAGS_AT = 0
export const TALLY_AT = 1
export const EPOCH_AT = 8
export const VERSION_AT = 9
export const PAGE_DIGEST_AT = 12
export const BYTES_AT = 16
/** Words that hold chunk bytes. */
export const BYTE_WORDS: number = MAP_PAGE_CHUNKS / 4
export const PAGE_WORDS: number = BYTES_AT + BYTE_WORDS

/**
 * No flag set: an own page that is known to have changed and has the map's stamp. A mark just
 * writes it.
 */
export const FLAG_SHARED = 1
/**
 * Its next change has to be noted: it is not in the set of changed pages, or its digest is true.
 */
export const FLAG_SETTLED = 2
export const FLAG_DIGESTED = 4
/** Its stamp is before the map's: a mark that is made now has to raise it. */
export const FLAG_OLD_STAMP = 8

/** Ranks of a dirty chunk: the size of a tally. */
export const RANK_COUNT = 3
export const NOT_IN_PAGE = -1

const GROUPS_AT = 4
const GROUPS_END = 8
const GROUP_WORDS = 8
const EVERYWHERE = 0x0101_0101
const BYTE_VALUES = 8

/** `STRONGER[a << 3 | b]`: rule R1 as a table, for bytes of chunks. */
export const STRONGER: Uint8Array = new Uint8Array(BYTE_VALUES * BYTE_VALUES)
for (let a = 0; a < BYTE_VALUES; a++) {
  for (let b = 0; b < BYTE_VALUES; b++) {
    if (isChunkByte(a) && isChunkByte(b)) STRONGER[(a << 3) | b] = strongerByte(a, b)
  }
}

export function newPage(flags: number): MapPage {
  const page = new Int32Array(PAGE_WORDS)
  page[FLAGS_AT] = flags
  return page
}

/** What stands wherever a map has nothing. Its first mark gives it a stamp. */
export const EMPTY_PAGE: MapPage = newPage(FLAG_SHARED | FLAG_SETTLED | FLAG_OLD_STAMP)

export function isShared(page: MapPage): boolean {
  return (page[FLAGS_AT]! & FLAG_SHARED) !== 0
}

export function setFlag(page: MapPage, flag: number): void {
  page[FLAGS_AT]! |= flag
}

export function clearFlag(page: MapPage, flag: number): void {
  page[FLAGS_AT]! &= ~flag
}

export function stampOf(page: MapPage): ViewNumber {
  return { epoch: page[EPOCH_AT]! >>> 0, version: page[VERSION_AT]! >>> 0 }
}

/** Negative, zero or positive as the page's stamp is before, equal to or after the view. */
export function compareStamp(page: MapPage, view: ViewNumber): number {
  return (page[EPOCH_AT]! >>> 0) - view.epoch || (page[VERSION_AT]! >>> 0) - view.version
}

/** Makes every chunk of the page this byte. */
export function fillPage(page: MapPage, byte: number): void {
  page.fill(0, TALLY_AT, TALLY_AT + RANK_COUNT)
  page.fill(byte === 0 ? 0 : -1, GROUPS_AT, GROUPS_END)
  page.fill(Math.imul(byte, EVERYWHERE), BYTES_AT)
  if (byte !== 0) page[TALLY_AT + (byte >> 1)] = MAP_PAGE_CHUNKS
}

/** Takes over everything of another page but its flags. */
export function copyPage(page: MapPage, source: MapPage): void {
  for (let at = TALLY_AT; at < PAGE_WORDS; at++) page[at] = source[at]!
}

export function isEmptyPage(page: MapPage): boolean {
  return (page[TALLY_AT]! | page[TALLY_AT + 1]! | page[TALLY_AT + 2]!) === 0
}

/** The byte of a chunk by its place in the page. */
export function byteIn(page: MapPage, place: number): number {
  return (page[BYTES_AT + (place >> 2)]! >>> ((place & 3) << 3)) & 7
}

/** Changes one byte and the summaries with it. `old` is the byte that is there. */
export function putByte(page: MapPage, place: number, old: number, next: number): void {
  page[BYTES_AT + (place >> 2)]! ^= (old ^ next) << ((place & 3) << 3)
  if (next !== 0) page[TALLY_AT + (next >> 1)]!++
  if (old === 0) {
    page[GROUPS_AT + (place >> 10)]! |= 1 << ((place >> 5) & 31)
    return
  }
  page[TALLY_AT + (old >> 1)]!--
  if (next === 0 && isGroupEmpty(page, BYTES_AT + (place >> 5) * GROUP_WORDS)) {
    page[GROUPS_AT + (place >> 10)]! &= ~(1 << ((place >> 5) & 31))
  }
}

function isGroupEmpty(page: MapPage, at: number): boolean {
  const lower = page[at]! | page[at + 1]! | page[at + 2]! | page[at + 3]!
  const upper = page[at + 4]! | page[at + 5]! | page[at + 6]! | page[at + 7]!
  return (lower | upper) === 0
}

/** The byte that all chunks of the page have, or 0 where they differ or are clean. */
export function uniformByteOf(page: MapPage): number {
  for (let rank = 0; rank < RANK_COUNT; rank++) {
    if (page[TALLY_AT + rank] === MAP_PAGE_CHUNKS) return chunkByte(rank as Rank)
  }
  return 0
}

/** Whether no chunk of the page has a fact that is stronger than this byte. */
export function isCoveredBy(page: MapPage, byte: number): boolean {
  for (let rank = 0; rank < RANK_COUNT; rank++) {
    const holds = page[TALLY_AT + rank] !== 0
    if (holds && STRONGER[(chunkByte(rank as Rank) << 3) | byte] !== byte) return false
  }
  return true
}

/** Merges the bytes of another page into this one, and corrects the summaries. */
export function mergeBytes(page: MapPage, source: MapPage): void {
  for (let at = BYTES_AT; at < PAGE_WORDS; at++) {
    const added = source[at]!
    if (added !== 0) page[at] = strongerWord(page[at]!, added)
  }
  recount(page)
}

/** Merges one byte into every chunk of the page. */
export function mergeByteEverywhere(page: MapPage, byte: number): void {
  const added = Math.imul(byte, EVERYWHERE)
  for (let at = BYTES_AT; at < PAGE_WORDS; at++) page[at] = strongerWord(page[at]!, added)
  recount(page)
}

function strongerWord(a: number, b: number): number {
  if (a === 0 || a === b) return b
  let result = 0
  for (let shift = 0; shift < 32; shift += 8) {
    result |= STRONGER[(((a >>> shift) & 7) << 3) | ((b >>> shift) & 7)]! << shift
  }
  return result
}

/** Makes the summaries true for the bytes. */
export function recount(page: MapPage): void {
  page.fill(0, TALLY_AT, GROUPS_END)
  for (let index = 0; index < BYTE_WORDS; index++) {
    const word = page[BYTES_AT + index]!
    if (word === 0) continue
    page[GROUPS_AT + (index >> 8)]! |= 1 << ((index >> 3) & 31)
    for (let rest = word; rest !== 0; rest >>>= 8) {
      const byte = rest & 7
      if (byte !== 0) page[TALLY_AT + (byte >> 1)]!++
    }
  }
}

/** The first dirty chunk at or after this place, or `NOT_IN_PAGE`. */
export function nextDirtyIn(page: MapPage, place: number): number {
  const group = place >> 5
  if (isGroupUsed(page, group)) {
    const first = page[BYTES_AT + (place >> 2)]! & (-1 << ((place & 3) << 3))
    if (first !== 0) return (place & ~3) + (lowestBit(first) >> 3)
    const found = firstDirtyWord(page, (place >> 2) + 1, (group + 1) * GROUP_WORDS)
    if (found !== NOT_IN_PAGE) return found
  }
  let index = (group + 1) >> 5
  if (index === 4) return NOT_IN_PAGE
  let groups = page[GROUPS_AT + index]! & (-1 << ((group + 1) & 31))
  while (groups === 0) {
    if (++index === 4) return NOT_IN_PAGE
    groups = page[GROUPS_AT + index]!
  }
  const used = (index << 5) + lowestBit(groups)
  return firstDirtyWord(page, used * GROUP_WORDS, (used + 1) * GROUP_WORDS)
}

function isGroupUsed(page: MapPage, group: number): boolean {
  return (page[GROUPS_AT + (group >> 5)]! & (1 << (group & 31))) !== 0
}

function firstDirtyWord(page: MapPage, from: number, end: number): number {
  for (let index = from; index < end; index++) {
    const word = page[BYTES_AT + index]!
    if (word !== 0) return (index << 2) + (lowestBit(word) >> 3)
  }
  return NOT_IN_PAGE
}

/** The first clean chunk at or after this place, or `NOT_IN_PAGE`. */
export function nextCleanIn(page: MapPage, place: number): number {
  if (uniformByteOf(page) !== 0) return NOT_IN_PAGE
  for (let next = place; next < MAP_PAGE_CHUNKS; next++) {
    if (byteIn(page, next) === 0) return next
  }
  return NOT_IN_PAGE
}

/** The same stamp and bytes. */
export function isSamePage(a: MapPage, b: MapPage): boolean {
  if (a === b) return true
  if (a === EMPTY_PAGE || b === EMPTY_PAGE) return false
  for (let at = TALLY_AT; at < PAGE_DIGEST_AT; at++) {
    if (a[at] !== b[at]) return false
  }
  if (uniformByteOf(a) !== 0) return true
  for (let at = BYTES_AT; at < PAGE_WORDS; at++) {
    if (a[at] !== b[at]) return false
  }
  return true
}

/** The place of the lowest bit that is set; `value` is not 0. */
export function lowestBit(value: number): number {
  return 31 - Math.clz32(value & -value)
}
