/** What the handles of a pool see of it: sizes, limits, and what is not complete everywhere. */
import type { ChunkNumber, Memory, PoolMetadata, Timer, VolumeRange } from "@rmr/core"
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

/** A class, since each IO asks: to V8 an object literal with getters is a dictionary. */
export class PoolHost implements VolumeHost {
  readonly memory: Memory
  // A store may have smaller blocks; every store has these.
  readonly blockBytes: number = VOLUME_BLOCK_BYTES
  readonly atomicBytes: number = BLOCK_BYTES_MIN
  readonly ioBytesMax: number
  readonly canUnmap: boolean = true
  readonly closeMs: number
  private readonly options: PoolHostOptions

  constructor(options: PoolHostOptions) {
    const { registry, closeMs } = options
    const { payloadBytesMax } = registry.transport.supports
    const wholeBytesMax = payloadBytesMax - (payloadBytesMax % VOLUME_BLOCK_BYTES)
    this.options = options
    this.memory = registry.memory
    this.ioBytesMax = Math.min(wholeBytesMax, IO_BYTES_MAX)
    this.closeMs = closeMs
  }

  get sizeBytes(): number {
    return this.options.record().mappedSizeBytes
  }

  get optimalIoBytes(): number {
    return this.options.record().chunkSizeBytes
  }

  get nowMs(): number {
    return this.options.registry.env.clock.nowMs()
  }

  schedule(delayMs: number, run: () => void): Timer {
    return this.options.registry.env.clock.schedule(delayMs, run)
  }

  onPending(volume: PoolVolume): void {
    this.options.engine().onPending(volume)
  }

  onDue(volume: PoolVolume): void {
    this.options.engine().core.onDue(volume)
  }

  flush(): void {
    this.options.registry.flush()
  }

  ranges(offset: number, bytes: number, countMax: number): readonly VolumeRange[] {
    const { record, engine } = this.options
    return rangesOf(record(), engine(), offset, bytes, countMax)
  }

  onGivenUp(volume: PoolVolume): void {
    this.options.onGivenUp(volume)
  }

  onClosed(volume: PoolVolume): void {
    this.options.onClosed(volume)
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
