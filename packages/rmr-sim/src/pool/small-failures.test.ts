/** Small failures of simulated pools that once grew: each story is a defect that was. */
import { type Lease, NO_LEASE, STATUS_OK, statusOf } from "@rmr/core"
import { severSession } from "@rmr/testkit"
import { openSoon, pattern, pause, tell, userOf } from "./story.js"

jest.setTimeout(60_000)

describe("a chunk that nobody has clean", () => {
  it("R6: is elected again when the copy that was elected turns out to be bad", async () => {
    await tell(51, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      expect(await userOf(first).write(0, pattern(1, 8192))).toBe(STATUS_OK)
      for (const node of sim.nodes) node.kill()
      sim.killClient(first)
      // All are suspect then, and the lowest is elected: others notice when they copy from it.
      sim.nodes[0]!.store.failReads(0, 4096)
      await sim.startAll()
      const user = userOf(await openSoon(sim))
      expect(await user.write(4096, pattern(2, 4096))).toBe(STATUS_OK)
      expect(await user.read(0, 4096)).toEqual(pattern(1, 4096))
    })
  })

  it("R6: is elected after a lost cache, though a member is out of the view for good", async () => {
    await tell(52, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const user = userOf(first)
      sim.nodes[2]!.kill()
      expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
      expect(await user.flush()).toBe(STATUS_OK)
      for (const node of sim.nodes.slice(0, 2)) node.cutPower()
      sim.killClient(first)
      await sim.startAll()
      const again = userOf(await openSoon(sim))
      expect(await again.read(0, 4096)).toEqual(pattern(1, 4096))
      expect(await again.write(8192, pattern(2, 4096))).toBe(STATUS_OK)
      expect(await again.flush()).toBe(STATUS_OK)
    })
  })

  it("W2: does not take its neighbours along in a mutation that nobody can carry out", async () => {
    await tell(53, { nodes: 2 }, async (sim) => {
      await sim.startAll()
      const user = userOf(await sim.create())
      const chunk = sim.chunkSizeBytes
      expect(await user.write(0, pattern(1, 2 * chunk))).toBe(STATUS_OK)
      for (const node of sim.nodes) node.store.failReads(chunk, 8192)
      await user.read(chunk, 4096)
      // Half of a sound chunk, and half of one that is lost.
      const failed = await user.write(chunk / 2, pattern(2, chunk))
      expect(failed).toBe(statusOf("no-clean-copy"))
      expect(await user.read(0, chunk / 2)).toEqual(pattern(1, chunk / 2))
      expect(await user.write(chunk / 2, pattern(3, chunk / 2))).toBe(STATUS_OK)
      // Whoever overwrites all of a lost chunk has it back.
      expect(await user.write(chunk, pattern(4, chunk))).toBe(STATUS_OK)
      expect(await user.read(chunk, chunk)).toEqual(pattern(4, chunk))
    })
  })
})

describe("a pool that too few members answer", () => {
  it("F7: hands over no bytes for a read that came after one that was given up", async () => {
    await tell(54, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
      const cut = (nth: number): void =>
        sim.network.cut(client.host.name, sim.nodes[nth]!.host.name)
      cut(1)
      cut(2)
      const given = user.read(0, 4096)
      // One member answers it, and the others do not vouch for this client.
      await pause(sim, 3000)
      cut(0)
      expect(await given).toMatchObject({ code: "no-leg" })
      expect(await user.read(8192, 4096)).toMatchObject({ code: "no-leg" })
      sim.network.heal()
      expect(await user.read(0, 4096)).toEqual(pattern(1, 4096))
    })
  })

  it("P6: fails what waits for too long, also what waits for an io unit", async () => {
    await tell(55, { queueDepth: 4 }, async (sim) => {
      await sim.startAll()
      const user = userOf(await sim.create())
      sim.nodes[1]!.kill()
      sim.nodes[2]!.kill()
      const writes = Array.from({ length: 10 }, (_, nth) =>
        user.write(nth * 8192, pattern(nth, 4096)),
      )
      for (const write of writes) expect(await write).toBe(statusOf("no-leg"))
      expect(await user.flush()).toBe(statusOf("no-leg"))
    })
  })

  it("P6: fails what waits for a view that nobody makes durable", async () => {
    await tell(63, { nodes: 2, minNormal: 1 }, async (sim) => {
      await sim.startAll()
      const user = userOf(await sim.create())
      expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
      sim.nodes[0]!.store.failNextCommit()
      sim.nodes[1]!.kill()
      expect(await user.write(0, pattern(2, 4096))).toBe(statusOf("no-leg"))
      expect(await user.read(0, 4096)).toMatchObject({ code: "no-leg" })
    })
  })

  it("P6: fails what members that hang do not answer, and goes on when they do", async () => {
    await tell(56, { nodes: 2, minNormal: 1 }, async (sim) => {
      await sim.startAll()
      const user = userOf(await sim.create())
      for (const node of sim.nodes) node.host.pause()
      expect(await user.write(0, pattern(1, 4096))).toBe(statusOf("no-leg"))
      for (const node of sim.nodes) node.host.resume()
      expect(await user.write(0, pattern(2, 4096))).toBe(STATUS_OK)
      expect(await user.read(0, 4096)).toEqual(pattern(2, 4096))
    })
  })
})

describe("a mutation that was given up", () => {
  it("S10: RT-58: takes along the memory of those before it in its unit", async () => {
    // One io unit: every mutation follows the one before it there.
    await tell(
      66,
      { nodes: 2, minNormal: 2, queueDepth: 1, times: { noLegMs: 400 } },
      async (sim) => {
        await sim.startAll()
        const client = await sim.create()
        const user = userOf(client)
        expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
        const { name } = sim.nodes[1]!.host
        // It reaches one member, is given up, and both hear that it is uncertain.
        sim.network.cut(client.host.name, name)
        sim.network.cut(name, client.host.name)
        expect(await user.write(4096, pattern(2, 4096))).not.toBe(STATUS_OK)
        while (client.pool.legs[1]?.link.session !== undefined) await pause(sim, 100)
        sim.network.heal()
        // The chunk becomes suspect at both. The member that is not elected copies it, though it
        // remembers the first write, and the other one remembers nothing of that unit.
        const isClean = (): boolean => sim.nodes[1]!.pool!.member.volume!.maps.own.isEmpty
        for (let nth = 0; nth < 100 && client.pool.record.mapVersion.version < 3; nth++) {
          await pause(sim, 100)
        }
        for (let nth = 0; nth < 100 && !isClean(); nth++) await pause(sim, 100)
        expect([client.pool.record.mapVersion.version, isClean()]).toEqual([3, true])
      },
    )
  })
})

describe("a mutation that its only medium refuses", () => {
  it("V2: fails alone; others of its chunk that are done are not taken back (RT-59)", async () => {
    await tell(67, { nodes: 1, minNormal: 1 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const chunk = sim.chunkSizeBytes
      expect(await user.write(0, pattern(1, 2 * chunk))).toBe(STATUS_OK)
      sim.nodes[0]!.store.failWrites(chunk, 4096)
      for (let round = 0; round < 3; round++) {
        // Into the end of the first chunk, and the beginning of the second, which is bad.
        const refused = user.write(chunk - 4096, pattern(round, 8192))
        const others: Promise<number>[] = []
        // Enough of them that some are on their way when the view lists the one that was refused.
        let isOver = false
        void refused
          .then(() => pause(sim, 300))
          .then(() => {
            isOver = true
          })
        for (let nth = 0; !isOver; nth++) {
          await pause(sim, 0.3)
          if (nth >= 24) await others[nth - 24]
          others.push(user.write(4096 * (nth % 3), pattern(nth, 4096)))
        }
        expect(await refused).not.toBe(STATUS_OK)
        expect(new Set(await Promise.all(others))).toEqual(new Set([STATUS_OK]))
      }
    })
  })
})

describe("a client whose payload memory is full", () => {
  it("W8: changes the view all the same, for the writes that fill it wait for that", async () => {
    await tell(68, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const { memory } = client
      sim.nodes[2]!.kill()
      const writes = [1, 2, 3, 4].map((nth) => user.write(nth * 4096, pattern(nth, 4096)))
      const rest: Lease[] = []
      for (let lease = memory.lease(4096); lease !== NO_LEASE; lease = memory.lease(4096)) {
        rest.push(lease)
      }
      expect(await Promise.all(writes)).toEqual(Array(4).fill(STATUS_OK))
      expect(client.pool.record.normal).toBe(3)
      for (const lease of rest) memory.release(lease)
      for (const nth of [1, 2, 3, 4]) {
        expect(await user.read(nth * 4096, 4096)).toEqual(pattern(nth, 4096))
      }
    })
  })
})

describe("a member that is well", () => {
  it("P7: stays in the view when bytes are hurt on the way to it", async () => {
    await tell(57, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      sim.network.tune({ corruptChance: 0.03 })
      for (let nth = 0; nth < 60; nth++) {
        expect(await user.write(nth * 4096, pattern(nth, 4096))).toBe(STATUS_OK)
        expect(await user.read(nth * 4096, 4096)).toEqual(pattern(nth, 4096))
      }
      expect(client.pool.record.normal).toBe(7)
    })
  })

  it.each([58, 59, 60])("Q9: stays in the view when its sessions end (seed %i)", async (seed) => {
    await tell(seed, { times: { blinkMs: 60_000 } }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      for (let nth = 0; nth < 20; nth++) {
        const session = client.pool.legs[nth % 3]?.link.session
        if (session !== undefined) severSession(session)
        expect(await user.write(nth * 4096, pattern(nth, 4096))).toBe(STATUS_OK)
      }
      expect(client.pool.record.normal).toBe(7)
    })
  })

  it("F2: is not opened for a client that another member refuses", async () => {
    await tell(61, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const user = userOf(first)
      sim.nodes[0]!.kill()
      expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
      await sim.nodes[0]!.start()
      // It has heard nobody in this life, the others have.
      const before = sim.nodes[0]!.pool?.member.state.epoch
      await expect(sim.open()).rejects.toMatchObject({ code: "held" })
      expect(sim.nodes[0]!.pool?.member.state.epoch).toBe(before)
      expect(await user.write(0, pattern(2, 4096))).toBe(STATUS_OK)
    })
  })
})

describe("a member whose store has failed", () => {
  it("I5: is not opened by the next client either", async () => {
    await tell(62, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const user = userOf(first)
      expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
      sim.nodes[0]!.store.failNextFlush()
      void user.flush()
      while (sim.nodes[0]!.pool?.lastFailure === undefined) await pause(sim, 0.1)
      sim.killClient(first)
      const second = await openSoon(sim)
      expect(second.pool.record.normal).toBe(6)
      expect(await userOf(second).read(0, 4096)).toEqual(pattern(1, 4096))
    })
  })

  it("M1: says so when marks cannot be kept while it drains", async () => {
    await tell(65, { nodes: 2, minNormal: 1 }, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const user = userOf(first)
      sim.nodes[1]!.kill()
      expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
      expect(await user.write(sim.chunkSizeBytes, pattern(2, 4096))).toBe(STATUS_OK)
      const node = sim.nodes[0]!
      // The client only blinks; what it resumes at drains, and has marks to make durable.
      node.store.failNextCommit()
      const session = first.pool.legs[0]?.link.session
      if (session !== undefined) severSession(session)
      for (let nth = 0; nth < 1000 && node.pool?.lastFailure === undefined; nth++) {
        await pause(sim, 10)
      }
      expect(node.pool?.lastFailure?.code).toBe("io-error")
      expect(node.pool?.state.state).toBe("no-io")
      sim.killClient(first)
      node.kill()
      await node.start()
      const second = await openSoon(sim)
      expect(second.pool.record.normal).toBe(1)
      expect(await userOf(second).read(0, 4096)).toEqual(pattern(1, 4096))
    })
  })

  it("I5: serves nothing when it was a copy whose flush has failed", async () => {
    await tell(64, { nodes: 2, minNormal: 1 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const chunk = sim.chunkSizeBytes
      expect(await user.write(0, pattern(1, 2 * chunk))).toBe(STATUS_OK)
      expect(await user.flush()).toBe(STATUS_OK)
      expect(await user.write(0, pattern(2, chunk))).toBe(STATUS_OK)
      const { store } = sim.nodes[0]!
      store.failReads(chunk, 4096)
      store.failNextFlush()
      // It is repaired from the other member, and with the flush after that the cache is gone.
      for (let nth = 0; nth < 2; nth++) {
        expect(await user.read(chunk, 4096)).toEqual(
          pattern(1, 2 * chunk).slice(chunk, chunk + 4096),
        )
      }
      while (sim.nodes[0]!.pool?.lastFailure === undefined) await pause(sim, 0.1)
      for (let nth = 0; nth < 8; nth++) {
        expect(await user.read(0, chunk)).toEqual(pattern(2, chunk))
      }
      expect(await user.write(0, pattern(3, 4096))).toBe(STATUS_OK)
      expect(client.pool.record.normal).toBe(2)
    })
  })
})
