/**
 * Crashes at every step of every operation on metadata. Each line of the output says how many crash
 * points an operation has, how many of their images were opened, and of which points not all.
 */
import {
  COMMIT_STORIES,
  HOT_STORIES,
  LIFE_STORIES,
  PLACE_STORIES,
  RENEWAL_STORY,
} from "./crash-stories.js"
import { IMAGES_MAX, IMAGES_MAX_LONG_STORY, onDisks, printTally, sweep } from "./crash-sweep.js"

jest.setTimeout(300_000)

const STORIES = [...COMMIT_STORIES, ...HOT_STORIES, ...LIFE_STORIES, ...PLACE_STORIES]
const SHORT = STORIES.filter(({ isLong = false }) => !isLong)
const LONG = [RENEWAL_STORY, ...STORIES.filter(({ isLong = false }) => isLong)]

describe("a crash at any step, with what is not durable lost, kept, torn or reordered", () => {
  it.each(onDisks(SHORT))("%s", async (title, { begin, work, hasUnflushed = false }, kind) => {
    const tally = await sweep(await begin(kind), work, IMAGES_MAX)
    printTally(title, tally)
    expect(tally.points).toBeGreaterThan(1)
    expect(tally.images).toBeGreaterThan(tally.points)
    // What is not durable is one write and its tail in most moments: those are exhausted.
    if (!hasUnflushed) expect(tally.sampled.length).toBeLessThan(tally.points)
  })

  it.each(onDisks(LONG))("%s", async (title, { begin, work }, kind) => {
    const tally = await sweep(await begin(kind), work, IMAGES_MAX_LONG_STORY)
    printTally(title, tally)
    expect(tally.points).toBeGreaterThan(2)
  })
})
