/**
 * The real clock keeps what the clock port promises, and chance is fair enough to be one.
 */
import { realEnv } from "./index.js"

const { clock, random } = realEnv()

describe("the real clock", () => {
  it("runs ends of turn in order, after the turn, and with those that they add", async () => {
    const story: string[] = []
    await new Promise<void>((resolve) => {
      clock.endOfTurn(() => {
        story.push("first")
        clock.endOfTurn(() => {
          story.push("added")
          resolve()
        })
        setImmediate(() => story.push("next turn"))
      })
      clock.endOfTurn(() => story.push("second"))
      process.nextTick(() => story.push("tick"))
    })
    expect(story).toEqual(["tick", "first", "second", "added"])
  })

  it("never runs a timer early, and a cancelled one never", async () => {
    let hasRun = false
    const cancelled = clock.schedule(1, () => {
      hasRun = true
    })
    cancelled.cancel()
    cancelled.cancel()
    for (const delayMs of [0, 0.4, 3.7, 12]) {
      const startMs = clock.nowMs()
      await new Promise<void>((resolve) => void clock.schedule(delayMs, resolve))
      expect(clock.nowMs() - startMs).toBeGreaterThanOrEqual(delayMs)
    }
    expect(hasRun).toBe(false)
  })
})

describe("chance of the operating system", () => {
  it("stays below its bound, reaches both ends, and is not the same twice", () => {
    const seen = new Set<number>()
    for (let draw = 0; draw < 2000; draw++) seen.add(random.below(7))
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6])
    for (let draw = 0; draw < 2000; draw++) {
      const unit = random.unit()
      expect(unit >= 0 && unit < 1).toBe(true)
    }
    const keys = new Set<string>()
    for (let draw = 0; draw < 100; draw++) {
      const key = new Uint8Array(16)
      random.fill(key)
      keys.add(key.join())
    }
    expect(keys.size).toBe(100)
    expect(() => random.below(0)).toThrow("not in 1")
  })
})
