/** Rules F6 and R7: forced starts and what comes back afterwards. */
import { LINEAGE_HISTORY_MAX } from "../limits.js"
import { decideLineage, decideReturner, forkHistory, type LineageClaim } from "./lineage.js"

const at = (version: number) => ({ epoch: 1, version })
const OLD = "aa".repeat(16)
const FORCED = "bb".repeat(16)
const OTHER = "cc".repeat(16)

const forced: LineageClaim = { lineage: FORCED, seen: at(9), history: forkHistory(OLD, at(5), []) }
const old = (version: number): LineageClaim => ({ lineage: OLD, seen: at(version), history: [] })

describe("a member that comes back from before a forced start", () => {
  it("R7 is an absent member when it never went beyond the fork", () => {
    expect(decideReturner(forced, old(5))).toEqual({ decide: "ancestor" })
    expect(decideReturner(forced, old(3))).toEqual({ decide: "ancestor" })
  })

  it("R7 is a split brain when it went on after the fork (RT-11)", () => {
    expect(decideReturner(forced, old(6))).toMatchObject({
      decide: "split-brain",
      fork: { lineage: OLD, fork: at(5) },
    })
  })

  it("R7 finds the forced side as its descendant, unless it has gone on itself", () => {
    expect(decideReturner(old(5), forced)).toEqual({ decide: "descendant" })
    expect(decideReturner(old(6), forced)).toMatchObject({ decide: "split-brain" })
  })

  it("R7 two forced starts from one ancestor are apart for good", () => {
    const other: LineageClaim = { ...forced, lineage: OTHER }
    expect(decideReturner(forced, other)).toMatchObject({
      decide: "split-brain",
      fork: { lineage: OLD },
    })
  })
})

describe("which history to start", () => {
  it("R7 the forced one, when the old side stayed behind, in any order of answers", () => {
    expect(decideLineage([old(4), forced, old(5)])).toBe(FORCED)
    expect(decideLineage([forced, old(5)])).toBe(FORCED)
    expect(decideLineage([old(3), old(5)])).toBe(OLD)
    expect(decideLineage([])).toBeUndefined()
  })

  it("R7 none, when one member went on apart, in any order of answers", () => {
    expect(decideLineage([old(4), forced, old(6)])).toBe("split-brain")
    expect(decideLineage([old(6), old(4), forced])).toBe("split-brain")
  })
})

it("F6 the history is newest first and bounded", () => {
  let history = forkHistory(OLD, at(1), [])
  for (let i = 0; i < 40; i++) history = forkHistory(FORCED, at(i), history)
  expect(history).toHaveLength(LINEAGE_HISTORY_MAX)
  expect(history[0]).toMatchObject({ lineage: FORCED, fork: at(39), isSettled: false })
})
