import fc from "fast-check"
import type { QueuedEvent } from "./event-queue.js"
import { EventQueue, NOT_QUEUED } from "./event-queue.js"

function queued(atMs: number, order: number): QueuedEvent {
  return { atMs, order, place: NOT_QUEUED }
}

describe("EventQueue", () => {
  it("gives events by time, equal ones by insertion, whatever was removed in between", () => {
    // Mostly additions, or the heap would stay too flat for a removal to break it.
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ add: fc.integer({ min: 0, max: 50 }) }) },
      { weight: 2, arbitrary: fc.record({ remove: fc.nat(1000) }) },
      { weight: 1, arbitrary: fc.constant({ pop: true as const }) },
    )
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 200 }), (steps) => {
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
        const left = model.map(() => queue.pop())
        expect(left).toEqual(model)
      }),
      { numRuns: 60 },
    )
  })

  it("refuses an event that is queued already", () => {
    const queue = new EventQueue<QueuedEvent>()
    const event = queued(1, 1)
    queue.push(event)
    expect(() => queue.push(event)).toThrow("once at a time")
  })
})
