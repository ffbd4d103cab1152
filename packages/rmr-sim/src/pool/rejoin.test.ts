/** Members that were put out of the view come back by themselves, while IO goes on (R8, M3). */
import { STATUS_OK, statusOf } from "@rmr/core"
import type { SimClient, SimPool } from "./sim-pool.js"
import { pattern, pause, tell, userOf } from "./story.js"

jest.setTimeout(60_000)

const REGION = 64 * 1024

/** Writes one region after the other until it is told to stop; what it was told is written. */
function writeOn(sim: SimPool, client: SimClient): { stop(): Promise<Map<number, Uint8Array>> } {
  const user = userOf(client)
  const written = new Map<number, Uint8Array>()
  let isStopped = false
  const work = (async () => {
    for (let nth = 0; !isStopped; nth++) {
      const offset = (nth % (sim.sizeBytes / REGION)) * REGION
      const bytes = pattern(nth, 8192)
      expect(await user.write(offset, bytes)).toBe(STATUS_OK)
      written.set(offset, bytes)
      await pause(sim, 20)
    }
  })()
  return {
    async stop() {
      isStopped = true
      await work
      return written
    },
  }
}

function untilAllNormal(sim: SimPool, client: SimClient): Promise<void> {
  return untilAllBut(sim, client, -1)
}

async function untilAllBut(sim: SimPool, client: SimClient, slot: number): Promise<void> {
  const all = ((1 << sim.nodes.length) - 1) & (slot < 0 ? -1 : ~(1 << slot))
  for (let attempt = 0; client.pool.record.normal !== all; attempt++) {
    if (attempt === 600) {
      const why = client.pool.returning.map(({ phase, detail }) => `${phase}: ${detail}`)
      throw new Error(`not all members are normal again; ${why.join("; ")}`)
    }
    await pause(sim, 50)
  }
}

async function untilClean(sim: SimPool): Promise<void> {
  for (let attempt = 0; sim.nodes.some(({ dirtyChunks }) => dirtyChunks > 0); attempt++) {
    expect(attempt).toBeLessThan(400)
    await pause(sim, 50)
  }
}

/** All that was written is there, on every member. */
async function expectWhole(
  sim: SimPool,
  client: SimClient,
  written: ReadonlyMap<number, Uint8Array>,
): Promise<void> {
  await untilAllNormal(sim, client)
  await untilClean(sim)
  expect(await userOf(client).flush()).toBe(STATUS_OK)
  for (const node of sim.nodes) {
    const content = await node.content()
    for (const [offset, bytes] of written) {
      expect(Buffer.compare(content.subarray(offset, offset + bytes.length), bytes)).toBe(0)
    }
  }
}

describe("a member that was put out of the view", () => {
  it("P3: was killed, and comes back while its client goes on", async () => {
    await tell(301, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const load = writeOn(sim, client)
      await pause(sim, 500)
      sim.nodes[1]!.kill()
      await pause(sim, 4000)
      expect(client.pool.record.normal).toBe(0b101)
      await sim.nodes[1]!.start()
      await untilAllNormal(sim, client)
      await pause(sim, 1000)
      await expectWhole(sim, client, await load.stop())
    })
  })

  it("P6: is another process when it answers again, and nobody waits any longer", async () => {
    // So long that the story ends before it is over.
    await tell(307, { times: { blinkMs: 500_000, ioDeadlineMs: 400_000 } }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const load = writeOn(sim, client)
      await pause(sim, 500)
      sim.nodes[1]!.kill()
      await pause(sim, 100)
      expect(client.pool.record.normal).toBe(0b111)
      await sim.nodes[1]!.start()
      await untilAllBut(sim, client, 1)
      await untilAllNormal(sim, client)
      await expectWhole(sim, client, await load.stop())
    })
  })

  it("P3: lost power, and comes back with what was not flushed in doubt", async () => {
    await tell(302, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const load = writeOn(sim, client)
      await pause(sim, 500)
      sim.nodes[2]!.cutPower()
      await pause(sim, 3000)
      await sim.nodes[2]!.start()
      await untilAllNormal(sim, client)
      await expectWhole(sim, client, await load.stop())
    })
  })

  it("P3: was cut off, never died, and comes back when the way is free", async () => {
    await tell(303, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const load = writeOn(sim, client)
      await pause(sim, 500)
      sim.network.cut(client.host.name, "node-1")
      await pause(sim, 8000)
      expect(client.pool.record.normal).toBe(0b110)
      sim.network.heal()
      await untilAllNormal(sim, client)
      await expectWhole(sim, client, await load.stop())
    })
  })

  it("M3: two of three come back, one after the other", async () => {
    await tell(304, { minNormal: 1 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const load = writeOn(sim, client)
      await pause(sim, 500)
      sim.nodes[0]!.kill()
      await pause(sim, 2000)
      sim.nodes[1]!.kill()
      await pause(sim, 3000)
      expect(client.pool.record.normal).toBe(0b100)
      await sim.nodes[0]!.start()
      await sim.nodes[1]!.start()
      await untilAllNormal(sim, client)
      await expectWhole(sim, client, await load.stop())
    })
  })

  it("V4b: RT-19: RT-64: was set back to what it held long ago, and lacks everything", async () => {
    await tell(306, { minNormal: 1 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const node = sim.nodes[1]!
      const user = userOf(client)
      expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
      expect(await user.flush()).toBe(STATUS_OK)
      node.kill()
      const setBack = node.store.snapshot()
      await node.start()
      await untilAllNormal(sim, client)
      expect(await user.write(0, pattern(2, 4096))).toBe(STATUS_OK)
      expect(await user.flush()).toBe(STATUS_OK)
      await pause(sim, 3000)
      node.kill()
      await pause(sim, 2000)
      setBack()
      // It answers again, and a view changes before it can return.
      sim.nodes[2]!.kill()
      await node.start()
      await untilAllBut(sim, client, 2)
      await sim.nodes[2]!.start()
      await expectWhole(sim, client, new Map([[0, pattern(2, 4096)]]))
      expect(node.pool?.copiedChunks).toBe(sim.sizeBytes / sim.chunkSizeBytes)
    })
  })

  it("P9: fetches the chunks that it missed, and no others", async () => {
    await tell(305, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      expect(await user.write(0, pattern(1, sim.chunkSizeBytes))).toBe(STATUS_OK)
      expect(await user.flush()).toBe(STATUS_OK)
      // Until the members have heard that it is stable (I2).
      await pause(sim, 1500)
      sim.network.cut(client.host.name, "node-2")
      await pause(sim, 5000)
      for (const chunk of [3, 9, 27]) {
        const offset = chunk * sim.chunkSizeBytes
        expect(await user.write(offset, pattern(chunk, 4096))).toBe(STATUS_OK)
      }
      sim.network.heal()
      await untilAllNormal(sim, client)
      await untilClean(sim)
      expect(sim.nodes[1]!.pool?.copiedChunks).toBe(3)
    })
  })
})

describe("a member whose disk was lost", () => {
  it("G3: returns with an empty one when told to, and never with the old one", async () => {
    await tell(321, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const load = writeOn(sim, client)
      const node = sim.nodes[1]!
      await pause(sim, 500)
      node.kill()
      const old = node.parts[0]!
      node.replaceDisk()
      await node.start()
      await untilAllBut(sim, client, 1)
      await pause(sim, 3000)
      const [waiting] = client.pool.returning
      expect(waiting?.detail).toContain('"rmr pool replace vault 2"')
      await client.pool.replaceStore(node.memberId)
      await untilAllNormal(sim, client)
      await expectWhole(sim, client, await load.stop())
      node.kill()
      node.parts[0] = old
      await node.start()
      await untilAllBut(sim, client, 1)
      await pause(sim, 3000)
      expect(client.pool.record.normal).toBe(0b101)
      const error = await client.pool.replaceStore(node.memberId).catch((thrown) => thrown)
      expect(error).toMatchObject({ code: "exists" })
    })
  })

  it("G3: is not replaced while it works, nor by what it has", async () => {
    await tell(322, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const [first, second] = sim.nodes
      const busy = await client.pool.replaceStore(first!.memberId).catch((thrown) => thrown)
      expect(busy).toMatchObject({ code: "busy" })
      sim.network.cut(client.host.name, second!.host.name)
      await untilAllBut(sim, client, 1)
      const gone = await client.pool.replaceStore(second!.memberId).catch((thrown) => thrown)
      expect(gone).toMatchObject({ code: "link-lost" })
    })
  })
})

describe("a client whose members have all been restarted", () => {
  it("R8: goes on with the only member there is", async () => {
    await tell(311, { nodes: 1 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const load = writeOn(sim, client)
      for (let round = 0; round < 3; round++) {
        await pause(sim, 700)
        sim.nodes[0]!.kill()
        await pause(sim, 900)
        await sim.nodes[0]!.start()
      }
      await pause(sim, 2000)
      await expectWhole(sim, client, await load.stop())
      expect(client.pool.record.mapVersion.epoch).toBeGreaterThan(3)
    })
  })

  it("R8: opens its pool anew when two of three were killed at once", async () => {
    await tell(312, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const load = writeOn(sim, client)
      await pause(sim, 500)
      sim.nodes[0]!.kill()
      sim.nodes[1]!.kill()
      await pause(sim, 300)
      await sim.nodes[0]!.start()
      await pause(sim, 1500)
      await sim.nodes[1]!.start()
      await pause(sim, 2000)
      await expectWhole(sim, client, await load.stop())
    })
  })

  it("RT-54: fails one flush when all power was lost, and has what was flushed", async () => {
    await tell(313, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      expect(await user.write(0, pattern(1, 65_536))).toBe(STATUS_OK)
      expect(await user.flush()).toBe(STATUS_OK)
      expect(await user.write(65_536, pattern(2, 65_536))).toBe(STATUS_OK)
      for (const node of sim.nodes) node.cutPower()
      const inFlight = user.write(131_072, pattern(3, 65_536))
      await pause(sim, 1000)
      for (const node of sim.nodes) await node.start()
      expect(await inFlight).toBe(STATUS_OK)
      expect(await user.flush()).toBe(statusOf("io-error"))
      expect(await user.flush()).toBe(STATUS_OK)
      const written = new Map([
        [0, pattern(1, 65_536)],
        [131_072, pattern(3, 65_536)],
      ])
      await expectWhole(sim, client, written)
    })
  })

  it("F4: is ended by a client that had the pool meanwhile, though that one is gone", async () => {
    await tell(314, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const user = userOf(first)
      expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
      for (const node of sim.nodes) sim.network.cut(first.host.name, node.host.name)
      await pause(sim, 200)
      const late = user.write(0, pattern(9, 4096))
      const second = await sim.open(true)
      expect(await userOf(second).write(0, pattern(2, 4096))).toBe(STATUS_OK)
      await second.pool.close()
      for (const node of sim.nodes) {
        node.kill()
        await node.start()
      }
      sim.network.heal()
      expect(await late).toBe(statusOf("fenced"))
      expect(first.pool.ended?.code).toBe("fenced")
      const third = await sim.open(true)
      expect(await userOf(third).read(0, 4096)).toEqual(pattern(2, 4096))
    })
  })
})
