/**
 * Stores in files: what the intent log costs in steady state, how long it takes to open the
 * metadata of 64 TiB, and how often a map page is written to its place.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createStore, fileStore, storeBytes } from "@rmr/brmr-store"
import {
  BLOCK_STRIDE,
  BLOCK_TOKEN,
  type BlockBatch,
  type BlockIo,
  buddyMemory,
  type CellWrite,
  type Lease,
  type Memory,
  type Store,
} from "@rmr/core"
import { createFile, fastChecksum, fileSource, pageArenas, realEnv } from "@rmr/io"
import { type Bench, times } from "./bench.js"

const DEPTH = 32
const BYTES = 4096
const WORKING_SET = 64 * 1024 * 1024
const EXTENT_BYTES = 4 * 1024 * 1024
const TIB = 2 ** 40
const ENV = realEnv()

/** Keeps `DEPTH` operations going until enough are done; completions come back by `onBatch`. */
class Load {
  private readonly leases: readonly Lease[]
  private left = 0
  private open = 0
  private block = 0
  private finish: () => void = () => undefined
  io: BlockIo | undefined

  constructor(memory: Memory) {
    this.leases = Array.from({ length: DEPTH }, () => memory.lease(BYTES))
  }

  readonly onBatch = ({ count, words }: BlockBatch): void => {
    for (let nth = 0; nth < count; nth++) {
      this.open--
      if (words[nth * BLOCK_STRIDE + 1] !== 0) throw new Error("an operation failed")
      if (this.left > 0) this.write(words[nth * BLOCK_STRIDE + BLOCK_TOKEN]!)
    }
    if (this.open === 0) this.finish()
  }

  /** Milliseconds for as many random writes. */
  async run(count: number): Promise<number> {
    this.left = count
    const startMs = performance.now()
    const finished = new Promise<void>((resolve) => {
      this.finish = resolve
    })
    for (let slot = 0; slot < DEPTH && this.left > 0; slot++) this.write(slot)
    await finished
    return performance.now() - startMs
  }

  private write(slot: number): void {
    this.block = (this.block + 7919) % (WORKING_SET / BYTES)
    this.io!.write(slot, this.block * BYTES, this.leases[slot]!, 0, BYTES, 0)
    this.open++
    this.left--
  }
}

/** Writes to a store in per cent of writes to a bare file, turn by turn in one run. */
async function shareOfBareFile(direct: "on" | "off", scale: number): Promise<number> {
  return withFolder(async (folder) => {
    const memory = buddyMemory({ arenas: pageArenas([4 * 1024 * 1024]), leaseCountMax: 256 })
    const bare = new Load(memory)
    const barePath = join(folder, "bare")
    await createFile(barePath, WORKING_SET)
    const events = { onCompletions: bare.onBatch }
    const file = await fileSource(barePath, { direct }).open({ env: ENV, memory, events })
    bare.io = file
    const { store, ask, load } = await newStore(folder, memory, direct)
    load.io = store
    const extents = Array.from({ length: WORKING_SET / EXTENT_BYTES }, (_, extent) => extent)
    await ask((token) => store.heat(token, extents))
    const count = times(direct === "on" ? 4000 : 20_000, scale)
    await bare.run(count)
    await load.run(count)
    let bareMs = 0
    let storeMs = 0
    for (let turn = 0; turn < 10; turn++) {
      bareMs += await bare.run(count)
      storeMs += await load.run(count)
    }
    await Promise.all([file.close(), store.close()])
    return (100 * bareMs) / storeMs
  })
}

interface Opened {
  readonly store: Store
  readonly load: Load
  ask(submit: (token: number) => void): Promise<void>
}

async function newStore(folder: string, memory: Memory, direct: "on" | "off"): Promise<Opened> {
  const path = join(folder, "store")
  const shape = { sizeBytes: WORKING_SET, extentBytes: EXTENT_BYTES }
  await createFile(path, storeBytes(shape))
  const source = fileSource(path, { direct })
  await createStore({ env: ENV, memory, source, isKnownZero: true, ...shape })
  return openStore(path, memory, direct)
}

const ASKED = 1 << 20

async function openStore(path: string, memory: Memory, direct: "on" | "off"): Promise<Opened> {
  const load = new Load(memory)
  let done: (status: number) => void = () => undefined
  const onCompletions = (batch: BlockBatch): void => {
    if (batch.words[BLOCK_TOKEN] === ASKED) done(batch.words[1]!)
    else load.onBatch(batch)
  }
  const source = fileStore({ source: fileSource(path, { direct }), checksum: fastChecksum() })
  const store = await source.open({ env: ENV, memory, events: { onCompletions } })
  const ask = async (submit: (token: number) => void): Promise<void> => {
    const status = await new Promise<number>((resolve) => {
      done = resolve
      submit(ASKED)
    })
    if (status !== 0) throw new Error(`status ${status}`)
  }
  return { store, load, ask }
}

/** Opens the metadata of 64 TiB, and reads `pages` map pages of one member back. */
async function openMs(pages: number): Promise<number> {
  return withFolder(async (folder) => {
    const memory = buddyMemory({ arenas: pageArenas([4 * 1024 * 1024]), leaseCountMax: 256 })
    const path = join(folder, "large")
    const shape = { sizeBytes: WORKING_SET, sizeBytesMax: 64 * TIB }
    await createFile(path, storeBytes(shape))
    const source = fileSource(path, { direct: "off" })
    await createStore({ env: ENV, memory, source, isKnownZero: true, ...shape })
    const made = await openStore(path, memory, "off")
    const body = new Uint8Array(2100).fill(7)
    for (let page = 0; page < pages; page += PAGES_PER_COMMIT) {
      const count = Math.min(PAGES_PER_COMMIT, pages - page)
      const cells = Array.from({ length: count }, (_, nth): CellWrite => {
        return { kind: "map-page", index: (page + nth) * 8, bytes: body }
      })
      await made.ask((token) => made.store.commit(token, cells))
    }
    await made.store.close()
    const startMs = performance.now()
    const { store } = await openStore(path, memory, "off")
    for (const index of store.cellIndexes("map-page")) await store.readCell("map-page", index)
    const ms = performance.now() - startMs
    await store.close()
    return ms
  })
}

const PAGES_PER_COMMIT = 512

async function withFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "rmr-bench-"))
  try {
    return await run(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function logCost(name: string, direct: "on" | "off"): Bench {
  return {
    name: `${name}: 4 KiB random writes with the intent log, of those to a bare file`,
    unit: "%",
    better: "more",
    must: 95,
    run: (scale) => shareOfBareFile(direct, scale),
  }
}

export const benches: readonly Bench[] = [
  logCost("through the cache", "off"),
  logCost("past the cache", "on"),
  {
    name: "open the metadata of 64 TiB, maps empty",
    unit: "ms",
    better: "less",
    must: 1000,
    run: () => openMs(0),
  },
  {
    name: "open the metadata of 64 TiB, 10,000 map pages read",
    unit: "ms",
    better: "less",
    must: 1000,
    run: (scale) => openMs(times(10_000, scale)),
  },
  {
    name: "open the metadata of 64 TiB, all 131,072 map pages of a member read",
    unit: "ms",
    better: "less",
    must: 1000,
    run: (scale) => openMs(times(131_072, scale)),
  },
]
