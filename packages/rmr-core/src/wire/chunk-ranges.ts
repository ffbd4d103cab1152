/** Ranges of chunks in a message: ascending, not touching, so that a set of chunks has one form. */
import { CHUNK_BYTES_MIN, CHUNK_RANGES_MAX, VOLUME_BYTES_MAX } from "../limits.js"
import { integer, safeInteger } from "./field-types.js"
import { type Struct, struct, type TailType } from "./layout.js"
import { Refused } from "./refusal.js"
import { listTail } from "./tails.js"

export interface ChunkRange {
  readonly firstChunk: number
  readonly chunkCount: number
}

const CHUNKS_MAX = VOLUME_BYTES_MAX / CHUNK_BYTES_MIN

export const CHUNK_RANGE: Struct<ChunkRange> = struct<ChunkRange>("chunk range", 12, [
  ["firstChunk", 0, safeInteger("u64", CHUNKS_MAX - 1), "id.b: the first chunk"],
  ["chunkCount", 8, integer("u32", 4, 1, 0xffff_ffff), "id.a: how many"],
])

/** At least one range at the end of a message. */
export const CHUNK_RANGES: TailType<readonly ChunkRange[]> = listTail(
  CHUNK_RANGE,
  1,
  CHUNK_RANGES_MAX,
)

/** Undefined where the ranges ascend, do not touch, and lie in the largest volume. */
export function refuseChunkRanges(
  ranges: readonly ChunkRange[],
  where: string,
): Refused | undefined {
  let end = -1
  for (const [index, { firstChunk, chunkCount }] of ranges.entries()) {
    if (firstChunk <= end) return new Refused("chunks", `${where}.${index}`)
    end = firstChunk + chunkCount
    if (end > CHUNKS_MAX) return new Refused("chunks", `${where}.${index}`)
  }
  return undefined
}
