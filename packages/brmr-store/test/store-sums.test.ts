/** Sums of data: what rots is told, what a crash leaves is not, and a lost sum costs a check. */
import { leaseBytes, STATUS_OK, statusOf } from "@rmr/core"
import { storeBytes } from "../src/index.js"
import { EXTRA } from "./store-bench.js"
import { BLOCK, EXTENT, MEDIA_ERROR, SumsBench } from "./sums-bench.js"

jest.setTimeout(120_000)

describe("a store that keeps sums of its data", () => {
  it("says so, and one that does not says that", async () => {
    const bench = await SumsBench.made(1)
    expect(bench.store.supports.dataChecked).toBe(true)
    await bench.close()
    await bench.open()
    expect(bench.store.supports.dataChecked).toBe(true)
  })

  it("S6: tells rot in a hot extent as a media error with its range, logged once", async () => {
    const bench = await SumsBench.made(2)
    await bench.heat(0)
    for (const nth of [0, 1, 2, 3]) await bench.write(nth * BLOCK, nth + 1)
    bench.rot(BLOCK + 17)
    bench.rot(2 * BLOCK)
    for (const _ of [1, 2]) {
      const { status, bad } = await bench.readBack(0, 4 * BLOCK)
      expect([status, bad]).toEqual([MEDIA_ERROR, { at: BLOCK, bytes: 2 * BLOCK }])
    }
    expect(bench.damageCount()).toBe(1)
    expect((await bench.readBack(3 * BLOCK)).status).toBe(STATUS_OK)
    // Whoever writes it anew has it back.
    await bench.write(BLOCK, 5)
    expect((await bench.readBack(BLOCK)).bytes[0]).toBe(5)
  })

  it("S6: tells rot in a cold extent, also after a crash", async () => {
    for (const fate of ["lost", "kept"] as const) {
      const bench = await SumsBench.made(3)
      await bench.heat(0, 1)
      await bench.write(0, 1)
      await bench.write(EXTENT, 2)
      await bench.cool(0)
      bench.rot(100)
      expect((await bench.readBack(0)).status).toBe(MEDIA_ERROR)
      await bench.crash(fate)
      expect(bench.store.hotAtOpen).toEqual([1])
      const { status, bad } = await bench.readBack(0, 2 * BLOCK)
      expect([status, bad]).toEqual([MEDIA_ERROR, { at: 0, bytes: BLOCK }])
    }
  })

  it("S6: does not tell what the medium got right at the second attempt", async () => {
    const bench = await SumsBench.made(4)
    await bench.heat(0)
    await bench.write(0, 1)
    expect(await bench.flush()).toBe(STATUS_OK)
    await bench.write(0, 2)
    const { disk } = bench
    const { clock } = bench.world.env
    const healOnce = (): void => {
      if (disk.struckCounts.staleRead > 0) disk.setFaults({})
      else clock.schedule(0.01, healOnce)
    }
    disk.setFaults({ staleRead: 1 })
    healOnce()
    const { status, bytes } = await bench.readBack(0)
    expect(disk.struckCounts.staleRead).toBe(1)
    expect([status, bytes[0]]).toEqual([STATUS_OK, 2])
    expect(bench.damageCount()).toBe(0)
  })

  it("S10: believes after a clean close what was hot, and after a crash it does not", async () => {
    const bench = await SumsBench.made(5)
    await bench.heat(0)
    await bench.write(0, 1)
    await bench.close()
    await bench.open()
    expect(bench.store.hotAtOpen).toEqual([0])
    bench.rot(7)
    expect((await bench.readBack(0)).status).toBe(MEDIA_ERROR)
    // Nothing was written since; but who opens it next cannot know that.
    bench.disk.kill()
    await bench.open()
    expect((await bench.readBack(0)).status).toBe(STATUS_OK)
    // And a close after that does not bring back what was true before.
    await bench.close()
    await bench.open()
    expect((await bench.readBack(0)).status).toBe(STATUS_OK)
  })

  it("S7: a slot that is older than what was written while the extent was hot again", async () => {
    for (const fate of ["kept", "lost"] as const) {
      const bench = await SumsBench.made(6)
      await bench.heat(0)
      await bench.write(0, 1)
      await bench.write(BLOCK, 1)
      await bench.cool(0)
      await bench.heat(0)
      await bench.write(0, 2)
      bench.rot(BLOCK)
      // What was not written is still known while the process lives.
      expect((await bench.readBack(BLOCK)).status).toBe(MEDIA_ERROR)
      await bench.crash(fate)
      expect((await bench.readBack(0)).status).toBe(STATUS_OK)
      expect((await bench.readBack(BLOCK)).status).toBe(STATUS_OK)
    }
  })

  it("S7: data that a failed flush has cost is older than it was, and no media error", async () => {
    for (const failing of ["the user's", "metadata's"]) {
      const bench = await SumsBench.made(failing === "metadata's" ? 8 : 7)
      await bench.heat(0)
      await bench.write(0, 1)
      expect(await bench.flush()).toBe(STATUS_OK)
      await bench.write(0, 2)
      bench.disk.addRule({ on: ["flush"], fails: "io-error", times: 1 })
      if (failing === "metadata's") await bench.commit(1)
      expect(await bench.flush()).not.toBe(STATUS_OK)
      await bench.cool(0)
      await bench.crash("lost")
      const { status, bytes } = await bench.readBack(0)
      expect([failing, status]).toEqual([failing, STATUS_OK])
      expect([1, 2]).toContain(bytes[0])
    }
  })

  it("S4: parts of a block have no sum, and take the one of the block away", async () => {
    const bench = await SumsBench.made(10)
    await bench.heat(0, 1)
    await bench.write(0, 1)
    // From the middle of one block to the middle of another, with two between them.
    expect(await bench.zero(BLOCK / 2, 3 * BLOCK)).toBe(STATUS_OK)
    bench.rot(1)
    bench.rot(3 * BLOCK + 1)
    expect((await bench.readBack(0, BLOCK)).status).toBe(STATUS_OK)
    bench.rot(2 * BLOCK)
    const { status, bad } = await bench.readBack(512, 4 * BLOCK)
    expect([status, bad]).toEqual([MEDIA_ERROR, { at: 2 * BLOCK - 512, bytes: BLOCK }])
    expect((await bench.readBack(2 * BLOCK + 512, 1024)).status).toBe(STATUS_OK)
  })
})

describe("sums and the log", () => {
  it("S16: an extent stays hot in the log until its sums are durable", async () => {
    const bench = await SumsBench.made(11)
    await bench.heat(0, 1)
    await bench.write(0, 1)
    const heal = bench.failSlotWrites()
    await bench.cool(0)
    bench.disk.kill()
    await bench.open()
    expect(bench.store.hotAtOpen).toEqual([0, 1])
    await bench.write(0, 2)
    await bench.cool(0)
    heal()
    // The next cooling takes along what has failed before.
    await bench.cool(1)
    bench.disk.kill()
    await bench.open()
    expect(bench.store.hotAtOpen).toEqual([])
    bench.rot(1)
    expect((await bench.readBack(0)).status).toBe(MEDIA_ERROR)
  })

  it("S16: sums that were saved for one cooling do not count for the next", async () => {
    let count = 0
    for (let seed = 30; seed < 50; seed++) {
      const bench = await SumsBench.made(seed)
      await bench.heat(0)
      await bench.write(0, 1)
      expect(await bench.flush()).toBe(STATUS_OK)
      // What is heated again is written and cooled again while sums are on their way.
      bench.store.cool([0])
      await bench.heat(0)
      await bench.write(0, 2)
      const heal = bench.failSlotWrites()
      if (!bench.disk.peek(bench.slotOf(0).at, BLOCK).every((byte) => byte === 0)) count++
      bench.store.cool([0])
      await bench.frame()
      bench.disk.kill()
      heal()
      await bench.open()
      const { status, bytes } = await bench.readBack(0)
      expect([status, bytes[0]]).toEqual([STATUS_OK, 2])
    }
    expect(count).toBeGreaterThan(5)
  })

  it("S7, S16: sums that were on their way as a flush failed are not saved", async () => {
    for (let seed = 50; seed < 66; seed++) {
      const bench = await SumsBench.made(seed)
      await bench.heat(0)
      await bench.write(0, 1)
      expect(await bench.flush()).toBe(STATUS_OK)
      await bench.write(0, 2)
      bench.disk.addRule({ on: ["flush"], fails: "io-error", times: 1 })
      // The flush of the slots comes after the one that fails, and succeeds.
      bench.store.cool([0])
      expect(await bench.flush()).not.toBe(STATUS_OK)
      await bench.frame()
      await bench.crash("lost")
      expect((await bench.readBack(0)).status).toBe(STATUS_OK)
    }
  })

  it("S16: slots that cannot be written fill the log, and nothing else", async () => {
    const bench = await SumsBench.made(12)
    const all = Array.from({ length: 16 }, (_, extent) => extent)
    await bench.heat(...all.slice(0, 15))
    for (const extent of all.slice(0, 15)) await bench.write(extent * EXTENT, extent + 1)
    const heal = bench.failSlotWrites()
    await bench.cool(...all.slice(0, 15))
    expect(await bench.tryHeat(15)).toBe(STATUS_OK)
    // The log still has to call all of them hot.
    bench.disk.resize(storeBytes(bench.shape) + EXTRA)
    await bench.world.settled(bench.store.grow(bench.store.sizeBytes + EXTRA), "grow", 1e9)
    expect(await bench.tryHeat(16)).toBe(statusOf("no-space"))
    expect(await bench.commit(1)).toBe(STATUS_OK)
    expect(await bench.tryHeat(3)).toBe(STATUS_OK)
    heal()
    expect(await bench.tryHeat(16)).toBe(STATUS_OK)
    bench.disk.kill()
    await bench.open()
    expect(bench.store.hotAtOpen).toEqual([3, 15, 16])
  })

  it("S12: a close that cannot save sums is clean, and nobody believes them after it", async () => {
    const bench = await SumsBench.made(13)
    await bench.heat(0, 1)
    await bench.write(0, 1)
    await bench.cool(0)
    await bench.heat(0)
    await bench.write(0, 2)
    bench.failSlotWrites(1)
    await bench.close()
    await bench.open()
    expect([bench.store.restart, bench.store.hotAtOpen]).toEqual(["none", [0, 1]])
    const { status, bytes } = await bench.readBack(0)
    expect([status, bytes[0]]).toEqual([STATUS_OK, 2])
  })

  it("S19: a hot set that cannot be read leaves no sum that is older", async () => {
    const bench = await SumsBench.made(14)
    await bench.heat(0)
    await bench.write(0, 1)
    await bench.cool(0)
    await bench.heat(0)
    await bench.write(0, 2)
    expect(await bench.flush()).toBe(STATUS_OK)
    await bench.frame()
    for (const { at } of bench.files.placesOfHotSet()) bench.flip(at)
    await bench.crash("lost")
    expect(bench.store.hotAtOpen).toBe("unreadable")
    expect((await bench.readBack(0)).status).toBe(STATUS_OK)
    expect(await bench.ask((store, token) => store.settleRestart(token))).toBe(STATUS_OK)
    for (const end of ["close", "kill"]) {
      if (end === "close") await bench.close()
      else bench.disk.kill()
      await bench.open()
      expect(bench.store.hotAtOpen).not.toBe("unreadable")
      expect((await bench.readBack(0)).status).toBe(STATUS_OK)
    }
    // What is written from now on is known again.
    await bench.heat(0)
    await bench.write(0, 3)
    await bench.cool(0)
    bench.disk.kill()
    await bench.open()
    bench.rot(3)
    expect((await bench.readBack(0)).status).toBe(MEDIA_ERROR)
  })

  it("S19: a damaged slot costs the sums of its extent, and no read", async () => {
    for (const at of [4, 20, 48, 64 + 4]) {
      const bench = await SumsBench.made(15)
      await bench.heat(0, 1)
      await bench.write(0, 1)
      await bench.write(EXTENT, 2)
      await bench.cool(0, 1)
      await bench.close()
      bench.flip(bench.slotOf(0).at + at)
      await bench.open()
      bench.rot(9)
      bench.rot(EXTENT + 9)
      expect((await bench.readBack(0)).status).toBe(STATUS_OK)
      expect((await bench.readBack(EXTENT)).status).toBe(MEDIA_ERROR)
      await bench.heat(0)
      await bench.write(0, 3)
      await bench.cool(0)
      await bench.close()
      await bench.open()
      bench.rot(9)
      expect((await bench.readBack(0)).status).toBe(MEDIA_ERROR)
    }
  })

  it("S19: a slot that the medium cannot read costs no more", async () => {
    const bench = await SumsBench.made(16)
    await bench.heat(0)
    await bench.write(0, 1)
    await bench.cool(0)
    await bench.close()
    const { at, bytes } = bench.slotOf(0)
    bench.disk.damage(at, bytes, "reads")
    await bench.open()
    expect((await bench.readBack(0)).bytes[0]).toBe(1)
    await bench.heat(0)
    await bench.write(0, 2)
    bench.rot(1)
    expect((await bench.readBack(0)).status).toBe(MEDIA_ERROR)
  })

  it("S2: what a volume has grown by has sums, as far as there are places", async () => {
    const bench = await SumsBench.made(17)
    const from = bench.store.sizeBytes
    bench.disk.resize(storeBytes(bench.shape) + EXTRA)
    await bench.world.settled(bench.store.grow(from + EXTRA), "grow", 1e9)
    await bench.heat(from / EXTENT)
    await bench.write(from, 1)
    await bench.cool(from / EXTENT)
    await bench.close()
    await bench.open()
    bench.rot(from + 8)
    expect((await bench.readBack(from)).status).toBe(MEDIA_ERROR)
    const far = bench.world.settled(bench.store.grow(2 ** 40), "grow", 1e9)
    await expect(far).rejects.toMatchObject({ code: "no-space" })
    expect(bench.store.sizeBytes).toBe(from + EXTRA)
  })
})

describe("writes that overlap", () => {
  it("S5: are carried out in any order, so that what they share has no sum", async () => {
    const bench = await SumsBench.made(20)
    await bench.heat(0, 1)
    const { random } = bench.world
    for (let round = 0; round < 150; round++) {
      const ended = Array.from({ length: 6 }, (_, nth) => {
        const first = random.below(24)
        const count = 1 + random.below(6)
        const bytes = count * BLOCK
        if (nth === 0) {
          return bench.start((store, token) => store.zero(token, first * BLOCK, bytes, 0))
        }
        const lease = bench.memory.lease(bytes)
        leaseBytes(bench.memory, lease, 0, bytes).fill(1 + random.below(255))
        const isRead = nth > 3
        const one = bench.start((store, token) => {
          if (isRead) store.read(token, first * BLOCK, lease, 0, bytes)
          else store.write(token, first * BLOCK, lease, 0, bytes, 0)
        })
        bench.memory.release(lease)
        return one
      })
      const statuses = await bench.world.settled(Promise.all(ended), "all of them", 1e9)
      expect(statuses).toEqual(ended.map(() => STATUS_OK))
      expect((await bench.readBack(0, 30 * BLOCK)).status).toBe(STATUS_OK)
    }
    expect(bench.files.sumCounts.checkedBlocks).toBeGreaterThan(100)
  })
})
