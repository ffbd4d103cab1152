/**
 * Searching a dirty map: the cost is in what is found, not in what exists.
 *
 * A search skips empty directories, empty pages and empty groups of 32 chunks, each by a summary;
 * it never looks beyond `end`, so that asking for the few chunks of one IO costs the same in any
 * volume.
 */
import type { ChunkNumber } from "../brand.js"
import { MAP_PAGE_CHUNKS } from "../limits.js"
import { NO_CHUNK } from "./chunk-geometry.js"
import { EMPTY_PAGE, NOT_IN_PAGE, nextCleanIn, nextDirtyIn } from "./map-page.js"
import { type MapTree, NO_PAGE } from "./map-tree.js"

/** The first dirty chunk in `from`…`end`-1, or `NO_CHUNK`. */
export function nextDirty(tree: MapTree, from: number, end: number): ChunkNumber {
  if (from >= end) return NO_CHUNK
  let number = Math.floor(from / MAP_PAGE_CHUNKS)
  const page = tree.pageAt(number)
  if (page !== EMPTY_PAGE) {
    const found = nextDirtyIn(page, from - number * MAP_PAGE_CHUNKS)
    if (found !== NOT_IN_PAGE) return chunkBefore(number * MAP_PAGE_CHUNKS + found, end)
  }
  if ((number + 1) * MAP_PAGE_CHUNKS >= end) return NO_CHUNK
  number = tree.nextPage(number + 1)
  if (number === NO_PAGE) return NO_CHUNK
  return chunkBefore(number * MAP_PAGE_CHUNKS + nextDirtyIn(tree.pageAt(number), 0), end)
}

/** The first clean chunk in `from`…`end`-1, or `NO_CHUNK`. */
export function nextClean(tree: MapTree, from: number, end: number): ChunkNumber {
  let chunk = from
  while (chunk < end) {
    const number = Math.floor(chunk / MAP_PAGE_CHUNKS)
    const page = tree.pageAt(number)
    if (page === EMPTY_PAGE) return chunk as ChunkNumber
    const found = nextCleanIn(page, chunk - number * MAP_PAGE_CHUNKS)
    if (found !== NOT_IN_PAGE) return chunkBefore(number * MAP_PAGE_CHUNKS + found, end)
    chunk = (number + tree.uniformSpan(number)) * MAP_PAGE_CHUNKS
  }
  return NO_CHUNK
}

function chunkBefore(chunk: number, end: number): ChunkNumber {
  return chunk < end ? (chunk as ChunkNumber) : NO_CHUNK
}
