/**
 * What the contract does not ask of a memory store: that chance is all there is to it, that it is
 * as weak as it may be, and what its options must be.
 */
import type { Store, StoreOpen } from "@rmr/core"
import { BLOCK_STATUS, BLOCK_STRIDE, BLOCK_TOKEN, buddyMemory, leaseBytes } from "@rmr/core"
import { nodeWorld } from "../node/index.js"
import { seededRandom } from "../world/seeded-random.js"
import type { World } from "../world/world.js"
import type { MemoryStoreOptions, MemoryStoreSource } from "./memory-store.js"
import { memoryStore } from "./memory-store.js"

const UNIT_BYTES = 512
const BLOCK_BYTES = 4096
const BLOCKS = 16

function options(seed: string): MemoryStoreOptions {
  return {
    random: seededRandom(seed),
    sizeBytes: 1024 * 1024,
    extentBytes: 65_536,
    latencyMs: [0, 5],
  }
}

interface Opened {
  readonly store: Store
  readonly memory: StoreOpen["memory"]
  /** Tokens in order of completion. */
  readonly tokens: number[]
}

async function open(source: MemoryStoreSource, { env }: World): Promise<Opened> {
  const memory = buddyMemory({ arenas: [1 << 20], leaseCountMax: 64 })
  const tokens: number[] = []
  const events: StoreOpen["events"] = {
    onCompletions: ({ count, words }) => {
      for (let row = 0; row < count; row++) {
        expect(words[row * BLOCK_STRIDE + BLOCK_STATUS]).toBe(0)
        tokens.push(words[row * BLOCK_STRIDE + BLOCK_TOKEN]!)
      }
    },
  }
  return { store: await source.open({ env, memory, events }), memory, tokens }
}

function writeBlocks({ store, memory }: Opened, fill: number): void {
  for (let block = 0; block < BLOCKS; block++) {
    const lease = memory.lease(BLOCK_BYTES)
    leaseBytes(memory, lease, 0, BLOCK_BYTES).fill(fill)
    store.write(block, block * BLOCK_BYTES, lease, 0, BLOCK_BYTES, 0)
    memory.release(lease)
  }
}

/** The first byte of each atomic unit. */
async function unitsOf({ store, memory }: Opened, world: World): Promise<number[]> {
  const bytes = BLOCKS * BLOCK_BYTES
  const lease = memory.lease(bytes)
  store.read(0, 0, lease, 0, bytes)
  await world.settle()
  const content = leaseBytes(memory, lease, 0, bytes)
  return Array.from({ length: bytes / UNIT_BYTES }, (_, unit) => content[unit * UNIT_BYTES]!)
}

/** A life that flushes one version, writes another and loses power. */
async function runLife(seed: string): Promise<{ tokens: number[]; units: number[] }> {
  const world = nodeWorld({ seed: 1 })
  const source = memoryStore(options(seed))
  const first = await open(source, world)
  first.store.heat(99, [0])
  await world.settle()
  writeBlocks(first, 1)
  await world.settle()
  first.store.flush(100)
  await world.settle()
  writeBlocks(first, 2)
  await world.settle()
  source.powerCut()
  return { tokens: first.tokens, units: await unitsOf(await open(source, world), world) }
}

describe("memoryStore", () => {
  it("makes of one seed one story, and of another another", async () => {
    expect(await runLife("a")).toEqual(await runLife("a"))
    expect(await runLife("a")).not.toEqual(await runLife("b"))
  })

  it("completes out of order, and lets a power cut fall between any two units", async () => {
    const { tokens, units } = await runLife("a")
    const asked = Array.from({ length: BLOCKS }, (_, block) => block)
    expect(tokens.slice(1, 1 + BLOCKS)).not.toEqual(asked)
    expect([...tokens.slice(1, 1 + BLOCKS)].sort((a, b) => a - b)).toEqual(asked)
    expect(new Set(units)).toEqual(new Set([1, 2]))
    const isMixedBlock = (block: number): boolean =>
      new Set(units.slice(block * 8, block * 8 + 8)).size === 2
    expect(asked.some(isMixedBlock)).toBe(true)
  })

  it("is killed twice, or cut off while closed, without harm", async () => {
    const world = nodeWorld({ seed: 1 })
    const source = memoryStore(options("a"))
    source.kill()
    source.powerCut()
    const { store } = await open(source, world)
    expect(store.restart).toBe("none")
    source.kill()
    source.kill()
    expect((await open(source, world)).store.restart).toBe("process")
  })

  it("tells the dead nothing", async () => {
    const world = nodeWorld({ seed: 1 })
    const source = memoryStore(options("a"))
    const opened = await open(source, world)
    opened.store.heat(1, [0])
    opened.store.submit()
    source.kill()
    opened.store.flush(2)
    await world.settle()
    expect(opened.tokens).toEqual([])
  })

  it.each([
    ["a size beside whole blocks", { sizeBytes: 1000 }, "whole blocks"],
    ["a medium smaller than its volume", { mediumBytes: 4096 }, "holds its volume"],
    ["units larger than blocks", { atomicBytes: 8192 }, "whole atomic units"],
    ["extents that are no power of two", { extentBytes: 12_288 }, "power of two"],
    ["half a block as the longest operation", { ioBytesMax: 2048 }, "longest operation"],
  ])("refuses %s", (_what, wrong, message) => {
    expect(() => memoryStore({ ...options("a"), ...wrong })).toThrow(message)
  })
})
