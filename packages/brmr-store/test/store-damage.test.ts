/**
 * Damage to metadata: one bad spot costs nothing, or one map page; more is told, never hidden. What
 * `inspectStore` says of it names the copy that is bad.
 */
import type { CellKind, CellWrite } from "@rmr/core"
import { STATUS_OK } from "@rmr/core"
import {
  eraseStore,
  type FileStore,
  fileStore,
  inspectStore,
  type StoreReport,
} from "../src/index.js"
import { CELLS_COPY_BYTES, directoryBytes, placeInCopy, SUPERBLOCK_PLACES } from "../src/layout.js"
import { superblockFor } from "../src/store-shape.js"
import { Bench, newMemory, SHAPE } from "./store-bench.js"

jest.setTimeout(60_000)

const PLACES = superblockFor(SHAPE, "0".repeat(32))
const LOG = PLACES.logStart
const FRAME_HEAD = 64
const ENTRY = 24

const cell = (version: number, bytes = 1): CellWrite => {
  return { kind: "state", index: 0, bytes: new Uint8Array(bytes).fill(version) }
}
const page = (index: number, version: number): CellWrite => {
  return { kind: "map-page", index, bytes: Uint8Array.of(version) }
}

async function newBench(commits: readonly (readonly CellWrite[])[] = []): Promise<Bench> {
  const bench = new Bench(5)
  await bench.create()
  for (const cells of commits) await commit(bench, cells)
  return bench
}

async function commit(bench: Bench, cells: readonly CellWrite[]): Promise<void> {
  expect(await bench.ask((store, token) => store.commit(token, cells))).toBe(STATUS_OK)
}

function flip(bench: Bench, at: number): void {
  bench.disk.poke(at, Uint8Array.of(bench.disk.peek(at, 1)[0]! ^ 1))
}

const close = (bench: Bench) => bench.world.settled(bench.store.close(), "close", 1e9)

function look(bench: Bench): Promise<StoreReport> {
  const { world, disk } = bench
  const options = { env: world.env, memory: newMemory(), source: disk.source() }
  return world.settled(inspectStore(options), "look", 1e9)
}

const read = (bench: Bench, kind: CellKind, index = 0) =>
  bench.world.settled(bench.store.readCell(kind, index), "cell", 1e9)

const homeOf = (kind: CellKind, copy: number, index = 0): number =>
  PLACES.cellsStart + copy * CELLS_COPY_BYTES + placeInCopy(kind, index).at

describe("superblocks", () => {
  it("S19: one that is bad loses nothing, both are refused, and can be erased", async () => {
    const bench = await newBench([[cell(1)]])
    await close(bench)
    for (const at of SUPERBLOCK_PLACES) {
      flip(bench, at + 40)
      const { problems, superblocks } = await look(bench)
      expect(superblocks.find((copy) => copy.at === at)?.state).toBe("damaged")
      expect(problems).toEqual([`the superblock at ${at} is damaged`])
      await bench.open()
      expect(await read(bench, "state")).toEqual(Uint8Array.of(1))
      await close(bench)
      expect((await look(bench)).problems).toEqual([])
    }
    for (const at of SUPERBLOCK_PLACES) flip(bench, at + 40)
    const { problems } = await look(bench)
    expect(problems.at(-1)).toContain("both copies of the superblock are damaged")
    await expect(bench.open()).rejects.toMatchObject({ code: "corrupt" })
    const { world, disk } = bench
    const place = { env: world.env, memory: newMemory(), source: disk.source() }
    await world.settled(eraseStore(place), "erase", 1e9)
    await expect(bench.open()).rejects.toMatchObject({ code: "not-found" })
  })
})

describe("the commit log", () => {
  it("S19: one bad copy of any frame loses nothing", async () => {
    for (const copy of [0, 1]) {
      for (const at of [4, FRAME_HEAD + 20, FRAME_HEAD + ENTRY]) {
        const bench = await newBench([[cell(1)], [page(3, 2)], [cell(3)]])
        bench.disk.powerCut("lost")
        for (const frame of [1, 2, 3]) flip(bench, LOG + frame * 8192 + copy * 4096 + at)
        const { log } = await look(bench)
        expect(log?.frameCopiesDamaged).toEqual([2, 3, 4])
        await bench.open()
        expect(await read(bench, "state")).toEqual(Uint8Array.of(3))
        expect(await read(bench, "map-page", 3)).toEqual(Uint8Array.of(2))
      }
    }
  })

  it("S19: a body that is bad in both copies costs its cell, and only it", async () => {
    const bench = await newBench([[cell(1), page(3, 2)], [page(4, 3)]])
    bench.disk.powerCut("lost")
    for (const copy of [0, 1]) flip(bench, LOG + 8192 + copy * 4096 + FRAME_HEAD + 2 * ENTRY)
    expect((await look(bench)).problems.join()).toContain("cell state 0 cannot be read")
    await bench.open()
    await expect(read(bench, "state")).rejects.toMatchObject({ code: "corrupt" })
    expect(await read(bench, "map-page", 3)).toEqual(Uint8Array.of(2))
    await close(bench)
    await bench.open()
    await expect(read(bench, "state")).rejects.toMatchObject({ code: "corrupt" })
    await commit(bench, [cell(9)])
    expect(await read(bench, "state")).toEqual(Uint8Array.of(9))
  })

  it("S19: a frame whose head is bad in both copies, before others, is refused", async () => {
    const bench = await newBench([[cell(1, 4000), page(1, 1)], [cell(2)]])
    bench.disk.powerCut("lost")
    for (const copy of [0, 1]) flip(bench, LOG + 8192 + copy * 8192 + 4)
    expect((await look(bench)).problems.join()).toContain("damaged at frame 2")
    await expect(bench.open()).rejects.toMatchObject({ code: "corrupt" })
  })

  it("S19: fewer frames than a clean close has counted are refused", async () => {
    const bench = await newBench([[cell(1)]])
    await close(bench)
    const { superblock } = await look(bench)
    for (const copy of [0, 1]) flip(bench, superblock!.tailAt + copy * 4096 + 4)
    await expect(bench.open()).rejects.toMatchObject({ code: "corrupt" })
  })

  it("S9: a last frame that is whole nowhere was on its way; none before it is lost", async () => {
    const bench = await newBench([[cell(1)], [cell(2)]])
    bench.disk.powerCut("lost")
    for (const copy of [0, 1]) flip(bench, LOG + 2 * 8192 + copy * 4096 + FRAME_HEAD + ENTRY)
    await bench.open()
    expect(await read(bench, "state")).toEqual(Uint8Array.of(1))
    await commit(bench, [cell(3)])
    bench.disk.powerCut("lost")
    await bench.open()
    expect(await read(bench, "state")).toEqual(Uint8Array.of(3))
  })

  it("S9: a commit that failed never comes back in place of one that did not", async () => {
    for (const [first, second] of [
      [1, 4000],
      [4000, 1],
    ] as const) {
      const bench = new Bench(7, false)
      await bench.create()
      bench.disk.addRule({ on: ["flush"], fails: "io-error", times: 1 })
      const pages = Array.from({ length: 8 }, (_, nth) => page(nth, 1))
      const failed = bench.ask((store, token) => store.commit(token, [...pages, cell(5, first)]))
      expect(await failed).not.toBe(STATUS_OK)
      await commit(bench, [cell(6, second)])
      bench.disk.powerCut("kept")
      await bench.open()
      expect(await read(bench, "state")).toEqual(new Uint8Array(second).fill(6))
      expect(bench.store.cellIndexes("map-page")).toEqual([])
    }
  })
})

describe("the places of cells", () => {
  it("S19: one bad copy loses nothing, is told, and is healed by the next close", async () => {
    for (const copy of [0, 1]) {
      const bench = await newBench([[cell(1)]])
      await close(bench)
      flip(bench, homeOf("state", copy) + 64)
      const at = homeOf("state", copy)
      const { problems, cells } = await look(bench)
      expect(problems).toEqual([`the copy of cell state 0 at ${at} is damaged`])
      expect(cells[0]).toMatchObject({ kind: "state", from: "place", state: "good" })
      await bench.open()
      expect(await read(bench, "state")).toEqual(Uint8Array.of(1))
      await close(bench)
      expect((await look(bench)).problems).toEqual([])
    }
  })

  it("S19: two bad copies are damage, not absence", async () => {
    const bench = await newBench([[cell(1)]])
    await close(bench)
    for (const copy of [0, 1]) bench.disk.poke(homeOf("state", copy), new Uint8Array(64).fill(7))
    await bench.open()
    expect(bench.store.cellIndexes("state")).toEqual([0])
    await expect(read(bench, "state")).rejects.toMatchObject({ code: "corrupt" })
  })

  it("S19: a bad sector under a cell is like any other damage", async () => {
    const bench = await newBench([[cell(1), page(3, 2), page(4, 2)]])
    await close(bench)
    const store = bench.store as FileStore
    bench.disk.damage(homeOf("state", 0), 4096, "reads")
    bench.disk.damage(PLACES.pagesStart + 3 * PLACES.mapPagesMax * 4096, 4096, "reads")
    expect(store.geometry.mapPagesMax).toBe(1)
    await bench.open()
    expect(await read(bench, "state")).toEqual(Uint8Array.of(1))
    await expect(read(bench, "map-page", 3)).rejects.toMatchObject({ code: "corrupt" })
    expect(await read(bench, "map-page", 4)).toEqual(Uint8Array.of(2))
    await commit(bench, [page(3, 5)])
    await close(bench)
    await bench.open()
    expect(await read(bench, "map-page", 3)).toEqual(Uint8Array.of(5))
  })

  it("S19: pages are found where the directory is bad, in one copy or in both", async () => {
    for (const copies of [[0], [1], [0, 1]]) {
      const bench = await newBench([[page(1, 1), page(2, 2), page(5, 5)]])
      await commit(bench, [{ kind: "map-page", index: 2, bytes: undefined }])
      await close(bench)
      const bytes = directoryBytes(PLACES.mapPagesMax)
      for (const copy of copies) flip(bench, PLACES.directoryStart + copy * bytes + 70)
      await bench.open()
      expect(bench.store.cellIndexes("map-page")).toEqual([1, 5])
      await close(bench)
      bench.disk.poke(PLACES.directoryStart, new Uint8Array(bytes))
      await bench.open()
      expect(bench.store.cellIndexes("map-page")).toEqual([1, 5])
    }
  })

  it("S9: a page read while its neighbour is brought to its place is not stale", async () => {
    const wide = { ...SHAPE, sizeBytesMax: 40 * 512 * 1024 * 1024 }
    for (let steps = 0; steps < 200; steps += 5) {
      const bench = new Bench(steps, true, undefined, wide)
      await bench.create()
      await commit(bench, [page(8, 1), page(16, 1)])
      await close(bench)
      await bench.open()
      // As many as it takes until the log is cut, and reads in between.
      const told = [bench.start((store, token) => store.commit(token, [page(16, 2)]))]
      for (let nth = 0; nth < 12; nth++) told.push(bench.startCommit(nth))
      await bench.world.run({ stepsMax: 100 + steps })
      const first = bench.store.readCell("map-page", 8)
      await bench.world.settled(Promise.all([...told, first]), "reads", 1e9)
      await bench.commit(100)
      expect(await read(bench, "map-page", 16)).toEqual(Uint8Array.of(2))
    }
  })

  it("S19: what another store has left is not taken for this one's", async () => {
    const old = await newBench([[cell(1)], [page(1, 1)]])
    await close(old)
    const bytes = old.disk.peek(PLACES.cellsStart, PLACES.dataStart - PLACES.cellsStart)
    const bench = new Bench(6)
    await bench.create()
    await commit(bench, [cell(2)])
    await close(bench)
    bench.disk.poke(PLACES.cellsStart, bytes)
    await bench.open()
    await expect(read(bench, "state")).rejects.toMatchObject({ code: "corrupt" })
  })
})

describe("a place with the wrong file", () => {
  it("is refused where the file is shorter than its store", async () => {
    const bench = await newBench([[cell(1)]])
    await close(bench)
    bench.disk.resize(PLACES.dataStart + SHAPE.sizeBytes - 4096)
    expect((await look(bench)).problems[0]).toContain("its store needs")
    const { world, disk } = bench
    const options = {
      env: world.env,
      memory: newMemory(),
      events: { onCompletions: () => undefined },
    }
    const opening = fileStore({ source: disk.source() }).open(options)
    await expect(world.settled(opening, "open", 1e9)).rejects.toMatchObject({ code: "too-small" })
    expect(options.memory.stats().leaseCount).toBe(0)
  })
})
