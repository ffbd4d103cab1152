import type { Room } from "./room-waiters.js"
import { RoomWaiters } from "./room-waiters.js"

const room = (freePageCount: number, largestFreeOrder: number): Room => ({
  freePageCount,
  largestFreeOrder,
})

describe("RoomWaiters", () => {
  it("lets a waiter sleep that would find what it found before", () => {
    const waiters = new RoomWaiters()
    let ranCount = 0
    waiters.add(room(4, 1), () => ranCount++)
    waiters.wake(room(4, 1))
    waiters.wake(room(3, 1))
    expect(ranCount).toBe(0)
    waiters.wake(room(4, 2)) // as many pages as before, but in one piece
    expect(ranCount).toBe(1)
    waiters.wake(room(9, 3))
    expect(ranCount).toBe(1)
  })

  it("wakes those who asked when no lease at all could be had, once one can", () => {
    const waiters = new RoomWaiters()
    let ranCount = 0
    waiters.add(room(-1, -1), () => ranCount++)
    waiters.wake(room(-1, -1))
    expect(ranCount).toBe(0)
    waiters.wake(room(1, 0))
    expect(ranCount).toBe(1)
  })

  it("comes to rest with two waiters that each take, give back and ask again", () => {
    const waiters = new RoomWaiters()
    const now = { freePageCount: 1, largestFreeOrder: 0 }
    let ranCount = 0
    const takeTwoOrNone = (): void => {
      ranCount++
      waiters.wake(now) // it gave back the one that it took: there is as much room as before
      waiters.add(now, takeTwoOrNone)
    }
    waiters.add(room(0, -1), takeTwoOrNone)
    waiters.add(room(0, -1), takeTwoOrNone)
    waiters.wake(now)
    expect(ranCount).toBe(2)
    expect(waiters.count).toBe(2)
  })

  it("wakes a waiter for room that another one made while it ran", () => {
    const waiters = new RoomWaiters()
    const now = { freePageCount: 1, largestFreeOrder: 0 }
    const order: string[] = []
    waiters.add(room(3, 0), () => order.push("patient"))
    waiters.add(room(0, -1), () => {
      order.push("generous")
      now.freePageCount = 8
      waiters.wake(now)
    })
    waiters.wake(now)
    expect(order).toEqual(["generous", "patient"])
  })

  it("never runs one inside another", () => {
    const waiters = new RoomWaiters()
    const now = room(8, 3)
    const order: string[] = []
    const waiter = (name: string) => (): void => {
      order.push(`${name} begins`)
      waiters.wake(now) // it releases something
      order.push(`${name} ends`)
    }
    waiters.add(room(0, -1), waiter("a"))
    waiters.add(room(0, -1), waiter("b"))
    waiters.wake(now)
    expect(order).toEqual(["a begins", "a ends", "b begins", "b ends"])
  })

  it("keeps the others when one of them throws", () => {
    const waiters = new RoomWaiters()
    let ran = false
    waiters.add(room(0, -1), () => {
      throw new RangeError("a defect")
    })
    waiters.add(room(0, -1), () => {
      ran = true
    })
    expect(() => waiters.wake(room(1, 0))).toThrow(RangeError)
    waiters.wake(room(1, 0))
    expect(ran).toBe(true)
  })
})
