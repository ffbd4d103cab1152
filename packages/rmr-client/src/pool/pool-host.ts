/** What the handles of a pool see of it: sizes, limits, and what is not complete everywhere. */
import type { ChunkNumber, PoolMetadata, VolumeRange } from "@rmr/core"
import { BLOCK_BYTES_MIN, IO_BYTES_MAX, NO_CHUNK, VOLUME_BLOCK_BYTES } from "@rmr/core"
import type { IoEngine } from "../io/io-engine.js"
import type { LinkRegistry } from "../links/link-registry.js"
import type { PoolVolume, VolumeHost } from "../volume/pool-volume.js"

export interface PoolHostOptions {
  readonly registry: LinkRegistry
  /** The view in force. */
  readonly record: () => PoolMetadata
  readonly engine: () => IoEngine
  readonly closeMs: number
  readonly onGivenUp: (volume: PoolVolume) => void
  readonly onClosed: (volume: PoolVolume) => void
}

export function poolHost(options: PoolHostOptions): VolumeHost {
  const { registry, record, engine, closeMs, onGivenUp, onClosed } = options
  const { payloadBytesMax } = registry.transport.supports
  return {
    memory: registry.memory,
    get sizeBytes() {
      return record().mappedSizeBytes
    },
    // A store may have smaller blocks; every store has these.
    blockBytes: VOLUME_BLOCK_BYTES,
    atomicBytes: BLOCK_BYTES_MIN,
    ioBytesMax: Math.min(payloadBytesMax - (payloadBytesMax % VOLUME_BLOCK_BYTES), IO_BYTES_MAX),
    get optimalIoBytes() {
      return record().chunkSizeBytes
    },
    canUnmap: true,
    get nowMs() {
      return registry.env.clock.nowMs()
    },
    closeMs,
    schedule: (delayMs, run) => registry.env.clock.schedule(delayMs, run),
    onPending: (volume) => engine().onPending(volume),
    onDue: (volume) => engine().core.onDue(volume),
    flush: () => registry.flush(),
    ranges: (offset, bytes, countMax) => rangesOf(record(), engine(), offset, bytes, countMax),
    onGivenUp,
    onClosed,
  }
}

function rangesOf(
  { chunkSizeBytes }: PoolMetadata,
  { core }: IoEngine,
  offset: number,
  bytes: number,
  countMax: number,
): readonly VolumeRange[] {
  const map = core.incomplete
  const ranges: VolumeRange[] = []
  const end = offset + bytes
  let at = offset
  while (at < end && ranges.length < countMax) {
    const chunk = Math.floor(at / chunkSizeBytes)
    const isDirty = map.isDirty(chunk as ChunkNumber)
    const next = isDirty ? map.nextClean(chunk) : map.nextDirty(chunk)
    const until = next === NO_CHUNK ? end : Math.min(end, next * chunkSizeBytes)
    ranges.push({ bytes: until - at, isDirty })
    at = until
  }
  return ranges
}
