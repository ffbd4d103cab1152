/** Forced starts: what goes on without those who may know more (rules F6, R7, RT-11). */
import { RmrError } from "@rmr/core"
import {
  force,
  lineageOf,
  phaseOf,
  refusalAs,
  resolve,
  untilSettled,
  untilSplit,
} from "./force-verbs.js"
import { isMessage } from "./messages.js"
import { type Scenario, scenario } from "./verbs.js"

jest.setTimeout(60_000)

const isOpen = isMessage("open")

/** v2{AB}; B dies; v3{A} and a write that B lacks; A and the client die; B is back. */
async function newestIsGone(pool: Scenario): Promise<void> {
  await pool.create()
  await pool.write(3, 1)
  await pool.flush()
  pool.kill("B")
  await pool.untilNormal("A")
  await pool.write(3, 2)
  pool.kill("A")
  pool.killClient()
  await pool.start("B")
}

describe("a start by force", () => {
  it("F6: RT-11: the newest member is missing: it goes on, and the return is split", async () => {
    await scenario(11_001, {}, async (pool) => {
      await newestIsGone(pool)
      const refusal = await pool.refusal()
      expect(refusal).toContain("1 more of member 1 must be here")
      expect(refusal).toContain("rmr pool start vault --force")
      pool.oracle.mayShow(3, 1)
      const { client } = await force(pool)
      expect(client.pool.forced).toMatchObject({
        isStale: false,
        fork: { epoch: 2, version: 2 },
        missing: [{ memberId: 1, lastView: { epoch: 2, version: 2 } }],
        // What was hot when B died, and is not flushed everywhere (R3).
        chunksWithoutCleanCopy: 2,
        chunksLost: 0,
      })
      expect(await pool.read(3)).toBe(1)
      await pool.write(5, 3)
      await pool.start("A")
      await untilSplit(pool, "A")
      // Reads, writes and flushes go on, and nobody has touched what A holds.
      await pool.write(3, 4)
      expect(await pool.flush()).toBe("ok")
      expect(await pool.read(3)).toBe(4)
      expect(await pool.valueAt("A", 3)).toBe(2)
      expect(pool.viewOf("A")).toBe("v3{A}")
      expect(lineageOf(pool, "A")).not.toBe(lineageOf(pool, "B"))
      const [shown] = client.pool.returning
      expect(shown?.split?.there.lineage).toBe(lineageOf(pool, "A"))
      expect(shown?.detail).toContain(`left ${lineageOf(pool, "A").slice(0, 8)} after view 2.2`)
      expect(await resolve(pool, "B", "A")).toBe("ok")
      await pool.whole()
    })
  })

  it("F6: changes nothing where nobody is missing who may know more", async () => {
    await scenario(11_002, {}, async (pool) => {
      await pool.create()
      await pool.write(3, 1)
      const before = lineageOf(pool, "A")
      pool.kill("B")
      await pool.untilNormal("A")
      await pool.write(3, 2)
      pool.killClient()
      const { client } = await force(pool)
      expect(client.pool.forced).toBeUndefined()
      expect(client.pool.record.history).toEqual([])
      expect(lineageOf(pool, "A")).toBe(before)
      await pool.start("B")
      await pool.whole()
    })
  })

  it("R7: who never went beyond the fork is an absent member, with all its marks", async () => {
    await scenario(11_003, {}, async (pool) => {
      await pool.create()
      await pool.write(3, 1)
      await pool.write(40, 7)
      await pool.flush()
      // Only A gets it, and nobody ever hears of its end.
      const held = pool.hold(pool.party, "B", "write")
      void pool.begin(40, 8)
      await pool.untilIdle("A")
      expect(await pool.valueAt("A", 40)).toBe(8)
      pool.killClient()
      pool.kill("A")
      held.release()
      await pool.pause(3500)
      await force(pool)
      await pool.write(3, 2)
      await pool.start("A")
      await pool.untilNormal("AB")
      expect(lineageOf(pool, "A")).toBe(lineageOf(pool, "B"))
      expect(await pool.readAll(3)).toEqual([2])
      expect(await pool.readAll(40)).toHaveLength(1)
      await pool.whole()
    })
  })

  it("R7: two starts by force from one view are apart, also without a write", async () => {
    await scenario(11_004, {}, async (pool) => {
      await pool.create()
      await pool.write(3, 1)
      await pool.flush()
      pool.killClient()
      pool.kill("A")
      await force(pool)
      await untilSettled(pool)
      pool.killClient()
      pool.kill("B")
      await pool.start("A")
      await force(pool)
      await pool.write(5, 2)
      await pool.start("B")
      await untilSplit(pool, "B")
      expect(await resolve(pool, "A", "B")).toBe("ok")
      await pool.whole()
    })
  })

  it("F6: RT-73: a client that has forced a start forces no other one", async () => {
    await scenario(11_005, {}, async (pool) => {
      await pool.create()
      await pool.write(3, 1)
      await pool.flush()
      pool.killClient()
      pool.kill("A")
      const { client } = await force(pool)
      await pool.start("A")
      await pool.untilNormal("AB")
      await pool.until("A has all", () => pool.node("A").dirtyChunks === 0)
      const { lineage } = client.pool.record.mapVersion
      pool.kill("B")
      await pool.untilNormal("A")
      await pool.write(5, 3)
      await pool.flush()
      pool.kill("A")
      await pool.start("B")
      // It has B, and knows what to do about A; but of that an admin has said nothing.
      await pool.pause(10_000)
      const words = "1 more of member 1 must be here"
      await pool.until("it waits", () => client.pool.trouble?.message.includes(words) === true)
      expect(lineageOf(pool, "B")).toBe(lineage)
      await pool.start("A")
      await pool.whole()
      expect(client.pool.record.history).toHaveLength(1)
      expect(await pool.readAll(5)).toEqual([3])
    })
  })

  it("F6: lowers the minimum to those that are there, and keeps to that", async () => {
    await scenario(11_008, { nodes: 3, minNormal: 2 }, async (pool) => {
      await pool.create()
      await pool.write(3, 1)
      await pool.flush()
      pool.killClient()
      pool.kill("B", "C")
      await pool.pause(3500)
      expect(await pool.refusal()).toContain("1 more of member 2, 3 must be here")
      const { client } = await force(pool)
      expect(client.pool.forced).toMatchObject({ minNormal: 1 })
      expect(client.pool.record).toMatchObject({ minNormal: 1, normal: 1 })
      await pool.write(3, 2)
      await pool.start("B", "C")
      await pool.whole()
      expect(client.pool.record.minNormal).toBe(1)
    })
  })

  it("F5: F6: a client that gives a held pool up for it is not in its own way", async () => {
    await scenario(11_013, { minNormal: 2 }, async (pool) => {
      const { client } = await pool.create()
      await pool.write(3, 1)
      pool.kill("B")
      await pool.until("IO is held", () => !client.pool.isServing)
      const held = pool.begin(3, 2)
      await pool.pause(50)
      client.pool.giveUp("it is started by force")
      expect(await held).toBe("closed")
      // Its members have heard it a moment ago; whoever else asks is told so.
      const other = { isForced: true, isTakeover: false }
      expect(await refusalAs(pool, other)).toContain("holds pool vault and is alive")
      pool.oracle.mayShow(3, 2)
      const again = pool.adopt(await pool.sim.openAs(other, client))
      expect(again.client.pool.forced?.missing.map(({ memberId }) => memberId)).toEqual([2])
      await pool.write(4, 3)
      await pool.start("B")
      await pool.untilNormal("AB")
      await pool.whole()
    })
  })

  it("F6: is not made where it was not needed when the members were asked", async () => {
    await scenario(11_009, {}, async (pool) => {
      await pool.create()
      await pool.write(3, 1)
      await pool.flush()
      const before = lineageOf(pool, "A")
      pool.killClient()
      await pool.pause(3500)
      const admin = pool.sim.newClient()
      const { name } = admin.host
      const held = pool.sim.network.holdMessages(name, pool.node("B").host.name, isOpen)
      const opening = pool.sim.openAs({ isForced: true }, admin).then(
        () => "it was opened",
        (thrown: unknown) => RmrError.from(thrown).message,
      )
      await pool.until("B is asked", () => held.count > 0)
      pool.kill("B")
      held.release()
      expect(await opening).toContain("members have gone while the pool was opened")
      expect(lineageOf(pool, "A")).toBe(before)
      await pool.start("B")
      await pool.open()
      expect(lineageOf(pool, "A")).toBe(before)
      await pool.whole()
    })
  })

  it("F6: asks of nobody who has nothing", async () => {
    await scenario(11_006, { nodes: 1 }, async (pool) => {
      await pool.sim.startAll()
      expect(await refusalAs(pool, { isForced: true })).toContain("not-found")
    })
  })

  it("F6: RT-11: a client that still reaches the missing is not stopped, but found", async () => {
    await scenario(11_007, {}, async (pool) => {
      const old = await pool.create()
      await pool.write(3, 1)
      const forced = pool.sim.newClient()
      pool.sim.network.cut(forced.host.name, pool.node("A").host.name)
      pool.cut("B")
      await pool.untilNormal("A")
      expect(await old.begin(3, 2)).toBe("ok")
      pool.oracle.mayShow(3, 1)
      const client = await pool.sim.openAs({ isForced: true }, forced)
      const party = pool.adopt(client)
      await pool.write(5, 4)
      pool.heal()
      await untilSplit(pool, "A")
      await untilSplit(pool, "B", old)
      expect(await old.begin(7, 6)).toBe("ok")
      expect(await party.begin(9, 8)).toBe("ok")
      expect(old.client.pool.ended).toBeUndefined()
      expect(party.client.pool.ended).toBeUndefined()
      expect(await resolve(pool, "B", "A")).toContain("uses this member in its own history")
      pool.killClient(old)
      await pool.pause(4000)
      pool.oracle.mayShow(7, 0)
      expect(phaseOf(pool, "A")).toBe("split brain")
      expect(await resolve(pool, "B", "A")).toBe("ok")
      await pool.whole()
    })
  })
})
