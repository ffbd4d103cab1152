/** Scrub: finds what has rotted where nobody reads, at the rate it was told, and nothing else. */
import { STATUS_OK } from "@rmr/core"
import { type DamagedRange, type Scrub, type ScrubOptions, scrubStore } from "../src/index.js"
import { Bench } from "./store-bench.js"
import { BLOCK, EXTENT, SumsBench } from "./sums-bench.js"

jest.setTimeout(60_000)

function scrubOf(bench: Bench, options: Partial<ScrubOptions> = {}): Scrub {
  return scrubStore({ env: bench.world.env, store: bench.store, ...options })
}

const ended = (bench: Bench, { done }: Scrub) => bench.world.settled(done, "a scrub", 1e9)

async function written(seed: number): Promise<SumsBench> {
  const bench = await SumsBench.made(seed)
  await bench.heat(0, 1, 2)
  for (const block of [0, 1, 2, 16, 17, 32]) await bench.write(block * BLOCK, block + 1)
  await bench.cool(0, 1)
  return bench
}

describe("a scrub", () => {
  it("S6: finds what has rotted in hot and cold extents, and how much it has seen", async () => {
    const bench = await written(1)
    const { sizeBytes } = bench.store
    const clean = await ended(bench, scrubOf(bench))
    const amounts = { totalBytes: sizeBytes, doneBytes: sizeBytes, checkedBytes: 6 * BLOCK }
    const rest = { unknownBytes: sizeBytes - 6 * BLOCK, damagedBytes: 0, damaged: [] }
    expect(clean).toEqual({ ...amounts, ...rest })
    for (const block of [0, 2, 17, 32]) bench.rot(block * BLOCK + 5)
    const told: DamagedRange[] = []
    const found = await ended(bench, scrubOf(bench, { onDamage: (range) => told.push(range) }))
    const damaged = [0, 2, 17, 32].map((block) => ({ offset: block * BLOCK, bytes: BLOCK }))
    expect([found.damagedBytes, found.damaged, told]).toEqual([4 * BLOCK, damaged, damaged])
    expect(bench.damageCount()).toBe(4)
    // Its reads are no reads of the user's, whose tokens they do not have.
    expect((await bench.readBack(BLOCK)).status).toBe(STATUS_OK)
  })

  it("takes the time that its rate asks for", async () => {
    const bench = await written(2)
    const before = bench.world.env.clock.nowMs()
    await ended(bench, scrubOf(bench, { bytesPerSecond: BLOCK }))
    const tookMs = bench.world.env.clock.nowMs() - before
    expect(tookMs).toBeGreaterThan(5000)
    expect(tookMs).toBeLessThan(8000)
  })

  it("S5: takes no write for damage that goes on beside it", async () => {
    for (let seed = 4; seed < 12; seed++) {
      const bench = await written(seed)
      await bench.heat(0, 1, 2)
      const scrub = scrubOf(bench)
      const writes: Promise<number>[] = []
      const { random, env } = bench.world
      const write = (): void => {
        writes.push(bench.startWrite(random.below(36) * BLOCK, 1 + random.below(250)))
        if (writes.length < 60) env.clock.schedule(random.below(3) / 4, write)
      }
      write()
      const { damaged, doneBytes } = await ended(bench, scrub)
      await bench.world.settled(Promise.all(writes), "writes", 1e9)
      expect([damaged, doneBytes]).toEqual([[], bench.store.sizeBytes])
    }
  })

  it("S6: counts what the medium cannot read as damage, where it has a sum", async () => {
    const bench = await written(3)
    bench.disk.damage(bench.places.dataStart + EXTENT, BLOCK, "reads")
    bench.disk.damage(bench.places.dataStart + 8 * EXTENT, BLOCK, "reads")
    const { damaged } = await ended(bench, scrubOf(bench))
    expect(damaged).toEqual([{ offset: EXTENT, bytes: EXTENT }])
  })

  it("S12: ends with the store, and where it is told to", async () => {
    const bench = await written(2)
    const closed = scrubOf(bench, { bytesPerSecond: BLOCK })
    await bench.pause(500)
    await bench.close()
    await expect(ended(bench, closed)).rejects.toMatchObject({ code: "closed" })
    await bench.open()
    const stopped = scrubOf(bench, { bytesPerSecond: BLOCK })
    await bench.pause(500)
    stopped.stop()
    expect((await ended(bench, stopped)).doneBytes).toBeLessThan(bench.store.sizeBytes)
  })

  it("is refused by a store that keeps no sums", async () => {
    const bench = new Bench(5)
    await bench.create()
    expect(() => scrubOf(bench)).toThrow("the store keeps no sums")
  })
})
