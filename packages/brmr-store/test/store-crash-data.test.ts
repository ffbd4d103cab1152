/** Crashes at every step of short pieces of data work, beside commits and heats. */
import { DATA_STORIES } from "./crash-stories.js"
import { onDisks, printTally, sweep } from "./crash-sweep.js"

jest.setTimeout(300_000)

describe("a crash among writes, zeroes and flushes", () => {
  it.each(onDisks(DATA_STORIES))("%s", async (title, { begin, work }, kind) => {
    const tally = await sweep(await begin(kind), work)
    printTally(title, tally)
    expect(tally.points).toBeGreaterThan(4)
    expect(tally.images).toBeGreaterThan(tally.points)
  })
})
