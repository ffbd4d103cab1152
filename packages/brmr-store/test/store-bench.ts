/** Bench: one simulated disk with a store, and one life of a process after another on it. */
import type { Store } from "@rmr/core"
import { buddyMemory, leaseBytes, STATUS_OK } from "@rmr/core"
import { fastBlockChecksums } from "@rmr/io"
import {
  type PowerFate,
  type SimDisk,
  type SimDiskOptions,
  type SparseBytes,
  simDisk,
  type World,
} from "@rmr/testkit"
import { nodeWorld } from "@rmr/testkit/node"
import {
  createStore,
  type FileStoreOptions,
  fileStore,
  type StoreShape,
  storeBytes,
} from "../src/index.js"
import { placeInCopy, SUPERBLOCK_PLACES } from "../src/layout.js"
import { superblockFor } from "../src/store-shape.js"
import { SUPERBLOCK_BYTES } from "../src/superblock.js"

export const SHAPE = { sizeBytes: 1024 * 1024, extentBytes: 65_536, hotExtentsMax: 16 }
/** The same that keeps sums, with places for no more extents than a test needs. */
export const WITH_SUMS: StoreShape = { ...SHAPE, dataSums: true, chunkSizeBytes: 4096 }
export const EXTRA = 256 * 1024
const CELL_BYTES = 200 * 1024

export interface DiskImage {
  readonly sizeBytes: number
  readonly content: SparseBytes
}

export class Bench {
  readonly world: World
  readonly disk: SimDisk
  store!: Store
  /** What the operation that ended last said of a media error. */
  bad = { at: 0, bytes: 0 }
  memory = newMemory()
  private readonly ends = new Map<number, (status: number) => void>()
  private token = 0
  readonly shape: StoreShape
  /** Natively with every other seed, where that was built. */
  private readonly sums: Pick<FileStoreOptions, "blockChecksums">

  constructor(
    seed: number,
    forcedUnitAccess = true,
    image?: DiskImage,
    shape: StoreShape = SHAPE,
    splitProbability?: number,
    blocks: Pick<SimDiskOptions, "blockBytes" | "atomicBytes"> = {},
  ) {
    this.shape = shape
    this.sums = seed % 2 === 0 ? {} : { blockChecksums: fastBlockChecksums() }
    this.world = nodeWorld({ seed })
    const sizeBytes = image?.sizeBytes ?? storeBytes(shape)
    const sizeBytesMax = sizeBytes + EXTRA
    const supports = { forcedUnitAccess }
    this.disk = simDisk(this.world, {
      name: "d",
      sizeBytes,
      sizeBytesMax,
      inFlightMax: 128,
      supports,
      ...blocks,
      ...(image === undefined ? {} : { content: image.content }),
      ...(splitProbability === undefined ? {} : { splitProbability }),
    })
  }

  async create(): Promise<void> {
    const { world, disk } = this
    const making = createStore({
      env: world.env,
      memory: newMemory(),
      source: disk.source(),
      ...this.shape,
    })
    await world.settled(making, "create", 1e9)
    await this.open()
  }

  async open(): Promise<void> {
    this.store = await this.world.settled(this.startOpen(), "open", 1e9)
  }

  /** An opening that somebody may cut off. */
  startOpen(): Promise<Store> {
    this.memory = newMemory()
    const events = {
      onCompletions: ({ words, count }: { words: Int32Array; count: number }) => {
        for (let row = 0; row < count; row++) {
          this.bad = { at: words[row * 4 + 2]!, bytes: words[row * 4 + 3]! }
          this.ends.get(words[row * 4]!)?.(words[row * 4 + 1]!)
        }
      },
    }
    const { env } = this.world
    const source = fileStore({ source: this.disk.source(), ...this.sums })
    return source.open({ env, memory: this.memory, events })
  }

  start(submit: (store: Store, token: number) => void): Promise<number> {
    const token = ++this.token
    const { store } = this
    return new Promise((resolve) => {
      this.ends.set(token, resolve)
      submit(store, token)
      store.submit()
    })
  }

  ask(submit: (store: Store, token: number) => void): Promise<number> {
    return this.world.settled(this.start(submit), "an answer", 1e9)
  }

  /** Longer than metadata's buffer, so that it is written in parts and flushed. */
  startCommit(version: number): Promise<number> {
    const bytes = new Uint8Array(CELL_BYTES).fill(version)
    return this.start((store, token) =>
      store.commit(token, [{ kind: "pool-metadata", index: 0, bytes }]),
    )
  }

  commit(version: number): Promise<number> {
    return this.world.settled(this.startCommit(version), "a commit", 1e9)
  }

  /** The next write of this copy fails: the one that cuts the log. Returns how to undo that. */
  failSuperblock(copy: number): () => void {
    const offset = SUPERBLOCK_PLACES[copy]!
    const length = SUPERBLOCK_BYTES
    return this.disk.addRule({ on: ["write"], offset, length, fails: "io-error", times: 1 })
  }

  /** The first copy of a cell's place. */
  homesOf(kind: "state" | "pool-metadata"): { readonly at: number } {
    const { cellsStart } = superblockFor(this.shape, "0".repeat(32))
    return { at: cellsStart + placeInCopy(kind, 0).at }
  }

  async version(): Promise<number | undefined> {
    const found = await this.world.settled(this.store.readCell("pool-metadata", 0), "cell", 1e9)
    return found?.[0]
  }

  startWrite(offset: number, byte: number): Promise<number> {
    const lease = this.memory.lease(4096)
    leaseBytes(this.memory, lease, 0, 4096).fill(byte)
    const ended = this.start((store, token) => store.write(token, offset, lease, 0, 4096, 0))
    this.memory.release(lease) // the store holds its own reference
    return ended
  }

  write(offset: number, byte: number): Promise<number> {
    return this.world.settled(this.startWrite(offset, byte), "a write", 1e9)
  }

  async read(offset: number): Promise<number> {
    const lease = this.memory.lease(4096)
    const status = await this.ask((store, token) => store.read(token, offset, lease, 0, 4096))
    expect(status).toBe(STATUS_OK)
    const byte = leaseBytes(this.memory, lease, 0, 4096)[0]!
    this.memory.release(lease)
    return byte
  }

  async crash(fate: PowerFate): Promise<void> {
    this.disk.powerCut(fate)
    await this.open()
  }
}

export function newMemory(): ReturnType<typeof buddyMemory> {
  return buddyMemory({ arenas: [4 * 1024 * 1024], leaseCountMax: 64 })
}
