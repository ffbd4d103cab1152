/**
 * Crashes in the recovery from a crash: an image of some crash is opened, and every step of that is
 * a crash point again.
 */
import {
  COMMIT_STORIES,
  DATA_STORIES,
  HOT_STORIES,
  LIFE_STORIES,
  PLACE_STORIES,
  RENEWAL_STORY,
} from "./crash-stories.js"
import { isLong, onDisks, printTally, sweepRecoveries } from "./crash-sweep.js"

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
