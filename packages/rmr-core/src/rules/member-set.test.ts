/** Member sets against plain JavaScript sets. */
import fc from "fast-check"
import { MEMBERS_MAX } from "../limits.js"
import { has, isSubset, lowest, setOf, sizeOf, slotsOf, without } from "./member-set.js"

const slots = fc.uniqueArray(fc.integer({ min: 0, max: MEMBERS_MAX - 1 }))

describe("member sets", () => {
  it("hold what was put in, and nothing else", () => {
    fc.assert(
      fc.property(slots, (members) => {
        const set = setOf(...members)
        const sorted = [...members].sort((a, b) => a - b)
        expect(slotsOf(set)).toEqual(sorted)
        expect(sizeOf(set)).toBe(members.length)
        expect(lowest(set)).toBe(sorted[0] ?? -1)
        for (let slot = 0; slot < MEMBERS_MAX; slot++) {
          expect(has(set, slot)).toBe(members.includes(slot))
        }
      }),
    )
  })

  it("subtract and compare as sets do", () => {
    fc.assert(
      fc.property(slots, slots, (a, b) => {
        const rest = a.filter((slot) => !b.includes(slot)).sort((x, y) => x - y)
        expect(slotsOf(without(setOf(...a), setOf(...b)))).toEqual(rest)
        expect(isSubset(setOf(...a), setOf(...b))).toBe(rest.length === 0)
      }),
    )
  })
})
