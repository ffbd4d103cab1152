/** What a flush promises, and the intent log that it empties (rules I1 to I5). */
import { type Scenario, scenario } from "./verbs.js"

jest.setTimeout(60_000)

/** Where the log of hot extents is almost full with every further write. */
const SMALL_LOG = { extentBytes: 64 * 1024, queueDepth: 4, sizeBytes: 8 * 1024 * 1024 }

describe("flushes", () => {
  it("P6: I3: RT-8: the oldest write needs a place in a log full of later ones", async () => {
    const times = { ioDeadlineMs: 10_000, noLegMs: 20_000 }
    await scenario(8_001, { ...SMALL_LOG, times }, async (pool) => {
      const first = await pool.create()
      const { hot } = pool.node("A").pool!.member.volume!
      const held = pool.holdOne(first, "A", "write", 0)
      const oldest = pool.begin(0, 1)
      let written = 0
      const writeOn = async (): Promise<void> => {
        for (let nth = ++written; nth < 90; nth = ++written) await pool.write(nth * 16, 2)
      }
      const others = Promise.all([writeOn(), writeOn(), writeOn()])
      await pool.pause(6000)
      // Nothing is stable before it, so nothing cools, and what is newer waits.
      expect([held.count, hot.isHot(0)]).toEqual([1, false])
      expect(hot.count).toBeGreaterThanOrEqual(hot.fenceLimit)
      expect(written).toBeLessThan(90)
      held.release()
      expect(await oldest).toBe("ok")
      await others
      expect([written >= 90, pool.view]).toEqual([true, "v2{AB}"])
      await pool.whole()
    })
  })

  it("P1: I4: RT-9: a member that was away hears of a flush that it had no part in", async () => {
    const options = { nodes: 3, minNormal: 1, queueDepth: 1, times: { flushMs: 60_000 } }
    await scenario(9_001, options, async (pool) => {
      await pool.create()
      await writeApart(pool, 1)
      await pool.flush()
      await writeApart(pool, 2)
      pool.cut("C")
      await pool.write(500, 3)
      expect(pool.view).toBe("v3{AB}")
      expect(await pool.flush()).toBe("ok")
      const copies = [pool.hold("C", "A", "sync-read"), pool.hold("C", "B", "sync-read")]
      pool.heal()
      await pool.untilNormal("ABC")
      // With this it hears of the stable number, and lets its extents cool.
      await pool.write(300, 4)
      pool.node("C").pool!.cool()
      expect(pool.node("C").pool!.member.volume!.hot.isHot(0)).toBe(false)
      // The record that makes another one hot says on disk that these are cold.
      await pool.write(400, 5)
      pool.cutPower("C")
      for (const hold of copies) hold.release()
      await pool.start("C")
      expect(pool.node("C").pool!.member.hotAtOpen).not.toContain(0)
      await pool.whole()
      for (const block of [0, 32, 64, 96]) expect(await pool.readAll(block)).toEqual([2])
    })
  })

  it("P3: I2: RT-9: a new epoch makes nothing stable that nobody has flushed", async () => {
    await scenario(9_002, { times: { flushMs: 60_000 } }, async (pool) => {
      await pool.create()
      await writeApart(pool, 1)
      pool.killClient()
      pool.slowDown("A", "flush", 2000)
      pool.slowDown("B", "flush", 2000)
      await pool.open()
      // Its writes bring an epoch that is higher than all that is hot, and no flush has ended.
      await pool.write(500, 2)
      const { hot } = pool.node("A").pool!.member.volume!
      pool.node("A").pool!.cool()
      expect([0, 1, 2, 3].map((nth) => hot.isHot(nth))).toEqual([true, true, true, true])
      pool.cutPower("A")
      await pool.start("A")
      for (const letter of ["A", "B"] as const) pool.slowDown(letter, "flush", 0)
      await pool.whole()
      for (const block of [0, 32, 64, 96]) expect(await pool.readAll(block)).toEqual([1])
    })
  })

  it("P1: I5: RT-44: a flush on a member that has not got the bytes is none", async () => {
    await scenario(44_001, {}, async (pool) => {
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
      expect(await pool.flush()).toBe("no-clean-copy")
      copies.release()
      pool.heal()
      await pool.untilNormal("AB")
      expect(await pool.flush()).toBe("ok")
      await pool.whole()
      expect(await pool.readAll(0)).toEqual([2])
    })
  })

  it("P1: I5: RT-54: all power is lost and the client lives: one flush says so", async () => {
    await scenario(54_001, { times: { flushMs: 60_000 } }, async (pool) => {
      await pool.create()
      await pool.write(0, 1)
      expect(await pool.flush()).toBe("ok")
      await pool.write(0, 1)
      pool.cutPower("A", "B")
      await pool.pause(500)
      await pool.start("A", "B")
      expect(await pool.read(0)).toBe(1)
      expect(await pool.flush()).toBe("io-error")
      await pool.whole()
    })
  })

  it("P1: I5: RT-80: who alone had it comes back with no cache: one flush says so", async () => {
    await scenario(80_001, { minNormal: 1, times: { flushMs: 60_000 } }, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      expect(await pool.flush()).toBe("ok")
      pool.cut("B")
      // The value is the same, so that nobody minds which of both is there in the end.
      await pool.write(0, 1)
      const reads = pool.hold("B", "A", "sync-read")
      pool.heal()
      await pool.untilNormal("AB")
      pool.cutPower("A")
      await pool.untilNormal("B")
      reads.release()
      await pool.start("A")
      await pool.untilNormal("AB")
      await pool.untilOwn("B", 0, "clean")
      expect(await pool.flush()).toBe("io-error")
      await pool.whole()
    })
  })
})

/** Writes in four extents; with one io unit, only the last of them is remembered as in flight. */
async function writeApart(pool: Scenario, value: number): Promise<void> {
  for (const block of [0, 32, 64, 96]) await pool.write(block, value)
}
