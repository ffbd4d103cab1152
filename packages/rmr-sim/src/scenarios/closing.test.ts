/**
 * P6: who is told to end does so, whatever its IO waits for, and nobody is told too much by it.
 *
 * A client that is closed waits for what is in flight as long as it may, and says `closed` of the
 * rest. To its members that is a client that died: the next one finds out what they have (R4).
 */
import { RmrError } from "@rmr/core"
import type { HeldMessages } from "@rmr/testkit"
import { type Letter, type Party, type Scenario, scenario } from "./verbs.js"

jest.setTimeout(60_000)

const CLOSE_MS = 2000
/** For the goodbye to members that answer nothing. */
const COMMAND_MS = 1000
const MORE_MS = 500
const TWO_CHUNKS = 2
const TIMES = { closeMs: CLOSE_MS, commandMs: COMMAND_MS, noLegMs: 300_000 }
const SHAPE = { times: TIMES }

/** What ended in time, and how long it took. */
async function ended<T>(pool: Scenario, work: Promise<T>, limitMs: number): Promise<T> {
  const late = pool.pause(limitMs).then(() => {
    throw new Error(`it has not ended after ${limitMs} ms`)
  })
  return Promise.race([work, late])
}

/** The client process ends in order, as on SIGTERM; so much it had to give up. */
async function close(pool: Scenario, party: Party = pool.party): Promise<number> {
  const { client } = party
  const givenUp = await ended(pool, client.pool.close(), CLOSE_MS + COMMAND_MS + MORE_MS)
  await ended(pool, client.registry.close(), MORE_MS)
  expect(client.pool.ended?.code).toBe("closed")
  expect(client.memory.stats().leaseCount).toBe(0)
  pool.killClient(party)
  return givenUp
}

/** B is normal, and lacks these blocks: A does not answer when it asks for them. */
async function holdCopies(pool: Scenario, blockCount: number): Promise<HeldMessages> {
  await pool.write(0, 1, blockCount)
  pool.kill("B")
  await pool.untilNormal("A")
  await pool.write(0, 2, blockCount)
  const held = pool.hold("A", "B", "answer to io")
  await pool.start("B")
  await pool.untilNormal("AB")
  return held
}

/** B is normal and lacks the chunk of block 0, whose only clean copy goes with A. */
async function loseOnlyCopy(pool: Scenario): Promise<HeldMessages> {
  const held = await holdCopies(pool, 16)
  expect(pool.ownOf("B", 0)).toBe("real")
  pool.kill("A")
  return held
}

interface Trouble {
  readonly name: string
  begin(pool: Scenario): void
  end(pool: Scenario): Promise<void>
}

const BOTH: readonly Letter[] = ["A", "B"]

const TROUBLES: readonly Trouble[] = [
  {
    name: "no member is there",
    begin: (pool) => pool.kill(...BOTH),
    end: (pool) => pool.start(...BOTH),
  },
  {
    name: "all members hang",
    begin: (pool) => pool.hang(...BOTH),
    end: async (pool) => pool.wake(...BOTH),
  },
  {
    name: "members take requests and answer nothing",
    begin: (pool) => {
      for (const letter of BOTH) pool.hold(letter, pool.party, "answer")
    },
    end: async (pool) => pool.heal(),
  },
  {
    name: "no request arrives, and signs of life do",
    begin: ({ sim, party }) => {
      for (const { host } of sim.nodes) sim.network.clog(party.client.host.name, host.name)
    },
    end: async (pool) => pool.heal(),
  },
  {
    name: "all stores hang",
    begin: (pool) => {
      for (const letter of BOTH) pool.slowDown(letter, "write", 100_000)
      for (const letter of BOTH) pool.slowDown(letter, "read", 100_000)
      for (const letter of BOTH) pool.slowDown(letter, "flush", 100_000)
    },
    end: async (pool) => {
      for (const letter of BOTH) {
        pool.slowDown(letter, "write", 0)
        pool.slowDown(letter, "read", 0)
        pool.slowDown(letter, "flush", 0)
        pool.kill(letter)
        await pool.start(letter)
      }
    },
  },
]

describe("P6: a client that is closed ends", () => {
  it.each(TROUBLES)("R4: while $name: its IO ends, and may have happened", async (trouble) => {
    await scenario(61_001, SHAPE, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      trouble.begin(pool)
      const writes = [pool.begin(0, 2), pool.begin(0, 3), pool.begin(32, 4)]
      const others = [pool.read(0), pool.flush()]
      await pool.pause(100)
      expect(await close(pool)).toBe(5)
      expect(await Promise.all([...writes, ...others])).toEqual(new Array(5).fill("closed"))
      await trouble.end(pool)
      await pool.open()
      await pool.whole()
    })
  })

  it("S8: while its IO waits for a chunk that nobody has", async () => {
    await scenario(61_002, SHAPE, async (pool) => {
      await pool.create()
      const held = await loseOnlyCopy(pool)
      const read = pool.read(0)
      const write = pool.begin(4, 3)
      await pool.untilNormal("B")
      await pool.pause(500)
      expect(await close(pool)).toBeGreaterThan(0)
      expect(await read).toBe("closed")
      expect(await write).not.toBe("ok")
      // It is as it was: A has it, and B does not.
      expect(pool.ownOf("B", 0)).toBe("real")
      held.release()
      await pool.start("A")
      await pool.open()
      await pool.whole()
    })
  })
})

describe("P6: a client that is closed", () => {
  it("W1: says closed also of what had no unit yet", async () => {
    await scenario(61_003, { ...SHAPE, queueDepth: 2 }, async (pool) => {
      await pool.create()
      pool.hang("A", "B")
      const writes = Array.from({ length: 8 }, (_, nth) => pool.begin(nth * 16, nth + 1))
      expect(await close(pool)).toBe(8)
      expect(new Set(await Promise.all(writes))).toEqual(new Set(["closed"]))
      pool.wake("A", "B")
      await pool.open()
      await pool.whole()
    })
  })

  it("P1: waits for what is only slow, and gives nothing up", async () => {
    await scenario(61_004, SHAPE, async (pool) => {
      await pool.create()
      pool.slowDown("B", "write", CLOSE_MS / 2)
      const write = pool.begin(0, 7)
      await pool.pause(50)
      expect(await close(pool)).toBe(0)
      expect(await write).toBe("ok")
      await pool.open()
      expect(await pool.read(0)).toBe(7)
      await pool.whole()
    })
  })

  it("ends at the earliest of the times that it was told", async () => {
    await scenario(61_005, SHAPE, async (pool) => {
      const { client } = await pool.create()
      pool.hang("A", "B")
      const write = pool.begin(0, 7)
      await pool.pause(50)
      const first = client.pool.close(60_000)
      await ended(pool, client.pool.close(100), 100 + COMMAND_MS + MORE_MS)
      expect(await first).toBe(1)
      expect(await write).toBe("closed")
      expect(pool.sim.world.log.find("pool.io-given-up")).toHaveLength(1)
      pool.killClient()
      pool.wake("A", "B")
      await pool.open()
      await pool.whole()
    })
  })
})

describe("P6: a handle that is closed while its pool goes on", () => {
  it("W6: RT-53: has its writes given up, and nobody does them after later ones", async () => {
    await scenario(61_006, SHAPE, async (pool) => {
      const party = await pool.create()
      const other = party.beside()
      await pool.write(0, 1, 32)
      // What is on its way to B comes late, and no other write does.
      const writes = [pool.holdOne(party, "B", "write", 0), pool.holdOne(party, "B", "write", 16)]
      const reads = pool.hold(party, "B", "read")
      pool.hang("A")
      const ends = [pool.begin(0, 2), pool.begin(16, 3), pool.read(0), pool.flush()]
      await pool.pause(100)
      await ended(pool, party.closeHandle(), CLOSE_MS + MORE_MS)
      expect(await Promise.all(ends)).toEqual(["closed", "closed", "closed", "closed"])
      const next = other.begin(0, 4)
      pool.wake("A")
      reads.release()
      expect(await next).toBe("ok")
      for (const write of writes) write.release()
      await pool.untilIdle("B")
      expect([await pool.valueAt("A", 0), await pool.valueAt("B", 0)]).toEqual([4, 4])
      // What was given up is settled: it happened everywhere, or nowhere.
      await pool.until("A and B are normal", () => party.view.endsWith("{AB}"))
      await pool.until("all are clean", () => pool.sim.nodes.every((node) => !node.dirtyChunks))
      expect(await other.flush()).toBe("ok")
      await close(pool, party)
      await pool.open()
      expect(await pool.readAll(0)).toEqual([4])
      await pool.whole()
    })
  })

  it("S8: has its reads of a lost chunk given up, and the other ones go on", async () => {
    await scenario(61_007, SHAPE, async (pool) => {
      const party = await pool.create()
      const other = party.beside()
      await pool.write(32, 5, 16)
      const held = await loseOnlyCopy(pool)
      const read = pool.read(0)
      await pool.untilNormal("B")
      await ended(pool, party.closeHandle(), CLOSE_MS + MORE_MS)
      expect(await read).toBe("closed")
      expect(await other.read(32)).toBe(5)
      expect(await other.begin(32, 6)).toBe("ok")
      held.release()
      await pool.start("A")
      await pool.until("A and B are normal", () => party.view.endsWith("{AB}"))
      expect(await other.read(0)).toBe(2)
      await close(pool, party)
      await pool.open()
      await pool.whole()
    })
  })
})

/** How a node ends that is told to: `in order`, or why its store was not closed. */
async function stop(pool: Scenario, letter: Letter): Promise<string> {
  try {
    await ended(pool, pool.stop(letter), CLOSE_MS + MORE_MS)
    return "in order"
  } catch (thrown) {
    pool.kill(letter)
    return thrown instanceof RmrError ? thrown.code : `${thrown}`
  }
}

const STEPS = ["write", "flush", "commit", "heat"] as const

describe("P6: a node that is told to end does", () => {
  it.each(STEPS)("R3: while its store hangs in a %s: as if it had crashed", async (step) => {
    await scenario(61_010, SHAPE, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      pool.slowDown("A", step, 1_000_000)
      const writes = [pool.begin(0, 2), pool.begin(256, 3), pool.begin(384, 4, 16)]
      await pool.pause(200)
      const flush = pool.flush()
      await pool.pause(100)
      expect(await stop(pool, "A")).toBe("deadline")
      expect(await Promise.all(writes)).toEqual(["ok", "ok", "ok"])
      expect(await flush).toBe("ok")
      pool.slowDown("A", step, 0)
      await pool.start("A")
      expect(pool.node("A").pool?.member.restart).toBe("process")
      await pool.whole()
    })
  })

  it("S8: while requests in it wait for a chunk that nobody has", async () => {
    await scenario(61_011, SHAPE, async (pool) => {
      await pool.create()
      const held = await loseOnlyCopy(pool)
      await pool.untilNormal("B")
      const read = pool.read(0)
      const write = pool.begin(4, 3)
      await pool.pause(500)
      expect(await stop(pool, "B")).toBe("in order")
      held.release()
      await pool.start("B")
      expect(pool.ownOf("B", 0)).toBe("real")
      await pool.start("A")
      expect(await read).toBe(2)
      expect(["ok", "no-clean-copy"]).toContain(await write)
      await pool.whole()
    })
  })

  it("S1: while its copy waits for a source that does not answer", async () => {
    await scenario(61_012, SHAPE, async (pool) => {
      await pool.create()
      const held = await holdCopies(pool, 32)
      const write = pool.begin(4, 3)
      await pool.pause(300)
      expect(await stop(pool, "B")).toBe("in order")
      held.release()
      await pool.start("B")
      expect(pool.ownOf("B", 0)).toBe("real")
      expect(await write).toBe("ok")
      await pool.whole()
    })
  })

  it("RT-83: and carries out no command that came when it had begun to", async () => {
    await scenario(61_015, SHAPE, async (pool) => {
      await pool.create()
      pool.slowDown("B", "write", CLOSE_MS - MORE_MS)
      const write = pool.begin(0, 1)
      await pool.pause(100)
      // The client is back, and asks B to go on while B ends its write.
      const held = pool.hold(pool.party, "B", "enable-pool")
      pool.sever("B")
      await pool.until("B is asked to go on", () => held.count > 0)
      const stopped = stop(pool, "B")
      held.release()
      expect(await stopped).toBe("in order")
      expect(await write).toBe("ok")
      expect(pool.sim.world.log.find("node.command-failed")).toEqual([])
      pool.slowDown("B", "write", 0)
      await pool.start("B")
      await pool.whole()
    })
  })

  it("W7: and a store that is taken away in the middle of a copy keeps no memory", async () => {
    await scenario(61_014, { ...SHAPE, otherPools: ["pantry"] }, async (pool) => {
      await pool.create()
      const held = await holdCopies(pool, 32)
      await pool.pause(300)
      const { memory } = pool.node("B")
      const before = memory?.stats().leaseCount ?? 0
      await pool.node("B").removeStore()
      // The transport may write there until the answer is here, or the session has ended.
      expect(memory?.stats().leaseCount).toBe(before)
      await pool.pause(12_000)
      expect(memory?.stats().leaseCount).toBe(before - TWO_CHUNKS)
      held.release()
      await pool.pause(1000)
      expect(pool.node("B").part("pantry").pool?.member.store).toBeDefined()
      pool.kill("B")
      await pool.start("B")
      await pool.whole()
    })
  })

  it("and closes its good stores cleanly, whichever hangs", async () => {
    await scenario(61_013, { ...SHAPE, otherPools: ["pantry"] }, async (pool) => {
      await pool.create()
      pool.slowDown("A", "commit", 1_000_000)
      expect(await stop(pool, "A")).toBe("deadline")
      pool.slowDown("A", "commit", 0)
      await pool.start("A")
      expect(pool.node("A").pool?.member.restart).toBe("process")
      expect(pool.node("A").part("pantry").pool?.member.restart).toBe("none")
      await pool.whole()
    })
  })
})
