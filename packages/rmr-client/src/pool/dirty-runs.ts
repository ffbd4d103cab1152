/**
 * Runs of chunks that the same members lack in the same way.
 *
 * What is to be done about a chunk depends only on what each member says of it, and neighbours are
 * mostly alike: a store that was replaced lacks all chunks, a member that was away lacks ranges. So
 * a volume of millions of dirty chunks is a few runs, found with a few questions to each map.
 */
import { type ChunkNumber, type DirtyMap, NO_CHUNK, rankOfByte } from "@rmr/core"

export interface DirtyRun {
  firstChunk: number
  chunkCount: number
  /** What the maps say of each of its chunks, in their order; 0 where there is none. */
  readonly bytes: number[]
}

/** All chunks that are dirty anywhere, ascending. The run is the same object each time. */
export function* dirtyRuns(maps: readonly (DirtyMap | undefined)[]): Generator<DirtyRun> {
  const stretches = Array.from(maps, (map) => (map === undefined ? undefined : new Stretch(map)))
  const chunkCount = maps.reduce((most, map) => Math.max(most, map?.chunkCount ?? 0), 0)
  const run: DirtyRun = { firstChunk: 0, chunkCount: 0, bytes: Array.from(maps, () => 0) }
  let end = 0
  for (let first = 0; first < chunkCount; first = end) {
    end = chunkCount
    let isDirty = false
    let isUniform = true
    for (let slot = 0; slot < stretches.length; slot++) {
      const stretch = stretches[slot]
      if (stretch === undefined) continue
      stretch.moveTo(first)
      const byte = stretch.byteAt(first)
      run.bytes[slot] = byte
      if (stretch.end > first) end = Math.min(end, stretch.end)
      if (byte === 0) continue
      isDirty = true
      if (!stretch.isUniform(byte)) isUniform = false
    }
    if (!isDirty) continue
    if (!isUniform) end = endOfSame(stretches, run.bytes, first, end)
    run.firstChunk = first
    run.chunkCount = end - first
    yield run
  }
}

/** A part of a map that is clean all along, or dirty all along. */
class Stretch {
  end = 0
  private isDirty = false
  private readonly map: DirtyMap

  constructor(map: DirtyMap) {
    this.map = map
  }

  /** The part that this chunk is in; whoever asks goes forward. */
  moveTo(chunk: number): void {
    const { map } = this
    if (chunk < this.end || chunk >= map.chunkCount) return
    this.isDirty = map.byteOf(chunk as ChunkNumber) !== 0
    const end = this.isDirty ? map.nextClean(chunk) : map.nextDirty(chunk)
    this.end = end === NO_CHUNK ? map.chunkCount : end
  }

  byteAt(chunk: number): number {
    return this.isDirty && chunk < this.end ? this.map.byteOf(chunk as ChunkNumber) : 0
  }

  /** All marks of the map are of this rank. */
  isUniform(byte: number): boolean {
    return this.map.countOf(rankOfByte(byte)) === this.map.count
  }
}

/** A map has marks of several ranks: each chunk is looked at. */
function endOfSame(
  stretches: readonly (Stretch | undefined)[],
  bytes: readonly number[],
  first: number,
  end: number,
): number {
  for (let chunk = first + 1; chunk < end; chunk++) {
    for (let slot = 0; slot < stretches.length; slot++) {
      if ((stretches[slot]?.byteAt(chunk) ?? 0) !== bytes[slot]) return chunk
    }
  }
  return end
}
