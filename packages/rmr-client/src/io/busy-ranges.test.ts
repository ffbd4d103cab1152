import fc from "fast-check"
import { BusyRanges } from "./busy-ranges.js"

const KIB = 1024
const MIB = 1024 * KIB
const range = fc.record({
  offset: fc.nat(2000).map((block) => block * 32 * KIB + 2 ** 40),
  length: fc.integer({ min: 1, max: 4 * MIB }),
})

describe("BusyRanges", () => {
  it("never says that ranges do not meet which overlap", () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 20 }), range, (added, asked) => {
        const busy = new BusyRanges()
        for (const { offset, length } of added) busy.add(offset, length)
        const overlaps = added.some(
          ({ offset, length }) =>
            offset < asked.offset + asked.length && asked.offset < offset + length,
        )
        return !overlaps || busy.mayMeet(asked.offset, asked.length)
      }),
    )
  })

  it("is empty again when everything was removed, in any order", () => {
    fc.assert(
      fc.property(
        fc.array(range, { maxLength: 20 }),
        fc.boolean(),
        range,
        (added, isLast, asked) => {
          const busy = new BusyRanges()
          for (const { offset, length } of added) busy.add(offset, length)
          for (const { offset, length } of isLast ? added.toReversed() : added) {
            busy.remove(offset, length)
          }
          const isWide = asked.length > MIB
          return isWide || !busy.mayMeet(asked.offset, asked.length)
        },
      ),
    )
  })

  it("tells ranges apart that lie in other parts", () => {
    const busy = new BusyRanges()
    busy.add(64 * KIB, 4 * KIB)
    expect(busy.mayMeet(0, 64 * KIB)).toBe(false)
    expect(busy.mayMeet(128 * KIB, MIB)).toBe(false)
    expect(busy.mayMeet(100 * KIB, 4 * KIB)).toBe(true)
  })

  it("takes a wide range for one that meets everything", () => {
    const busy = new BusyRanges()
    busy.add(0, 2 * MIB)
    expect(busy.mayMeet(2 ** 40, 512)).toBe(true)
    busy.remove(0, 2 * MIB)
    expect(busy.mayMeet(2 ** 40, 512)).toBe(false)
  })

  it("refuses to remove what was not added", () => {
    expect(() => new BusyRanges().remove(0, 4 * KIB)).toThrow("a range is removed once")
    expect(() => new BusyRanges().remove(0, 4 * MIB)).toThrow("a range is removed once")
  })
})
