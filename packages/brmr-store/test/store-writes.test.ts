/** What metadata costs: how many writes of a disk lie behind what is asked of a store. */
import type { CellWrite } from "@rmr/core"
import { STATUS_OK } from "@rmr/core"
import { superblockFor } from "../src/store-shape.js"
import { Bench, SHAPE } from "./store-bench.js"

jest.setTimeout(60_000)

const PLACES = superblockFor(SHAPE, "0".repeat(32))

interface Counted {
  /** Writes to metadata, wherever. */
  metadata: number
  /** Writes to the places of map pages. */
  pages: number
  /** Writes to data. */
  data: number
}

/** The writes that reached the disk while `run` went on. */
async function counted(bench: Bench, run: () => Promise<void>): Promise<Counted> {
  const recorder = bench.disk.recordCrashPoints()
  await run()
  recorder.stop()
  const writes = { metadata: 0, pages: 0, data: 0 }
  for (const { after } of recorder.points) {
    const offset = /^write (\d+)/.exec(after)?.[1]
    if (offset === undefined) continue
    const at = Number(offset)
    if (at >= PLACES.dataStart) writes.data++
    else writes.metadata++
    if (at >= PLACES.pagesStart && at < PLACES.dataStart) writes.pages++
  }
  return writes
}

async function opened(): Promise<Bench> {
  // A write is one change of the disk, also where it has two blocks.
  const bench = new Bench(9, true, undefined, SHAPE, 0)
  await bench.create()
  return bench
}

function heat(bench: Bench, extents: readonly number[]): Promise<number> {
  return bench.start((store, token) => store.heat(token, extents))
}

describe("the intent log", () => {
  it("I1: extents that become hot in one turn cost one write", async () => {
    const bench = await opened()
    const { metadata } = await counted(bench, async () => {
      // The last one is waited for, and submits: they leave together.
      for (let extent = 0; extent < 7; extent++) bench.store.heat(1000 + extent, [extent])
      expect(await bench.world.settled(heat(bench, [7, 8]), "heat", 1e9)).toBe(STATUS_OK)
    })
    expect(metadata).toBe(1)
  })

  it("I1: writes into hot extents cost no other write", async () => {
    const bench = await opened()
    await bench.world.settled(heat(bench, [0, 1]), "heat", 1e9)
    const { metadata, data } = await counted(bench, async () => {
      for (let nth = 0; nth < 20; nth++) await bench.write((nth % 32) * 4096, nth)
      await bench.world.settled(heat(bench, [0, 1]), "heat", 1e9)
    })
    expect([metadata, data]).toEqual([0, 20])
  })

  it("I2: a working set that does not fit costs one write for each change", async () => {
    const bench = await opened()
    const { metadata } = await counted(bench, async () => {
      for (let extent = 0; extent < 16; extent++) {
        await bench.world.settled(heat(bench, [extent]), "heat", 1e9)
        await bench.write(extent * SHAPE.extentBytes, extent)
        bench.store.cool([extent])
      }
    })
    expect(metadata).toBe(16)
  })
})

describe("map pages", () => {
  it("are written to their place once for a cut of the log", async () => {
    const bench = await opened()
    const commit = async (version: number): Promise<void> => {
      const bytes = new Uint8Array(2000).fill(version)
      const cells: CellWrite[] = [{ kind: "map-page", index: 3, bytes }]
      const told = bench.ask((store, token) => store.commit(token, cells))
      expect(await told).toBe(STATUS_OK)
    }
    const few = await counted(bench, async () => {
      for (let version = 0; version < 50; version++) await commit(version)
    })
    expect([few.metadata, few.pages]).toEqual([50, 0])
    const close = () => bench.world.settled(bench.store.close(), "close", 1e9)
    const last = await counted(bench, close)
    expect(last.pages).toBe(1)
  })
})
