import fc from "fast-check"
import { ConflictFilter } from "./conflict-filter.js"

interface Request {
  readonly first: number
  readonly end: number
  readonly mode: number
}

/** Near each other, near the same counter of the filter, and far away. */
const requests = fc
  .record({
    low: fc.nat(8),
    high: fc.constantFrom(0, 4095, 4096, 2 ** 32, 2 ** 36),
    count: fc.integer({ min: 1, max: 6 }),
    mode: fc.nat(2),
  })
  .map(
    ({ low, high, count, mode }): Request => ({ first: low + high, end: low + high + count, mode }),
  )

function conflicts(a: Request, b: Request): boolean {
  return a.first < b.end && b.first < a.end && !(a.mode === b.mode && a.mode !== 2)
}

describe("ConflictFilter", () => {
  it("never says that nothing conflicts where something does, and forgets who left", () => {
    const steps = fc.array(requests, { maxLength: 60, size: "max" })
    const property = fc.property(steps, fc.array(requests), (schedule, probes) => {
      const filter = new ConflictFilter(100)
      const present: Request[] = []
      for (const [at, request] of schedule.entries()) {
        filter.add(request.first, request.end, request.mode)
        present.push(request)
        if (at % 3 === 2) {
          const [gone] = present.splice((at * 7) % present.length, 1)
          filter.remove(gone!.first, gone!.end, gone!.mode)
        }
        const missed = probes.filter(
          (probe) =>
            present.some((other) => conflicts(probe, other)) &&
            !filter.mayConflict(probe.first, probe.end, probe.mode),
        )
        expect(missed).toEqual([])
      }
      for (const { first, end, mode } of present) filter.remove(first, end, mode)
      expect(probes.filter(({ first, end, mode }) => filter.mayConflict(first, end, mode))).toEqual(
        [],
      )
    })
    fc.assert(property, { numRuns: 100 })
  })

  it("lets mutations of one chunk pass while mutations are all there is near it", () => {
    const filter = new ConflictFilter(100)
    for (let at = 0; at < 50; at++) filter.add(7, 8, 1)
    filter.add(9, 10, 2)
    expect(filter.mayConflict(7, 8, 1)).toBe(false)
    expect(filter.mayConflict(7, 8, 0)).toBe(true)
    expect(filter.mayConflict(8, 10, 1)).toBe(true)
  })
})
