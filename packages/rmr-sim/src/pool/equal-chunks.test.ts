/** Chunks that are equal at their source already: their bytes do not travel (S7). */
import { STATUS_OK } from "@rmr/core"
import type { SimClient, SimNode, SimPool } from "./sim-pool.js"
import { openSoon, pattern, pause, tell, userOf } from "./story.js"

jest.setTimeout(60_000)

const MIB = 1024 * 1024

async function untilWhole(sim: SimPool, normal: () => number): Promise<void> {
  const all = (1 << sim.nodes.length) - 1
  const isWhole = (): boolean =>
    normal() === all && sim.nodes.every(({ dirtyChunks, pool }) => pool && dirtyChunks === 0)
  for (let nth = 0; nth < 600 && !isWhole(); nth++) await pause(sim, 100)
  expect(sim.nodes.map(({ dirtyChunks }) => dirtyChunks)).toEqual(sim.nodes.map(() => 0))
  expect(normal()).toBe(all)
}

async function untilReplaced(sim: SimPool, { pool }: SimClient, node: SimNode): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await pool.replaceStore(node.memberId)
      return
    } catch (thrown) {
      if (attempt === 50) throw thrown
      await pause(sim, 100)
    }
  }
}

function requireSame(sim: SimPool): void {
  const contents = sim.nodes.map(({ store }) => Buffer.from(store.peek(0, sim.sizeBytes)))
  for (const content of contents) expect(content.equals(contents[0]!)).toBe(true)
}

describe("a chunk that a member only suspects", () => {
  it("S7: comes as a digest, after a loss of all power that lost nothing", async () => {
    await tell(701, { nodes: 2 }, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const user = userOf(first)
      expect(await user.write(0, pattern(1, 128 * 1024))).toBe(STATUS_OK)
      expect(await user.flush()).toBe(STATUS_OK)
      // Hot, since nothing has said yet that it is stable; and durable.
      for (const node of sim.nodes) node.cutPower()
      sim.killClient(first)
      await sim.startAll()
      const client = await openSoon(sim)
      await untilWhole(sim, () => client.pool.record.normal)
      const equal = sim.nodes.map(({ pool }) => pool?.equalChunks ?? 0)
      const copied = sim.nodes.map(({ pool }) => pool?.copiedChunks ?? 0)
      expect(equal[0]! + equal[1]!).toBeGreaterThan(0)
      expect(equal).toEqual(copied)
      expect(await userOf(client).read(0, 128 * 1024)).toEqual(pattern(1, 128 * 1024))
      requireSame(sim)
    })
  })

  it("S7: RT-23: comes as bytes where the digests differ, and not as a digest again", async () => {
    await tell(702, { nodes: 2 }, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const user = userOf(first)
      expect(await user.write(0, pattern(1, 128 * 1024))).toBe(STATUS_OK)
      expect(await user.flush()).toBe(STATUS_OK)
      expect(await user.write(0, pattern(2, 128 * 1024))).toBe(STATUS_OK)
      // One loses what it has not flushed, the other one keeps it.
      sim.nodes[1]!.cutPower()
      sim.nodes[0]!.kill()
      sim.killClient(first)
      await sim.startAll()
      const client = await openSoon(sim)
      await untilWhole(sim, () => client.pool.record.normal)
      const { equalChunks = 0, copiedChunks = 0 } = sim.nodes[1]!.pool ?? {}
      expect(copiedChunks).toBeGreaterThan(equalChunks)
      expect(await userOf(client).read(0, 128 * 1024)).toEqual(pattern(2, 128 * 1024))
      requireSame(sim)
    })
  })
})

describe("chunks that a member lacks for certain", () => {
  it("S7: are compared once in a while, and further as long as they are equal", async () => {
    await tell(703, { nodes: 2, minNormal: 1, sizeBytes: 2 * MIB }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const chunk = sim.chunkSizeBytes
      for (let at = 0; at < sim.sizeBytes; at += chunk) {
        expect(await user.write(at, pattern(at / chunk, 4096))).toBe(STATUS_OK)
      }
      expect(await user.flush()).toBe(STATUS_OK)
      const node = sim.nodes[1]!
      const restore = node.store.snapshot()
      // Twice out and back: its copy of before is of another view then (V4b).
      for (let nth = 0; nth < 2; nth++) {
        node.kill()
        expect(await user.write(0, pattern(50 + nth, 4096))).toBe(STATUS_OK)
        if (nth === 1) restore()
        await node.start()
        await untilWhole(sim, () => client.pool.record.normal)
      }
      const chunks = sim.sizeBytes / chunk
      expect(node.pool?.copiedChunks).toBe(chunks)
      expect(node.pool?.equalChunks).toBe(chunks - 1)
      requireSame(sim)
    })
  })

  it("S8: take no space where they hold nothing", async () => {
    await tell(704, { nodes: 2, minNormal: 1, sizeBytes: 2 * MIB }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const chunk = sim.chunkSizeBytes
      expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
      const node = sim.nodes[1]!
      node.kill()
      expect(await user.write(chunk, new Uint8Array(chunk))).toBe(STATUS_OK)
      expect(await user.write(4 * chunk, pattern(4, 4096))).toBe(STATUS_OK)
      node.replaceDisk()
      await node.start()
      await untilReplaced(sim, client, node)
      await untilWhole(sim, () => client.pool.record.normal)
      const { store } = node
      expect("allocatedBytes" in store && store.allocatedBytes).toBeLessThanOrEqual(2 * chunk)
      requireSame(sim)
    })
  })
})
