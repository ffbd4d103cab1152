/** Crashes and failures at the places where metadata and data share one file. */
import { STATUS_OK } from "@rmr/core"
import { storeBytes } from "../src/index.js"
import { Bench, EXTRA, SHAPE } from "./store-bench.js"

jest.setTimeout(120_000)

/** More than the log holds: it is cut a few times. */
const COMMITS_TO_CUT = 60

describe("a store whose file fails at a bad moment", () => {
  it.each([0, 1])(
    "S9: keeps what was told when superblock %i failed as the log was cut, and goes on",
    async (copy) => {
      const bench = new Bench(11 + copy)
      await bench.create()
      bench.failSuperblock(copy)
      for (let version = 1; version <= COMMITS_TO_CUT; version++) {
        expect(await bench.commit(version)).toBe(STATUS_OK)
      }
      await bench.crash("lost")
      expect(await bench.version()).toBe(COMMITS_TO_CUT)
    },
  )

  it.each([0, 1])("S10: reopens after a close where superblock %i had failed so", async (copy) => {
    const bench = new Bench(13 + copy)
    await bench.create()
    bench.failSuperblock(copy)
    for (let version = 1; version <= COMMITS_TO_CUT; version++) await bench.commit(version)
    await bench.world.settled(bench.store.close(), "close", 1e9)
    await bench.open()
    expect([await bench.version(), bench.store.restart]).toEqual([COMMITS_TO_CUT, "none"])
  })

  it.each([0, 1])(
    "S9: a commit after superblock %i failed so never harms the log",
    async (copy) => {
      for (let steps = 1; steps <= 60; steps += 3) {
        const bench = new Bench(100 + steps)
        await bench.create()
        const heal = bench.failSuperblock(copy)
        const told = 12 + (steps % 10)
        for (let version = 1; version <= told; version++) await bench.commit(version)
        void bench.startCommit(252)
        await bench.world.run({ stepsMax: steps })
        heal()
        await bench.crash("kept")
        expect([told, 252]).toContain(await bench.version())
      }
    },
  )

  it("S9: a place that cannot be written fails commits of a full log, and no more", async () => {
    const bench = new Bench(17)
    await bench.create()
    const { at } = bench.homesOf("pool-metadata")
    const heal = bench.disk.addRule({ on: ["write"], offset: at, length: 4096, fails: "io-error" })
    let told = 0
    while (told < 200 && (await bench.commit(told + 1)) === STATUS_OK) told++
    expect(told).toBeGreaterThan(5)
    expect(told).toBeLessThan(200)
    expect(await bench.version()).toBe(told)
    heal()
    for (let version = 201; version <= 201 + COMMITS_TO_CUT; version++) {
      expect(await bench.commit(version)).toBe(STATUS_OK)
    }
    await bench.crash("lost")
    expect(await bench.version()).toBe((201 + COMMITS_TO_CUT) & 0xff)
  })

  it("S6, S17: a flush of metadata that failed is no flush of data that succeeded", async () => {
    const bench = new Bench(21)
    await bench.create()
    expect(await bench.ask((store, token) => store.heat(token, [0]))).toBe(STATUS_OK)
    expect(await bench.write(0, 7)).toBe(STATUS_OK)
    bench.disk.addRule({ on: ["flush"], fails: "io-error", times: 1 })
    expect(await bench.commit(1)).not.toBe(STATUS_OK)
    expect(await bench.ask((store, token) => store.flush(token))).not.toBe(STATUS_OK)
    bench.disk.kill()
    await bench.open()
    expect([await bench.read(0), bench.store.restart]).toEqual([0, "cache-lost"])
  })

  it("S9: what a new process read of a dead one's commit survives a power cut", async () => {
    const lost: string[] = []
    for (let seed = 1; seed <= 40; seed++) {
      const bench = new Bench(seed)
      await bench.create()
      expect(await bench.commit(1)).toBe(STATUS_OK)
      void bench.startCommit(2)
      await bench.world.run({ stepsMax: 3 + (seed % 12) })
      bench.disk.kill()
      await bench.open()
      const before = await bench.version()
      await bench.crash("lost")
      const after = await bench.version()
      if (before !== after) lost.push(`seed ${seed}: ${before} became ${after}`)
    }
    expect(lost).toEqual([])
  })

  it("S2: what was grown reads zero after a power cut, whatever lay there before", async () => {
    const bench = new Bench(31)
    await bench.create()
    const from = bench.store.sizeBytes
    const end = storeBytes(SHAPE)
    bench.disk.resize(end + EXTRA)
    bench.disk.poke(end, new Uint8Array(EXTRA).fill(9))
    await bench.world.settled(bench.store.grow(from + EXTRA), "grow", 1e9)
    expect(await bench.read(from)).toBe(0)
    await bench.crash("lost")
    expect([bench.store.sizeBytes, await bench.read(from)]).toEqual([from + EXTRA, 0])
  })
})
