/** A pool of real clients and storage nodes, while nothing or one thing goes wrong. */
import { BLOCK_FUA, BLOCK_UNMAP, RmrError, STATUS_OK, statusOf } from "@rmr/core"
import type { SimPool } from "./sim-pool.js"
import { openSoon, pattern, pause, tell, userOf } from "./story.js"
import type { VolumeUser } from "./volume-user.js"

jest.setTimeout(60_000)

/** What a volume must hold, kept beside it. */
class Oracle {
  readonly bytes: Uint8Array
  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes)
  }

  write(offset: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, offset)
  }
}

/** In words, where what was read is not what it must be. */
function differenceOf(read: Uint8Array | RmrError, { bytes }: Oracle, offset: number): string {
  if (read instanceof RmrError) return read.message
  for (let at = 0; at < read.length; at++) {
    if (read[at] !== bytes[offset + at]) return `byte ${offset + at}`
  }
  return "none"
}

/** Random operations, many at once, none overlapping another that is in flight. */
async function load(
  sim: SimPool,
  user: VolumeUser,
  oracle: Oracle,
  count: number,
  meanwhile?: (nth: number) => void,
): Promise<void> {
  const random = sim.world.random.fork("load")
  const busy = new Set<number>()
  const running = new Set<Promise<void>>()
  const region = 128 * 1024
  const regions = oracle.bytes.length / region
  for (let nth = 0; nth < count; nth++) {
    meanwhile?.(nth)
    let place = random.below(regions)
    while (busy.has(place)) place = random.below(regions)
    busy.add(place)
    const work = (async (): Promise<void> => {
      const block = random.below(24)
      const offset = place * region + block * 4096
      const bytes = 4096 * (1 + random.below(32 - block))
      const kind = random.below(10)
      if (kind < 5) {
        const content = pattern(nth, bytes)
        const flags = kind === 0 ? BLOCK_FUA : 0
        expect(await user.write(offset, content, flags)).toBe(STATUS_OK)
        oracle.write(offset, content)
      } else if (kind === 5) {
        expect(await user.zero(offset, bytes, random.below(2) * BLOCK_UNMAP)).toBe(STATUS_OK)
        oracle.write(offset, new Uint8Array(bytes))
      } else if (kind === 6) {
        expect(await user.flush()).toBe(STATUS_OK)
      } else {
        const read = await user.read(offset, bytes)
        expect(differenceOf(read, oracle, offset)).toBe("none")
      }
      busy.delete(place)
    })()
    running.add(work)
    void work.finally(() => running.delete(work))
    if (running.size >= 12) await Promise.race(running)
  }
  await Promise.all(running)
}

/** Reads all of it, several times, so that every member is asked. */
async function verify(user: VolumeUser, oracle: Oracle, rounds = 3): Promise<void> {
  const step = 128 * 1024
  for (let round = 0; round < rounds; round++) {
    for (let offset = 0; offset < oracle.bytes.length; offset += step) {
      const read = await user.read(offset, step)
      expect(differenceOf(read, oracle, offset)).toBe("none")
    }
  }
}

describe("a pool without faults", () => {
  it.each([1, 2, 3, 8])("P1: with %i members holds what was written", async (nodes) => {
    await tell(nodes, { nodes, sizeBytes: 4 * 1024 * 1024 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const oracle = new Oracle(sim.sizeBytes)
      await load(sim, user, oracle, 300)
      await verify(user, oracle, 2)
      await user.volume.close()
      await client.pool.close()
      await client.registry.close()
      expect(client.memory.stats().leaseCount).toBe(0)
    })
  })

  it("P1: the next client finds what the last one left", async () => {
    await tell(11, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const oracle = new Oracle(sim.sizeBytes)
      const user = userOf(first)
      await load(sim, user, oracle, 100)
      await user.volume.close()
      await first.pool.close()
      const second = await sim.open()
      await verify(userOf(second), oracle)
      expect(second.pool.record.mapVersion.epoch).toBe(first.pool.record.mapVersion.epoch + 1)
    })
  })

  it("F5: a pool whose client is alive is held, and taken over only by word", async () => {
    await tell(12, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const user = userOf(first)
      await expect(sim.open()).rejects.toMatchObject({ code: "held" })
      expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
      const second = await sim.open(true)
      expect(await userOf(second).read(0, 4096)).toEqual(pattern(1, 4096))
      // F4: whoever was there before is told, and acknowledges nothing any more.
      expect(await user.write(0, pattern(2, 4096))).toBe(statusOf("fenced"))
      expect(first.pool.ended?.code).toBe("fenced")
      expect(await userOf(second).read(0, 4096)).toEqual(pattern(1, 4096))
    })
  })

  it.each([0, 1500, 2500, 2900])(
    "F5: a client that restarts beside a member is not held up by its own tries (after %i ms)",
    async (waitMs) => {
      await tell(14, { nodes: 2 }, async (sim) => {
        await sim.startAll()
        const first = await sim.create()
        expect(await userOf(first).write(0, pattern(1, 4096))).toBe(STATUS_OK)
        sim.killClient(first)
        await pause(sim, waitMs)
        sim.nodes[0]!.kill()
        await sim.nodes[0]!.start()
        // Node 0 has forgotten that anybody was there; node 1 refuses for a while. Each answers
        // some try before the other one does.
        const process = sim.newClient(first.host.name)
        let second: Awaited<ReturnType<typeof sim.open>> | undefined
        for (let tries = 0; second === undefined && tries < 10; tries++) {
          try {
            second = await sim.open(false, process)
          } catch (thrown) {
            expect(RmrError.from(thrown).code).toBe("held")
            await pause(sim, 500)
          }
        }
        expect(second).toBeDefined()
        expect(await userOf(second!).read(0, 4096)).toEqual(pattern(1, 4096))
      })
    },
  )

  it("S4: a range that is none is refused by itself", async () => {
    await tell(13, { nodes: 2 }, async (sim) => {
      await sim.startAll()
      const user = userOf(await sim.create())
      const invalid = statusOf("invalid-range")
      expect(await user.write(512, pattern(1, 4096))).toBe(invalid)
      expect(await user.zero(sim.sizeBytes, 4096)).toBe(invalid)
      expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
    })
  })
})

describe("a pool that loses one member", () => {
  it.each([21, 22, 23])(
    "P2: a node that dies under load is not noticed (seed %i)",
    async (seed) => {
      await tell(seed, {}, async (sim) => {
        await sim.startAll()
        const client = await sim.create()
        const user = userOf(client)
        const oracle = new Oracle(sim.sizeBytes)
        const victim = sim.nodes[seed % 3]!
        await load(sim, user, oracle, 300, (nth) => {
          if (nth === 100) victim.kill()
        })
        await verify(user, oracle)
        const { record } = client.pool
        expect(record.normal).toBe(7 & ~(1 << (seed % 3)))
      })
    },
  )

  it("V2, W2: what a dead member missed is marked at all survivors before the answer", async () => {
    await tell(24, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      sim.nodes[2]!.cutPower()
      const chunk = sim.chunkSizeBytes
      for (const nth of [3, 17, 40]) {
        expect(await user.write(nth * chunk, pattern(nth, 4096))).toBe(STATUS_OK)
        for (const node of sim.nodes.slice(0, 2)) {
          const marks = node.pool?.member.volume?.maps.about(2)
          expect(marks?.isDirty(nth as never)).toBe(true)
        }
      }
      for (const node of sim.nodes.slice(0, 2)) {
        expect(node.pool?.member.volume?.maps.about(2)?.count).toBe(3)
      }
    })
  })

  it("Q9: a link that blinks costs nothing but time", async () => {
    await tell(25, { times: { blinkMs: 5000 } }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const oracle = new Oracle(sim.sizeBytes)
      const { host } = client
      await load(sim, user, oracle, 300, (nth) => {
        if (nth === 100) sim.network.cut(host.name, "node-2")
        if (nth === 130) sim.network.heal()
      })
      await verify(user, oracle)
    })
  })
})

describe("a pool that loses all of its members for a while", () => {
  it("W6: holds what is asked meanwhile, and goes on when they answer again", async () => {
    await tell(41, { times: { blinkMs: 60_000 } }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const oracle = new Oracle(sim.sizeBytes)
      await load(sim, user, oracle, 150, (nth) => {
        if (nth !== 75) return
        for (const node of sim.nodes) sim.network.cut(client.host.name, node.host.name)
        sim.world.env.clock.schedule(2500, () => sim.network.heal())
      })
      await verify(user, oracle)
      expect(client.pool.record.normal).toBe(7)
    })
  })

  it("W6: fails what is asked for too long, and works when they answer again", async () => {
    await tell(42, { times: { blinkMs: 60_000 } }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      for (const node of sim.nodes) sim.network.cut(client.host.name, node.host.name)
      const failed = await user.write(0, pattern(1, 4096))
      expect(failed).toBe(statusOf("no-leg"))
      sim.network.heal()
      // It waits for the one before it to be settled by a view (W1, W6), and then counts.
      expect(await user.write(0, pattern(2, 4096))).toBe(STATUS_OK)
      for (let round = 0; round < 6; round++) {
        expect(await user.read(0, 4096)).toEqual(pattern(2, 4096))
      }
    })
  })
})

describe("a member whose medium is bad", () => {
  it("S6: reads are served by others, and it mends itself from them", async () => {
    await tell(43, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const oracle = new Oracle(sim.sizeBytes)
      await load(sim, user, oracle, 60)
      sim.nodes[0]!.store.failReads(0, 256 * 1024)
      await verify(user, oracle, 6)
      await expectWhole(sim, oracle)
    })
  })

  it("W2: a mutation that it cannot apply is missed there and good elsewhere", async () => {
    await tell(44, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const oracle = new Oracle(sim.sizeBytes)
      sim.nodes[1]!.store.failWrites(sim.chunkSizeBytes, 4096)
      await load(sim, user, oracle, 100)
      const content = pattern(7, 4096)
      expect(await user.write(sim.chunkSizeBytes, content)).toBe(STATUS_OK)
      oracle.write(sim.chunkSizeBytes, content)
      expect(sim.nodes[1]!.dirtyChunks).toBeGreaterThan(0)
      await verify(user, oracle, 4)
      expect(client.pool.record.normal).toBe(7)
    })
  })

  it("I5: a member whose flush fails serves nothing any more", async () => {
    await tell(45, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const oracle = new Oracle(sim.sizeBytes)
      await load(sim, user, oracle, 40)
      sim.nodes[2]!.store.failNextFlush()
      expect(await user.flush()).toBe(STATUS_OK)
      expect(sim.nodes[2]!.pool?.state.state).toBe("no-io")
      expect(client.pool.record.normal).toBe(3)
      await verify(user, oracle)
    })
  })
})

describe("a pool that comes back", () => {
  it("R4: after a client crash all members agree, and nothing acknowledged is gone", async () => {
    await tell(31, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const user = userOf(first)
      const oracle = new Oracle(sim.sizeBytes)
      await load(sim, user, oracle, 100)
      // In flight when it dies, in a region of their own.
      for (let nth = 0; nth < 8; nth++) void user.write(nth * 65_536 + 61_440, pattern(90, 4096))
      sim.killClient(first)
      const second = await openSoon(sim)
      const again = userOf(second)
      for (let nth = 0; nth < 8; nth++) {
        const offset = nth * 65_536 + 61_440
        const read = await again.read(offset, 4096)
        const isNew = JSON.stringify(read) === JSON.stringify(pattern(90, 4096))
        if (isNew) oracle.write(offset, pattern(90, 4096))
      }
      await verify(again, oracle, 4)
    })
  })

  it("P1: after all processes died nothing acknowledged is gone", async () => {
    await tell(32, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const oracle = new Oracle(sim.sizeBytes)
      await load(sim, userOf(first), oracle, 150)
      for (const node of sim.nodes) node.kill()
      sim.killClient(first)
      await sim.startAll()
      const second = await openSoon(sim)
      const user = userOf(second)
      await verify(user, oracle, 2)
      await load(sim, user, oracle, 100)
      await expectWhole(sim, oracle)
      expect(second.pool.record.normal).toBe(7)
    })
  })

  it("P1: after all power was lost nothing flushed is gone", async () => {
    await tell(33, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const user = userOf(first)
      const oracle = new Oracle(sim.sizeBytes)
      await load(sim, user, oracle, 150)
      expect(await user.flush()).toBe(STATUS_OK)
      for (const node of sim.nodes) node.cutPower()
      sim.killClient(first)
      await sim.startAll()
      const second = await openSoon(sim)
      const again = userOf(second)
      await verify(again, oracle, 2)
      await load(sim, again, oracle, 100)
      await expectWhole(sim, oracle)
      expect(second.pool.record.normal).toBe(7)
    })
  })
})

/** P3, P4: the members that are up become clean by themselves, and then hold the same bytes. */
async function expectWhole(sim: SimPool, oracle: Oracle, nodes = sim.nodes): Promise<void> {
  for (let waited = 0; nodes.some((node) => node.dirtyChunks > 0); waited++) {
    if (waited === 200) expect(nodes.map((node) => node.dirtyChunks)).toEqual([])
    await pause(sim, 100)
  }
  for (const node of nodes) expect(differenceOf(await node.content(), oracle, 0)).toBe("none")
}
