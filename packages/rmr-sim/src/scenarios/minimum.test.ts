/** How many members have to have a write: an admin changes it while the pool is in use (V5, F7). */
import { RmrError } from "@rmr/core"
import { force } from "./force-verbs.js"
import { type Letter, type Party, type Scenario, scenario } from "./verbs.js"

jest.setTimeout(60_000)

/** What it ends with. */
async function require(pool: Scenario, count: number, party = pool.party): Promise<string> {
  try {
    await party.client.pool.require(count)
    return "ok"
  } catch (thrown) {
    return RmrError.from(thrown).message
  }
}

function minimumAt(pool: Scenario, letter: Letter): number | undefined {
  return pool.node(letter).pool?.member.record?.minNormal
}

/** The view that changes the minimum has come to A alone, whose answer nobody has; others pass. */
async function proposedAtA(
  pool: Scenario,
  party: Party,
  count: number,
): Promise<{ readonly ended: Promise<string> }> {
  pool.holdOne("A", party, "answer to map-add")
  pool.holdOne(party, "B", "map-add")
  pool.holdOne(party, "C", "map-add")
  const ended = require(pool, count, party)
  await pool.until("A has the view", () => minimumAt(pool, "A") === count)
  return { ended }
}

describe("the minimum of a pool", () => {
  it("V5: is kept from the view on that raises it, and all members know it", async () => {
    await scenario(61_001, { nodes: 3, minNormal: 1 }, async (pool) => {
      const { client } = await pool.create()
      await pool.write(0, 1)
      expect(await require(pool, 2)).toBe("ok")
      expect(["A", "B", "C"].map((one) => minimumAt(pool, one as "A"))).toEqual([2, 2, 2])
      pool.kill("B")
      await pool.untilNormal("AC")
      pool.kill("C")
      await pool.until("IO is held", () => !client.pool.isServing)
      expect(await pool.begin(0, 2)).toBe("no-leg")
      pool.killClient()
      // Two are enough, since no one of them could go on alone.
      await pool.start("C")
      await pool.open()
      expect(pool.view).toBe("v5{AC}")
      await pool.start("B")
      await pool.whole()
    })
  })

  it("V5: is lowered only when all have the view; then one may go on alone", async () => {
    await scenario(61_002, { nodes: 3, minNormal: 2 }, async (pool) => {
      await pool.create()
      expect(await require(pool, 1)).toBe("ok")
      pool.kill("B", "C")
      await pool.untilNormal("A")
      await pool.write(0, 1)
      pool.kill("A")
      pool.killClient()
      await pool.start("B", "C")
      // A went on alone, and nobody else can know of it.
      expect(await pool.refusal()).toContain("1 more of member 1 must be here")
      await pool.start("A")
      await pool.open()
      expect(await pool.readAll(0)).toEqual([1])
      await pool.whole()
    })
  })

  it("P1: V5: while it is being raised nobody goes on alone any more", async () => {
    await scenario(61_003, { nodes: 3, minNormal: 1 }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      const { ended } = await proposedAtA(pool, first, 2)
      pool.kill("A", "B")
      // By what C has on its disk it could; by what A has, A and B may start without it.
      expect(await pool.begin(0, 2)).toBe("no-leg")
      expect(minimumAt(pool, "C")).toBe(1)
      expect(await ended).toContain("may come into force all the same")
      // Nor was it asked to keep a view that contradicts itself.
      expect(pool.sim.world.log.records.map(({ fields }) => fields["code"])).not.toContain(
        "internal",
      )
      pool.killClient()
      pool.kill("C")
      await pool.start("A", "B")
      await pool.open()
      expect(await pool.readAll(0)).toEqual([1])
      await pool.write(1, 3)
      await pool.start("C")
      await pool.whole()
      expect(minimumAt(pool, "C")).toBe(2)
    })
  })

  it("P1: V5: while it is being lowered nobody goes on alone yet", async () => {
    await scenario(61_004, { nodes: 3, minNormal: 2 }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      await proposedAtA(pool, first, 1)
      pool.kill("B", "C")
      // By what A has on its disk it could; B and C do not know that, and may start without it.
      expect(await pool.begin(0, 2)).toBe("no-leg")
      pool.killClient()
      pool.kill("A")
      await pool.start("B", "C")
      await pool.open()
      expect(await pool.readAll(0)).toEqual([1])
      await pool.write(1, 3)
      await pool.start("A")
      await pool.whole()
      expect(minimumAt(pool, "A")).toBe(2)
    })
  })

  it("F7: a read needs as many members as the stricter of both wants", async () => {
    await scenario(61_005, { nodes: 3, minNormal: 1 }, async (pool) => {
      const { client } = await pool.create()
      await pool.write(0, 1)
      expect(await require(pool, 3)).toBe("ok")
      pool.cut("B")
      const read = pool.read(0)
      await pool.until("IO is held", () => !client.pool.isServing)
      pool.heal()
      expect(await read).toBe(1)
      expect(await require(pool, 1)).toBe("ok")
      pool.kill("B", "C")
      await pool.untilNormal("A")
      expect(await pool.read(0)).toBe(1)
      await pool.start("B", "C")
      await pool.whole()
    })
  })

  it("P2: F7: while it is being raised a client that was replaced reads nothing old", async () => {
    await scenario(61_008, { nodes: 3, minNormal: 1 }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      await proposedAtA(pool, first, 2)
      pool.cut("A", "B")
      pool.sim.network.cut("client-2", "node-3")
      // A says that two may start, and C says nothing of that.
      pool.adopt(await pool.sim.open(true))
      await pool.write(0, 2)
      expect([pool.viewOf("C"), pool.ownOf("C", 0)]).toEqual(["v2{ABC}", "clean"])
      const stale = [0, 1, 2].map(() => first.read(0))
      expect(await Promise.all(stale)).toEqual(["no-leg", "no-leg", "no-leg"])
      pool.heal()
      expect(await first.read(0)).toBe("fenced")
      await pool.whole()
    })
  })

  it("P10: R8: RT-82: is raised to all of them, and one restarts without the view", async () => {
    await scenario(82_001, { nodes: 3, minNormal: 2 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1)
      pool.node("C").store.failNextCommit()
      // From now on no view has fewer than three, and C is not what was opened any more.
      expect(await require(pool, 3)).toContain("may come into force all the same")
      pool.kill("C")
      await pool.start("C")
      await pool.until("all require three", () =>
        (["A", "B", "C"] as const).every((one) => minimumAt(pool, one) === 3),
      )
      await pool.write(0, 2)
      await pool.whole()
    })
  })

  it("G2: is no more than who is normal, nor than the pool has, nor less than one", async () => {
    await scenario(61_006, { nodes: 3, minNormal: 1 }, async (pool) => {
      await pool.create()
      pool.kill("C")
      await pool.untilNormal("AB")
      expect(await require(pool, 3)).toContain("2 members are normal now")
      expect(await require(pool, 4)).toContain("can require 1 to 3 members")
      expect(await require(pool, 0)).toContain("can require 1 to 3 members")
      expect(await require(pool, 1.5)).toContain("can require 1 to 3 members")
      expect(["A", "B"].map((one) => minimumAt(pool, one as "A"))).toEqual([1, 1])
      await pool.start("C")
      await pool.whole()
    })
  })

  it("F6: is what it was again when the members of a forced start are back", async () => {
    await scenario(61_007, { minNormal: 2 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1)
      pool.kill("B")
      pool.killClient()
      await force(pool)
      expect(minimumAt(pool, "A")).toBe(1)
      await pool.write(0, 2)
      await pool.start("B")
      await pool.untilNormal("AB")
      expect(await require(pool, 2)).toBe("ok")
      expect([minimumAt(pool, "A"), minimumAt(pool, "B")]).toEqual([2, 2])
      await pool.whole()
    })
  })
})
