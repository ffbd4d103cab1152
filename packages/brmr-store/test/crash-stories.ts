/**
 * What is done to a store while it crashes or its disk fails: every operation that touches
 * metadata, and short pieces of data work.
 */
import { BLOCK_FUA, BLOCK_UNMAP, CELL_KINDS, type CellKind, type CellWrite } from "@rmr/core"
import { CrashBench, type DiskKind, SHAPE } from "./crash-bench.js"
import { freshBench, openAgain, type Work } from "./crash-sweep.js"

export interface Story {
  /** The promises that it tries, and what is done. */
  readonly title: string
  /** A bench that is ready for the work. */
  readonly begin: (kind: DiskKind) => Promise<CrashBench>
  readonly work: Work
  /** It makes the disk fail by itself. */
  readonly hasFault?: boolean
  /** Data that is not durable lies beside it in every moment: images are many. */
  readonly hasUnflushed?: boolean
  /** Fewer images: it has many points, or each is slow. */
  readonly isLong?: boolean
}

const LARGEST = 256 * 1024

export function cell(kind: CellKind, index: number, version: number, bytes = 100): CellWrite {
  return { kind, index, bytes: new Uint8Array(bytes).fill(version) }
}

export function gone(kind: CellKind, index: number): CellWrite {
  return { kind, index, bytes: undefined }
}

/** Some of everything, durable: cells, hot extents, data. */
export async function openFilled(kind: DiskKind, seed?: number): Promise<CrashBench> {
  const bench = await openFresh(kind, seed)
  await bench.done(bench.startCommit(CELL_KINDS.map((one) => cell(one, 0, 1))))
  await bench.done(bench.startHeat([0, 1, 2]))
  await bench.done(bench.startWrite(0, 2 * blockUnits(bench)))
  await bench.done(bench.startFlush())
  return bench
}

/** Beside it data that a crash may lose. */
async function openUnflushed(kind: DiskKind): Promise<CrashBench> {
  const bench = await openFilled(kind)
  const block = blockUnits(bench)
  await bench.done(bench.startWrite(block, 3 * block))
  return bench
}

export async function openFresh(
  kind: DiskKind,
  seed: number = kind.atomicBytes,
): Promise<CrashBench> {
  const bench = await freshBench(kind, seed)
  await bench.open()
  return bench
}

/** Atomic units of a block, and of an extent. */
function blockUnits({ unitBytes }: CrashBench): number {
  return 4096 / unitBytes
}
function extentUnits({ unitBytes }: CrashBench): number {
  return SHAPE.extentBytes / unitBytes
}

async function inTurn(
  bench: CrashBench,
  ...starts: readonly (() => Promise<unknown>)[]
): Promise<string[]> {
  const ends: string[] = []
  for (const start of starts) ends.push(...(await bench.ends(start())))
  return ends
}

const FULL_COMMITS_MAX = 300
const FULL_BYTES = 60_000

/** Commits until one of them makes the disk do far more than the first ones did. */
async function commitsUntilRenewal(kind: DiskKind): Promise<number> {
  const bench = await openFresh(kind)
  let most = { nth: 0, changes: 0 }
  let ordinary = 0
  for (let nth = 1; nth <= FULL_COMMITS_MAX; nth++) {
    const recorder = bench.disk.recordCrashPoints()
    await bench.done(bench.startCommit([cell("pool-metadata", 0, nth % 256, FULL_BYTES)]))
    await bench.run()
    recorder.stop()
    const changes = recorder.points.length
    if (nth <= 10) ordinary = Math.max(ordinary, changes)
    else if (changes > most.changes) most = { nth, changes }
    if (most.changes >= 2 * ordinary) break
  }
  return most.nth
}

export const COMMIT_STORIES: readonly Story[] = [
  {
    title: "S9: one cell of each kind, one commit after another",
    begin: openFresh,
    work: (bench) =>
      inTurn(bench, ...CELL_KINDS.map((kind) => () => bench.startCommit([cell(kind, 0, 1)]))),
  },
  {
    title: "S9: several cells of several kinds at once, some of them new",
    begin: openFilled,
    work: (bench) =>
      bench.ends(
        bench.startCommit([
          cell("state", 0, 2, 4032),
          cell("pool-metadata", 0, 2, 9000),
          ...[0, 3, 5].map((index) => cell("map", index, 2)),
          ...[0, 1, 7].map((index) => cell("map-page", index, 2, 4032)),
        ]),
      ),
  },
  {
    title: "S9: removal of cells, one of which is not there",
    begin: openFilled,
    work: (bench) =>
      bench.ends(
        bench.startCommit([
          gone("pool-metadata", 0),
          gone("map-page", 0),
          gone("map", 5),
          cell("map", 1, 2),
        ]),
      ),
  },
  {
    title: "S9: a cell of 256 KiB over another one",
    begin: async (kind) => {
      const bench = await openFresh(kind)
      await bench.done(bench.startCommit([cell("pool-metadata", 0, 1, LARGEST)]))
      return bench
    },
    work: (bench) => bench.ends(bench.startCommit([cell("pool-metadata", 0, 2, LARGEST)])),
    isLong: true,
  },
  {
    title: "S9: commits in flight together, of the same cells and of others",
    begin: openUnflushed,
    hasUnflushed: true,
    work: (bench) =>
      bench.ends(
        bench.startCommit([cell("state", 0, 2), cell("map", 1, 2)]),
        bench.startCommit([cell("state", 0, 3), gone("map", 0)]),
        bench.startCommit([cell("map-page", 2, 3)]),
      ),
  },
  {
    title: "S9: commits that are asked while another one is on its way",
    begin: openFilled,
    work: async (bench) => {
      const first = bench.startCommit([cell("state", 0, 2), cell("last-io", 0, 2, 70_000)])
      await bench.run(() => false, 3)
      const second = bench.startCommit([cell("state", 0, 3), cell("map", 1, 3)])
      await bench.run(() => false, 1)
      return bench.ends(first, second, bench.startCommit([gone("last-io", 0)]))
    },
  },
]

/** A log that has no room left is written anew, or whatever a format does instead. */
export const RENEWAL_STORY: Story = {
  title: "S9: the commit that finds the log full",
  begin: async (kind) => {
    const count = await commitsUntilRenewal(kind)
    const bench = await openFresh(kind)
    for (let nth = 1; nth < count; nth++) {
      await bench.done(bench.startCommit([cell("pool-metadata", 0, nth % 256, FULL_BYTES)]))
      await bench.run()
    }
    return bench
  },
  work: (bench) =>
    inTurn(
      bench,
      () => bench.startCommit([cell("pool-metadata", 0, 3, FULL_BYTES)]),
      () => bench.startHeat([5]),
    ),
  isLong: true,
}

export const HOT_STORIES: readonly Story[] = [
  {
    title: "S16: heats, two of which are in flight together",
    begin: openFilled,
    work: async (bench) => [
      ...(await bench.ends(bench.startHeat([3]))),
      ...(await bench.ends(bench.startHeat([4, 5]), bench.startHeat([2, 7]))),
    ],
  },
  {
    title: "S16: cooling, which goes along with a commit",
    begin: openFilled,
    work: (bench) => {
      bench.cool([0, 2])
      return bench.ends(bench.startCommit([cell("state", 0, 2)]))
    },
  },
  {
    title: "S16: cooling and heating again in one turn, and once more",
    begin: openFilled,
    work: async (bench) => {
      bench.cool([0, 1])
      const first = await bench.ends(bench.startHeat([1]))
      bench.cool([1])
      return [...first, ...(await bench.ends(bench.startHeat([0, 1, 6])))]
    },
  },
  {
    title: "S16, S9: heat, cool and commit in one turn",
    begin: openFilled,
    work: (bench) => {
      bench.cool([2])
      return bench.ends(bench.startHeat([6]), bench.startCommit([cell("map", 2, 9)]))
    },
  },
]

export const LIFE_STORIES: readonly Story[] = [
  {
    title: "S10, S17: open after a clean close",
    begin: async (kind) => {
      const bench = await openFilled(kind)
      await bench.close()
      return bench
    },
    work: (bench) => bench.ends(bench.startOpen()),
  },
  {
    title: "S10, S17: open after a crash among commits and writes",
    begin: async (kind) => {
      const bench = await openFilled(kind)
      void bench.startCommit([cell("state", 0, 2, 4032), cell("map-page", 1, 2, 4032)])
      void bench.startWrite(0, blockUnits(bench))
      await bench.run(() => false, 4)
      bench.powerCut("scrambled")
      return bench
    },
    work: (bench) => bench.ends(bench.startOpen()),
  },
  {
    title: "S17: settling after a crash, and a clean close",
    begin: async (kind) => {
      const bench = await openFilled(kind)
      bench.powerCut("lost")
      await openAgain(bench, "a power cut")
      return bench
    },
    isLong: true,
    work: (bench) =>
      inTurn(
        bench,
        () => bench.startSettle(),
        () => bench.startClose(),
      ),
  },
  {
    title: "S1, S2: growing, onto what a device held there",
    begin: openFilled,
    work: async (bench) => {
      const grown = await bench.ends(bench.startGrow(SHAPE.sizeBytesMax))
      return [...grown, ...(await bench.ends(bench.startCommit([cell("state", 0, 2)])))]
    },
  },
  {
    title: "S6, S12: close, with data and coolings that nobody flushed",
    begin: openUnflushed,
    hasUnflushed: true,
    isLong: true,
    work: (bench) => {
      bench.cool([2])
      const block = blockUnits(bench)
      const writing = bench.startWrite(0, 2 * block)
      const commit = bench.startCommit([cell("state", 0, 2)])
      return bench.ends(writing, commit, bench.startClose())
    },
  },
  {
    title: "S7, S17: a flush that fails, and a close after it",
    begin: openUnflushed,
    hasFault: true,
    hasUnflushed: true,
    isLong: true,
    work: async (bench) => {
      bench.failNextFlush()
      const flushed = await bench.ends(bench.startFlush())
      const ends = await inTurn(
        bench,
        () => bench.startCommit([cell("state", 0, 2)]),
        () => bench.startClose(),
      )
      return [...flushed.map((end) => (end === "io-error" ? "ok" : end)), ...ends]
    },
  },
]

export const PLACE_STORIES: readonly Story[] = [
  {
    title: "S2: create on a place that is known to be blank",
    begin: async (kind) => new CrashBench({ kind, seed: 3 }),
    work: (bench) => bench.ends(bench.startCreate(false, true)),
  },
  {
    title: "S2: create on a blank place",
    begin: async (kind) => new CrashBench({ kind, seed: 4 }),
    work: (bench) => bench.ends(bench.startCreate(false)),
    isLong: true,
  },
  {
    title: "S2: create over an old store, forced",
    begin: closedFilled,
    work: (bench) => bench.ends(bench.startCreate(true)),
    isLong: true,
  },
  {
    title: "S10: erase",
    begin: closedFilled,
    isLong: true,
    work: (bench) => bench.ends(bench.startErase()),
  },
]

async function closedFilled(kind: DiskKind): Promise<CrashBench> {
  const bench = await openFilled(kind)
  await bench.close()
  return bench
}

/** FUA, where the disk has none, is a flush; the promise is the same. */
export const DATA_STORIES: readonly Story[] = [
  {
    title: "S6, S7: writes, a flush, and writes over them",
    begin: openUnflushed,
    hasUnflushed: true,
    work: async (bench) => {
      const block = blockUnits(bench)
      const first = await bench.ends(bench.startWrite(0, block), bench.startWrite(block, 2 * block))
      const flush = await bench.ends(bench.startFlush())
      return [...first, ...flush, ...(await bench.ends(bench.startWrite(0, 2 * block)))]
    },
  },
  {
    title: "S6, S7: FUA writes among others",
    begin: openFilled,
    work: async (bench) => {
      const block = blockUnits(bench)
      const plain = bench.startWrite(0, block)
      const forced = bench.startWrite(2 * block, 4 * block, BLOCK_FUA)
      const first = await bench.ends(plain, forced)
      return [...first, ...(await bench.ends(bench.startWrite(0, block, BLOCK_FUA)))]
    },
  },
  {
    title: "S6, S7, S8: zero, with and without unmap, with and without FUA",
    begin: openFilled,
    work: async (bench) => {
      const block = blockUnits(bench)
      const ends = await bench.ends(
        bench.startZero(0, block),
        bench.startZero(block, 2 * block, BLOCK_UNMAP),
      )
      const forced = await inTurn(
        bench,
        () => bench.startZero(0, 2 * block, BLOCK_FUA | BLOCK_UNMAP),
        () => bench.startZero(2 * block, 3 * block, BLOCK_FUA),
      )
      return [...ends, ...forced, ...(await bench.ends(bench.startWrite(0, block)))]
    },
  },
  {
    title: "S5, S7: overlapping writes in flight together, then a flush",
    begin: openFilled,
    work: async (bench) => {
      const block = blockUnits(bench)
      const ends = await bench.ends(
        bench.startWrite(0, 2 * block),
        bench.startWrite(block, 3 * block),
        bench.startWrite(block, 2 * block, BLOCK_FUA),
      )
      return [...ends, ...(await bench.ends(bench.startFlush()))]
    },
  },
  {
    title: "S6, S9, S16: heat, then writes beside commits and a flush",
    begin: openFilled,
    work: async (bench) => {
      const extent = extentUnits(bench)
      const block = blockUnits(bench)
      const heated = await bench.ends(bench.startHeat([4]))
      if (heated[0] !== "ok") return heated
      const ends = await bench.ends(
        bench.startWrite(4 * extent, 4 * extent + block),
        bench.startCommit([cell("last-io", 0, 2, 5000)]),
        bench.startFlush(),
      )
      bench.cool([4])
      return [...heated, ...ends, ...(await bench.ends(bench.startCommit([cell("map", 0, 2)])))]
    },
  },
]
