/** Work that ends, that does not, and that fails; time passes when the test says so. */
import type { Clock } from "./clock.js"
import { endsWithin } from "./deadline.js"

/** Timers that were scheduled, and not cancelled. */
function handClock(): { readonly clock: Clock; readonly timers: Set<() => void> } {
  const timers = new Set<() => void>()
  const schedule = (_delayMs: number, run: () => void): { cancel(): void } => {
    timers.add(run)
    return { cancel: () => timers.delete(run) }
  }
  const nowMs = (): number => 0
  return { timers, clock: { nowMs, wallMs: nowMs, schedule, endOfTurn: (run) => run() } }
}

describe("work with a deadline", () => {
  it("P6: is in time when it ends before, and leaves no timer", async () => {
    const { clock, timers } = handClock()
    const ends = endsWithin(clock, 1000, Promise.resolve("done"))
    expect(timers.size).toBe(1)
    expect(await ends).toBe(true)
    expect(timers.size).toBe(0)
  })

  it("P6: is late when its time is over, and fails for nobody after that", async () => {
    const { clock, timers } = handClock()
    let fail: (error: Error) => void = () => undefined
    const work = new Promise<void>((_, reject) => {
      fail = reject
    })
    const ends = endsWithin(clock, 10, work)
    for (const run of timers) run()
    expect(await ends).toBe(false)
    fail(new Error("too late"))
    await expect(work).rejects.toThrow("too late")
  })

  it("P6: fails as the work does, in time", async () => {
    const { clock, timers } = handClock()
    const ends = endsWithin(clock, 10, Promise.reject(new Error("it cannot")))
    await expect(ends).rejects.toThrow("it cannot")
    expect(timers.size).toBe(0)
  })
})
