/** The ordinary bad days: one thing after another goes wrong, and nobody has to do anything. */
import { type Letter, scenario } from "./verbs.js"

jest.setTimeout(60_000)

describe("ordinary stories", () => {
  it("P2: S3: one leg misses a write, and copies the chunk when it is asked for it", async () => {
    await scenario(201, { nodes: 3, minNormal: 1 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      pool.cut("B")
      await pool.write(0, 2)
      const copies = pool.hold("B", "A", "sync-read")
      const others = pool.hold("B", "C", "sync-read")
      pool.heal()
      await pool.untilNormal("ABC")
      expect(pool.ownOf("B", 0)).toBe("real")
      const reads = [1, 2, 3].map(() => pool.read(0))
      await pool.until("a read waits for a copy", () => copies.count + others.count > 0)
      copies.release()
      others.release()
      expect(await Promise.all(reads)).toEqual([2, 2, 2])
      await pool.untilOwn("B", 0, "clean")
      await pool.whole()
      expect(pool.copiedBy("B")).toBe(1)
    })
  })

  it.each(["A", "B", "C"] as const)(
    "P3: R4: a client dies after %s alone had its write, and all agree again",
    async (letter) => {
      await scenario(202, { nodes: 3 }, async (pool) => {
        const first = await pool.create()
        await pool.write(0, 1)
        for (const other of ["A", "B", "C"] as const) {
          if (other !== letter) pool.hold(first, other, "write", 0)
        }
        void pool.begin(0, 2)
        await pool.pause(100)
        expect(await pool.valueAt(letter, 0)).toBe(2)
        pool.killClient()
        await pool.open()
        await pool.whole()
        expect(await pool.readAll(0)).toHaveLength(1)
      })
    },
  )

  it("P3: M3: a map update is cut off half-way, and what it brought is kept", async () => {
    await scenario(203, {}, async (pool) => {
      const client = await pool.create()
      pool.kill("B")
      for (const block of [0, 64, 128]) await pool.write(block, 1)
      await pool.start("B")
      const ends = pool.hold(client, "B", "map-done")
      await pool.until("B has the pages", () => ends.count === 1 && pool.node("B").dirtyChunks >= 3)
      pool.cut("B")
      pool.cutPeers("A", "B")
      await pool.pause(3000)
      ends.release()
      expect([pool.viewOf("B"), pool.ownOf("B", 64)]).toEqual(["v2{AB}", "real"])
      await pool.write(192, 2)
      pool.heal()
      await pool.whole()
      expect([await pool.valueAt("B", 64), await pool.valueAt("B", 192)]).toEqual([1, 2])
    })
  })

  it("P3: M3: the client dies half-way through a map update; the next begins anew", async () => {
    await scenario(204, { nodes: 3, minNormal: 2 }, async (pool) => {
      const client = await pool.create()
      pool.kill("C")
      for (const block of [0, 64, 128]) await pool.write(block, 1)
      await pool.start("C")
      const ends = [pool.hold(client, "C", "map-done")]
      await pool.until("C has the pages", () => pool.node("C").dirtyChunks >= 3)
      pool.killClient()
      for (const hold of ends) hold.release()
      await pool.open()
      await pool.write(192, 2)
      await pool.whole()
      expect(await pool.valueAt("C", 192)).toBe(2)
    })
  })

  it("P3: M1: two legs are away at different times, and each is told of the other", async () => {
    await scenario(205, { nodes: 3, minNormal: 1 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1)
      pool.kill("C")
      await pool.write(0, 2)
      await pool.write(16, 2)
      pool.kill("B")
      await pool.write(16, 3)
      await pool.write(32, 3)
      expect(pool.view).toBe("v4{A}")
      await pool.start("C")
      await pool.untilNormal("AC")
      // C has been told what B missed as well, and A may go now.
      expect([pool.markOf("C", "B", 16), pool.markOf("C", "B", 32)]).toEqual(["real", "real"])
      await pool.until("C is clean", () => pool.node("C").dirtyChunks === 0)
      pool.kill("A")
      await pool.untilNormal("C")
      await pool.start("B")
      await pool.untilNormal("BC")
      await pool.start("A")
      await pool.whole()
      for (const [block, value] of [
        [0, 2],
        [16, 3],
        [32, 3],
      ] as const) {
        expect(await pool.readAll(block)).toEqual([value])
      }
    })
  })

  it("P2: S3: a chunk is overwritten, in part and in full, while it is being copied", async () => {
    await scenario(206, {}, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 32)
      pool.cut("B")
      await pool.write(0, 2)
      await pool.write(16, 2)
      pool.heal()
      const answers = pool.hold("A", "B", "answer to io")
      await pool.untilNormal("AB")
      await pool.until("two copies are on their way", () => answers.count >= 2)
      const part = pool.begin(1, 3)
      const whole = pool.begin(16, 4, 16)
      await pool.pause(200)
      // What covers all of a chunk needs no copy, and the copy that comes late is dropped.
      expect(await whole).toBe("ok")
      expect([pool.ownOf("B", 0), pool.ownOf("B", 16)]).toEqual(["real", "clean"])
      answers.release()
      expect(await part).toBe("ok")
      await pool.whole()
      expect([await pool.readAll(0), await pool.readAll(1), await pool.readAll(16)]).toEqual([
        [2],
        [3],
        [4],
      ])
    })
  })

  it("P3: M2: a leg returns whose own map is of an absence before", async () => {
    await scenario(207, {}, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 48)
      pool.cut("B")
      await pool.write(0, 2)
      const copies = pool.hold("B", "A", "sync-read")
      pool.heal()
      await pool.untilNormal("AB")
      // It leaves again before it has copied anything, and misses something else.
      pool.kill("B")
      await pool.write(32, 3)
      copies.release()
      await pool.start("B")
      expect([pool.ownOf("B", 0), pool.ownOf("B", 32)]).toEqual(["real", "in flight"])
      await pool.whole()
      expect([await pool.valueAt("B", 0), await pool.valueAt("B", 32)]).toEqual([2, 3])
    })
  })

  it("G3: a store is replaced while another member is away, and both come back", async () => {
    await scenario(208, { nodes: 3, minNormal: 1 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 32)
      pool.kill("B")
      await pool.write(0, 2)
      pool.kill("C")
      await pool.untilNormal("A")
      pool.node("C").replaceDisk()
      await pool.start("C")
      await pool.pause(1000)
      await pool.party.client.pool.replaceStore(pool.node("C").memberId)
      await pool.write(16, 3)
      await pool.start("B")
      await pool.whole()
      expect(pool.copiedBy("C")).toBe(pool.sim.sizeBytes / pool.sim.chunkSizeBytes)
      expect([await pool.readAll(0), await pool.readAll(16)]).toEqual([[2], [3]])
    })
  })

  it("P9: R4: a client dies with all its io units in use, and no more is copied", async () => {
    await scenario(209, { queueDepth: 8, nodes: 3 }, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1, 512)
      pool.hold(first, "C", "write")
      for (let nth = 0; nth < 20; nth++) void pool.begin(nth * 16, 2)
      await pool.pause(200)
      expect(pool.node("A").pool!.lastIo().length).toBe(8)
      pool.killClient()
      await pool.open()
      await pool.whole()
      const copied = (["A", "B", "C"] as const).map((letter) => pool.copiedBy(letter))
      expect(Math.max(...copied)).toBeLessThanOrEqual(8)
    })
  })

  it("P10: R8: a link flaps faster than a return takes, and ends up in the view", async () => {
    await scenario(210, { nodes: 3, times: { blinkMs: 200 } }, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 256)
      let leftCount = 0
      for (let nth = 0; nth < 20; nth++) {
        pool.cut("B")
        await pool.pause(400 + nth * 90)
        if (!pool.view.includes("B")) leftCount++
        pool.heal()
        await pool.write(nth * 12, 2)
        await pool.pause(150)
      }
      expect(leftCount).toBeGreaterThan(1)
      await pool.whole()
      expect(await pool.readAll(0)).toEqual([2])
    })
  })

  it("P3: R8: every link flaps, each in its turn, under writes", async () => {
    await scenario(211, { nodes: 3, minNormal: 1, times: { blinkMs: 100 } }, async (pool) => {
      await pool.create()
      for (let nth = 0; nth < 24; nth++) {
        const letter = "ABC"[nth % 3] as Letter
        pool.cut(letter)
        const write = pool.begin((nth * 16) % 512, 1 + nth)
        await pool.pause(900)
        pool.healBetween(pool.party, letter)
        expect(await write).toBe("ok")
      }
      await pool.whole()
    })
  })
})
