/** Pairs come back in order, when their count is reached, also where it wraps around. */
import fc from "fast-check"
import { CountedRing } from "./counted-ring.js"

it("gives back what is due and nothing else, in order", () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 5 })), { maxLength: 200 })
  fc.assert(
    fc.property(steps, fc.constantFrom(0, 2 ** 31 - 40, -60), (rows, start) => {
      const ring = new CountedRing()
      const model: number[] = []
      let count = start
      let reached = start
      for (const [isPush, more] of rows) {
        if (isPush) {
          count = (count + 1) | 0
          ring.push(count, model.length, count)
          model.push(count)
        } else reached = (reached + Math.min(more, (count - reached) | 0)) | 0
        while (model.length > 0 && ((reached - model[0]!) | 0) >= 0) {
          expect(ring.isDue(reached)).toBe(true)
          expect(ring.other).toBe(model.shift())
          ring.shift()
        }
        expect(ring.isDue(reached)).toBe(false)
        expect(ring.isEmpty).toBe(model.length === 0)
      }
    }),
  )
})
