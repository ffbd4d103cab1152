import fc from "fast-check"
import type { QueuedEvent } from "./event-queue.js"
import { EventQueue, NOT_QUEUED } from "./event-queue.js"

function queued(atMs: number, order: number): QueuedEvent {
  return { atMs, order, place: NOT_QUEUED }
}

describe("EventQueue", () => {
  it("gives events by time, equal ones by insertion, whatever was removed in between", () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 0, max: 20 }) }),
      fc.record({ remove: fc.nat(100) }),
      fc.constant({ pop: true as const }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new EventQueue<QueuedEvent>()
        let model: QueuedEvent[] = []
        for (const [order, one] of steps.entries()) {
          if ("add" in one) {
            const event = queued(one.add, order)
            queue.push(event)
            model.push(event)
            model.sort((a, b) => a.atMs - b.atMs || a.order - b.order)
          } else if ("remove" in one) {
            const event = model[one.remove % model.length]
            if (event === undefined) continue
            queue.remove(event)
            queue.remove(event)
            model = model.filter((other) => other !== event)
          } else expect(queue.pop()).toBe(model.shift())
          expect(queue.count).toBe(model.length)
          expect(queue.peek()).toBe(model[0])
        }
        expect(queue.inOrder()).toEqual(model)
      }),
      { numRuns: 300 },
    )
  })

  it("refuses an event that is queued already", () => {
    const queue = new EventQueue<QueuedEvent>()
    const event = queued(1, 1)
    queue.push(event)
    expect(() => queue.push(event)).toThrow("once at a time")
  })
})
