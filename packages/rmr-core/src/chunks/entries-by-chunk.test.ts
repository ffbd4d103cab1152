import fc from "fast-check"
import { EntriesByChunk, NO_ENTRY } from "./entries-by-chunk.js"

const ENTRIES_MAX = 24

/** Few enough that they collide, and some that differ only above their lower 32 bits. */
const chunks = fc
  .tuple(fc.nat(40), fc.constantFrom(0, 2 ** 31, 2 ** 32, 2 ** 36))
  .map(([lower, upper]) => lower + upper)

describe("EntriesByChunk", () => {
  it("finds what a plain map finds, however long entries come and go", () => {
    const property = fc.property(fc.array(chunks, { maxLength: 400, size: "max" }), (schedule) => {
      const index = new EntriesByChunk(ENTRIES_MAX)
      const model = new Map<number, number>()
      for (const [at, chunk] of schedule.entries()) {
        if (model.delete(chunk)) index.remove(chunk)
        else if (model.size < ENTRIES_MAX) {
          index.add(chunk, at)
          model.set(chunk, at)
        }
        expect(index.count).toBe(model.size)
        for (const probe of schedule.slice(0, 60)) {
          const expected = model.get(probe) ?? NO_ENTRY
          if (index.find(probe) !== expected) throw new Error(`${probe} is not at ${expected}`)
        }
      }
    })
    fc.assert(property, { numRuns: 50 })
  })

  it("asserts its bound, and that a chunk is added and removed once", () => {
    const index = new EntriesByChunk(2)
    index.add(1, 0)
    expect(() => index.add(1, 1)).toThrow("a chunk has one entry")
    expect(() => index.remove(2)).toThrow("an entry that is removed exists")
    index.add(2, 1)
    expect(() => index.add(3, 2)).toThrow("as many entries as it was made for")
  })
})
