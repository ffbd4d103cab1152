/** Split brain: found, shown, and resolved by an admin's word (rules R7, G5, F1). */
import {
  force,
  idOf,
  lineageOf,
  phaseOf,
  recordOf,
  refusalAs,
  resolve,
  shownView,
  startSide,
  untilSettled,
  untilSplit,
} from "./force-verbs.js"
import { type Scenario, scenario } from "./verbs.js"

jest.setTimeout(120_000)

/** v2{AB}; A alone writes at blocks 3 and 200; B alone, by force, at block 5; A is split. */
async function splitPool(pool: Scenario): Promise<void> {
  await pool.create()
  await pool.write(3, 1)
  await pool.flush()
  pool.kill("B")
  await pool.untilNormal("A")
  await pool.write(3, 2)
  // In a chunk that nobody writes on the other side, so that no mark there is about it.
  await pool.write(200, 9)
  await pool.flush()
  // That is hot no more, and A would not suspect it by itself: what cools is said with a heating.
  await pool.pause(3000)
  await pool.write(400, 8)
  pool.kill("A")
  pool.killClient()
  await pool.start("B")
  pool.oracle.mayShow(3, 1)
  pool.oracle.mayShow(200, 0)
  pool.oracle.mayShow(400, 0)
  await force(pool)
  await untilSettled(pool)
  await pool.write(5, 3)
  await pool.start("A")
  await untilSplit(pool, "A")
}

function isAllReal(pool: Scenario): boolean {
  const { pool: member } = pool.node("A")
  const { own } = member!.member.volume!.maps
  return own.count === own.chunkCount
}

describe("a split brain (RT-11)", () => {
  it("R7: is kept by a new client too, which has to be told the side", async () => {
    await scenario(13_001, {}, async (pool) => {
      await splitPool(pool)
      pool.killClient()
      await pool.pause(3500)
      const refusal = await pool.refusal()
      expect(refusal).toContain("members have gone on apart")
      expect(refusal).toContain(`member 1 is of history ${lineageOf(pool, "A").slice(0, 8)}`)
      expect(refusal).toContain(`member 2 is of history ${lineageOf(pool, "B").slice(0, 8)}`)
      // Force chooses no side.
      expect(await refusalAs(pool, { isForced: true })).toContain("have gone on apart")
      await startSide(pool, "B")
      await untilSplit(pool, "A")
      await pool.write(6, 4)
      expect(await resolve(pool, "B", "A")).toBe("ok")
      await pool.whole()
      expect(await pool.readAll(3)).toEqual([1])
      expect(await pool.readAll(200)).toEqual([0])
    })
  })

  it("R7: is resolved for the other side by starting that one", async () => {
    await scenario(13_002, {}, async (pool) => {
      await splitPool(pool)
      expect(await resolve(pool, "A", "B")).toContain('"rmr pool start vault --side 1"')
      pool.killClient()
      await pool.pause(3500)
      await startSide(pool, "A")
      expect(await pool.read(3)).toBe(2)
      pool.oracle.mayShow(5, 0)
      await untilSplit(pool, "B")
      await pool.write(7, 5)
      expect(await resolve(pool, "A", "B")).toBe("ok")
      await pool.whole()
      expect(await pool.readAll(5)).toEqual([0])
      expect(await pool.readAll(200)).toEqual([9])
    })
  })

  it("F1: R7: is resolved also where the other side has come further in its epochs", async () => {
    await scenario(13_003, {}, async (pool) => {
      await splitPool(pool)
      pool.killClient()
      await pool.pause(3500)
      for (let times = 0; times < 4; times++) {
        await startSide(pool, "A")
        pool.killClient()
        await pool.pause(3500)
      }
      const ofA = recordOf(pool, "A").mapVersion.epoch
      pool.kill("A")
      const { client } = await startSide(pool, "B")
      const ours = client.pool.record.mapVersion.epoch
      expect(ours).toBeLessThanOrEqual(ofA)
      await pool.start("A")
      await untilSplit(pool, "A")
      await pool.write(6, 4)
      expect(await resolve(pool, "B", "A")).toBe("ok")
      expect(client.pool.record.mapVersion.epoch).toBeGreaterThan(ofA)
      await pool.whole()
    })
  })

  it("F4: R7: RT-74: the member itself refuses too, and its epoch ends nobody's pool", async () => {
    await scenario(13_010, {}, async (pool) => {
      await splitPool(pool)
      pool.killClient()
      await pool.pause(3500)
      for (let times = 0; times < 3; times++) {
        await startSide(pool, "A")
        pool.killClient()
        await pool.pause(3500)
      }
      pool.kill("A")
      const { client } = await startSide(pool, "B")
      await pool.start("A")
      await untilSplit(pool, "A")
      const before = recordOf(pool, "A").mapVersion
      expect(client.pool.record.mapVersion.epoch).toBeLessThan(before.epoch)
      const [leg] = client.pool.legs
      if (leg === undefined) throw new Error("A has a leg")
      // Its client does not know what it is, and asks it to rejoin.
      leg.claim = undefined
      const said = (): string => client.pool.returning[0]?.detail ?? ""
      await pool.until("it refuses", () => said().includes("this member is of history"))
      expect(client.pool.ended).toBeUndefined()
      expect(await pool.begin(6, 4)).toBe("ok")
      expect(recordOf(pool, "A").mapVersion).toEqual(before)
    })
  })

  it("R7: is not resolved by what an admin saw of it before it went on", async () => {
    await scenario(13_004, {}, async (pool) => {
      await splitPool(pool)
      const { party } = pool
      const seen = shownView(pool, "A")
      const before = recordOf(pool, "A").mapVersion
      // Its own side is opened once more, in a new view, and left again.
      const other = await pool.sim.openAs({ side: idOf("A") })
      expect(recordOf(pool, "A").mapVersion.epoch).toBeGreaterThan(before.epoch)
      // The client of this side has not looked again: the member itself says so.
      expect(shownView(pool, "A")).toEqual(seen)
      pool.killClient(pool.adopt(other))
      pool.adopt(party.client)
      expect(await resolve(pool, "B", "A", seen)).toContain("it has gone on since that was looked")
      await pool.until("it looks again", () => shownView(pool, "A").epoch > seen.epoch)
      expect(await resolve(pool, "B", "A", seen)).toContain("look again")
      expect(lineageOf(pool, "A")).toBe(before.lineage)
      expect(await pool.valueAt("A", 3)).toBe(2)
      await pool.pause(4000)
      expect(await resolve(pool, "B", "A")).toBe("ok")
      await pool.whole()
    })
  })

  it("R7: G1: RT-76: is not resolved where the volume is larger on the other side", async () => {
    await scenario(13_009, {}, async (pool) => {
      await splitPool(pool)
      const { party } = pool
      const other = await pool.sim.openAs({ side: idOf("A") })
      await other.pool.grow(2 * pool.sim.sizeBytes)
      pool.killClient(pool.adopt(other))
      pool.adopt(party.client)
      await pool.pause(4000)
      const grown = recordOf(pool, "A").mapVersion
      await pool.until("it is seen", () => shownView(pool, "A").version === grown.version)
      expect(await resolve(pool, "B", "A")).toContain("give the member an empty store")
      expect(lineageOf(pool, "A")).toBe(grown.lineage)
    })
  })

  it("R7: G3: is over where an empty store is in the place of the other side's", async () => {
    await scenario(13_020, {}, async (pool) => {
      await splitPool(pool)
      pool.kill("A")
      pool.node("A").replaceDisk()
      await pool.start("A")
      await pool.until("A has another store", () => phaseOf(pool, "A") === "waiting")
      const { pool: client } = pool.party.client
      expect(client.returning).toMatchObject([{ split: undefined }])
      expect(client.returning[0]?.detail).toContain('"rmr pool replace vault 1"')
      await client.replaceStore(idOf("A"))
      await pool.untilNormal("AB")
      await pool.whole()
    })
  })

  it("R7: needs a member that is of another history, and one that is kept", async () => {
    await scenario(13_005, { nodes: 3 }, async (pool) => {
      await pool.create()
      expect(await resolve(pool, "A", "B")).toContain("member 2 is not known to be of another")
      expect(await resolve(pool, "A", "A")).toContain("member 1 is no normal member")
      await pool.whole()
    })
  })

  it.each([0, 1, 2, 3, 4, 6, 8, 12, 16])(
    "R7: P3: power of the loser goes after %i ms: it is split still, or lacks everything",
    async (ms) => {
      await scenario(13_100 + ms, {}, async (pool) => {
        await splitPool(pool)
        const before = lineageOf(pool, "A")
        const resolving = resolve(pool, "B", "A")
        await pool.pause(ms)
        pool.cutPower("A")
        await resolving
        await pool.start("A")
        if (lineageOf(pool, "A") === before) {
          await untilSplit(pool, "A")
          expect(await pool.valueAt("A", 3)).toBe(2)
          expect(await resolve(pool, "B", "A")).toBe("ok")
        } else {
          expect(isAllReal(pool) || pool.viewOf("A").includes("AB")).toBe(true)
        }
        await pool.whole()
      })
    },
  )

  it("R7: P3: an answer that is lost is asked for again", async () => {
    await scenario(13_006, {}, async (pool) => {
      await splitPool(pool)
      const before = lineageOf(pool, "A")
      const answers = pool.hold("A", pool.party, "answer to rejoin-pool")
      const resolving = resolve(pool, "B", "A")
      await pool.until("A has given it up", () => lineageOf(pool, "A") !== before)
      expect(isAllReal(pool)).toBe(true)
      pool.killClient()
      answers.release()
      void resolving
      pool.cutPower("A")
      await pool.start("A")
      expect(isAllReal(pool)).toBe(true)
      await pool.open()
      await pool.whole()
    })
  })

  it("R7: V5: who has given its history up starts nothing, and by force what it has", async () => {
    await scenario(13_007, {}, async (pool) => {
      await splitPool(pool)
      const kept = lineageOf(pool, "B")
      const marks = pool.hold("B", "A", "map-buf-done")
      expect(await resolve(pool, "B", "A")).toBe("ok")
      pool.killClient()
      pool.kill("B")
      marks.release()
      expect(lineageOf(pool, "A")).toBe(kept)
      expect(await pool.refusal()).toContain("1 more of member 2 must be here")
      pool.oracle.mayShow(3, 2)
      pool.oracle.mayShow(5, 0)
      pool.oracle.mayShow(200, 9)
      pool.oracle.mayShow(400, 8)
      const { client } = await force(pool)
      expect(client.pool.forced).toMatchObject({ isStale: true })
      expect(client.pool.forced?.chunksLost).toBe(32)
      await untilSettled(pool)
      await pool.write(9, 6)
      await pool.start("B")
      await untilSplit(pool, "B")
      expect(await resolve(pool, "A", "B")).toBe("ok")
      await pool.whole()
    })
  })

  it("G5: a store that was deleted starts a pool by force only, and is found out", async () => {
    await scenario(13_008, { nodes: 3, minNormal: 1 }, async (pool) => {
      await pool.create()
      await pool.write(3, 1)
      await pool.flush()
      pool.kill("C")
      await pool.untilNormal("AB")
      await pool.party.client.pool.delete(idOf("C"), true)
      await pool.write(3, 2)
      await pool.flush()
      const kept = lineageOf(pool, "A")
      pool.kill("A", "B")
      pool.killClient()
      await pool.start("C")
      expect(await pool.refusal()).toContain("more of member 1, 2 must be here")
      pool.oracle.mayShow(3, 1)
      await force(pool)
      await untilSettled(pool)
      pool.killClient()
      await pool.pause(3500)
      await pool.start("A", "B")
      expect(await pool.refusal()).toContain("have gone on apart")
      const { client } = await startSide(pool, "A")
      expect(client.pool.record.mapVersion.lineage).toBe(kept)
      expect(await pool.readAll(3)).toEqual([2])
      expect(client.pool.legs.map((leg) => leg?.memberId)).toEqual([1, 2])
      expect(phaseOf(pool, "C")).toBe("in the view")
    })
  })
})
