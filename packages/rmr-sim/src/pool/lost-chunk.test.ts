/** A chunk that nobody of the view has: it stays small, whatever else is written (RT-62, P7). */
import { STATUS_OK, statusOf } from "@rmr/core"
import type { SimPool } from "./sim-pool.js"
import { pattern, pause, tell, userOf } from "./story.js"
import type { VolumeUser } from "./volume-user.js"

jest.setTimeout(60_000)

const EXTENT = 256 * 1024
/** Fewer than the volume has: the intent log is full before all are written. */
const SHAPE = { sizeBytes: 64 * EXTENT, extentBytes: EXTENT, queueDepth: 2, minNormal: 1 }

/** Writes in every extent but the first, round after round. */
async function writeEverywhere(sim: SimPool, user: VolumeUser): Promise<void> {
  for (let round = 0; round < 3; round++) {
    for (let offset = EXTENT; offset < sim.sizeBytes; offset += EXTENT) {
      expect(await user.write(offset, pattern(round, 4096))).toBe(STATUS_OK)
    }
  }
}

describe("a chunk that nobody of the view has", () => {
  it("P7: RT-62: does not fill the intent log where nobody else can have it", async () => {
    await tell(621, { ...SHAPE, nodes: 1 }, async (sim) => {
      await sim.startAll()
      const user = userOf(await sim.create())
      expect(await user.write(0, pattern(1, 8192))).toBe(STATUS_OK)
      sim.nodes[0]!.store.failReads(0, 4096)
      expect(await user.read(0, 4096)).toMatchObject({ code: "media-error" })
      await writeEverywhere(sim, user)
      // It is lost, whatever is flushed; everything else is durable.
      expect(await user.flush()).toBe(STATUS_OK)
      expect(await user.read(EXTENT, 4096)).toEqual(pattern(2, 4096))
      expect(await user.write(0, pattern(5, sim.chunkSizeBytes))).toBe(STATUS_OK)
      expect(await user.read(0, 4096)).toEqual(pattern(5, sim.chunkSizeBytes).slice(0, 4096))
    })
  })

  it("I5: RT-62: fails flushes while its holder is away, and nothing else", async () => {
    await tell(622, { ...SHAPE, nodes: 2 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      expect(await user.write(0, pattern(1, 8192))).toBe(STATUS_OK)
      sim.nodes[1]!.kill()
      expect(await user.write(EXTENT, pattern(2, 4096))).toBe(STATUS_OK)
      expect(client.pool.record.normal).toBe(1)
      sim.nodes[0]!.store.failReads(0, 4096)
      await user.read(0, 4096)
      const hotBefore = sim.nodes[0]!.pool?.member.volume?.hot.count ?? 0
      await writeEverywhere(sim, user)
      // The other member may have acknowledged bytes of it that it has not flushed.
      expect(await user.flush()).toBe(statusOf("no-clean-copy"))
      expect(client.pool.isFlushable).toBe(false)
      const hotAfter = sim.nodes[0]!.pool?.member.volume?.hot.count ?? 0
      expect(hotAfter).toBeLessThan(hotBefore + 60)
      await sim.nodes[1]!.start()
      while (client.pool.record.normal !== 3) await pause(sim, 100)
      expect(await user.flush()).toBe(STATUS_OK)
      expect(await user.read(0, 8192)).toEqual(pattern(1, 8192))
    })
  })

  it("Q23: is what is left of it when an admin accepts that, zeroes where it is bad", async () => {
    await tell(623, { ...SHAPE, nodes: 1 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const old = pattern(1, 12_288)
      expect(await user.write(0, old)).toBe(STATUS_OK)
      await expect(client.pool.acceptChunk(0)).rejects.toMatchObject({ code: "not-found" })
      sim.nodes[0]!.store.failReads(4096, 4096)
      expect(await user.read(4096, 4096)).toMatchObject({ code: "media-error" })
      while (client.pool.lost.length === 0) await pause(sim, 100)
      expect(client.pool.lost).toEqual([{ firstChunk: 0, chunkCount: 1 }])
      await expect(client.pool.acceptChunk(999)).rejects.toMatchObject({ code: "invalid-range" })
      await client.pool.acceptChunk(0)
      const expected = old.slice()
      expected.fill(0, 4096, 8192)
      expect(await user.read(0, 12_288)).toEqual(expected)
      expect(await user.flush()).toBe(STATUS_OK)
      while (client.pool.lost.length > 0) await pause(sim, 100)
      sim.nodes[0]!.cutPower()
      await sim.nodes[0]!.start()
      expect(await user.read(0, 12_288)).toEqual(expected)
    })
  })

  it("Q23: is not accepted while an absent member may have it, and taken over after", async () => {
    await tell(624, { ...SHAPE, nodes: 2 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      expect(await user.write(0, pattern(1, 8192))).toBe(STATUS_OK)
      expect(await user.flush()).toBe(STATUS_OK)
      sim.nodes[1]!.kill()
      expect(await user.write(EXTENT, pattern(2, 4096))).toBe(STATUS_OK)
      sim.nodes[0]!.store.failReads(0, 4096)
      await user.read(0, 4096)
      while (client.pool.lost.length === 0) await pause(sim, 100)
      await expect(client.pool.acceptChunk(0)).rejects.toMatchObject({ code: "no-clean-copy" })
      await client.pool.acceptChunk(0, undefined, true)
      expect(await user.read(0, 4096)).toEqual(new Uint8Array(4096))
      await sim.nodes[1]!.start()
      while (client.pool.record.normal !== 3) await pause(sim, 100)
      while (sim.nodes[1]!.dirtyChunks > 0) await pause(sim, 100)
      const [one, other] = [await sim.nodes[0]!.content(), await sim.nodes[1]!.content()]
      expect(Buffer.compare(one, other)).toBe(0)
      expect(await user.read(4096, 4096)).toEqual(pattern(1, 8192).slice(4096))
    })
  })
})
