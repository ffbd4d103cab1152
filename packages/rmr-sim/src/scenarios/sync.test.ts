/** How members copy from each other, and when they had better not (rules S1 to S10, W2). */
import { scenario } from "./verbs.js"

jest.setTimeout(60_000)

describe("copies", () => {
  it("P2: S6: RT-16: a read that was mended elsewhere writes nothing back", async () => {
    await scenario(16_001, {}, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1, 16)
      pool.spoil("A", 0)
      const late = pool.hold("B", first, "answer")
      const reads = [pool.read(0), pool.read(0)]
      await pool.until("A has repaired itself", () => pool.copiedBy("A") === 1)
      // Both reads are at B now, with the old bytes, and A takes the next write.
      const write = pool.begin(0, 2)
      await pool.pause(300)
      late.release()
      expect(await Promise.all(reads)).toEqual([1, 1])
      expect(await write).toBe("ok")
      expect(await pool.readAll(0)).toEqual([2])
      await pool.whole()
    })
  })

  it("P6: S2: RT-21: two members fetch from each other, and nobody waits for ever", async () => {
    await scenario(21_001, { nodes: 3 }, async (pool) => {
      await pool.create()
      for (let chunk = 0; chunk < 8; chunk++) await pool.write(chunk * 16, 1, 16)
      // C has the first one only; of the others, each of A and B has one half.
      for (const letter of ["A", "B"] as const) pool.spoil(letter, 0)
      for (let chunk = 1; chunk < 8; chunk++) {
        pool.spoil(chunk % 2 === 0 ? "A" : "B", chunk * 16)
        pool.spoil("C", chunk * 16)
      }
      const reads: Promise<unknown>[] = []
      for (let nth = 0; nth < 48; nth++) reads.push(pool.read((nth % 8) * 16))
      expect(new Set(await Promise.all(reads))).toEqual(new Set([1]))
      await pool.whole()
      const copied = (["A", "B", "C"] as const).map((letter) => pool.copiedBy(letter))
      expect(Math.min(...copied)).toBeGreaterThan(0)
      expect(pool.view).toBe("v2{ABC}")
    })
  })

  it("P2: S2: RT-22: nobody copies from a member that does not know it was put out", async () => {
    await scenario(22_001, { nodes: 3, minNormal: 2, queueDepth: 1 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      pool.cut("C")
      await pool.write(0, 2)
      // Of its io unit, the members remember this one only: nothing asks for the one before (S10).
      await pool.write(160, 3)
      // C has the old bytes, a clean bit, and believes that it is in the view.
      expect([pool.viewOf("C"), pool.ownOf("C", 0)]).toEqual(["v2{ABC}", "clean"])
      expect(pool.node("C").pool!.state.state).toBe("normal")
      pool.cutPeers("A", "B")
      pool.spoil("A", 0)
      for (let nth = 0; nth < 4; nth++) expect(await pool.read(0)).toBe(2)
      await pool.pause(3000)
      expect(pool.ownOf("A", 0)).toBe("real")
      pool.healBetween("A", "B")
      await pool.untilOwn("A", 0, "clean")
      pool.heal()
      await pool.whole()
      expect(await pool.readAll(0)).toEqual([2])
    })
  })

  it("P6: S8: RT-26: the only clean copy is away, and only its chunk waits for it", async () => {
    await scenario(26_001, {}, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      pool.cut("B")
      await pool.write(0, 2)
      const copies = pool.hold("B", "A", "sync-read")
      pool.heal()
      await pool.untilNormal("AB")
      pool.kill("A")
      await pool.untilNormal("B")
      const beganMs = pool.nowMs
      expect(await Promise.all([pool.read(0), pool.begin(1, 9)])).toEqual([
        "no-clean-copy",
        "no-clean-copy",
      ])
      expect(pool.nowMs - beganMs).toBeLessThan(6000)
      await pool.write(16, 3)
      expect(await pool.read(16)).toBe(3)
      // Whoever asks when it is back has it.
      const late = pool.read(0)
      await pool.pause(1000)
      copies.release()
      await pool.start("A")
      expect(await late).toBe(2)
      await pool.whole()
    })
  })

  it("P4: S2: RT-31: a copy that was read before a takeover is not written after it", async () => {
    await scenario(31_001, {}, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      const late = pool.holdOne("A", "B", "answer to io")
      pool.spoil("B", 0)
      for (let nth = 0; nth < 2; nth++) void pool.read(0)
      await pool.until("the copy is on its way", () => late.count === 1)
      pool.adopt(await pool.sim.open(true))
      await pool.write(0, 2, 16)
      expect(pool.ownOf("B", 0)).toBe("clean")
      late.release()
      await pool.pause(200)
      await pool.whole()
      expect(await pool.readAll(1)).toEqual([2])
    })
  })

  it("P6: S2: RT-66: a source that never answers holds a copy up, and not for ever", async () => {
    await scenario(31_002, { nodes: 3, minNormal: 2 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      const answers = (["A", "C"] as const).map((from) => pool.holdOne(from, "B", "answer to io"))
      pool.spoil("B", 0)
      for (let nth = 0; nth < 3; nth++) expect(await pool.read(0)).toBe(1)
      await pool.until("both are silent", () => answers.every(({ count }) => count === 1))
      // Both are alive, answer everybody else, and hold the only entry of the chunk.
      expect(pool.ownOf("B", 0)).toBe("real")
      await pool.untilOwn("B", 0, "clean")
      await pool.whole()
      expect(await pool.readAll(0)).toEqual([1])
    })
  })

  it("P4: S9: RT-40: a copy brings along the record of a write that is in it", async () => {
    await scenario(40_001, { nodes: 3, minNormal: 2 }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1, 16)
      // A has the write, B has not got it; C lost the chunk, and copies it from A.
      pool.hold(first, "B", "write", 0)
      pool.hold(first, "C", "write", 0)
      void pool.begin(0, 2)
      await pool.pause(100)
      pool.cutPeers("B", "C")
      pool.spoil("C", 1)
      for (let nth = 0; nth < 3; nth++) void pool.read(1)
      await pool.until("C has copied it", () => pool.copiedBy("C") === 1)
      pool.killClient()
      await pool.open()
      pool.heal()
      await pool.whole()
      expect((await pool.readAll(0)).length).toBe(1)
    })
  })

  it("P4: S9: RT-77: a copy of one chunk does not speak for the rest of a write", async () => {
    await scenario(77_001, { nodes: 3, minNormal: 2 }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1, 32)
      // In the last block of one chunk and the first of the next; C gets it by a copy of one.
      pool.hold(first, "C", "write", 15)
      void pool.begin(15, 2, 2)
      await pool.pause(100)
      pool.spoil("C", 1)
      for (let nth = 0; nth < 3; nth++) void pool.read(1)
      await pool.until("C has copied it", () => pool.copiedBy("C") === 1)
      pool.killClient()
      await pool.open()
      await pool.whole()
      expect((await pool.readAll(16)).length).toBe(1)
    })
  })

  it("P4: W5: RT-79: a write waits for a copy that is written while somebody opens", async () => {
    await scenario(79_001, {}, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      pool.cut("B")
      await pool.write(0, 2, 16)
      const compared = pool.hold("A", "B", "answer to io")
      pool.slowDown("B", "write", 1500)
      pool.heal()
      await pool.untilNormal("AB")
      await pool.until("the chunk is compared", () => compared.count > 0)
      compared.release()
      const held = pool.hold("A", "B", "answer to io")
      await pool.until("a copy is on its way", () => held.count > 0)
      // A applies it, B waits for the copy, which is older.
      void pool.begin(1, 3)
      await pool.pause(100)
      held.release()
      await pool.pause(100)
      pool.killClient()
      await pool.open()
      await pool.whole()
      expect((await pool.readAll(1)).length).toBe(1)
    })
  })

  it("P6: RT-60: what waits for a copy gives its memory back when its session ends", async () => {
    await scenario(60_001, {}, async (pool) => {
      const { client } = await pool.create()
      await pool.write(0, 1, 16)
      pool.cut("B")
      await pool.write(0, 2, 16)
      const held = pool.hold("A", "B", "answer to io")
      pool.heal()
      await pool.untilNormal("AB")
      await pool.until("a copy is on its way", () => held.count > 0)
      const leases = (): number => pool.node("B").memory?.stats().leaseCount ?? 0
      const before = leases()
      const write = pool.begin(1, 3)
      await pool.until("B has the write", () => leases() > before)
      pool.cut("B")
      await pool.untilNormal("A")
      await pool.pause(500)
      expect([pool.node("B").pool?.dataPath?.table.count, leases()]).toEqual([0, before])
      expect(client.pool.ended).toBeUndefined()
      expect(await write).toBe("ok")
      held.release()
      pool.heal()
      await pool.whole()
      expect(await pool.readAll(1)).toEqual([3])
    })
  })

  it("P2: S10: RT-41: who missed a write copies from nobody without it", async () => {
    const options = { nodes: 3, minNormal: 2, times: { ioDeadlineMs: 20_000 } }
    await scenario(41_001, options, async (pool) => {
      const first = await pool.create()
      await pool.write(32, 1, 16)
      for (const peer of ["A", "C"] as const) pool.cutPeers("B", peer)
      pool.spoil("B", 32)
      for (let nth = 0; nth < 3; nth++) expect(await pool.read(32)).toBe(1)
      await pool.untilOwn("B", 32, "real")
      const held = pool.hold(first, "C", "write")
      const write = pool.begin(33, 2)
      await pool.untilIdle("B")
      pool.healBetween("B", "C")
      await pool.pause(3000)
      // C is clean, and has not heard of the write.
      expect([pool.ownOf("B", 32), pool.ownOf("C", 32)]).toEqual(["real", "clean"])
      held.release()
      expect(await write).toBe("ok")
      pool.heal()
      await pool.whole()
      expect(await pool.readAll(33)).toEqual([2])
    })
  })

  it("P6: S10: RT-47: who joined after a write is good enough a source of it", async () => {
    await scenario(47_001, { queueDepth: 1 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      pool.cutPeers("A", "B")
      pool.spoil("A", 0)
      for (let nth = 0; nth < 2; nth++) expect(await pool.read(0)).toBe(1)
      await pool.untilOwn("A", 0, "real")
      // A misses it, and remembers that it did; B has it.
      await pool.write(1, 2)
      pool.cut("B")
      await pool.untilNormal("A")
      pool.heal()
      await pool.untilNormal("AB")
      // B remembers it as a suspicion only, and is elected, since A is certain to lack it.
      expect(pool.node("B").pool!.lastIo()).toEqual([])
      await pool.untilOwn("A", 0, "clean")
      await pool.whole()
      expect(await pool.readAll(1)).toEqual([2])
    })
  })

  it("P1: W2: RT-46: who only suspects a chunk does not say that it missed the write", async () => {
    const times = { ioDeadlineMs: 20_000, noLegMs: 30_000, flushMs: 60_000 }
    await scenario(46_001, { times }, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      pool.kill("B")
      await pool.untilNormal("A")
      await pool.start("B")
      const copies = pool.hold("B", "A", "sync-read")
      await pool.untilNormal("AB")
      expect([pool.ownOf("A", 0), pool.ownOf("B", 0)]).toEqual(["clean", "in flight"])
      pool.cutPeers("A", "B")
      copies.release()
      let end = ""
      void pool.begin(1, 2).then((how) => {
        end = how
      })
      await pool.pause(8000)
      expect([end, await pool.valueAt("A", 1)]).toEqual(["", 2])
      pool.heal()
      await pool.until("it is acknowledged", () => end === "ok")
      await pool.whole()
    })
  })
})
