/** Rule F6: who opens a start that is forced, and where the histories part. */
import { decideForcedStart, type ForcedAnswer, forcedMinNormal } from "./forced-start.js"
import { decideReturner, forkHistory, type LineageClaim } from "./lineage.js"
import { setOf } from "./member-set.js"
import { NO_VIEW, type ViewNumber } from "./pool-metadata.js"
import { decideStart } from "./start.js"
import type { View } from "./view-change.js"

const A = 0
const B = 1
const C = 2
const OLD = "aa".repeat(16)
const FORCED = "bb".repeat(16)
const NEXT = "cc".repeat(16)

const at = (version: number): ViewNumber => ({ epoch: 1, version })
const view = (version: number, ...slots: number[]): View => ({
  ...at(version),
  normal: setOf(...slots),
})

function answer(slot: number, own: View, seen: View = own): ForcedAnswer {
  const normalThrough = Array.from({ length: 8 }, () => NO_VIEW)
  const number = { epoch: own.epoch, version: own.version }
  return { slot, view: own, seen, normalThrough, lineage: OLD, history: [], through: number }
}

/** Where a forced history stands to a store that comes back. */
function returns(forced: ReturnType<typeof decideForcedStart>, seen: number): string {
  if (forced === undefined) return "nothing was forced"
  const history = forkHistory(forced.parent, forced.fork, forced.history)
  const pool: LineageClaim = { lineage: NEXT, seen: at(99), history }
  return decideReturner(pool, { lineage: OLD, seen: at(seen), history: [] }).decide
}

describe("a start that is forced", () => {
  it("F6: RT-11: opens with who is there of V*, and who went on alone is split from it", () => {
    const answers = [answer(B, view(5, A, B))]
    expect(decideStart(answers, 1)).toMatchObject({ decide: "wait" })
    const forced = decideForcedStart(answers)
    expect(forced).toMatchObject({ row: "members", normal: setOf(B), parent: OLD, fork: at(5) })
    expect(returns(forced, 5)).toBe("ancestor")
    expect(returns(forced, 6)).toBe("split-brain")
  })

  it("F6: a grow that only its joiner persisted opens with the joiner", () => {
    const forced = decideForcedStart([answer(C, view(8, B, C), view(8, B, C))])
    expect(forced).toMatchObject({ normal: setOf(C), fork: at(8), limit: setOf(B, C) })
  })

  it("F6: who was told of a view without it forks off the last view that it was in", () => {
    const forced = decideForcedStart([answer(B, view(5, A, B), view(6, A))])
    expect(forced).toMatchObject({ row: "stale", normal: setOf(B), fork: at(5) })
    expect(forced?.star).toEqual(view(6, B))
    expect(returns(forced, 6)).toBe("split-brain")
  })

  it("F6: of stale members the one that was normal last opens, alone", () => {
    const answers = [answer(B, view(5, A, B, C), view(7, A)), answer(C, view(6, A, C), view(7, A))]
    expect(decideForcedStart(answers)).toMatchObject({ normal: setOf(C), fork: at(6) })
  })

  it("F6: R7: a member that took a later history over forks off the one of its content", () => {
    const history = forkHistory(OLD, at(5), [])
    const taken = { ...answer(A, view(9, B)), lineage: FORCED, history, through: at(5) }
    const forced = decideForcedStart([taken])
    expect(forced).toMatchObject({ row: "stale", parent: OLD, fork: at(5), history: [] })
    const pool = { lineage: NEXT, seen: at(10), history: forkHistory(OLD, at(5), []) }
    const other = { lineage: FORCED, seen: at(9), history }
    expect(decideReturner(pool, other).decide).toBe("split-brain")
  })

  it("F6: nobody opens a pool with a store that never was normal", () => {
    const never = { ...answer(C, view(6, A), view(6, A)), through: NO_VIEW }
    expect(decideForcedStart([never])).toBeUndefined()
    expect(decideForcedStart([])).toBeUndefined()
  })

  it("F6: lowers the minimum of normal members to those that open, and never raises it", () => {
    expect(forcedMinNormal(2, setOf(B))).toBe(1)
    expect(forcedMinNormal(1, setOf(A, B))).toBe(1)
  })
})
