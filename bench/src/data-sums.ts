/**
 * What checksums of data cost: a store that keeps them beside one that does not, turn by turn in
 * one run, on the disk that the temporary folder is on and through its cache.
 *
 * The cache makes it the worst case: with nothing to wait for, what is left is the sums.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createStore, fileStore, storeBytes } from "@rmr/brmr-store"
import { BLOCK_STRIDE, type BlockBatch, buddyMemory, type Memory, type Store } from "@rmr/core"
import {
  createFile,
  fastBlockChecksums,
  fastChecksum,
  fileSource,
  pageArenas,
  realEnv,
} from "@rmr/io"
import { type Bench, times } from "./bench.js"

const KIB = 1024
const SIZE_BYTES = 64 * KIB * KIB
const EXTENT_BYTES = 4 * KIB * KIB
const TURNS = 10
const ENV = realEnv()
/** Not of the load: asked one at a time. */
const ASKED = 1 << 20

interface Kind {
  readonly name: string
  readonly isWrite: boolean
  readonly bytes: number
  readonly depth: number
  /** In a turn. */
  readonly count: number
}

/** One store, and as many operations of a kind as are asked for. */
class Loaded {
  private readonly store: Store
  private readonly memory: Memory
  private readonly kind: Kind
  private readonly leases: ReturnType<Memory["lease"]>[]
  private left = 0
  private open = 0
  private block = 0
  private finish: () => void = () => undefined

  private constructor(store: Store, memory: Memory, kind: Kind) {
    this.store = store
    this.memory = memory
    this.kind = kind
    this.leases = Array.from({ length: kind.depth }, () => this.memory.lease(kind.bytes))
  }

  static async make(folder: string, dataSums: boolean, kind: Kind): Promise<Loaded> {
    const path = join(folder, dataSums ? "with" : "without")
    const shape = { sizeBytes: SIZE_BYTES, extentBytes: EXTENT_BYTES, dataSums }
    await createFile(path, storeBytes(shape))
    const source = fileSource(path, { direct: "off" })
    const memory = buddyMemory({ arenas: pageArenas([64 * KIB * KIB]), leaseCountMax: 256 })
    await createStore({ env: ENV, memory, source, isKnownZero: true, ...shape })
    let loaded: Loaded | undefined
    const events = { onCompletions: (batch: BlockBatch) => loaded?.onBatch(batch) }
    const sums = { checksum: fastChecksum(), blockChecksums: fastBlockChecksums() }
    const stores = fileStore({ source, ...sums })
    const store = await stores.open({ env: ENV, memory, events })
    loaded = new Loaded(store, memory, kind)
    await loaded.prepare()
    return loaded
  }

  /** Milliseconds for so many. */
  run(count: number): Promise<number> {
    this.left = count
    const startMs = performance.now()
    const finished = new Promise<number>((resolve) => {
      this.finish = () => resolve(performance.now() - startMs)
    })
    for (let slot = 0; slot < this.kind.depth && this.left > 0; slot++) this.submit(slot)
    return finished
  }

  close(): Promise<void> {
    return this.store.close()
  }

  /** All of it hot, and written, so that every read has something to be held against. */
  private async prepare(): Promise<void> {
    const extents = Array.from({ length: SIZE_BYTES / EXTENT_BYTES }, (_, extent) => extent)
    await this.ask(() => this.store.heat(ASKED, extents))
    const lease = this.memory.lease(KIB * KIB)
    for (let at = 0; at < SIZE_BYTES; at += KIB * KIB) {
      await this.ask(() => this.store.write(ASKED, at, lease, 0, KIB * KIB, 0))
    }
    this.memory.release(lease)
  }

  private ask(submit: () => void): Promise<unknown> {
    return new Promise<void>((resolve) => {
      this.finish = resolve
      this.open++
      submit()
    })
  }

  private onBatch({ count, words }: BlockBatch): void {
    for (let nth = 0; nth < count; nth++) {
      this.open--
      const token = words[nth * BLOCK_STRIDE]!
      if (words[nth * BLOCK_STRIDE + 1] !== 0) throw new Error("an operation failed")
      if (this.left > 0) this.submit(token)
    }
    if (this.open === 0) this.finish()
  }

  private submit(slot: number): void {
    const { bytes, isWrite } = this.kind
    const blocks = SIZE_BYTES / bytes
    // Small ones all over the volume, large ones in order.
    this.block = (this.block + (bytes === 4 * KIB ? 7919 : 1)) % blocks
    const lease = this.leases[slot]!
    if (isWrite) this.store.write(slot, this.block * bytes, lease, 0, bytes, 0)
    else this.store.read(slot, this.block * bytes, lease, 0, bytes)
    this.open++
    this.left--
  }
}

/** Operations with sums in per cent of those without, in the same time. */
async function shareWithSums(kind: Kind, scale: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "rmr-bench-"))
  try {
    const without = await Loaded.make(folder, false, kind)
    const withSums = await Loaded.make(folder, true, kind)
    const count = times(kind.count, scale)
    await without.run(count)
    await withSums.run(count)
    let withoutMs = 0
    let withMs = 0
    for (let turn = 0; turn < TURNS; turn++) {
      withoutMs += await without.run(count)
      withMs += await withSums.run(count)
    }
    await Promise.all([without.close(), withSums.close()])
    return (100 * withoutMs) / withMs
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const KINDS: readonly Kind[] = [
  { name: "4 KiB random writes", isWrite: true, bytes: 4 * KIB, depth: 32, count: 20_000 },
  { name: "4 KiB random reads", isWrite: false, bytes: 4 * KIB, depth: 32, count: 20_000 },
  { name: "1 MiB writes in order", isWrite: true, bytes: KIB * KIB, depth: 8, count: 256 },
  { name: "1 MiB reads in order", isWrite: false, bytes: KIB * KIB, depth: 8, count: 256 },
]

export const benches: readonly Bench[] = KINDS.map((kind) => ({
  name: `${kind.name} through the cache with sums, of those without`,
  unit: "%",
  better: "more",
  run: (scale) => shareWithSums(kind, scale),
}))
