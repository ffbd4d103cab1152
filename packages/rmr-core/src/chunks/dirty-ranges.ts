/**
 * What is dirty in a map, as ranges of chunks with one rank each, for admins and programs. A map
 * may have millions of ranges, so they are read in parts.
 */
import type { ChunkNumber } from "../brand.js"
import { RANK_CACHE_LOST, RANK_IN_FLIGHT, type Rank, rankOfByte } from "../rules/rank.js"
import { NO_CHUNK } from "./chunk-geometry.js"
import type { DirtyMap } from "./dirty-map.js"

export interface DirtyRange {
  readonly first: number
  readonly count: number
  readonly rank: Rank
}

export interface DirtyRanges {
  /** Ascending; neighbours of another rank are a range of their own. */
  readonly ranges: readonly DirtyRange[]
  /** Where the next part begins; undefined behind the last. */
  readonly next: number | undefined
}

/** The first `rangesMax` ranges from this chunk on. */
export function dirtyRanges(map: DirtyMap, from: number, rangesMax: number): DirtyRanges {
  const ranges: DirtyRange[] = []
  let first = map.nextDirty(from)
  while (first !== NO_CHUNK) {
    if (ranges.length === rangesMax) return { ranges, next: first }
    const rank = rankOfByte(map.byteOf(first))
    const end = endOf(map, first, rank)
    ranges.push({ first, count: end - first, rank })
    first = map.nextDirty(end)
  }
  return { ranges, next: undefined }
}

/** In words that are stable for programs. */
export function rankName(rank: Rank): "real" | "suspect-in-flight" | "suspect-cache-lost" {
  if (rank === RANK_IN_FLIGHT) return "suspect-in-flight"
  return rank === RANK_CACHE_LOST ? "suspect-cache-lost" : "real"
}

/** Behind the last chunk of this run that has the rank. */
function endOf(map: DirtyMap, first: number, rank: Rank): number {
  const clean = map.nextClean(first)
  const end = clean === NO_CHUNK ? map.chunkCount : clean
  let chunk = first + 1
  while (chunk < end && rankOfByte(map.byteOf(chunk as ChunkNumber)) === rank) chunk++
  return chunk
}
