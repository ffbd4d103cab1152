import fc from "fast-check"
import { PageSet } from "./page-set.js"

type Step =
  | { readonly verb: "add"; readonly page: number }
  | { readonly verb: "addRange"; readonly first: number; readonly count: number }
  | { readonly verb: "remove"; readonly page: number }
  | { readonly verb: "take"; readonly room: number }
  | { readonly verb: "clear" }

const PAGES = 3 * 1024 + 100
const pages = fc.oneof(
  fc.nat(PAGES - 1),
  fc.constantFrom(0, 31, 32, 1023, 1024, 2047, 2048, 3072, PAGES - 1),
)
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: pages.map((page): Step => ({ verb: "add", page })) },
  {
    weight: 2,
    arbitrary: fc.tuple(pages, pages).map(([a, b]): Step => {
      const first = Math.min(a, b)
      return { verb: "addRange", first, count: Math.max(a, b) - first + 1 }
    }),
  },
  { weight: 3, arbitrary: pages.map((page): Step => ({ verb: "remove", page })) },
  { weight: 3, arbitrary: fc.nat(1500).map((room): Step => ({ verb: "take", room })) },
  { weight: 1, arbitrary: fc.constant<Step>({ verb: "clear" }) },
)

function apply(set: PageSet, model: Set<number>, step: Step): void {
  if (step.verb === "add") {
    set.add(step.page)
    model.add(step.page)
  } else if (step.verb === "addRange") {
    set.addRange(step.first, step.count)
    for (let page = step.first; page < step.first + step.count; page++) model.add(page)
  } else if (step.verb === "remove") {
    set.remove(step.page)
    model.delete(step.page)
  } else if (step.verb === "take") {
    const into = new Float64Array(step.room)
    const taken = Array.from(into.subarray(0, set.take(into)))
    const expected = [...model].sort((a, b) => a - b).slice(0, step.room)
    expect(taken).toEqual(expected)
    for (const page of taken) model.delete(page)
  } else {
    set.clear()
    model.clear()
  }
}

describe("PageSet", () => {
  it("holds what a plain set holds, and gives it back in order", () => {
    const property = fc.property(fc.array(steps, { maxLength: 40, size: "max" }), (schedule) => {
      const set = new PageSet(PAGES)
      const model = new Set<number>()
      for (const step of schedule) {
        apply(set, model, step)
        expect(set.count).toBe(model.size)
      }
      for (let page = 0; page < PAGES; page += 7) expect(set.has(page)).toBe(model.has(page))
      const into = new Float64Array(PAGES)
      expect(set.take(into)).toBe(model.size)
      expect(set.count).toBe(0)
    })
    fc.assert(property, { numRuns: 40 })
  })

  it("all pages of the largest map take no more room than none", () => {
    const set = new PageSet(2 ** 25)
    const empty = set.memoryBytes
    set.addRange(0, 2 ** 25)
    expect(set.count).toBe(2 ** 25)
    expect(set.memoryBytes).toBe(empty)
  })

  it("taking a page out of a full leaf leaves the other full leaves full", () => {
    const set = new PageSet(2048)
    set.addRange(0, 2048)
    expect(set.take(new Float64Array(1))).toBe(1)
    expect([set.has(0), set.has(1), set.has(1023), set.has(1024)]).toEqual([
      false,
      true,
      true,
      true,
    ])
    expect(set.count).toBe(2047)
  })

  it("refuses a page outside the map", () => {
    const set = new PageSet(10)
    expect(() => set.add(10)).toThrow("inside the map")
    expect(() => set.addRange(5, 6)).toThrow("inside the map")
    expect(() => set.extendTo(9)).toThrow("only grows")
  })
})
