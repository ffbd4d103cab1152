/** Bytes that nobody wrote: new disks, and zeroes (rules G1, S5). */
import { createStore, fileStore, storeBytes } from "@rmr/brmr-store"
import { BLOCK_UNMAP, buddyMemory, type StoreSource } from "@rmr/core"
import { simDisk } from "@rmr/testkit"
import { nodeWorld } from "@rmr/testkit/node"
import { SimPool } from "../pool/sim-pool.js"
import { Scenario, scenario } from "./verbs.js"

jest.setTimeout(60_000)

const SHAPE = { sizeBytes: 1024 * 1024, extentBytes: 128 * 1024, hotExtentsMax: 256 }

/** A pool whose stores are made on disks that were somebody's, each of another content. */
async function onOldDisks(seed: number, story: (pool: Scenario) => Promise<void>): Promise<void> {
  const world = nodeWorld({ seed })
  const { env } = world
  const run = async (): Promise<void> => {
    const sizeBytes = storeBytes({ ...SHAPE, chunkSizeBytes: 64 * 1024 })
    const disks = [1, 2].map((id) => simDisk(world, { name: `node-${id}`, sizeBytes }))
    const memory = buddyMemory({ arenas: [1024 * 1024], leaseCountMax: 64 })
    for (const [nth, disk] of disks.entries()) {
      disk.poke(0, new Uint8Array(sizeBytes).fill(101 + nth))
      const shape = { ...SHAPE, chunkSizeBytes: 64 * 1024 }
      await createStore({ env, memory, source: disk.source(), isForced: true, ...shape })
    }
    const wrapStore = (_: StoreSource, slot: number): StoreSource =>
      fileStore({ source: disks[slot]!.source(world.host(`node-${slot + 1}`)) })
    const { sizeBytes: volumeBytes, extentBytes } = SHAPE
    const options = { world, nodes: 2, minNormal: 1, sizeBytes: volumeBytes, extentBytes }
    await story(new Scenario(new SimPool({ ...options, wrapStore })))
  }
  await world.settled(run(), `the story of seed ${seed}`, 600_000)
}

describe("bytes that nobody wrote", () => {
  it("P3: G1: RT-17: disks with old bytes of others become members that are the same", async () => {
    await onOldDisks(17_001, async (pool) => {
      await pool.create()
      await pool.write(3, 1)
      expect(pool.sim.nodes.map(({ dirtyChunks }) => dirtyChunks)).toEqual([0, 0])
      for (const block of [0, 2, 4, 100, 255]) expect(await pool.readAll(block)).toEqual([0])
      expect(await pool.readAll(3)).toEqual([1])
      await pool.whole()
    })
  })

  it.each([0, BLOCK_UNMAP])(
    "P3: S5: RT-17: zeroes are zeroes everywhere (flags %i)",
    async (flags) => {
      await scenario(17_002, { nodes: 3 }, async (pool) => {
        await pool.create()
        await pool.write(0, 1, 32)
        // Neither its beginning nor its end is one of a chunk.
        await pool.zero(5, 20, flags)
        for (const block of [5, 15, 16, 24]) expect(await pool.readAll(block)).toEqual([0])
        for (const block of [4, 25]) expect(await pool.readAll(block)).toEqual([1])
        await pool.whole()
      })
    },
  )
})
