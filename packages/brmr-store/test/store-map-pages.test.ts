/** Map pages are read with their neighbours, which shows in how long it takes and nowhere else. */
import { type CellWrite, MEMBERS_MAX, STATUS_OK } from "@rmr/core"
import { seededRandom } from "@rmr/testkit"
import { Bench, SHAPE } from "./store-bench.js"

const SEED = `map-pages-${process.pid}`
const PAGES = 40
/** Places for more pages than are read together. */
const WIDE = { ...SHAPE, sizeBytesMax: PAGES * 512 * 1024 * 1024 }
const MEMBERS = [0, 3, 7]

jest.setTimeout(60_000)

describe(`map pages at their places (seed ${SEED})`, () => {
  it("are the caller's own, in whatever order they are read, and as often", async () => {
    const random = seededRandom(SEED)
    const bench = new Bench(31, true, undefined, WIDE)
    await bench.create()
    const held = new Map<number, Uint8Array>()
    for (const member of MEMBERS) {
      for (let page = 0; page < PAGES; page++) {
        if (random.below(5) === 0) continue
        const bytes = new Uint8Array(random.below(2100))
        held.set(page * MEMBERS_MAX + member, bytes.fill(1 + random.below(255)))
      }
    }
    const cells = [...held].map(([index, bytes]): CellWrite => ({ kind: "map-page", index, bytes }))
    const status = await bench.ask((store, token) => store.commit(token, cells))
    expect(status).toBe(STATUS_OK)
    await bench.world.settled(bench.store.close(), "close", 1e9)
    await bench.open()
    const indexes = bench.store.cellIndexes("map-page")
    expect(indexes).toEqual([...held.keys()].sort((a, b) => a - b))
    const asked = [...indexes, ...indexes, ...indexes, ...indexes].map((index, nth) =>
      nth < indexes.length ? index : indexes[random.below(indexes.length)]!,
    )
    for (const index of asked) {
      const reading = bench.store.readCell("map-page", index)
      const bytes = await bench.world.settled(reading, "page", 1e9)
      expect([index, bytes]).toEqual([index, held.get(index)])
      bytes?.fill(0)
    }
    const all = indexes.map((index) => bench.store.readCell("map-page", index))
    const together = await bench.world.settled(Promise.all(all), "pages", 1e9)
    expect(together).toEqual(indexes.map((index) => held.get(index)))
    expect(await bench.store.readCell("map-page", 1)).toBeUndefined()
  })
})
