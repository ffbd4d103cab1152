/**
 * memoryStore: the reference store. Read it to learn what a store is.
 *
 * The medium (memory-medium.ts) is what outlives a process, an open store (open-memory-store.ts) is
 * one life over it. Data has a volatile cache, so that processes and machines die differently;
 * commits and the hot set are durable at completion. Latency and all that a crash leaves open come
 * from the chance that was handed in: one seed, one outcome.
 *
 * Beside `open`, the source has the powers that a test or a simulation needs over a store.
 */
import type { CellKind, Random, Store, StoreOpen, StoreSource } from "@rmr/core"
import {
  assert,
  BLOCK_BYTES_MIN,
  CHUNK_BYTES_MIN,
  EXTENT_BYTES_DEFAULT,
  HOT_EXTENTS_DEFAULT,
  IO_BYTES_MAX,
  MAP_PAGE_CHUNKS,
  RmrError,
  VOLUME_BLOCK_BYTES,
} from "@rmr/core"
import type { MediumOptions } from "./memory-medium.js"
import { MemoryMedium } from "./memory-medium.js"
import type { MemoryStoreShape } from "./open-memory-store.js"
import { OpenMemoryStore } from "./open-memory-store.js"

export interface MemoryStoreOptions {
  /** For messages. Default `memory`. */
  readonly name?: string
  /** Draws latencies, the order of what is due, and what a crash leaves of unfinished work. */
  readonly random: Random
  /** A multiple of VOLUME_BLOCK_BYTES. */
  readonly sizeBytes: number
  /** How far it can grow. Default `sizeBytes`: not at all. */
  readonly mediumBytes?: number
  /** Default 4096. */
  readonly blockBytes?: number
  /** Default 512: as weak as a disk may be. */
  readonly atomicBytes?: number
  readonly extentBytes?: number
  readonly hotExtentsMax?: number
  /** Default `hotExtentsMax`. */
  readonly hotExtentsSoft?: number
  /** Default 32 MiB. */
  readonly ioBytesMax?: number
  /** Default 1024. */
  readonly inFlightMax?: number
  /** Each operation takes a time in this range. Default none, which is still a turn of its own. */
  readonly latencyMs?: readonly [min: number, max: number]
}

export interface MemoryStoreSource extends StoreSource {
  /** What the data occupies. */
  readonly allocatedBytes: number
  /** Data as a read would see it, without delay or fault. */
  peek(offset: number, bytes: number, into?: Uint8Array): Uint8Array
  /** The process that has it open dies. What it had written stays in the cache. */
  kill(): void
  /** The machine loses power: the process dies, and each unflushed unit is old or new. */
  powerCut(): void
  /** A copy of what is durable. The result puts it back, while nobody has it open. */
  snapshot(): () => void
  /** Reads of these bytes fail with `media-error` until they are written anew. */
  failReads(offset: number, bytes: number): void
  /** Writes to these bytes fail with `media-error`. */
  failWrites(offset: number, bytes: number): void
  /** One flush fails with `io-error`, and the cache is lost. */
  failNextFlush(): void
  /** One commit fails with `io-error`; the next open finds it whole or not at all. */
  failNextCommit(): void
  /** Flushes and commits that were still to fail do not. */
  failNothingMore(): void
  /** The cell fails to be read until it is committed anew. */
  damageCell(kind: CellKind, index: number): void
  /** The next open finds the hot set unreadable. */
  damageHotSet(): void
}

/** The classes a memory store is made of; tests put broken ones in their place. */
export interface MemoryStoreParts {
  readonly Medium: new (options: MediumOptions) => MemoryMedium
  readonly Open: new (
    medium: MemoryMedium,
    shape: MemoryStoreShape,
    options: StoreOpen,
    onClosed: () => void,
  ) => OpenMemoryStore
}

const SOUND_PARTS: MemoryStoreParts = { Medium: MemoryMedium, Open: OpenMemoryStore }
const IN_FLIGHT_MAX_DEFAULT = 1024
const NO_LATENCY: readonly [number, number] = [0, 0]

export function memoryStore(options: MemoryStoreOptions): MemoryStoreSource {
  return memoryStoreOf(options, SOUND_PARTS)
}

export function memoryStoreOf(
  options: MemoryStoreOptions,
  parts: MemoryStoreParts,
): MemoryStoreSource {
  return new MemorySource(options, parts)
}

class MemorySource implements MemoryStoreSource {
  readonly name: string
  private readonly medium: MemoryMedium
  private readonly shape: MemoryStoreShape
  private readonly parts: MemoryStoreParts
  private current: OpenMemoryStore | undefined

  constructor(options: MemoryStoreOptions, parts: MemoryStoreParts) {
    const { name = "memory", random, sizeBytes, mediumBytes = sizeBytes } = options
    this.name = name
    this.parts = parts
    this.shape = shapeOf(options, mediumBytes)
    const { atomicBytes } = this.shape
    this.medium = new parts.Medium({ random, sizeBytes, mediumBytes, atomicBytes })
  }

  get allocatedBytes(): number {
    return this.medium.data.allocatedBytes
  }

  peek(offset: number, bytes: number, into = new Uint8Array(bytes)): Uint8Array {
    this.medium.data.read(offset, into)
    return into
  }

  async open(options: StoreOpen): Promise<Store> {
    if (this.current !== undefined) throw new RmrError("busy", `${this.name} is open already`)
    const store = new this.parts.Open(this.medium, this.shape, options, () => {
      this.current = undefined
    })
    this.current = store
    return store
  }

  kill(): void {
    this.current?.die()
    this.current = undefined
  }

  powerCut(): void {
    this.kill()
    this.medium.losePower()
  }

  snapshot(): () => void {
    const restore = this.medium.snapshot()
    return () => {
      assert(this.current === undefined, "a store that is open is not set back")
      restore()
    }
  }

  failReads(offset: number, bytes: number): void {
    this.medium.badReads.add(offset, bytes)
  }

  failWrites(offset: number, bytes: number): void {
    this.medium.badWrites.add(offset, bytes)
  }

  failNextFlush(): void {
    this.medium.flushFailuresLeft++
  }

  failNextCommit(): void {
    this.medium.commitFailuresLeft++
  }

  failNothingMore(): void {
    this.medium.flushFailuresLeft = 0
    this.medium.commitFailuresLeft = 0
  }

  damageCell(kind: CellKind, index: number): void {
    this.medium.damageCell(kind, index)
  }

  damageHotSet(): void {
    this.medium.damageHotSet()
  }
}

function shapeOf(options: MemoryStoreOptions, mediumBytes: number): MemoryStoreShape {
  const { sizeBytes, blockBytes = VOLUME_BLOCK_BYTES, atomicBytes = BLOCK_BYTES_MIN } = options
  const { extentBytes = EXTENT_BYTES_DEFAULT, hotExtentsMax = HOT_EXTENTS_DEFAULT } = options
  const { hotExtentsSoft = hotExtentsMax } = options
  const { ioBytesMax = IO_BYTES_MAX, inFlightMax = IN_FLIGHT_MAX_DEFAULT } = options
  assert(sizeBytes > 0 && sizeBytes % VOLUME_BLOCK_BYTES === 0, "a volume has whole blocks")
  assert(mediumBytes >= sizeBytes, "a medium holds its volume")
  assert(blockBytes % atomicBytes === 0, "a block has whole atomic units")
  assert(ioBytesMax % blockBytes === 0, "the longest operation has whole blocks")
  assert(extentBytes % VOLUME_BLOCK_BYTES === 0, "an extent has whole blocks")
  assert((extentBytes & (extentBytes - 1)) === 0, "an extent is a power of two")
  const mapPagesMax = Math.ceil(mediumBytes / CHUNK_BYTES_MIN / MAP_PAGE_CHUNKS)
  return {
    blockBytes,
    atomicBytes,
    ioBytesMax,
    inFlightMax,
    geometry: Object.freeze({ extentBytes, hotExtentsMax, hotExtentsSoft, mapPagesMax }),
    latencyMs: options.latencyMs ?? NO_LATENCY,
  }
}
