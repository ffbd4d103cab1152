/**
 * MemberVolume: what a member tracks of a pool's volume, once it knows the pool (rules W2, I1, M1).
 *
 * Geometry, dirty maps, last io, hot extents and chunk locks belong together: they are about the
 * same chunks, begin with the first view record and live as long as the process has the store.
 */
import type { MemberSet, MutationRange, Rank } from "@rmr/core"
import {
  assert,
  CHUNK_CLEAN,
  CHUNK_REAL,
  ChunkGeometry,
  type ChunkNumber,
  type LastIo,
  markByteAfterRestart,
  NO_CHUNK,
  ownByteAfterRestart,
  RANK_IN_FLIGHT,
  RANK_REAL,
  type RestartClass,
  rankOfByte,
  takesBackDone,
} from "@rmr/core"
import type { HotExtents } from "./hot-extents.js"
import type { PoolMaps } from "./pool-maps.js"

export interface MemberVolume {
  readonly geometry: ChunkGeometry
  readonly ownSlot: number
  readonly maps: PoolMaps
  readonly lastIo: LastIo
  readonly hot: HotExtents
}

/** G1: the volume has this size now; what is new in it reads zero, and is clean. */
export function resizeVolume({ geometry, maps }: MemberVolume, mappedSizeBytes: number): void {
  if (geometry.mappedSizeBytes === mappedSizeBytes) return
  geometry.resizeTo(mappedSizeBytes)
  maps.resizeTo(geometry.chunkCount)
}

/** R3: what an unclean open makes of the chunks of one extent; nothing where it was clean. */
export function suspectExtent(
  volume: MemberVolume,
  extent: number,
  absent: MemberSet,
  restart: RestartClass,
): void {
  const { geometry, maps } = volume
  const offset = geometry.extentOffset(extent)
  const first = geometry.chunkOf(offset)
  const count = geometry.chunkSpan(offset, geometry.extentSizeOf(extent))
  for (let chunk = first as number; chunk < first + count; chunk++) {
    const own = maps.own.byteOf(chunk as ChunkNumber)
    if (markByteAfterRestart(own) === CHUNK_REAL) {
      maps.markFor(absent, chunk as ChunkNumber, 1, RANK_REAL)
    }
    const after = ownByteAfterRestart(own, restart)
    if (after !== CHUNK_CLEAN) maps.markOwn(chunk as ChunkNumber, 1, rankOfByte(after))
  }
}

/** Makes the own chunks of a byte range at least this dirty. Returns how many it touches. */
export function markOwn(
  { geometry, maps }: MemberVolume,
  offset: number,
  length: number,
  rank: Rank,
): number {
  const count = geometry.chunkSpan(offset, length)
  maps.markOwn(geometry.chunkOf(offset), count, rank)
  return count
}

/** Whether what was done in this byte range is lost in part (V2, RT-48). */
export function hasLost({ geometry, maps }: MemberVolume, offset: number, length: number): boolean {
  const { own } = maps
  const first = geometry.chunkOf(offset)
  const end = first + geometry.chunkSpan(offset, length)
  let chunk = own.nextDirty(first, end)
  for (; chunk !== NO_CHUNK; chunk = own.nextDirty(chunk + 1, end)) {
    if (takesBackDone(own.byteOf(chunk))) return true
  }
  return false
}

/**
 * V2: marks a listed range for the absent. Really, where the own chunk is clean and this member has
 * applied the mutation; else as a suspicion. Returns whether all of it was marked really.
 */
export function markListed(
  { geometry, maps }: MemberVolume,
  { offset, length }: MutationRange,
  absent: MemberSet,
  hasApplied: boolean,
): boolean {
  const first = geometry.chunkOf(offset)
  const end = first + geometry.chunkSpan(offset, length)
  let isReal = hasApplied
  let chunk: number = first
  while (chunk < end) {
    const dirty = maps.own.nextDirty(chunk, end)
    const cleanEnd = dirty === NO_CHUNK ? end : dirty
    const rank = hasApplied ? RANK_REAL : RANK_IN_FLIGHT
    if (cleanEnd > chunk) maps.markFor(absent, chunk as ChunkNumber, cleanEnd - chunk, rank)
    if (dirty === NO_CHUNK) break
    isReal = false
    const clean = maps.own.nextClean(dirty, end)
    const dirtyEnd = clean === NO_CHUNK ? end : clean
    maps.markFor(absent, dirty, dirtyEnd - dirty, RANK_IN_FLIGHT)
    chunk = dirtyEnd
  }
  assert(chunk >= first, "the range was walked")
  return isReal
}

/** The volume's geometry as a store with these extents sees it. */
export function geometryOf(
  record: { readonly chunkSizeBytes: number; readonly mappedSizeBytes: number },
  store: { readonly blockBytes: number; readonly geometry: { readonly extentBytes: number } },
): ChunkGeometry {
  return new ChunkGeometry({
    chunkSizeBytes: record.chunkSizeBytes,
    mappedSizeBytes: record.mappedSizeBytes,
    blockBytes: store.blockBytes,
    extentBytes: store.geometry.extentBytes,
  })
}
