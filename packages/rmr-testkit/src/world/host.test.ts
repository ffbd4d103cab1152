import { nodeWorld } from "../node/index.js"
import type { Host } from "./host.js"
import type { World } from "./world.js"

function begin(): { world: World; host: Host } {
  const world = nodeWorld({ seed: "hosts" })
  return { world, host: world.host("a") }
}

describe("a killed host", () => {
  it("runs no timer and no end of turn any more, and leaves nothing pending", async () => {
    const { world, host } = begin()
    const { clock } = host.env
    let ranCount = 0
    clock.schedule(1, () => ranCount++)
    clock.schedule(2, () => ranCount++)
    world.env.clock.schedule(1.5, () => {
      clock.endOfTurn(() => ranCount++)
      host.kill()
      expect(world.pendingCount).toBe(1) // the end of turn, which will find nobody
    })
    await world.settle()
    expect([ranCount, world.nowMs]).toEqual([1, 1.5])
  })

  it("has code that still runs in promises, but it reaches nobody", async () => {
    const { world, host } = begin()
    const { clock, log } = host.env
    let ran = false
    const zombie = async (): Promise<void> => {
      await undefined
      log.write("info", "zombie.spoke")
      clock
        .schedule(0, () => {
          ran = true
        })
        .cancel()
      clock.schedule(1, () => {
        ran = true
      })
      clock.endOfTurn(() => {
        ran = true
      })
    }
    void zombie()
    host.kill()
    await world.settle()
    expect([ran, log.enabled("error"), world.log.records.length]).toEqual([false, false, 0])
  })

  it("tells its devices in order, once, and begins a new life with an env of its own", () => {
    const { host } = begin()
    const told: number[] = []
    host.onDeath(() => told.push(1))
    host.onDeath(() => told.push(2))
    const before = host.env
    host.kill()
    host.kill()
    expect(told).toEqual([1, 2])
    expect(() => host.onDeath(() => undefined)).toThrow("has ended")
    const after = host.restart()
    expect([host.life, host.isAlive, after === before]).toEqual([2, true, false])
    expect(after.random.u32()).not.toBe(before.random.u32())
    host.kill()
    expect(told).toEqual([1, 2])
    expect(() => begin().host.restart()).toThrow("still alive")
  })

  it("writes its name and life into its log", () => {
    const { world, host } = begin()
    host.kill()
    host.restart().log.child({ part: "x" }).write("warn", "it.happened", { at: 3 })
    expect(world.log.find("it.happened")[0]?.fields).toEqual({
      host: "a",
      life: 2,
      part: "x",
      at: 3,
    })
  })
})

describe("a paused host", () => {
  it("does everything that came due at once and in order, when it goes on", async () => {
    const { world, host } = begin()
    const { clock } = host.env
    const ran: string[] = []
    for (const delayMs of [30, 10, 20]) {
      clock.schedule(delayMs, () => ran.push(`${delayMs} at ${clock.nowMs()}`))
    }
    host.pause()
    await world.runFor(25)
    expect(ran).toEqual([])
    host.resume()
    await world.settle()
    expect(ran).toEqual(["10 at 25", "20 at 25", "30 at 30"])
  })

  it("can be paused in the middle of a turn, whose end then waits as well", async () => {
    const { world, host } = begin()
    let endedAtMs = -1
    host.env.clock.schedule(1, () => {
      host.env.clock.endOfTurn(() => {
        endedAtMs = world.nowMs
      })
    })
    world.env.clock.schedule(1, () => host.pause())
    world.env.clock.schedule(9, () => host.resume())
    await world.settle()
    expect(endedAtMs).toBe(9)
  })

  it("runs no timer that was cancelled while it was overdue", async () => {
    const { world, host } = begin()
    let ran = false
    const timer = host.env.clock.schedule(1, () => {
      ran = true
    })
    host.pause()
    await world.runFor(5)
    timer.cancel()
    host.resume()
    expect(world.pendingCount).toBe(0)
    await world.settle()
    expect(ran).toBe(false)
  })

  it("loses the time of a stopped machine, so that its timers are late", async () => {
    const { world, host } = begin()
    const { clock } = host.env
    let ranAtMs = -1
    clock.schedule(10, () => {
      ranAtMs = clock.nowMs()
    })
    await world.runFor(4)
    host.pause({ clock: "stops" })
    await world.runFor(100)
    expect(clock.nowMs()).toBe(4)
    host.resume()
    await world.settle()
    expect([ranAtMs, world.nowMs]).toEqual([10, 110])
  })
})

describe("a host's clock", () => {
  it("drifts from now on, and a timer never runs early by it", async () => {
    const { world, host } = begin()
    const { clock } = host.env
    await world.runFor(1000)
    host.setClockRate(1.5)
    await world.runFor(1000)
    expect(clock.nowMs()).toBe(2500)
    for (const rate of [0.3, 0.9, 1.0001, 3]) {
      const dueMs = clock.nowMs() + 777.7
      let ranAtMs = -1
      clock.schedule(777.7, () => {
        ranAtMs = clock.nowMs()
      })
      host.setClockRate(rate) // after scheduling: what was computed then is wrong now
      await world.settle()
      expect(ranAtMs).toBeGreaterThanOrEqual(dueMs)
    }
  })

  it("has a wall that jumps without moving the monotonic time", () => {
    const { world, host } = begin()
    const before = host.env.clock.wallMs()
    host.skewWall(-3_600_000)
    expect(host.env.clock.wallMs()).toBe(before - 3_600_000)
    expect([host.env.clock.nowMs(), world.env.clock.wallMs()]).toEqual([0, before])
  })

  it("refuses waits that are no time, and takes a negative one for none", async () => {
    const { world, host } = begin()
    const { clock } = host.env
    expect(() => clock.schedule(Number.NaN, () => undefined)).toThrow("cannot wait NaN ms")
    expect(() => clock.schedule(Number.POSITIVE_INFINITY, () => undefined)).toThrow("cannot wait")
    expect(() => host.setClockRate(0)).toThrow("rate 0")
    let ran = false
    clock.schedule(-5, () => {
      ran = true
    })
    await world.settle()
    expect([ran, world.nowMs]).toEqual([true, 0])
  })

  it("cancels a timer for good, also twice and after it ran", async () => {
    const { world, host } = begin()
    const { clock } = host.env
    const order: string[] = []
    const a = clock.schedule(1, () => order.push("a"))
    const b = clock.schedule(1, () => {
      order.push("b")
      a.cancel()
      c.cancel()
    })
    const c = clock.schedule(1, () => order.push("c"))
    await world.settle()
    b.cancel()
    expect(order).toEqual(["a", "b"])
    expect(world.pendingCount).toBe(0)
  })
})
