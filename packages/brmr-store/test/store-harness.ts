/**
 * File stores over simulated disks, as the store suite wants them: every place is a disk of its
 * own, formatted, whose power can be cut at any step.
 */
import type { CellKind, StoreOpen, StoreSource } from "@rmr/core"
import { buddyMemory } from "@rmr/core"
import { type SimDisk, simDisk, type World, worldWaiting } from "@rmr/testkit"
import type { StoreHarness, StorePlace } from "@rmr/testkit/contract/store"
import { nodeWorld } from "@rmr/testkit/node"
import {
  createStore,
  type FileStore,
  fileStore,
  type StoreShape,
  storeBytes,
} from "../src/index.js"

export interface DiskShape {
  readonly blockBytes?: number
  readonly atomicBytes?: number
  readonly forcedUnitAccess?: boolean
  /** Of the store on it. */
  readonly dataSums?: boolean
}

/** A store's source that remembers the store it opened last: tests look where its cells are. */
class WatchedSource implements StoreSource {
  readonly name: string
  open: (options: StoreOpen) => Promise<FileStore>
  store: FileStore | undefined
  constructor(inner: StoreSource) {
    this.name = inner.name
    this.open = async (options) => {
      this.store = (await inner.open(options)) as FileStore
      return this.store
    }
  }
}

export function simStoreHarness(seed: number, disks: DiskShape = {}): StoreHarness {
  const world = nodeWorld({ seed })
  let processCount = 0
  let placeCount = 0
  const host = () => world.host(`process-${processCount}`)
  return {
    waiting: worldWaiting(world),
    random: world.random.fork("suite"),
    newProcess: () => {
      processCount++
      const memory = buddyMemory({ arenas: [4 * 1024 * 1024], leaseCountMax: 1024 })
      return { env: host().env, memory }
    },
    fresh: async ({ sizeBytes, mediumBytes, extentBytes, hotExtentsMax }) => {
      const shape = { sizeBytes, sizeBytesMax: mediumBytes, extentBytes, hotExtentsMax }
      const { dataSums = false, ...blocks } = disks
      const stored = { ...shape, chunkSizeBytes: 4096, dataSums }
      const disk = newDisk(world, `disk-${++placeCount}`, stored, blocks)
      await format(world, disk, stored)
      const source = new WatchedSource(fileStore({ source: disk.source() }))
      return { source, powers: powersOf(disk, source, () => host().kill()) }
    },
  }
}

function newDisk(world: World, name: string, shape: StoreShape, disks: DiskShape): SimDisk {
  const overhead = storeBytes(shape) - shape.sizeBytes
  const { forcedUnitAccess = true, ...blocks } = disks
  return simDisk(world, {
    name,
    sizeBytes: overhead + shape.sizeBytes,
    sizeBytesMax: overhead + (shape.sizeBytesMax ?? shape.sizeBytes),
    inFlightMax: 128,
    supports: { forcedUnitAccess },
    ...blocks,
  })
}

async function format(world: World, disk: SimDisk, shape: StoreShape): Promise<void> {
  const memory = buddyMemory({ arenas: [1024 * 1024], leaseCountMax: 64 })
  const { env } = world
  const source = disk.source()
  await world.settled(createStore({ env, memory, source, ...shape }), "formatting", 1e9)
}

function powersOf(
  disk: SimDisk,
  source: WatchedSource,
  killHost: () => void,
): StorePlace["powers"] {
  // All copies: one of two would cost nothing.
  const flip = (places: readonly { at: number; bytes: number }[] = []): void => {
    if (places.length === 0) throw new Error("there is nothing to damage")
    for (const { at } of places) {
      const [byte] = disk.peek(at, 1)
      disk.poke(at, Uint8Array.of(byte! ^ 4))
    }
  }
  const dataStart = (): number => source.store?.dataStart ?? 0
  return {
    kill: () => {
      disk.kill()
      killHost()
    },
    powerCut: () => {
      disk.powerCut()
      killHost()
    },
    failReads: (offset, bytes) => disk.damage(dataStart() + offset, bytes, "reads"),
    failWrites: (offset, bytes) => disk.damage(dataStart() + offset, bytes, "writes"),
    failNextFlush: () => void disk.addRule({ on: ["flush"], fails: "io-error", times: 1 }),
    failNextCommit: () => void disk.addRule({ on: ["write"], fails: "io-error", times: 1 }),
    allocatedBytes: () => disk.allocatedBytes,
    damageCell: (kind: CellKind, index) => flip(source.store?.placesOf(kind, index)),
    damageHotSet: () => flip(source.store?.placesOfHotSet()),
  }
}
