/** Rules V1, V3, V6 and V7, row by row. The model in @rmr/sim shows that they suffice. */
import { setOf } from "./member-set.js"
import {
  advance,
  allowedNormal,
  decideExpulsion,
  decideGrow,
  decideShrink,
  growRecipients,
  isEffective,
  type LegDeadline,
  propose,
  type View,
  type ViewChain,
} from "./view-change.js"

const A = setOf(0)
const B = setOf(1)
const C = setOf(2)
const AB = A | B
const ABC = A | B | C

const view = (version: number, normal: number): View => ({ epoch: 1, version, normal })
const chain = (normal: number): ViewChain => ({
  base: view(5, normal),
  limit: normal,
  proposals: [],
})

describe("shrinking", () => {
  it("V3 after v6{A} was proposed, B alone may never go on: A may hold v6 already (RT-3)", () => {
    const asked = propose(chain(AB), view(6, A))
    expect(decideShrink(asked, B, 1)).toEqual({ decide: "hold", allowed: A, missingCount: 1 })
    expect(decideShrink(asked, AB, 1)).toEqual({ decide: "propose", normal: A })
  })

  it("V3 a joiner that may be the only one to know of its grow cannot go on alone", () => {
    const asked = propose(chain(B), view(6, B | C))
    expect(decideShrink(asked, C, 1)).toMatchObject({ decide: "hold", allowed: B })
    expect(decideShrink(asked, B, 1)).toEqual({ decide: "propose", normal: B })
  })

  it("V3 every proposal since the last effective view narrows the next one", () => {
    const narrowed = propose(propose(chain(ABC), view(6, AB)), view(7, B | C))
    expect(allowedNormal(narrowed)).toBe(B)
    expect(allowedNormal(advance(narrowed))).toBe(B | C)
  })

  it("V5 an opening stays inside its limit until a view of it is effective", () => {
    const opening: ViewChain = { base: view(8, B | C), limit: B, proposals: [] }
    expect(decideShrink(opening, B | C, 1)).toEqual({ decide: "propose", normal: B })
  })

  it("V6 fewer than minNormal hold, and it says how many more are needed", () => {
    expect(decideShrink(chain(ABC), A, 2)).toEqual({
      decide: "hold",
      allowed: ABC,
      missingCount: 1,
    })
    expect(decideShrink(chain(ABC), 0, 2)).toEqual({
      decide: "hold",
      allowed: ABC,
      missingCount: 2,
    })
  })

  it("V1 an older number than the last proposal is a defect of ours", () => {
    expect(() => propose(propose(chain(AB), view(7, A)), view(6, A))).toThrow("later number")
  })
})

describe("growing", () => {
  it("V3 waits for a pending proposal and for every unresolved mutation", () => {
    const pending = propose(chain(AB), view(6, A))
    expect(decideGrow(pending, C, 0)).toEqual({ decide: "wait", row: "proposal-pending" })
    expect(decideGrow(chain(AB), C, 1)).toEqual({ decide: "wait", row: "unresolved-mutation" })
    expect(decideGrow(chain(AB), C, 0)).toEqual({ decide: "propose", normal: ABC })
  })

  it("V3 the joiners get the view first; the others only when all joiners have it", () => {
    expect(growRecipients(A, ABC, 0)).toBe(B | C)
    expect(growRecipients(A, ABC, B)).toBe(C)
    expect(growRecipients(A, ABC, B | C)).toBe(A)
  })

  it("V1 a view counts when it is durable on every member that it names", () => {
    expect(isEffective(view(6, AB), A)).toBe(false)
    expect(isEffective(view(6, AB), ABC)).toBe(true)
  })
})

describe("one deadline pass", () => {
  const leg = (
    slot: number,
    isLate: boolean,
    oldestMs: number,
    isAnswering = true,
  ): LegDeadline => ({
    slot,
    isLate,
    isAnswering,
    memberId: slot + 1,
    oldestMs,
  })

  it("V7 expels all late legs together", () => {
    expect(decideExpulsion([leg(0, false, 1), leg(1, true, 9), leg(2, true, 8)])).toBe(B | C)
  })

  it("V7 expels nobody when nobody answers: the fault may be ours", () => {
    expect(decideExpulsion([leg(0, true, 9, false), leg(1, true, 9, false)])).toBe(0)
  })

  it("V7 spares the leg whose oldest IO is youngest when each is late for something", () => {
    expect(decideExpulsion([leg(0, true, 9), leg(1, true, 7), leg(2, true, 8)])).toBe(A | C)
    expect(decideExpulsion([leg(0, true, 7), leg(1, true, 7)])).toBe(B)
  })

  it("V7 never spares a silent leg for an answering one", () => {
    expect(decideExpulsion([leg(0, true, 1, false), leg(1, true, 9)])).toBe(A)
  })
})
