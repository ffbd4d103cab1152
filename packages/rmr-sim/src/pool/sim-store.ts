/**
 * SimStore: what a simulated node keeps its data in, and every power that a story has over it.
 *
 * Two kinds pass for each other: the reference store in memory, whose dangers are said in a few
 * lines, and the store that users run, over a simulated disk: its format, its log and its sums,
 * with power cuts that tear and reorder what was not flushed.
 */
import { createStore, type FileStore, fileStore, storeBytes } from "@rmr/brmr-store"
import type { CellKind, Memory, Store, StoreOpen, StoreSource } from "@rmr/core"
import { assert, buddyMemory } from "@rmr/core"
import {
  type DiskTiming,
  type Host,
  type MemoryStoreSource,
  memoryStore,
  type SimDisk,
  simDisk,
  type World,
} from "@rmr/testkit"

/** Which store the nodes of a story have. */
export type StoreKind = "memory" | "file" | "file-with-sums"

export interface SimStore extends Omit<MemoryStoreSource, "allocatedBytes" | "damageHotSet"> {
  /** The disk under it; none where it is in memory. */
  readonly disk: SimDisk | undefined
  /** Where the volume begins on its disk. */
  readonly dataStart: number
  /** Before it is opened for the first time. */
  format(): Promise<void>
  /** Nothing more fails, and its disk is as quick as it was. */
  calm(): void
}

export interface SimStoreOptions {
  readonly world: World
  /** Its processes live here. */
  readonly host: Host
  readonly kind: StoreKind
  readonly name: string
  readonly sizeBytes: number
  readonly mediumBytes: number
  readonly extentBytes: number
  readonly chunkSizeBytes: number
  readonly hotExtentsMax: number
}

const IO_BYTES_MAX = 128 * 1024
const LATENCY_MS: readonly [number, number] = [0, 1]
const TIMING: Partial<DiskTiming> = { read: [0.02, 0.2], write: [0.02, 0.3], flush: [0.1, 1] }

export function simStore(options: SimStoreOptions): SimStore {
  return options.kind === "memory" ? memorySimStore(options) : new FileSimStore(options)
}

function memorySimStore(options: SimStoreOptions): SimStore {
  const { world, name, sizeBytes, mediumBytes, extentBytes, hotExtentsMax } = options
  const store = memoryStore({
    name,
    random: world.random.fork(name),
    sizeBytes,
    mediumBytes,
    extentBytes,
    hotExtentsMax,
    ioBytesMax: IO_BYTES_MAX,
    latencyMs: LATENCY_MS,
  })
  return Object.assign(store, {
    disk: undefined,
    dataStart: 0,
    format: () => Promise.resolve(),
    calm: () => store.failNothingMore(),
  })
}

type DiskContent = ReturnType<SimDisk["content"]>

class FileSimStore implements SimStore {
  readonly name: string
  readonly dataStart: number
  disk: SimDisk
  private readonly options: SimStoreOptions
  private source: StoreSource
  private opened: FileStore | undefined
  /** Rules that still fail something. */
  private readonly takeBacks: (() => void)[] = []
  private lifeCount = 0

  constructor(options: SimStoreOptions) {
    this.options = options
    this.name = options.name
    this.dataStart = storeBytes(this.shape) - options.sizeBytes
    this.disk = this.newDisk()
    this.source = this.newSource()
  }

  async format(): Promise<void> {
    const { env } = this.options.world
    const memory: Memory = buddyMemory({ arenas: [1024 * 1024], leaseCountMax: 64 })
    const source = this.disk.source()
    await createStore({ env, memory, source, ...this.shape, isKnownZero: true })
  }

  async open(opening: StoreOpen): Promise<Store> {
    this.opened = (await this.source.open(opening)) as FileStore
    return this.opened
  }

  peek(offset: number, bytes: number, into?: Uint8Array): Uint8Array {
    return this.disk.peek(this.dataStart + offset, bytes, into)
  }

  kill(): void {
    this.disk.kill()
  }

  powerCut(): void {
    this.disk.powerCut()
  }

  /** What is on it now; the result makes that a disk again, in the place of this one. */
  snapshot(): () => void {
    const content = this.disk.content()
    const { sizeBytes } = this.disk
    return () => {
      assert(!this.disk.isOpen, "a store that is open is not set back")
      this.disk = this.newDisk({ content, sizeBytes })
      this.source = this.newSource()
    }
  }

  failReads(offset: number, bytes: number): void {
    this.disk.damage(this.dataStart + offset, bytes, "reads")
  }

  failWrites(offset: number, bytes: number): void {
    this.disk.damage(this.dataStart + offset, bytes, "writes")
  }

  failNextFlush(): void {
    this.takeBacks.push(this.disk.addRule({ on: ["flush"], fails: "io-error", times: 1 }))
  }

  /** Of what is before the data, one write fails. */
  failNextCommit(): void {
    const metadata = { offset: 0, length: this.dataStart }
    const rule = { on: ["write"], fails: "io-error", times: 1, ...metadata } as const
    this.takeBacks.push(this.disk.addRule(rule))
  }

  failNothingMore(): void {
    for (const takeBack of this.takeBacks.splice(0)) takeBack()
  }

  calm(): void {
    this.failNothingMore()
    this.disk.setTiming(TIMING)
    this.disk.release()
  }

  /** All copies of it. */
  damageCell(kind: CellKind, index: number): void {
    for (const { at } of this.opened?.placesOf(kind, index) ?? []) {
      this.disk.poke(at, Uint8Array.of(this.disk.peek(at, 1)[0]! ^ 4))
    }
  }

  private get shape() {
    const { kind, sizeBytes, mediumBytes, extentBytes, hotExtentsMax, chunkSizeBytes } =
      this.options
    const dataSums = kind === "file-with-sums"
    return {
      sizeBytes,
      sizeBytesMax: mediumBytes,
      extentBytes,
      hotExtentsMax,
      chunkSizeBytes,
      dataSums,
    }
  }

  /** Empty, or as one was at some time. */
  private newDisk(before?: { readonly content: DiskContent; readonly sizeBytes: number }): SimDisk {
    const { world, name, sizeBytes, mediumBytes } = this.options
    const life = ++this.lifeCount
    return simDisk(world, {
      name: life === 1 ? name : `${name}/${life}`,
      sizeBytes: this.dataStart + sizeBytes,
      sizeBytesMax: this.dataStart + mediumBytes,
      atomicBytes: 512,
      ioBytesMax: IO_BYTES_MAX,
      inFlightMax: 128,
      // Some disks know no forced writes; what must be durable is flushed there.
      supports: { forcedUnitAccess: world.random.fork(`fua/${name}`).chance(0.5) },
      timing: TIMING,
      ...before,
    })
  }

  private newSource(): StoreSource {
    return fileStore({ source: this.disk.source(this.options.host), name: this.name })
  }
}
