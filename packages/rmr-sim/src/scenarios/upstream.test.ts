/** Schedules that lose or mix bytes in the kernel's RMR, T1 to T16 of its review, told here. */
import { BLOCK_UNMAP } from "@rmr/core"
import { type Letter, type Scenario, scenario } from "./verbs.js"

jest.setTimeout(60_000)

const CHUNK_BLOCKS = 16
const SELDOM_FLUSHED = { times: { flushMs: 60_000 } }

/** Writes without a pause until it is told to stop. */
function writeOn(pool: Scenario, value: number, blocks = 256): () => Promise<void> {
  let isStopped = false
  const work = (async () => {
    for (let nth = 0; !isStopped; nth++) {
      await pool.write((nth * 7) % blocks, value + (nth % 20))
      await pool.pause(5)
    }
  })()
  return () => {
    isStopped = true
    return work
  }
}

describe("schedules of the original", () => {
  it("P1: M1: T1: B is down, A has every write, then A and the client lose power", async () => {
    await scenario(101, SELDOM_FLUSHED, async (pool) => {
      await pool.create()
      pool.kill("B")
      await pool.untilNormal("A")
      const stop = writeOn(pool, 1)
      await pool.pause(2000)
      await stop()
      expect(await pool.flush()).toBe("ok")
      await pool.write(300, 2)
      expect(pool.markOf("A", "B", 300)).toBe("real")
      pool.cutPower("A")
      pool.killClient()
      await pool.start("A", "B")
      // The mark was in memory only, and is there again.
      expect(pool.markOf("A", "B", 300)).toBe("real")
      await pool.open()
      await pool.untilNormal("AB")
      await pool.until("B is clean", () => pool.node("B").dirtyChunks === 0)
      const [one, other] = await Promise.all(
        ["A", "B"].map((at) => pool.node(at as Letter).content()),
      )
      expect(Buffer.compare(one!, other!)).toBe(0)
      const flushed = one!.slice(0, 256 * 4096)
      expect(pool.oracle.complaints(flushed)).toEqual([])
    })
  })

  it.each([1000, 29_000, 31_000])(
    "P2: R-reads: T2: B is out of the client's reach for %i ms, and not of A's",
    async (awayMs) => {
      await scenario(102, { times: { blinkMs: 500 } }, async (pool) => {
        await pool.create()
        await pool.write(0, 1)
        pool.cut("B")
        await pool.write(0, 2)
        expect(await pool.valueAt("B", 0)).toBe(1)
        await pool.pause(awayMs)
        pool.heal()
        for (let nth = 0; nth < 100; nth++) {
          expect(await pool.read(0)).toBe(2)
          await pool.pause(20)
        }
        await pool.whole()
      })
    },
  )

  it("P4: M3: T3: a write waits in the freeze while B returns, and finds it there", async () => {
    await scenario(103, {}, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1, 16)
      pool.cut("B")
      await pool.write(0, 2)
      const growth = pool.hold(first, "A", "map-add")
      pool.heal()
      await pool.until("the grown view is on its way", () => growth.count === 1)
      expect([pool.viewOf("B"), pool.view]).toEqual(["v4{AB}", "v3{A}"])
      let end = ""
      void pool.begin(17, 3).then((how) => {
        end = how
      })
      await pool.pause(300)
      expect([end, await pool.valueAt("A", 17)]).toEqual(["", 0])
      growth.release()
      await pool.until("it goes on", () => end === "ok")
      expect([await pool.valueAt("A", 17), await pool.valueAt("B", 17)]).toEqual([3, 3])
      await pool.whole()
    })
  })

  it("P4: M1: T4: B cleans a chunk and misses it again; the second absence counts", async () => {
    await scenario(104, {}, async (pool) => {
      await pool.create()
      for (const round of [1, 2, 3]) {
        pool.cut("B")
        await pool.write(0, round)
        expect(pool.markOf("A", "B", 0)).toBe("real")
        pool.heal()
        await pool.untilNormal("AB")
        await pool.untilOwn("B", 0, "clean")
        expect(await pool.valueAt("B", 0)).toBe(round)
      }
      expect(pool.copiedBy("B")).toBe(3)
      await pool.whole()
    })
  })

  it("P1: V5: T5: the client restarts between two times of one member alone", async () => {
    await scenario(105, {}, async (pool) => {
      await pool.create()
      pool.cut("B")
      await pool.write(0, 1)
      pool.kill("A")
      pool.killClient()
      // B alone would be the second one; it does not know what A has.
      expect(await pool.refusal()).toContain("1 more of member 1 must be here")
      await pool.start("A")
      await pool.open()
      await pool.untilNormal("AB")
      await pool.untilOwn("B", 0, "clean")
      pool.kill("A")
      await pool.write(0, 2)
      pool.killClient()
      await pool.open()
      expect(pool.view).toMatch(/\{B\}$/)
      expect(await pool.readAll(0)).toEqual([2])
      await pool.start("A")
      await pool.whole()
    })
  })

  it.each([0, BLOCK_UNMAP])(
    "P3: S5: T6: zeroes while B is away, and in what it is copying (flags %i)",
    async (flags) => {
      await scenario(106, {}, async (pool) => {
        await pool.create()
        await pool.write(0, 1, 256)
        pool.cut("B")
        await pool.zero(3, 40, flags)
        await pool.write(64, 2, 128)
        pool.slowDown("A", "read", 20)
        pool.heal()
        await pool.untilNormal("AB")
        expect(pool.node("B").dirtyChunks).toBeGreaterThan(4)
        await pool.zero(70, 90, flags)
        await pool.whole()
        for (const block of [3, 42, 70, 159]) expect(await pool.readAll(block)).toEqual([0])
        for (const block of [2, 43]) expect(await pool.readAll(block)).toEqual([1])
        for (const block of [69, 160]) expect(await pool.readAll(block)).toEqual([2])
      })
    },
  )

  it.each(["A", "B"] as const)("P1: R5: T7: only %s loses power, unflushed", async (letter) => {
    await scenario(107, SELDOM_FLUSHED, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 256)
      await pool.flush()
      await pool.write(0, 2, 256)
      pool.cutPower(letter)
      await pool.start(letter)
      // Some of it is gone there: the two differ now.
      const content = await pool.node(letter).content()
      expect(pool.oracle.complaints(content.slice(0, 256 * 4096)).length).toBeGreaterThan(0)
      await pool.whole()
      for (const block of [0, 100, 255]) expect(await pool.readAll(block)).toEqual([2])
    })
  })

  it("P3: W4: T8: every member fails a write in its middle; its chunk says so, alone", async () => {
    await scenario(108, {}, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 64)
      for (const letter of ["A", "B"] as const) {
        pool.node(letter).store.failWrites((letter === "A" ? 20 : 24) * 4096, 4096)
      }
      expect(await pool.begin(16, 2, 15)).toBe("media-error")
      await pool.until("it is settled", () => pool.view === "v3{AB}")
      expect([pool.ownOf("A", 16), pool.ownOf("B", 16)]).toEqual(["real", "real"])
      // Nobody knows which bytes are there: no reader is told one thing now and another one later.
      for (let nth = 0; nth < 2; nth++) {
        const ends = await Promise.all([16, 20, 24, 31].map((block) => pool.read(block)))
        expect(ends).toEqual(Array(4).fill("no-clean-copy"))
      }
      for (const block of [15, 32]) expect(await pool.readAll(block)).toEqual([1])
    })
  })

  it.each([1, 2, 3])("P3: R6: T9: all power is lost in the middle of writes (%i)", async (seed) => {
    await scenario(109_000 + seed, { nodes: 3, ...SELDOM_FLUSHED }, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 256)
      await pool.flush()
      for (let nth = 0; nth < 16; nth++) void pool.begin(nth * 16, 2, 8)
      await pool.pause(1)
      pool.killClient()
      pool.cutPower("A", "B", "C")
      await pool.start("A", "B", "C")
      const values = await Promise.all(
        ["A", "B", "C"].map((at) => pool.node(at as Letter).content()),
      )
      expect(values.some((one) => Buffer.compare(one, values[0]!) !== 0)).toBe(true)
      await pool.open()
      await pool.until("all are clean", () =>
        pool.sim.nodes.every(({ dirtyChunks }) => dirtyChunks === 0),
      )
      const after = await Promise.all(
        ["A", "B", "C"].map((at) => pool.node(at as Letter).content()),
      )
      expect(after.map((one) => Buffer.compare(one, after[0]!))).toEqual([0, 0, 0])
      // What no write was on its way to is as it was flushed.
      for (let nth = 0; nth < 16; nth++) expect(await pool.readAll(nth * 16 + 8)).toEqual([1])
    })
  })

  it("P3: M3: T10: the source of a map update dies in it; another one goes on", async () => {
    await scenario(110, { nodes: 3, minNormal: 1 }, async (pool) => {
      await pool.create()
      pool.cut("C")
      for (let chunk = 0; chunk < 30; chunk++) await pool.write(chunk * CHUNK_BLOCKS, 1)
      // The last pages of a phase come with its end.
      const pages = ["A", "B"].map((from) => pool.hold(from as Letter, "C", "map-buf-done"))
      pool.heal()
      await pool.until("pages are on their way", () => pages.some(({ count }) => count > 0))
      const source = pages[0]!.count > 0 ? "A" : "B"
      pool.kill(source)
      for (const hold of pages) hold.release()
      await pool.untilNormal(source === "A" ? "BC" : "AC")
      await pool.start(source)
      await pool.whole()
      expect(pool.copiedBy("C")).toBe(30)
    })
  })

  it("P5: F1: T11: a client hangs for a minute, another has the pool, and it wakes", async () => {
    await scenario(111, {}, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1)
      const late = [first.begin(0, 9), first.begin(1, 9)]
      first.client.host.pause()
      await pool.pause(60_000)
      await pool.open()
      await pool.write(0, 2)
      first.client.host.resume()
      await pool.pause(1000)
      for (const end of await Promise.all(late)) expect(end).not.toBe("ok")
      expect(await first.begin(0, 3)).toBe("fenced")
      expect(first.client.pool.ended?.code).toBe("fenced")
      expect(await pool.readAll(0)).toEqual([2])
      await pool.whole()
    })
  })

  it.each([3, 4])("P10: V5: T12: %i members, the client dies, and one of them", async (nodes) => {
    await scenario(112, { nodes, minNormal: 2 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1)
      for (let nth = 0; nth < 8; nth++) void pool.begin(nth * 16, 2)
      await pool.pause(1)
      pool.killClient()
      pool.cutPower("B")
      await pool.open()
      expect(pool.view).toBe(nodes === 3 ? "v3{AC}" : "v3{ACD}")
      await pool.write(0, 3)
      await pool.start("B")
      await pool.whole()
    })
  })

  it("P7: S6: T13: each member has a bad sector, and the volume is read in full", async () => {
    await scenario(113, { nodes: 3 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 256)
      for (const [nth, letter] of (["A", "B", "C"] as const).entries()) {
        pool.spoil(letter, 32 + nth * 64)
        pool.spoil(letter, 48 + nth * 64)
      }
      for (let block = 0; block < 256; block++) expect(await pool.readAll(block)).toEqual([1])
      expect(pool.view).toBe("v2{ABC}")
      await pool.whole()
    })
  })

  it("P3: S1: T14: the last chunk is a part of one, and is copied without its end", async () => {
    const sizeBytes = 1024 * 1024 + 3 * 4096
    await scenario(114, { sizeBytes }, async (pool) => {
      await pool.create()
      pool.cut("B")
      await pool.write(250, 1, 9)
      expect(pool.markOf("A", "B", 258)).toBe("real")
      pool.heal()
      await pool.whole()
      expect([pool.copiedBy("B"), await pool.valueAt("B", 258)]).toEqual([2, 1])
      // Its record, its maps and its log are still there.
      pool.cutPower("A", "B")
      pool.killClient()
      await pool.start("A", "B")
      await pool.open()
      expect(await pool.readAll(258)).toEqual([1])
      await pool.whole()
    })
  })

  it("P1: T15: bytes at 2^32 are not those at 0, also for a member that missed them", async () => {
    const sizeBytes = 2 ** 32 + 1024 * 1024
    const shape = { chunkSizeBytes: 1024 * 1024, extentBytes: 4 * 1024 * 1024, sizeBytes }
    await scenario(115, shape, async (pool) => {
      await pool.create()
      const far = 2 ** 32 / 4096
      await pool.write(0, 1)
      pool.cut("B")
      await pool.write(far, 2)
      await pool.write(far - 1, 3)
      pool.heal()
      await pool.untilNormal("AB")
      await pool.until("B is clean", () => pool.node("B").dirtyChunks === 0)
      expect(pool.copiedBy("B")).toBeGreaterThanOrEqual(2)
      pool.kill("A")
      await pool.untilNormal("B")
      const read = [await pool.read(0), await pool.read(far - 1), await pool.read(far)]
      expect(read).toEqual([1, 3, 2])
    })
  })

  it("P6: V7: T16: a member answers in a minute instead of failing; writes wait once", async () => {
    await scenario(116, { nodes: 3 }, async (pool) => {
      await pool.create()
      await pool.write(0, 1)
      pool.slowDown("B", "write", 60_000)
      let worstMs = 0
      for (let nth = 0; nth < 60; nth++) {
        const beganMs = pool.nowMs
        await pool.write(nth, 2)
        worstMs = Math.max(worstMs, pool.nowMs - beganMs)
        if (nth === 0) expect(pool.view).toBe("v3{AC}")
      }
      // The deadline of these pools is three seconds; what comes with it is a fraction of one.
      expect(worstMs).toBeGreaterThan(3000)
      expect(worstMs).toBeLessThan(3500)
      pool.slowDown("B", "write", 0)
      await pool.pause(60_000)
      await pool.whole()
    })
  })
})
