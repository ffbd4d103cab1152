import { NOT_QUEUED } from "./event-queue.js"
import type { ClockEvent, VirtualClock } from "./virtual-clock.js"
import { virtualClock } from "./virtual-clock.js"

function event(happen: () => void): ClockEvent {
  return { atMs: 0, order: 0, place: NOT_QUEUED, happen }
}

function runAll(clock: VirtualClock): void {
  while (clock.step());
}

describe("a turn", () => {
  it("holds all events of its instant, and ends once", () => {
    const clock = virtualClock()
    const order: string[] = []
    for (const name of ["a", "b"]) {
      const happen = (): void => {
        order.push(name)
        clock.atEndOfTurn(() => order.push(`end of ${name}`))
      }
      clock.add(event(happen), 5)
    }
    runAll(clock)
    expect(order).toEqual(["a", "b", "end of a", "end of b"])
  })

  it("is not joined by what is scheduled in it, so that nothing starves its end", () => {
    const clock = virtualClock()
    const order: string[] = []
    const again = (): void => {
      order.push("event")
      if (order.length < 8) clock.add(event(again), clock.nowMs)
    }
    clock.add(event(again), 0)
    clock.atEndOfTurn(() => order.push("end"))
    for (let step = 0; step < 4; step++) clock.step()
    expect(order.slice(0, 3)).toEqual(["end", "event", "event"])
    clock.atEndOfTurn(() => order.push("later end"))
    clock.step()
    expect(order.at(-1)).toBe("later end")
  })

  it("runs ends that were asked by ends in the same end", () => {
    const clock = virtualClock()
    const order: number[] = []
    clock.atEndOfTurn(() => {
      order.push(1)
      clock.atEndOfTurn(() => order.push(3))
    })
    clock.atEndOfTurn(() => order.push(2))
    expect(clock.step()).toBe(true)
    expect(order).toEqual([1, 2, 3])
    expect(clock.step()).toBe(false)
  })

  it("loses no later end when one throws before it asked for more", () => {
    const clock = virtualClock()
    let ran = false
    clock.atEndOfTurn(() => {
      clock.atEndOfTurn(() => {
        ran = true
      })
      throw new RangeError("a defect")
    })
    expect(() => clock.step()).toThrow(RangeError)
    clock.step()
    expect(ran).toBe(true)
  })
})

describe("virtual time", () => {
  it("never goes back, also for an event that is added for the past", () => {
    const clock = virtualClock()
    const seen: number[] = []
    clock.passTo(10)
    clock.add(
      event(() => seen.push(clock.nowMs)),
      3,
    )
    runAll(clock)
    expect(seen).toEqual([10])
    expect(() =>
      clock.add(
        event(() => undefined),
        Number.NaN,
      ),
    ).toThrow("needs a time")
  })

  it("does not pass over what is to happen", () => {
    const clock = virtualClock()
    clock.add(
      event(() => undefined),
      3,
    )
    expect(() => clock.passTo(4)).toThrow("does not pass over")
    clock.passTo(3)
    expect(clock.nowMs).toBe(3)
  })
})
