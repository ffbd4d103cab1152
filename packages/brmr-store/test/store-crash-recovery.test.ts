/**
 * Crashes in the recovery from a crash: an image of some crash is opened, and every step of that is
 * a crash point again.
 */
import { SUPERBLOCK_PLACES } from "../src/layout.js"
import { DISK_KINDS } from "./crash-bench.js"
import {
  COMMIT_STORIES,
  DATA_STORIES,
  HOT_STORIES,
  LIFE_STORIES,
  PLACE_STORIES,
  RENEWAL_STORY,
} from "./crash-stories.js"
import { freshBench, isLong, onDisks, printTally, sweep, sweepRecoveries } from "./crash-sweep.js"

jest.setTimeout(300_000)

const STORIES = [
  ...COMMIT_STORIES,
  ...(isLong ? [RENEWAL_STORY] : []),
  ...HOT_STORIES,
  ...LIFE_STORIES,
  ...PLACE_STORIES,
  ...DATA_STORIES,
]
const IMAGES = isLong ? 12 : 1
/** Every second story, and all with `RMR_LONG=1`. */
const SWEPT = STORIES.filter((_, nth) => isLong || nth % 2 === 1)

describe("a crash while a store is opened that had crashed", () => {
  it.each(onDisks(SWEPT, 1))("%s", async (title, { begin, work }, kind) => {
    const tally = await sweepRecoveries(await begin(kind), work, IMAGES)
    printTally(title, tally)
    expect(tally.points).toBeGreaterThan(0)
  })
})

/** The copy that is good must not be the one that the next crash tears. */
describe("S10: RT-65: opening a store is cut off, and an earlier crash had torn", () => {
  const places = SUPERBLOCK_PLACES.flatMap((at) => DISK_KINDS.map((kind) => ({ at, ...kind })))

  it.each(places)(
    "the superblock at $at; tears at $atomicBytes, forces units: $forcedUnitAccess",
    async ({ at, ...kind }) => {
      const bench = await freshBench(kind, at + 3)
      bench.disk.poke(at, new Uint8Array(512).fill(7))
      const tally = await sweep(bench, (one) => one.ends(one.startOpen()), 64)
      expect(tally.points).toBeGreaterThan(1)
    },
  )
})
