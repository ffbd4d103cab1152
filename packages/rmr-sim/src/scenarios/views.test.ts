/** Who is normal, and who may start: views and starts (rules V1 to V7). */
import { isMessage } from "./messages.js"
import { scenario } from "./verbs.js"

jest.setTimeout(60_000)

describe("views", () => {
  it("V5: RT-2: two of three start without the one that is known to have left", async () => {
    await scenario(2_001, { nodes: 3 }, async (pool) => {
      await pool.create()
      pool.kill("C")
      await pool.write(0, 1)
      expect([pool.viewOf("A"), pool.viewOf("B")]).toEqual(["v3{AB}", "v3{AB}"])
      pool.killClient()
      await pool.open()
      expect(pool.view).toBe("v4{AB}")
      expect(await pool.readAll(0)).toEqual([1])
      await pool.start("C")
      await pool.whole()
    })
  })

  it("V6: RT-2: all links fall at once, and nobody is the last that was right", async () => {
    await scenario(2_002, { nodes: 3 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1)
      pool.cut("A", "B", "C")
      const late = pool.begin(0, 2)
      await pool.pause(3000)
      const ups = pool.sim.nodes.map(({ memberId }) => pool.party.client.pool.legs[memberId - 1])
      expect(ups.map((leg) => leg?.isUp)).toEqual([false, false, false])
      pool.heal()
      expect(await late).toBe("ok")
      // All go on as they were: no view change, and nothing to copy.
      expect(pool.view).toBe("v2{ABC}")
      await pool.whole()
      expect(["A", "B", "C"].map((one) => pool.copiedBy(one as "A"))).toEqual([0, 0, 0])
    })
  })

  it("V5: RT-2: who was put out does not start alone, though it is all there is", async () => {
    await scenario(2_003, {}, async (pool) => {
      await pool.create()
      pool.cut("B")
      await pool.write(0, 1)
      expect([pool.viewOf("A"), pool.viewOf("B")]).toEqual(["v3{A}", "v2{AB}"])
      pool.kill("A")
      pool.killClient()
      expect(await pool.refusal()).toContain("1 more of member 1 must be here")
      await pool.start("A")
      await pool.open()
      expect(await pool.readAll(0)).toEqual([1])
      await pool.whole()
    })
  })

  it("P1: V3: RT-3: a view that reached one member only does not fork the pool", async () => {
    await scenario(3_001, {}, async (pool) => {
      const first = await pool.create()
      pool.hold("A", first, "answer")
      pool.hang("B")
      const lost = pool.begin(0, 1)
      await pool.until("A has the view", () => pool.viewOf("A") === "v3{A}")
      pool.kill("A")
      pool.wake("B")
      await pool.pause(8000)
      // B answers and is alone, and may not go on: A may know a view without it.
      expect(pool.viewOf("B")).toBe("v2{AB}")
      expect(first.client.pool.allowed).toBe(0b01)
      expect(await lost).toBe("no-leg")
      expect(await pool.begin(1, 2)).toBe("no-leg")
      pool.killClient()
      pool.cutPower("B")
      await pool.start("A")
      await pool.open()
      expect(pool.view).toBe("v4{A}")
      await pool.write(2, 3)
      await pool.start("B")
      await pool.whole()
    })
  })

  it("P1: V5: RT-3: a grow that only its joiner has takes nobody's place", async () => {
    await scenario(3_002, {}, async (pool) => {
      const first = await pool.create()
      pool.kill("B")
      await pool.write(0, 1)
      await pool.start("B")
      pool.hold(first, "A", "map-add")
      await pool.until("B has the grown view", () => pool.viewOf("B") === "v4{AB}")
      expect(pool.viewOf("A")).toBe("v3{A}")
      pool.killClient()
      // Both are there; the opening view comes late to A, and then A dies.
      const { network } = pool.sim
      const process = pool.sim.newClient()
      const late = network.holdMessages(process.host.name, "node-1", isMessage("map-add"))
      const opening = pool.sim.open(true, process).then(
        () => "open",
        (thrown: Error) => thrown.message,
      )
      await pool.until("it is proposed", () => late.count === 1)
      pool.kill("A")
      expect(await opening).toContain("no-leg")
      // B may not go on alone: A never heard of a view with it, and may start without it.
      expect(pool.viewOf("B")).toBe("v4{AB}")
      network.crash(process.host.name, "process")
      pool.kill("B")
      await pool.start("A")
      await pool.open()
      expect(await pool.readAll(0)).toEqual([1])
      await pool.write(0, 2)
      await pool.start("B")
      await pool.whole()
    })
  })

  it("P6: V7: RT-20: both members are late with the same write, and one stays", async () => {
    await scenario(20_001, {}, async (pool) => {
      await pool.create()
      pool.slowDown("A", "write", 4000)
      pool.slowDown("B", "write", 4000)
      const beganMs = pool.nowMs
      let end = ""
      void pool.begin(0, 1).then((how) => {
        end = how
      })
      // Both answer reads meanwhile, so that both are there, and late.
      await pool.until("it is over", () => {
        void pool.read(64)
        return end !== ""
      })
      expect([end, pool.view]).toEqual(["ok", "v3{A}"])
      expect(pool.nowMs - beganMs).toBeLessThan(4100)
      pool.slowDown("A", "write", 0)
      pool.slowDown("B", "write", 0)
      await pool.whole()
    })
  })

  it("P6: V7: RT-20: a client whose own uplink is cut puts nobody out", async () => {
    await scenario(20_002, { nodes: 3 }, async (pool) => {
      await pool.create()
      pool.cut("A", "B", "C")
      expect(await pool.begin(0, 1)).toBe("no-leg")
      const views = ["A", "B", "C"].map((one) => pool.viewOf(one as "A"))
      expect(views).toEqual(["v2{ABC}", "v2{ABC}", "v2{ABC}"])
      expect(pool.view).toBe("v2{ABC}")
      pool.heal()
      await pool.write(0, 2)
      await pool.whole()
    })
  })

  it("P10: V5: RT-28: a rack takes client and member away; two of three go on", async () => {
    await scenario(28_001, { nodes: 3, minNormal: 2 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1)
      pool.killClient()
      pool.cutPower("C")
      await pool.open()
      expect(pool.view).toBe("v3{AB}")
      expect(await pool.readAll(0)).toEqual([1])
      await pool.write(0, 2)
      await pool.start("C")
      await pool.whole()
    })
  })

  it("P1: V5: RT-28: with a minimum of one they wait, since the third may know more", async () => {
    await scenario(28_002, { nodes: 3, minNormal: 1 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1)
      pool.cut("A", "B")
      await pool.write(0, 2)
      // It did go on alone.
      expect([pool.viewOf("C"), pool.viewOf("A")]).toEqual(["v3{C}", "v2{ABC}"])
      pool.kill("C")
      pool.killClient()
      pool.heal()
      expect(await pool.refusal()).toContain("1 more of member 3 must be here")
      await pool.start("C")
      await pool.open()
      expect(await pool.readAll(0)).toEqual([2])
      await pool.whole()
    })
  })
})
