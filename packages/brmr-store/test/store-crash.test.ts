/** Crashes and failures at the places where metadata and data share one file. */
import { STATUS_OK } from "@rmr/core"
import { storeBytes } from "../src/index.js"
import { Bench, EXTRA, SHAPE } from "./store-bench.js"

jest.setTimeout(120_000)

describe("a store whose file fails at a bad moment", () => {
  it.each([0, 1])(
    "S9: keeps what was told when superblock %i failed as a log began",
    async (copy) => {
      const bench = new Bench(11 + copy)
      await bench.create()
      let told = 0
      let hasFailed = false
      bench.failSuperblock(copy)
      for (let version = 1; version <= 200; version++) {
        const status = await bench.commit(version)
        if (status === STATUS_OK) told = version
        else hasFailed = true
        if (hasFailed && told === version) break
      }
      expect(hasFailed).toBe(true)
      await bench.crash("lost")
      expect(await bench.version()).toBe(told)
    },
  )

  it.each([0, 1])("S10: reopens after a close where superblock %i had failed so", async (copy) => {
    const bench = new Bench(13 + copy)
    await bench.create()
    bench.failSuperblock(copy)
    let told = 0
    while ((await bench.commit(told + 1)) === STATUS_OK) told++
    await bench.world.settled(bench.store.close(), "close", 1e9)
    await bench.open()
    expect([await bench.version(), bench.store.restart]).toEqual([told, "none"])
  })

  it.each([0, 1])(
    "S9: retrying after superblock %i failed so never harms the log",
    async (copy) => {
      for (let steps = 1; steps <= 40; steps += 3) {
        const bench = new Bench(100 + steps)
        await bench.create()
        bench.failSuperblock(copy)
        let told = 0
        while ((await bench.commit((told + 1) % 251)) === STATUS_OK) told++
        void bench.startCommit(252)
        await bench.world.run({ stepsMax: steps })
        await bench.crash("kept")
        expect([told, 252]).toContain(await bench.version())
      }
    },
  )

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
