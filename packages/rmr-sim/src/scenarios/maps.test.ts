/** What the absent miss, and who says so: view changes and marks (rules V2, V4, M1 to M3). */
import { isMessage } from "./messages.js"
import { type Scenario, scenario } from "./verbs.js"

jest.setTimeout(60_000)

/** A of two has the only good copy of block 0; B is back in the view, lacks it and cannot copy. */
async function onlyAHasIt(pool: Scenario): Promise<void> {
  await pool.create()
  await pool.write(0, 1, 16)
  pool.cut("B")
  await pool.write(0, 2)
  expect(pool.view).toBe("v3{A}")
  pool.heal()
  await pool.untilNormal("AB")
}

describe("marks about members that are away", () => {
  it("P3: M2: RT-1: each of two has marks about the other, and the later ones count", async () => {
    await scenario(1_001, {}, async (pool) => {
      await onlyAHasIt(pool)
      await pool.untilOwn("B", 0, "clean")
      // A keeps its marks about B on disk: nobody has told it to forget them.
      expect(pool.markOf("A", "B", 0)).toBe("real")
      pool.cutPower("A")
      await pool.write(0, 3)
      expect([pool.view, pool.markOf("B", "A", 0)]).toEqual(["v5{B}", "real"])
      await pool.start("A")
      expect(pool.markOf("A", "B", 0)).toBe("real")
      await pool.whole()
      expect(await pool.readAll(0)).toEqual([3])
      // Nor do old marks come back when B goes away again: it fetches what it missed then.
      pool.cut("B")
      await pool.write(32, 4)
      const before = pool.copiedBy("B")
      pool.heal()
      await pool.whole()
      expect(pool.copiedBy("B") - before).toBe(1)
    })
  })

  it("P3: V2: RT-5: who leaves in the middle of a write finds it in the marks", async () => {
    await scenario(5_001, { nodes: 3 }, async (pool) => {
      const first = await pool.create()
      const held = pool.hold(first, "C", "write", 0)
      const write = pool.begin(0, 1)
      await pool.pause(500)
      // A and B have done it in a view of three, with nobody to mark it for.
      expect([pool.viewOf("A"), pool.markOf("A", "C", 0)]).toEqual(["v2{ABC}", "none"])
      expect(await write).toBe("ok")
      expect(pool.viewOf("A")).toBe("v3{AB}")
      expect([pool.markOf("A", "C", 0), pool.markOf("B", "C", 0)]).toEqual(["real", "real"])
      held.release()
      await pool.whole()
      expect(await pool.readAll(0)).toEqual([1])
    })
  })

  it("P3: V2: RT-5: and so it is when the client dies with that view", async () => {
    await scenario(5_002, { nodes: 3, minNormal: 2 }, async (pool) => {
      const first = await pool.create()
      pool.hold(first, "C", "write", 0)
      void pool.begin(0, 1)
      await pool.until("A has the view", () => pool.viewOf("A") === "v3{AB}")
      pool.killClient()
      await pool.open()
      await pool.whole()
      expect(await pool.readAll(0)).toEqual([1])
      expect(pool.copiedBy("C")).toBe(1)
    })
  })

  it("P3: R4: RT-35: the view reached one of two, and the other one has no mark", async () => {
    await scenario(35_001, { nodes: 3, minNormal: 2 }, async (pool) => {
      const first = await pool.create()
      pool.hold(first, "C", "write", 0)
      pool.hold(first, "B", "map-add")
      void pool.begin(0, 1)
      await pool.until("A has the view", () => pool.viewOf("A") === "v3{AB}")
      pool.killClient()
      expect([pool.markOf("A", "C", 0), pool.markOf("B", "C", 0)]).toEqual(["real", "none"])
      pool.cutPeers("A", "C")
      pool.cutPeers("B", "C")
      await pool.open()
      // Both have recorded it, and it is listed all the same, since C is not here.
      expect(pool.markOf("B", "C", 0)).not.toBe("none")
      pool.heal()
      await pool.whole()
      expect(await pool.readAll(0)).toEqual([1])
    })
  })

  it("P3: V4: RT-10: to hear of a view is not to have been normal in it", async () => {
    await scenario(10_001, { nodes: 3, minNormal: 2 }, async (pool) => {
      await pool.create()
      pool.cut("C")
      await pool.write(0, 1)
      pool.cutPeers("A", "C")
      pool.cutPeers("B", "C")
      pool.healBetween(pool.party, "C")
      await pool.until("C has heard", () => pool.seenBy("C") === "v3{AB}")
      const { normalThrough } = pool.node("C").pool!.member.state
      expect([pool.viewOf("C"), normalThrough.version]).toEqual(["v2{ABC}", 2])
      pool.killClient()
      pool.kill("B")
      // What it has heard counts for a start, and C does not start in B's place.
      expect(await pool.refusal()).toContain("1 more of member 2 must be here")
      await pool.start("B")
      pool.heal()
      await pool.open()
      await pool.whole()
      expect(pool.copiedBy("C")).toBeGreaterThan(0)
      expect(await pool.readAll(0)).toEqual([1])
    })
  })

  it("P4: V4: RT-37: an old proposal comes to a joiner that was told of a later view", async () => {
    const options = { nodes: 3, minNormal: 1, links: { resetChance: 0 } }
    await scenario(37_001, { ...options, times: { commandMs: 500 } }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      pool.kill("B")
      const late = pool.holdOne(first, "C", "map-add")
      const write = pool.begin(0, 2)
      await pool.until("C is asked", () => late.count === 1)
      await pool.pause(400)
      // Not even a goodbye comes through, so that C takes the session for alive.
      pool.cutOneWay(first, "C")
      expect(await write).toBe("ok")
      expect([pool.view, pool.viewOf("C")]).toEqual(["v4{A}", "v2{ABC}"])
      const told = pool.hold(first, "C", "map-ready")
      await pool.pause(50)
      pool.heal()
      await pool.until("C is told", () => pool.seenBy("C") === "v4{A}")
      const answers = pool.hold("C", first, "answer")
      late.release()
      await pool.until("C has answered", () => answers.count === 1)
      answers.release()
      // Else it would be normal in v3, in which A is not any more.
      expect(pool.viewOf("C")).toBe("v2{ABC}")
      told.release()
      await pool.start("B")
      await pool.whole()
      expect(await pool.readAll(0)).toEqual([2])
    })
  })

  it("P3: V2: RT-29: a mark of who lacks the write itself is only a suspicion", async () => {
    await scenario(29_001, {}, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1, 16)
      pool.cutPeers("A", "B")
      pool.spoil("A", 0)
      await pool.readAll(0)
      expect([pool.ownOf("A", 0), pool.ownOf("B", 0)]).toEqual(["real", "clean"])
      const answers = pool.hold("B", first, "answer")
      const write = pool.begin(1, 2)
      await pool.pause(300)
      pool.cut("B")
      answers.release()
      await pool.untilNormal("A")
      // A waits for a copy of the chunk, and does not know what became of the write.
      expect(pool.markOf("A", "B", 1)).toBe("in flight")
      pool.heal()
      await write
      await pool.whole()
      expect(await pool.readAll(0)).toEqual([1])
    })
  })

  it("P3: R3: RT-36: a restart marks nothing that it lacks itself for its holder", async () => {
    await scenario(36_001, { times: { flushMs: 60_000 } }, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      pool.cut("B")
      await pool.write(0, 2)
      const copies = pool.hold("B", "A", "sync-read")
      pool.heal()
      await pool.untilNormal("AB")
      pool.cut("A")
      await pool.untilNormal("B")
      expect(pool.ownOf("B", 0)).toBe("real")
      pool.kill("B")
      await pool.start("B")
      expect(pool.node("B").pool!.member.hotAtOpen).toContain(0)
      expect([pool.ownOf("B", 0), pool.markOf("B", "A", 0)]).toEqual(["real", "clean"])
      copies.release()
      pool.heal()
      await pool.whole()
      expect(await pool.readAll(0)).toEqual([2])
    })
  })

  it("P1: W3: RT-38: who missed a write by a bad sector still speaks for the absent", async () => {
    await scenario(38_001, { nodes: 3, minNormal: 1 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      pool.kill("C")
      await pool.untilNormal("AB")
      pool.cutPeers("A", "B")
      pool.node("B").store.failWrites(0, 4096)
      await pool.write(0, 2)
      // Before the answer B was told that others have it, and its mark became a fact.
      expect([pool.ownOf("B", 0), pool.markOf("B", "C", 0)]).toEqual(["real", "real"])
      pool.cut("A")
      await pool.untilNormal("B")
      await pool.start("C")
      await pool.untilNormal("BC")
      expect(pool.ownOf("C", 0)).toBe("real")
      expect(await pool.read(0)).toBe("no-clean-copy")
      pool.heal()
      await pool.untilNormal("ABC")
      await pool.untilOwn("C", 0, "clean")
      expect(await pool.readAll(0)).toEqual([2])
    })
  })

  it("P4: R6: RT-39: an election marks the chunk for those who are away, and clean", async () => {
    await scenario(39_001, {}, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      pool.hold(first, "A", "write", 0)
      void pool.begin(0, 2)
      await pool.pause(100)
      pool.killClient()
      pool.cutPeers("A", "B")
      await pool.open()
      // B alone recorded the write, and suspects it; A is clean, with the old bytes.
      expect([pool.ownOf("A", 0), pool.ownOf("B", 0)]).toEqual(["clean", "in flight"])
      pool.cut("A")
      await pool.untilNormal("B")
      await pool.untilOwn("B", 0, "clean")
      expect(pool.markOf("B", "A", 0)).toBe("real")
      expect(await pool.read(0)).toBe(2)
      pool.heal()
      await pool.whole()
      expect(await pool.readAll(0)).toEqual([2])
    })
  })

  it("P2: V4b: RT-50: a member that never heard of V* has not been set back", async () => {
    await scenario(50_001, { nodes: 3, minNormal: 2 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1)
      pool.killClient()
      const { network } = pool.sim
      const process = pool.sim.newClient()
      for (const node of ["node-2", "node-3"]) {
        network.holdMessages(process.host.name, node, isMessage("map-add"))
      }
      void pool.sim.open(true, process).catch(() => undefined)
      await pool.until("A has it", () => pool.viewOf("A") === "v3{ABC}")
      network.crash(process.host.name, "process")
      pool.kill("C")
      await pool.open()
      const { members } = pool.party.client.pool.record
      expect([pool.view, members[2]!.normalThrough.version]).toEqual(["v4{AB}", 3])
      await pool.write(64, 2)
      await pool.start("C")
      expect(pool.node("C").pool!.member.state.normalThrough.version).toBe(2)
      await pool.whole()
      // What it missed and what it suspects, and not all of the volume.
      expect(pool.copiedBy("C")).toBeLessThan(8)
    })
  })

  it("P1: W3: RT-52: who made its marks real did so for those who were away then", async () => {
    const times = { ioDeadlineMs: 20_000, noLegMs: 20_000, commandMs: 10_000 }
    await scenario(52_001, { nodes: 4, minNormal: 1, times }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1, 16)
      pool.kill("C")
      await pool.untilNormal("ABD")
      for (const peer of ["A", "D"] as const) pool.cutPeers("B", peer)
      pool.spoil("B", 0)
      for (let nth = 0; nth < 3; nth++) expect(await pool.read(0)).toBe(1)
      await pool.untilOwn("B", 0, "real")
      // B marks it as a fact for C, and its word of that is late.
      const word = pool.holdOne("B", first, "answer to map-add")
      let end = ""
      void pool.begin(1, 2).then((how) => {
        end = how
      })
      await pool.until("B has marked C", () => pool.markOf("B", "C", 1) === "real")
      expect([pool.view, await pool.valueAt("D", 1)]).toEqual(["v3{ABD}", 2])
      pool.cut("D")
      await pool.untilNormal("AB")
      // D is away as well now, for which B has marked no fact yet.
      expect([end, word.count, pool.markOf("B", "D", 1)]).toEqual(["", 1, "in flight"])
      word.release()
      await pool.until("it is acknowledged", () => end === "ok")
      expect([pool.markOf("B", "C", 1), pool.markOf("B", "D", 1)]).toEqual(["real", "real"])
      pool.heal()
      await pool.start("C")
      await pool.whole()
      expect(await pool.readAll(1)).toEqual([2])
    })
  })

  it("P1: V2: RT-57: an older write of the same bytes is not the one that is listed", async () => {
    const times = { ioDeadlineMs: 20_000 }
    await scenario(57_001, { nodes: 3, minNormal: 1, times }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      const held = pool.hold(first, "A", "write", 0)
      pool.kill("C")
      const write = pool.begin(0, 2)
      await pool.untilNormal("AB")
      // A has the write before it in its last io, in the same unit and of the same bytes.
      expect(pool.node("A").pool!.lastIo()).toMatchObject([{ offset: 0, length: 4096 }])
      expect([pool.markOf("A", "C", 0), pool.markOf("B", "C", 0)]).toEqual(["in flight", "real"])
      held.release()
      expect(await write).toBe("ok")
      expect(pool.markOf("A", "C", 0)).toBe("real")
      await pool.start("C")
      await pool.whole()
      expect(await pool.readAll(0)).toEqual([2])
    })
  })
})
