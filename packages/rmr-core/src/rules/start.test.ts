/** Rule V5: who may start a pool without whom. */
import { setOf } from "./member-set.js"
import { decideStart, type OpenAnswer, openingNormalThrough } from "./start.js"
import type { View } from "./view-change.js"

const A = setOf(0)
const B = setOf(1)
const C = setOf(2)
const AB = A | B
const ABC = A | B | C

const view = (version: number, normal: number): View => ({ epoch: 1, version, normal })
const NEVER = { epoch: 0, version: 0 }

function answer(slot: number, record: View, seen: View = record): OpenAnswer {
  return { slot, view: record, seen, normalThrough: [NEVER, NEVER, NEVER] }
}

describe("starting", () => {
  it("V5 a member that has been gone for a week is not waited for (RT-2)", () => {
    const v6 = view(6, AB)
    const decision = decideStart([answer(0, v6), answer(1, v6)], 1)
    expect(decision).toMatchObject({ decide: "start", normal: AB, limit: AB, star: v6 })
  })

  it("V5 the older side waits: the missing one may have gone on alone", () => {
    expect(decideStart([answer(0, view(5, AB))], 1)).toEqual({
      decide: "wait",
      row: "missing-may-know-more",
      missing: B,
      needCount: 1,
    })
  })

  it("V5 a store that is out of V* does not count, however many of its kind are present", () => {
    const decision = decideStart([answer(1, view(5, ABC)), answer(2, view(7, A))], 1)
    expect(decision).toMatchObject({ decide: "wait", missing: A })
  })

  it("V5 two of three start by themselves with minNormal 2, whichever is missing (RT-28)", () => {
    const v5 = view(5, ABC)
    for (const missing of [0, 1, 2]) {
      const present = [0, 1, 2].filter((slot) => slot !== missing)
      const decision = decideStart(
        present.map((slot) => answer(slot, v5)),
        2,
      )
      expect(decision).toMatchObject({ decide: "start", normal: ABC & ~(1 << missing) })
    }
    expect(decideStart([answer(0, v5)], 2)).toMatchObject({ decide: "wait", needCount: 1 })
  })

  it("V5 a grow that only its joiner has does not let the joiner into the opening view", () => {
    const decision = decideStart([answer(1, view(7, B)), answer(2, view(8, B | C))], 1)
    expect(decision).toMatchObject({ decide: "start", normal: B, limit: B })
  })

  it("V5 nobody present waits for the first", () => {
    expect(decideStart([], 1)).toMatchObject({ decide: "wait", row: "nobody-present" })
  })

  it("V5 a limit with too few present waits and names whom", () => {
    const answers = [answer(0, view(7, AB)), answer(2, view(8, ABC)), answer(1, view(7, AB))]
    expect(decideStart(answers, 2)).toMatchObject({ decide: "start", limit: AB })
    const without = [answer(0, view(7, AB)), answer(2, view(8, ABC))]
    expect(decideStart(without, 2)).toMatchObject({ row: "too-few-allowed", missing: B })
  })
})

describe("normalThrough in an opening record", () => {
  it("M2 a joiner whose grow did not reach everybody keeps what the others' records say", () => {
    const v3 = { epoch: 1, version: 3 }
    const grown = view(8, B | C)
    const answers: OpenAnswer[] = [
      { slot: 1, view: view(7, B), seen: view(7, B), normalThrough: [NEVER, view(7, B), v3] },
      { slot: 2, view: grown, seen: grown, normalThrough: [NEVER, grown, grown] },
    ]
    expect(openingNormalThrough(1, grown, B, answers)).toEqual(grown)
    expect(openingNormalThrough(2, grown, B, answers)).toEqual(v3)
    expect(openingNormalThrough(0, grown, B, answers)).toEqual(NEVER)
  })
})
