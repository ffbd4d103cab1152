import type { Clock } from "@rmr/core"
import { nodeWorld } from "../node/index.js"
import type { Waiting } from "./waiting.js"
import { clockWaiting, worldWaiting } from "./waiting.js"

/** A clock as a real one, whose time a world moves along while others wait. */
function ways(): { name: string; waiting: Waiting; clock: Clock; drive: () => Promise<void> }[] {
  const own = nodeWorld({ seed: 1 })
  const driven = nodeWorld({ seed: 2 })
  return [
    {
      name: "world",
      waiting: worldWaiting(own),
      clock: own.env.clock,
      drive: () => Promise.resolve(),
    },
    {
      name: "clock",
      waiting: clockWaiting(driven.env.clock),
      clock: driven.env.clock,
      drive: () => driven.settle(),
    },
  ]
}

describe.each(ways())("waiting by a $name", ({ waiting, clock, drive }) => {
  it("goes on as soon as the condition holds", async () => {
    let isSo = false
    clock.schedule(50, () => {
      isSo = true
    })
    const start = clock.nowMs()
    const waited = waiting.until(() => isSo, "so")
    await drive()
    await waited
    expect(clock.nowMs() - start).toBeLessThanOrEqual(51)
  })

  it("fails by name when it does not come in time", async () => {
    const later = clock.schedule(1000, () => undefined)
    const waited = waiting.until(() => false, "answer to everything", 100)
    const failed = expect(waited).rejects.toThrow("no answer to everything within")
    await drive()
    await failed
    later.cancel()
  })

  it("gives the outcome of a promise, good or bad", async () => {
    const good = waiting.settled(
      new Promise((resolve) => void clock.schedule(5, () => resolve("good"))),
      "promise",
    )
    await drive()
    expect(await good).toBe("good")
    const bad = waiting.settled(Promise.reject(new RangeError("bad")), "promise")
    const failed = expect(bad).rejects.toThrow(RangeError)
    await drive()
    await failed
  })

  it("lets time pass", async () => {
    const start = clock.nowMs()
    const passed = waiting.pass(30)
    await drive()
    await passed
    expect(clock.nowMs() - start).toBe(30)
  })
})
