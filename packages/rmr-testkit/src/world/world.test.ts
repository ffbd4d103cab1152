import { AssertionError } from "@rmr/core"
import { nodeWorld } from "../node/index.js"
import type { World } from "./world.js"
import { createWorld } from "./world.js"

async function chain(depth: number, end: () => void): Promise<void> {
  for (let link = 0; link < depth; link++) await undefined
  end()
}

describe("World", () => {
  it("lets a long promise chain end before the next event of the same instant", async () => {
    const world = nodeWorld({ seed: 1 })
    const order: string[] = []
    world.env.clock.schedule(5, () => void chain(100, () => order.push("end of the chain")))
    world.env.clock.schedule(5, () => order.push("next event"))
    await world.settle()
    expect(order).toEqual(["end of the chain", "next event"])
  })

  it("waits for a chain that began outside of any event before it calls itself idle", async () => {
    const world = nodeWorld({ seed: 1 })
    let ranAtMs = -1
    void chain(50, () => {
      world.env.clock.schedule(3, () => {
        ranAtMs = world.nowMs
      })
    })
    await world.settle()
    expect(ranAtMs).toBe(3)
  })

  it("ends a turn after its promises, and before what they scheduled", async () => {
    const world = nodeWorld({ seed: 1 })
    const { clock } = world.env
    const order: string[] = []
    clock.schedule(1, () => {
      clock.endOfTurn(() => order.push("end"))
      clock.schedule(0, () => order.push("next turn"))
      void chain(8, () => {
        order.push("promise")
        clock.endOfTurn(() => order.push("end asked by promise"))
      })
    })
    await world.settle()
    expect(order).toEqual(["promise", "end", "end asked by promise", "next turn"])
  })

  it("passes the time it was given, also when nothing happens in it", async () => {
    const world = nodeWorld({ seed: 1 })
    await world.runFor(250)
    expect(world.nowMs).toBe(250)
    expect(world.runSync({ forMs: 50 })).toBe("time")
    expect(world.nowMs).toBe(300)
  })

  it("does not run what lies beyond the time it was given", async () => {
    const world = nodeWorld({ seed: 1 })
    const ran: number[] = []
    for (const delayMs of [10, 20, 20.5, 30]) {
      world.env.clock.schedule(delayMs, () => ran.push(delayMs))
    }
    await world.runFor(20)
    expect(ran).toEqual([10, 20])
    expect(world.pendingCount).toBe(2)
  })

  it("stops at the condition, with later events untouched", async () => {
    const world = nodeWorld({ seed: 1 })
    let count = 0
    for (let at = 0; at < 10; at++) world.env.clock.schedule(at, () => count++)
    expect(await world.run({ until: () => count === 4 })).toBe("met")
    expect(world.nowMs).toBe(3)
    expect(world.pendingCount).toBe(6)
  })

  it("gives the outcome of a promise, a failure as well", async () => {
    const world = nodeWorld({ seed: 1 })
    const later = (run: () => void): void => void world.env.clock.schedule(7, run)
    const good = new Promise<string>((resolve) => later(() => resolve("done")))
    expect(await world.settled(good, "good")).toBe("done")
    const bad = new Promise<string>((_, reject) => later(() => reject(new RangeError("no"))))
    await expect(world.settled(bad, "bad")).rejects.toThrow(RangeError)
  })

  it("says that a promise can never settle, instead of hanging", async () => {
    const world = nodeWorld({ seed: 42 })
    const never = new Promise<void>(() => undefined)
    await expect(world.settled(never, "answer")).rejects.toThrow(
      "nothing is left to happen at 0 ms of seed 42, and still no answer",
    )
  })

  it("says that something never rests, instead of running for ever", async () => {
    const world = nodeWorld({ seed: 1 })
    const again = (): void => void world.env.clock.schedule(1, again)
    again()
    expect(await world.run({ stepsMax: 1000 })).toBe("steps")
    expect(world.stepCount).toBe(1000)
  })

  it("fails the run with what an event threw, and can go on afterwards", async () => {
    const world = nodeWorld({ seed: 1 })
    world.env.clock.schedule(1, () => {
      throw new RangeError("a defect")
    })
    world.env.clock.schedule(2, () => undefined)
    await expect(world.settle()).rejects.toThrow("a defect")
    await world.settle()
    expect(world.nowMs).toBe(2)
  })

  it("refuses two runs at once, and an asynchronous one without a pump", async () => {
    const world = nodeWorld({ seed: 1 })
    const first = world.runFor(1)
    await expect(world.runFor(1)).rejects.toThrow(AssertionError)
    await first
    await expect(createWorld({ seed: 1 }).settle()).rejects.toThrow("only runSync works")
  })
})

/** Three actors that talk by promises and timers, and draw from streams of their own. */
async function actors(world: World): Promise<string> {
  const act = async (name: string): Promise<void> => {
    const { clock, random, log } = world.host(name).env
    for (let round = 0; round < 200; round++) {
      await new Promise<void>((resolve) => void clock.schedule(random.below(5), resolve))
      if (random.below(10) === 0) log.write("info", "actor.round", { name, round })
      clock.endOfTurn(() => world.trace(name, round))
    }
  }
  await world.settled(Promise.all([act("a"), act("b"), act("c")]), "end of the actors")
  return world.digest()
}

describe("a seed", () => {
  it("gives the same trace each time, and another seed another one", async () => {
    const first = nodeWorld({ seed: 99 })
    const again = nodeWorld({ seed: 99 })
    const other = nodeWorld({ seed: 100 })
    const digest = await actors(first)
    expect(await actors(again)).toBe(digest)
    expect(await actors(other)).not.toBe(digest)
    expect(again.random.u32()).toBe(first.random.u32())
    expect(again.host("a").env.random.u32()).toBe(first.host("a").env.random.u32())
  })
})
