/** Rule R8: one row after another of the table in try-enable.ts. */
import fc from "fast-check"
import { isSubset, setOf } from "./member-set.js"
import { type EnableInputs, tryEnable } from "./try-enable.js"

const A = setOf(0)
const B = setOf(1)
const C = setOf(2)
const ABC = A | B | C

const healthy: EnableInputs = {
  isFenced: false,
  isHolder: true,
  members: ABC,
  view: ABC,
  allowed: ABC,
  hasProposalPending: false,
  reachable: ABC,
  unchanged: ABC,
  normal: ABC,
  minNormal: 1,
  lostMs: 0,
  regroupMs: 1000,
}
const lost: EnableInputs = { ...healthy, normal: 0 }

describe("tryEnable", () => {
  it.each<[string, Partial<EnableInputs>, unknown]>([
    ["R8 settled: nothing to do", {}, { row: "settled" }],
    ["R8 fenced comes before everything (F4)", { isFenced: true, normal: 0 }, { row: "fenced" }],
    [
      "R8 restarted: out first, back by a rejoin",
      { unchanged: A | B, normal: A | B },
      { row: "restarted", who: C },
    ],
    [
      "R8 blinked: resumed without a map update (Q9)",
      { normal: A },
      { row: "blinked", who: B | C },
    ],
    [
      "R8 absent: rejoins beside a normal leg",
      { view: A | B, normal: A | B },
      { row: "absent", who: C },
    ],
    [
      "R8 pending: one view change at a time",
      { view: A, normal: A, hasProposalPending: true },
      { row: "pending" },
    ],
  ])("%s", (_, change, expected) => {
    expect(tryEnable({ ...healthy, ...change })).toEqual(expected)
  })

  it.each<[string, Partial<EnableInputs>, unknown]>([
    ["R8 resume: all are back as they were (V6)", {}, { row: "resume", who: ABC }],
    [
      "R8 regroup: some are back, the others get a moment",
      { unchanged: A, reachable: A },
      { row: "regroup" },
    ],
    [
      "R8 resume: the moment is over",
      { unchanged: A, reachable: A, lostMs: 1000 },
      { row: "resume", who: A },
    ],
    [
      "R8 resume needs minNormal",
      { unchanged: A, reachable: A, minNormal: 2, lostMs: 1000 },
      { row: "start" },
    ],
    ["R8 start: everybody lost their process", { unchanged: 0 }, { row: "start" }],
    [
      "R8 resume leaves out whom V3 forbids",
      { allowed: A, lostMs: 1000 },
      { row: "resume", who: A },
    ],
    [
      "R8 start: one leg works on, and too few are unchanged for any view",
      { unchanged: A, normal: A, minNormal: 2 },
      { row: "start" },
    ],
    ["R8 alone: nobody answers", { reachable: 0, unchanged: 0 }, { row: "alone", missing: ABC }],
    ["R8 start: a client that holds nothing yet", { isHolder: false }, { row: "start" }],
  ])("%s", (_, change, expected) => {
    expect(tryEnable({ ...lost, ...change })).toEqual(expected)
  })

  it("R8 never acts on a member that does not answer, nor outside the pool", () => {
    const mask = fc.integer({ min: 0, max: 7 })
    fc.assert(
      fc.property(
        mask,
        mask,
        mask,
        mask,
        fc.boolean(),
        (view, reachable, unchanged, normal, late) => {
          const inputs: EnableInputs = {
            ...healthy,
            view,
            allowed: view,
            reachable,
            unchanged: unchanged & reachable,
            normal: normal & unchanged & reachable & view,
            lostMs: late ? 5000 : 0,
          }
          const decision = tryEnable(inputs)
          if ("who" in decision) {
            expect(decision.who).not.toBe(0)
            expect(isSubset(decision.who, inputs.reachable & inputs.members)).toBe(true)
          }
        },
      ),
    )
  })
})
