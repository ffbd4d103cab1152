/** Who is right after a crash, and after the next one (rules R1 to R6, S4, V4b, G3). */
import { isMessage } from "./messages.js"
import { type Scenario, scenario } from "./verbs.js"

jest.setTimeout(60_000)

/** Sixteen writes in chunks of their own, acknowledged and not flushed. */
async function writeWide(pool: Scenario, value: number): Promise<void> {
  for (let chunk = 0; chunk < 16; chunk++) await pool.write(chunk * 16, value)
}

/** Every member answers every one of these with this value. */
async function expectWide(pool: Scenario, value: number): Promise<void> {
  for (let chunk = 0; chunk < 16; chunk++) {
    expect(await pool.readAll(chunk * 16)).toEqual([value])
  }
}

const SELDOM_FLUSHED = { times: { flushMs: 60_000 } }

describe("after a crash", () => {
  it("P1: R3: RT-6: a power feed takes client and B; B suspects itself, not A", async () => {
    await scenario(6_001, SELDOM_FLUSHED, async (pool) => {
      await pool.create()
      await writeWide(pool, 1)
      await pool.flush()
      await writeWide(pool, 2)
      pool.killClient()
      pool.cutPower("B")
      await pool.start("B")
      expect([pool.ownOf("A", 0), pool.ownOf("B", 0)]).toEqual(["clean", "cache lost"])
      await pool.open()
      expect(pool.node("A").dirtyChunks).toBe(0)
      await expectWide(pool, 2)
      await pool.whole()
    })
  })

  it("P1: R6: RT-6: the one that kept its cache is elected, though a later one", async () => {
    await scenario(6_002, SELDOM_FLUSHED, async (pool) => {
      await pool.create()
      await writeWide(pool, 1)
      await pool.flush()
      await writeWide(pool, 2)
      pool.killClient()
      pool.cutPower("A")
      pool.kill("B")
      await pool.start("A", "B")
      expect([pool.ownOf("A", 0), pool.ownOf("B", 0)]).toEqual(["cache lost", "in flight"])
      await pool.open()
      await expectWide(pool, 2)
      await pool.whole()
    })
  })

  it("P3: R4: RT-7: a recovery that was interrupted is simply done again", async () => {
    await scenario(7_001, { nodes: 3, minNormal: 2 }, async (pool) => {
      const first = await pool.create()
      await writeWide(pool, 1)
      pool.hold(first, "B", "write", 0)
      pool.hold(first, "C", "write", 0)
      void pool.begin(0, 2)
      await pool.pause(100)
      pool.killClient()
      const { network } = pool.sim
      const process = pool.sim.newClient()
      for (const node of ["node-1", "node-2", "node-3"]) {
        network.holdMessages(process.host.name, node, isMessage("map-add"))
      }
      void pool.sim.open(true, process).catch(() => undefined)
      await pool.untilOwn("A", 0, "in flight")
      network.crash(process.host.name, "process")
      expect(["A", "B", "C"].map((one) => pool.viewOf(one as "A"))).toEqual(
        Array(3).fill("v2{ABC}"),
      )
      await pool.open()
      await pool.whole()
      // Of the others, on which all agree, nobody copied anything.
      expect(["A", "B", "C"].map((one) => pool.copiedBy(one as "A"))).toEqual([1, 0, 0])
    })
  })

  it("P1: S4: RT-12: RT-32: a missing chunk is overwritten; then the process dies", async () => {
    await scenario(12_001, SELDOM_FLUSHED, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      pool.cut("B")
      await pool.write(0, 2, 16)
      pool.hold("B", "A", "sync-read")
      pool.heal()
      await pool.untilNormal("AB")
      pool.kill("A")
      await pool.untilNormal("B")
      expect(pool.ownOf("B", 0)).toBe("real")
      await pool.write(0, 3, 16)
      pool.kill("B")
      await pool.start("B")
      // On its disk it is not missing any more: its copy is as good as it gets.
      expect(pool.ownOf("B", 0)).not.toBe("real")
      await pool.start("A")
      await pool.whole()
      expect(await pool.readAll(0)).toEqual([3])
    })
  })

  it("P1: S4: RT-30: a copy is clean on disk before anybody takes it for clean", async () => {
    await scenario(30_001, SELDOM_FLUSHED, async (pool) => {
      await pool.create()
      await pool.write(0, 1, 16)
      pool.cut("B")
      await pool.write(0, 2)
      pool.heal()
      await pool.untilNormal("AB")
      await pool.untilOwn("B", 0, "clean")
      pool.kill("A")
      await pool.untilNormal("B")
      expect(await pool.flush()).toBe("ok")
      pool.kill("B")
      await pool.start("B")
      // Its clear was not in memory only: nothing says on disk that the chunk is missing.
      expect(pool.ownOf("B", 0)).not.toBe("real")
      expect(await pool.read(0)).toBe(2)
      await pool.start("A")
      await pool.whole()
    })
  })

  it.each([
    [30_002, "with nothing else to do", false],
    [30_006, "beside foreground IO", true],
  ])(
    "P1: S4: RT-33: power fails when a copy is clean (%i, made %s)",
    async (seed, _words, isBeside) => {
      await scenario(seed, { ...SELDOM_FLUSHED, minNormal: 1 }, async (pool) => {
        await pool.create()
        await pool.write(0, 1, 16)
        pool.kill("A")
        await pool.write(0, 2, 16)
        expect(await pool.flush()).toBe("ok")
        await pool.start("A")
        await pool.untilNormal("AB")
        const load = async (): Promise<void> => {
          for (let nth = 3; pool.ownOf("A", 0) !== "clean"; nth++) await pool.write(32, nth)
        }
        if (isBeside) await load()
        else await pool.untilOwn("A", 0, "clean")
        // Both suspect what was hot, so the first of them is as good as the second.
        pool.killClient()
        pool.cutPower("A", "B")
        await pool.start("A", "B")
        expect(await pool.valueAt("A", 0)).toBe(2)
        await pool.open()
        expect(await pool.readAll(0)).toEqual([2])
        // Nobody had flushed the load; a power cut may take of it what it likes.
        await pool.write(32, 1)
        await pool.whole()
      })
    },
  )

  it("P1: G3: RT-18: an empty disk in the place of the one that knew does not count", async () => {
    await scenario(18_001, {}, async (pool) => {
      await pool.create()
      pool.kill("B")
      await pool.write(0, 1)
      pool.kill("A")
      pool.killClient()
      const old = pool.node("A").parts[0]!
      pool.node("A").replaceDisk()
      await pool.start("A", "B")
      expect(await pool.refusal()).toContain("1 more of member 1 must be here")
      pool.kill("A")
      pool.node("A").parts[0] = old
      await pool.start("A")
      await pool.open()
      expect(await pool.readAll(0)).toEqual([1])
      await pool.whole()
    })
  })

  it("P2: V4b: RT-19: a disk that was set back lacks all, not only what it missed", async () => {
    await scenario(19_001, { nodes: 3, minNormal: 1 }, async (pool) => {
      await pool.create()
      pool.kill("C")
      const setBack = pool.node("C").store.snapshot()
      await pool.write(0, 1)
      await pool.start("C")
      await pool.untilNormal("ABC")
      await pool.write(0, 2)
      await pool.write(160, 3)
      pool.kill("C")
      await pool.write(320, 4)
      setBack()
      await pool.start("C")
      await pool.whole()
      expect(pool.copiedBy("C")).toBe(pool.sim.sizeBytes / pool.sim.chunkSizeBytes)
      expect(await pool.readAll(160)).toEqual([3])
    })
  })

  it("P9: R4: RT-27: a client dies with one large write, and its chunks are copied", async () => {
    const options = { chunkSizeBytes: 4096, queueDepth: 1 }
    await scenario(27_001, options, async (pool) => {
      const first = await pool.create()
      for (let nth = 0; nth < 8; nth++) await pool.write(nth * 32, 1, 32)
      pool.hold(first, "A", "write", 64)
      void pool.begin(64, 2, 32)
      await pool.pause(100)
      pool.killClient()
      await pool.open()
      await pool.whole()
      // One mutation is in flight at most: its thirty-two chunks, and none of the others.
      expect([pool.copiedBy("A"), pool.copiedBy("B")]).toEqual([0, 32])
    })
  })

  it("P1: R5: RT-45: a lost cache is not elected over bytes that were flushed since", async () => {
    await scenario(45_001, SELDOM_FLUSHED, async (pool) => {
      await pool.create()
      await writeWide(pool, 1)
      await pool.flush()
      await writeWide(pool, 2)
      pool.cutPower("B")
      await pool.untilNormal("A")
      expect(await pool.flush()).toBe("ok")
      await pool.start("B")
      const copies = pool.hold("B", "A", "sync-read")
      await pool.untilNormal("AB")
      expect(pool.ownOf("B", 0)).toBe("real")
      pool.kill("A")
      await pool.untilNormal("B")
      expect(await pool.read(0)).toBe("no-clean-copy")
      copies.release()
      await pool.start("A")
      await pool.whole()
      await expectWide(pool, 2)
    })
  })

  it("P1: V2: RT-48: a write that was done and whose bytes are bad since, is not", async () => {
    await scenario(48_001, {}, async (pool) => {
      const first = await pool.create()
      await pool.write(0, 1, 16)
      pool.hold(first, "B", "write", 0)
      const write = pool.begin(0, 2)
      await pool.pause(200)
      // A has done it and said so. Then nobody can read it there any more.
      pool.hold("A", "B", "sync-read")
      pool.spoil("A", 0)
      for (let nth = 0; nth < 2; nth++) void pool.read(0)
      await pool.untilOwn("A", 0, "real")
      pool.cut("B")
      expect(await write).not.toBe("ok")
      expect(pool.view).toMatch(/^v[34]\{A\}$/)
      pool.heal()
      await pool.untilNormal("AB")
      expect(await pool.read(1)).toBe(1)
    })
  })
})
