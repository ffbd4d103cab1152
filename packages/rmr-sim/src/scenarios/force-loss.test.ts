/** What a forced start loses, and starts by force that are interrupted (rules F6, R6, P3). */
import type { HeldMessages } from "@rmr/testkit"
import { force, lineageOf, recordOf, resolve, untilSettled, untilSplit } from "./force-verbs.js"
import { isMessage } from "./messages.js"
import { type Scenario, scenario } from "./verbs.js"

jest.setTimeout(120_000)

const isMapAdd = isMessage("map-add")

/** v2{AB}; B dies and misses block 20; it is back in the view, and the copy is held back. */
async function missesBlock(pool: Scenario): Promise<HeldMessages> {
  await pool.create()
  await pool.write(20, 1)
  await pool.flush()
  pool.kill("B")
  await pool.untilNormal("A")
  await pool.write(20, 2)
  await pool.flush()
  await pool.start("B")
  const copies = pool.hold("B", "A", "sync-read")
  await pool.untilNormal("AB")
  return copies
}

describe("a chunk that nobody has who is here", () => {
  it("F6: counts as it is, is counted as lost, and its holder takes that over", async () => {
    await scenario(12_001, {}, async (pool) => {
      const copies = await missesBlock(pool)
      expect(pool.ownOf("B", 20)).toBe("real")
      pool.killClient()
      pool.kill("A")
      copies.release()
      pool.oracle.mayShow(20, 1)
      const { client } = await force(pool)
      expect(client.pool.forced).toMatchObject({ chunksLost: 1, isStale: false })
      await untilSettled(pool)
      expect(client.pool.record.history[0]).toMatchObject({ lostChunks: 1 })
      expect(await pool.read(20)).toBe(1)
      expect(pool.markOf("B", "A", 20)).toBe("real")
      await pool.start("A")
      await pool.untilNormal("AB")
      expect(await pool.readAll(20)).toEqual([1])
      await pool.whole()
    })
  })

  it("F6: R6: RT-75: is still counted, and settled, by the next client", async () => {
    await scenario(12_002, {}, async (pool) => {
      const copies = await missesBlock(pool)
      pool.killClient()
      pool.kill("A")
      copies.release()
      await pool.pause(3500)
      pool.oracle.mayShow(20, 1)
      const first = await force(pool)
      const elections = pool.hold(first, "B", "elect")
      await pool.until(
        "the loss is counted",
        () => recordOf(pool, "B").history[0]?.lostChunks === 1,
      )
      expect(recordOf(pool, "B").history[0]?.isSettled).toBe(false)
      pool.killClient(first)
      elections.release()
      const { lineage } = recordOf(pool, "B").mapVersion
      await pool.open()
      await untilSettled(pool)
      expect(recordOf(pool, "B")).toMatchObject({
        mapVersion: { lineage },
        history: [{ lostChunks: 1, isSettled: true }],
      })
      expect(await pool.read(20)).toBe(1)
      await pool.start("A")
      await pool.whole()
    })
  })

  it("R6: is not taken for lost without force, or when all of that is settled", async () => {
    await scenario(12_003, {}, async (pool) => {
      const copies = await missesBlock(pool)
      copies.release()
      await pool.until("B has all", () => pool.node("B").dirtyChunks === 0)
      pool.killClient()
      pool.kill("A")
      await force(pool)
      await untilSettled(pool)
      await pool.flush()
      pool.spoil("B", 20)
      expect(await pool.read(20)).toBe("media-error")
      expect(pool.ownOf("B", 20)).toBe("real")
      await pool.pause(8000)
      expect(pool.ownOf("B", 20)).toBe("real")
      await pool.start("A")
      await pool.untilNormal("AB")
      expect(await pool.read(20)).toBe("no-clean-copy")
      // An overwrite of all of it is a clean copy.
      await pool.write(16, 9, 16)
      await pool.whole()
    })
  })
})

describe("a chunk that somebody has who returns", () => {
  it("F6: R5: is not lost: who answers comes back first", async () => {
    await scenario(12_007, { nodes: 3, minNormal: 1 }, async (pool) => {
      await pool.create()
      await pool.write(20, 1)
      await pool.flush()
      pool.kill("C")
      await pool.untilNormal("AB")
      // A cannot read it any more, and never gets it from B.
      const copies = pool.hold("A", "B", "sync-read")
      pool.spoil("A", 20)
      await pool.readAll(20)
      await pool.untilOwn("A", 20, "real")
      pool.killClient()
      pool.kill("B")
      copies.release()
      await pool.start("C")
      await pool.pause(3500)
      const { client } = await force(pool)
      expect(client.pool.record.normal).toBe(1)
      await pool.untilNormal("AC")
      await untilSettled(pool)
      expect(client.pool.record.history[0]).toMatchObject({ lostChunks: 0, isSettled: true })
      expect(await pool.readAll(20)).toEqual([1])
      // The client had put A out before it died: B was alone for a moment.
      await pool.start("B")
      await untilSplit(pool, "B")
      expect(await resolve(pool, "A", "B")).toBe("ok")
      await pool.whole()
    })
  })
})

describe("a start by force that is interrupted", () => {
  /** v2{ABC}: C is missing, and with minNormal 1 it may know more. */
  async function withoutC(pool: Scenario): Promise<void> {
    await pool.create()
    await pool.write(3, 1)
    await pool.flush()
    pool.killClient()
    pool.kill("C")
    await pool.pause(3500)
  }

  it.each([
    { again: "without force", next: (pool: Scenario) => pool.open() },
    { again: "by force", next: force },
  ])("F6: P3: on one of two members goes on $again", async ({ next }) => {
    await scenario(12_004, { nodes: 3, minNormal: 1 }, async (pool) => {
      await withoutC(pool)
      const before = lineageOf(pool, "A")
      const half = pool.sim.newClient()
      const views = pool.sim.network.holdMessages(
        half.host.name,
        pool.node("B").host.name,
        isMapAdd,
      )
      const opening = pool.sim.openAs({ isForced: true }, half).catch(() => undefined)
      await pool.until("A has the view", () => lineageOf(pool, "A") !== before)
      pool.sim.network.crash(half.host.name, "process")
      views.release()
      void opening
      expect(lineageOf(pool, "B")).toBe(before)
      const forced = lineageOf(pool, "A")
      await next(pool)
      expect(lineageOf(pool, "B")).toBe(forced)
      expect(recordOf(pool, "B").normal).toBe(3)
      expect(recordOf(pool, "B").history).toHaveLength(1)
      await pool.write(3, 2)
      await pool.start("C")
      await pool.whole()
    })
  })

  it("F6: P3: and whose only holder is gone too is left by another start by force", async () => {
    await scenario(12_005, { nodes: 3, minNormal: 1 }, async (pool) => {
      await withoutC(pool)
      const before = lineageOf(pool, "A")
      const half = pool.sim.newClient()
      const { name } = half.host
      const views = pool.sim.network.holdMessages(name, pool.node("B").host.name, isMapAdd)
      const opening = pool.sim.openAs({ isForced: true }, half).catch(() => undefined)
      await pool.until("A has the view", () => lineageOf(pool, "A") !== before)
      pool.sim.network.crash(name, "process")
      views.release()
      void opening
      pool.kill("A")
      await force(pool)
      await pool.write(3, 2)
      await pool.start("A", "C")
      // C did not go beyond the fork; A was in a view of another history.
      await untilSplit(pool, "A")
      await pool.untilNormal("BC")
      expect(await resolve(pool, "B", "A")).toBe("ok")
      await pool.whole()
    })
  })

  it.each([0, 1, 2, 4, 8, 16, 32, 64])(
    "F6: P3: RT-71: after %i ms of it, whoever comes next ends well",
    async (ms) => {
      await scenario(12_100 + ms, { nodes: 3, minNormal: 1 }, async (pool) => {
        await withoutC(pool)
        const half = pool.sim.newClient()
        const opening = pool.sim.openAs({ isForced: true }, half).catch(() => undefined)
        await pool.pause(ms)
        pool.sim.network.crash(half.host.name, "process")
        void opening
        await pool.pause(3500)
        await force(pool)
        await pool.write(3, 2)
        await pool.start("C")
        await pool.whole()
        expect(lineageOf(pool, "C")).toBe(lineageOf(pool, "A"))
      })
    },
  )
})

describe("a member that was told of a view without it", () => {
  it("F6: starts by force from what it has, and is split from that view", async () => {
    await scenario(12_006, {}, async (pool) => {
      await pool.create()
      await pool.write(3, 1)
      await pool.flush()
      pool.kill("B")
      await pool.untilNormal("A")
      await pool.write(3, 2)
      await pool.write(60, 5)
      await pool.flush()
      await pool.start("B")
      const marks = pool.hold("A", "B", "send-map-buf")
      const last = pool.hold("A", "B", "map-buf-done")
      await pool.until("B was told", () => pool.seenBy("B") === "v3{A}")
      expect(pool.viewOf("B")).toBe("v2{AB}")
      pool.kill("A")
      pool.killClient()
      marks.release()
      last.release()
      pool.oracle.mayShow(3, 1)
      pool.oracle.mayShow(60, 0)
      const { client } = await force(pool)
      expect(client.pool.forced).toMatchObject({ isStale: true, fork: { epoch: 2, version: 2 } })
      expect(await pool.read(3)).toBe(1)
      await pool.write(4, 3)
      await pool.start("A")
      await untilSplit(pool, "A")
      expect(await resolve(pool, "B", "A")).toBe("ok")
      await pool.whole()
      expect(await pool.readAll(60)).toEqual([0])
    })
  })

  it("F6: RT-72: takes its marks about others for nothing", async () => {
    await scenario(12_008, { nodes: 3, minNormal: 1 }, async (pool) => {
      await pool.create()
      await pool.write(50, 1)
      await pool.flush()
      await pool.pause(3000)
      await pool.write(400, 8)
      pool.kill("C")
      await pool.untilNormal("AB")
      await pool.write(50, 2)
      await pool.flush()
      // It is hot nowhere any more, so what says that C lacks it is its mark alone. What cools is
      // said with a heating.
      await pool.pause(3000)
      await pool.write(450, 7)
      pool.kill("B")
      await pool.untilNormal("A")
      await pool.start("B")
      expect(pool.markOf("B", "C", 50)).toBe("real")
      // It is told of the view without it, and its marks are to be replaced by A's.
      const marks = pool.hold("A", "B", "send-map-buf")
      const last = pool.hold("A", "B", "map-buf-done")
      await pool.until("they are gone", () => pool.markOf("B", "C", 50) === "clean")
      pool.kill("A")
      pool.killClient()
      marks.release()
      last.release()
      await pool.start("C")
      await pool.pause(3500)
      pool.oracle.mayShow(450, 0)
      const { client } = await force(pool)
      expect(client.pool.forced).toMatchObject({ isStale: true, missing: [{ memberId: 1 }] })
      await pool.untilNormal("BC")
      expect(await pool.readAll(50)).toEqual([2])
      await pool.start("A")
      await untilSplit(pool, "A")
      expect(await resolve(pool, "B", "A")).toBe("ok")
      await pool.whole()
    })
  })
})
