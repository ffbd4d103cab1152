/**
 * Power cuts at every change of a disk whose store keeps sums: no image has a sum that is wrong,
 * and none has an extent that the log calls cold and whose sums are lost.
 *
 * The first is what matters: a wrong sum is a media error where nothing is damaged. The second is
 * how it comes about: the sums of a cold extent are durable, with the data, before the log says so.
 */
import { STATUS_OK } from "@rmr/core"
import { POWER_FATES } from "@rmr/testkit"
import { BLOCK, EXTENT, SumsBench } from "./sums-bench.js"

jest.setTimeout(240_000)

const EXTENTS = 3
const PER_EXTENT = EXTENT / BLOCK
const IMAGES_MAX = 6
/** Blocks of each extent that are written, as numbers in it. */
const WRITTEN = [0, 1, 2, 5]

class Story {
  readonly bench: SumsBench
  /** What a block of the volume may hold, by its number. */
  readonly values = new Map<number, Set<number>>()
  private next = 0

  constructor(bench: SumsBench) {
    this.bench = bench
  }

  /** Several at once, none of them over another. */
  async write(extent: number, ...blocks: number[]): Promise<void> {
    const ended = blocks.map((block) => {
      this.next = (this.next % 255) + 1
      const value = this.next
      const number = extent * PER_EXTENT + block
      const values = this.values.get(number) ?? new Set([0])
      this.values.set(number, values.add(value))
      return this.bench.startWrite(number * BLOCK, value)
    })
    const statuses = await this.bench.world.settled(Promise.all(ended), "writes", 1e9)
    for (const status of statuses) expect(status).toBe(STATUS_OK)
  }

  async tell(): Promise<void> {
    const { bench } = this
    await bench.heat(0, 1)
    await this.write(0, 0, 1, 2)
    await this.write(1, 0, 1)
    await bench.cool(0)
    await bench.heat(2)
    await this.write(2, 0, 1, 2, 5)
    // Heated again, written, and cooled by somebody who has not flushed.
    await bench.heat(0)
    await this.write(0, 0, 5)
    bench.store.cool([0, 2])
    await bench.frame()
    // Cooled and heated in one turn, and written while its sums are being saved.
    await this.write(1, 1, 2)
    bench.store.cool([1])
    await bench.heat(1)
    await this.write(1, 0, 5)
    await bench.heat(0)
    await this.write(0, 1)
    await bench.close()
    await bench.open()
    await this.write(0, 2)
    await bench.cool(0, 1)
    await bench.heat(2)
    await this.write(2, 1)
    await bench.close()
  }
}

/** Fails where a block is not what it may be, or is not known though the log calls it cold. */
async function look(bench: SumsBench, story: Story, where: string): Promise<void> {
  const { hotAtOpen } = bench.store
  if (hotAtOpen === "unreadable") throw new Error(`${where}: the hot set is lost`)
  for (let extent = 0; extent < EXTENTS; extent++) {
    for (const block of WRITTEN) {
      const number = extent * PER_EXTENT + block
      const before = bench.files.sumCounts.checkedBlocks
      const { status, bytes } = await bench.readBack(number * BLOCK)
      const isChecked = bench.files.sumCounts.checkedBlocks > before
      const what = `${where}: block ${block} of extent ${extent}`
      if (status !== STATUS_OK) throw new Error(`${what} is said to be damaged`)
      const isTorn = bytes.some((byte) => byte !== bytes[0])
      const isCold = !hotAtOpen.includes(extent)
      if (isTorn && isCold) throw new Error(`${what} is torn and cold`)
      if (isCold && bytes[0] !== 0 && !isChecked) throw new Error(`${what} is cold and not known`)
      const isKnown = bytes.every((byte) => story.values.get(number)?.has(byte) ?? byte === 0)
      if (!isKnown) throw new Error(`${what} holds ${bytes[0]}`)
    }
  }
}

describe("power cuts under a store that keeps sums", () => {
  // One disk forces units and one does not; one has sectors that are smaller than a block.
  it.each([0, 1, 2, 3])("S6, S7, S16: leave no sum that is wrong, on disk %i", async (seed) => {
    const bench = await SumsBench.made(seed)
    const story = new Story(bench)
    const recorder = bench.disk.recordCrashPoints()
    await story.tell()
    recorder.stop()
    expect(recorder.points.length).toBeGreaterThan(60)
    let images = 0
    for (const [nth, point] of recorder.points.entries()) {
      for (const { content, choice } of point.images(IMAGES_MAX)) {
        const { sizeBytes } = bench.disk
        const after = new SumsBench(seed, { sizeBytes, content })
        await after.open()
        await look(after, story, `point ${nth} after ${point.after}, units ${choice}`)
        images++
      }
    }
    expect(images).toBeGreaterThan(recorder.points.length)
  })

  it("S7: nor does one after the other, with the process dying in between", async () => {
    for (let seed = 100; seed < 130; seed++) {
      const bench = await SumsBench.made(seed)
      const story = new Story(bench)
      const { random } = bench.world
      for (let life = 0; life < 5; life++) {
        const extents = [0, 1, 2].filter(() => random.chance(0.7))
        await bench.heat(...extents)
        for (let step = 0; step < 6 && extents.length > 0; step++) {
          const extent = random.pick(extents)
          if (random.chance(0.3)) {
            if (random.chance(0.5)) await bench.flush()
            bench.store.cool([extent])
            if (random.chance(0.5)) await bench.frame()
            await bench.heat(extent)
          }
          await story.write(extent, random.pick(WRITTEN))
        }
        bench.store.cool(extents.filter(() => random.chance(0.5)))
        const cell = { kind: "state", index: 0, bytes: Uint8Array.of(life) } as const
        void bench.start((store, token) => store.commit(token, [cell]))
        await bench.world.run({ stepsMax: random.below(40) })
        if (random.chance(0.4)) bench.disk.kill()
        else bench.disk.powerCut(random.pick(POWER_FATES))
        await bench.open()
        await look(bench, story, `seed ${seed}, life ${life}`)
      }
    }
  })
})
