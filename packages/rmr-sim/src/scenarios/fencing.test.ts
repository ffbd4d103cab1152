/** One writer, and nothing from before: fencing and sessions (rules F1 to F7, W5 to W7). */
import { isMessage } from "./messages.js"
import { scenario } from "./verbs.js"

jest.setTimeout(60_000)

/** Of the end of a session only the side that ended it knows for a while (resetChance: 0). */
const UNHEARD = { links: { resetChance: 0 } }

describe("fencing", () => {
  it("P5: F4: RT-4: a refusal of a higher epoch ends a client, and is no failed leg", async () => {
    await scenario(4_001, { nodes: 3 }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      // The second client opens A and B; to C its word is late.
      const process = pool.sim.newClient()
      const held = pool.sim.network.holdMessages(process.host.name, "node-3", (header) =>
        isMessage("open")(header),
      )
      const opening = pool.sim.open(true, process).catch((thrown: Error) => thrown.message)
      const epochs = (): number[] => pool.sim.nodes.map(({ pool: one }) => one!.member.state.epoch)
      await pool.until("A and B are opened", () => epochs()[0] === 3 && epochs()[1] === 3)
      expect([epochs(), held.count]).toEqual([[3, 3, 2], 1])
      // C alone would still take it.
      expect(await first.begin(0, 2)).toBe("fenced")
      expect(await first.begin(1, 3)).toBe("fenced")
      expect(pool.viewOf("C")).toBe("v2{ABC}")
      // Nobody starts without C, which may know more (V5).
      expect(await opening).toContain("1 more of member 3 must be here")
      held.release()
      await pool.open()
      await pool.whole()
    })
  })

  it("P1: W7: RT-13: a late answer does not reach the memory of the next IO", async () => {
    await scenario(13_001, {}, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      pool.slowDown("B", "read", 9000)
      // Every other one goes to B, is late there, and is read from A.
      const reads = [0, 1, 2, 3, 4, 5].map((block) => pool.read(block))
      expect(await Promise.all(reads)).toEqual([1, 1, 1, 1, 1, 1])
      expect(pool.view).toBe("v3{A}")
      // The same memory is used again, while B still owes its answers.
      for (let nth = 0; nth < 40; nth++) {
        await pool.write(16 + nth, 2 + nth)
        expect(await pool.read(16 + nth)).toBe(2 + nth)
        await pool.pause(200)
      }
      pool.slowDown("B", "read", 0)
      await pool.whole()
    })
  })

  it("P2: W5: RT-14: a write of a session before comes after its member has returned", async () => {
    const times = { ioDeadlineMs: 300 }
    await scenario(14_001, { times, ...UNHEARD }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      const late = pool.holdOne(first, "B", "write", 0)
      const write = pool.begin(0, 2)
      await pool.pause(250)
      // Not even a goodbye comes through, so that B takes the old session for alive.
      pool.cutOneWay(first, "B")
      expect(await write).toBe("ok")
      expect([pool.view, late.count]).toEqual(["v3{A}", 1])
      pool.heal()
      await pool.untilNormal("AB")
      await pool.write(0, 3)
      const refused = pool.refusedBy("B")
      late.release()
      await pool.until("it has come", () => pool.refusedBy("B") > refused)
      expect(await pool.valueAt("B", 0)).toBe(3)
      expect(await pool.readAll(0)).toEqual([3])
      await pool.whole()
    })
  })

  it("P2: W5: RT-34: a write left on the session before a blink comes after the next", async () => {
    const times = { blinkMs: 60_000, ioDeadlineMs: 10_000 }
    await scenario(34_001, { times, ...UNHEARD }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      const late = pool.holdOne(first, "B", "write", 0)
      const write = pool.begin(0, 2)
      // The client hears nothing of B and lets the session go; B still hears the client.
      pool.cutOneWay("B", first)
      const leg = first.client.pool.legs[1]!
      await pool.until("the session is lost", () => !leg.isUp)
      pool.heal()
      expect(await write).toBe("ok")
      await pool.write(0, 3)
      expect([pool.view, late.count]).toEqual(["v2{AB}", 1])
      const refused = pool.refusedBy("B")
      late.release()
      await pool.until("it has come", () => pool.refusedBy("B") > refused)
      expect(await pool.valueAt("B", 0)).toBe(3)
      await pool.whole()
    })
  })

  it("P6: W5: RT-15: a view overtakes a write of the one before at a survivor", async () => {
    await scenario(15_001, { nodes: 3, times: { ioDeadlineMs: 1000 } }, async (pool) => {
      const first = await pool.create()
      pool.hang("C")
      const one = pool.begin(0, 1)
      await pool.pause(600)
      const held = pool.hold(first, "A", "write", 16)
      const other = pool.begin(16, 2)
      await pool.until("A has the view", () => pool.viewOf("A") === "v3{AB}")
      // It was sent in v2, and arrives in v3: A takes it, and nobody else is put out.
      expect(held.count).toBe(1)
      held.release()
      expect([await one, await other]).toEqual(["ok", "ok"])
      expect(pool.view).toBe("v3{AB}")
      expect(pool.markOf("A", "C", 16)).toBe("real")
      expect(pool.refusedBy("A")).toBe(0)
      pool.wake("C")
      await pool.whole()
      expect(pool.view).toBe("v4{ABC}")
    })
  })

  it("P2: W7: RT-81: a client's first request is a read, and is sent once", async () => {
    await scenario(81_001, { nodes: 3, minNormal: 2 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1)
      pool.killClient()
      const second = await pool.open()
      // A answers; the others are slow to say that they know this client (F7).
      const signs = (["B", "C"] as const).map((one) => pool.hold(one, second, "answer to hold"))
      const read = pool.read(0)
      await pool.pause(50)
      const letters = ["A", "B", "C"] as const
      const answers = letters.map((one) => pool.hold(one, second, "answer to io"))
      pool.sever("C")
      await pool.pause(400)
      for (const sign of signs) sign.release()
      expect(await read).toBe(1)
      for (const answer of answers) answer.release()
      await pool.whole()
    })
  })

  it("F4: RT-78: a new disk that is opened as often is not the member of before", async () => {
    await scenario(78_001, {}, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      const { host } = first.client
      host.pause()
      const second = await pool.open()
      // A is deleted, and comes back with an empty disk; B is another process.
      await second.client.pool.delete(pool.node("A").memberId)
      pool.kill("A", "B")
      pool.node("A").replaceDisk()
      await pool.start("A", "B")
      host.resume()
      await pool.until("the first one knows", () => first.client.pool.ended !== undefined)
      expect(first.client.pool.ended?.code).toBe("fenced")
      expect(await pool.readAll(0)).toEqual([1])
    })
  })

  it("P10: F2: RT-24: a takeover that cannot be finished leaves the client alone", async () => {
    await scenario(24_001, {}, async (pool) => {
      const first = await pool.create()
      pool.sim.network.cut("client-2", "node-2")
      expect(await pool.refusal()).toContain("1 more of member 2 must be here")
      expect(pool.sim.nodes.map((node) => node.pool!.member.state.epoch)).toEqual([2, 2])
      expect(await first.begin(0, 1)).toBe("ok")
      await pool.whole()
    })
  })

  it.each(["memory", "file"] as const)(
    "P10: F1: RT-84: an epoch that a store cannot keep leaves the client alone (%s)",
    async (storeKind) => {
      await scenario(84_001, { nodes: 1, storeKind }, async (pool) => {
        const first = await pool.create()
        await pool.write(0, 1)
        pool.node("A").store.failNextCommit()
        await expect(pool.sim.open(true)).rejects.toMatchObject({ code: "no-leg" })
        expect(await first.begin(0, 2)).toBe("ok")
        pool.node("A").store.failNextCommit()
        await expect(pool.sim.open(true)).rejects.toMatchObject({ code: "no-leg" })
        // Nor has it to be there at the moment.
        pool.cut("A")
        await pool.pause(2500)
        pool.heal()
        await pool.write(1, 3)
        await pool.open()
        await pool.whole()
        expect([await pool.read(0), await pool.read(1)]).toEqual([2, 3])
      })
    },
  )

  it("P5: F2: RT-24: two take the pool over at once, and one has it", async () => {
    await scenario(24_002, { nodes: 3 }, async (pool) => {
      const first = await pool.create()
      const both = [pool.sim.open(true), pool.sim.open(true)]
      const ends = await Promise.allSettled(both)
      const parties = ends.flatMap((end) =>
        end.status === "fulfilled" ? [pool.adopt(end.value)] : [],
      )
      expect(parties.length).toBeGreaterThan(0)
      const writes = await Promise.all([first, ...parties].map((one, nth) => one.begin(0, nth + 1)))
      expect(writes.filter((end) => end === "ok").length).toBeLessThanOrEqual(1)
      expect(writes[0]).toBe("fenced")
      await pool.open()
      await pool.whole()
    })
  })

  it("P2: F7: RT-42: a client that was replaced reads nothing old from who is left", async () => {
    await scenario(42_001, { nodes: 3, minNormal: 2 }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      pool.cut("A", "B")
      pool.sim.network.cut("client-2", "node-3")
      pool.adopt(await pool.sim.open(true))
      await pool.write(0, 2)
      // C answers the first client, and has the old bytes under a clean bit.
      expect([first.view, pool.viewOf("C"), pool.ownOf("C", 0)]).toEqual([
        "v2{ABC}",
        "v2{ABC}",
        "clean",
      ])
      const stale = [0, 1, 2].map(() => first.read(0))
      expect(await Promise.all(stale)).toEqual(["no-leg", "no-leg", "no-leg"])
      const { counts } = pool.node("C").pool!.dataPath!
      expect(counts.reads).toBeGreaterThan(0)
      pool.heal()
      expect(await first.read(0)).toBe("fenced")
      await pool.whole()
    })
  })
})

describe("a write that nobody can answer for", () => {
  it("P3: W6: RT-25: it reached one of two, was given up, and both are back", async () => {
    await scenario(25_001, { nodes: 2, minNormal: 2 }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      pool.hold(first, "B", "write", 0)
      const write = pool.begin(0, 2)
      await pool.pause(100)
      expect(await pool.valueAt("A", 0)).toBe(2)
      pool.cut("A", "B")
      expect(await write).toBe("no-leg")
      pool.heal()
      // It rides the next view, before its io unit is used again; then both suspect it.
      await pool.until("the view that lists it", () => pool.viewOf("B") === "v3{AB}")
      expect(pool.node("B").pool!.record!.ranges).toMatchObject([{ kind: "uncertain", offset: 0 }])
      await pool.whole()
      expect((await pool.readAll(0)).length).toBe(1)
    })
  })

  it("P3: W6: RT-25: and the client dies before it could say so", async () => {
    await scenario(25_002, { nodes: 2, minNormal: 2 }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      pool.hold(first, "B", "write", 0)
      const write = pool.begin(0, 2)
      await pool.pause(100)
      pool.cut("A", "B")
      expect(await write).toBe("no-leg")
      pool.killClient()
      pool.heal()
      expect([pool.viewOf("A"), pool.viewOf("B")]).toEqual(["v2{AB}", "v2{AB}"])
      await pool.open()
      await pool.whole()
      expect((await pool.readAll(0)).length).toBe(1)
    })
  })

  it("P4: W6: RT-53: it comes to one of them after the view that gave it up", async () => {
    const options = { nodes: 2, minNormal: 2, times: { noLegMs: 300 }, ...UNHEARD }
    await scenario(53_001, options, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      const late = pool.holdOne(first, "B", "write", 0)
      const write = pool.begin(0, 2)
      await pool.pause(50)
      pool.cutOneWay("B", first)
      expect(await write).toBe("no-leg")
      pool.cutOneWay(first, "B")
      await pool.until("the session has ended", () => first.client.pool.legs[1]?.isUp === false)
      pool.heal()
      await pool.until("the view that lists it", () => pool.view === "v3{AB}")
      const refused = pool.refusedBy("B")
      late.release()
      await pool.until("it has come", () => pool.refusedBy("B") > refused)
      await pool.whole()
    })
  })
})
