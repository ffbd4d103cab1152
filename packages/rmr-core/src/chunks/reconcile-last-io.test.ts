import fc from "fast-check"
import { MEMBERS_MAX } from "../limits.js"
import { has, type MemberSet, NO_MEMBERS, setOf, slotsOf } from "../rules/member-set.js"
import type { LastIoEntry } from "../wire/last-io-entry.js"
import { type ListedRange, reconcileLastIo, suspectedBy } from "./reconcile-last-io.js"

type Tables = (LastIoEntry[] | undefined)[]

/** The range of a mutation is a function of its number here: one mutation has one range. */
function entry(unit: number, epoch: number, sequence: number): LastIoEntry {
  const offset = (epoch * 100 + sequence) * 4096
  return { unit, operation: "write", epoch, sequence, offset, length: 4096, isPartial: false }
}

const tables: fc.Arbitrary<Tables> = fc.array(
  fc.option(
    fc
      .array(fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 3 })))
      .map((facts) => [
        ...new Map(facts.map(([unit, e, s]) => [unit, entry(unit, e, s)])).values(),
      ]),
    { nil: undefined, freq: 8 },
  ),
  { minLength: 1, maxLength: MEMBERS_MAX },
)

/** Tables, and which of their members are normal: at least one. */
const openings = tables.chain((all) =>
  fc
    .subarray([...all.keys()], { minLength: 1 })
    .map((slots): readonly [Tables, MemberSet] => [all, setOf(...slots)]),
)

/** R4 once more, for one unit, in the words of the rule. */
function expectedSuspects(all: Tables, normal: MemberSet, unit: number): MemberSet {
  const recorded = slotsOf(normal).flatMap((slot) =>
    (all[slot] ?? []).filter((record) => record.unit === unit).map((record) => ({ slot, record })),
  )
  const order = (record: LastIoEntry): number => record.epoch * 1000 + record.sequence
  const highest = Math.max(...recorded.map(({ record }) => order(record)))
  const holders = recorded.filter(({ record }) => order(record) === highest)
  return holders.length === slotsOf(normal).length ? 0 : setOf(...holders.map(({ slot }) => slot))
}

describe("reconcileLastIo", () => {
  it("R4: units that all members of N recorded alike need nothing", () => {
    const all = [
      [entry(0, 1, 5), entry(1, 1, 6)],
      [entry(1, 1, 6), entry(0, 1, 5)],
    ]
    expect(reconcileLastIo(all, setOf(0, 1), NO_MEMBERS)).toEqual([])
  })

  it("R4: who recorded the newest mutation of a unit suspects its range, the others do not", () => {
    const all = [[entry(0, 1, 5)], [entry(0, 1, 4)], [entry(0, 1, 5)]]
    const [range, ...rest] = reconcileLastIo(all, setOf(0, 1, 2), NO_MEMBERS)
    expect([range, rest]).toEqual([
      { unit: 0, offset: 105 * 4096, length: 4096, epoch: 1, sequence: 5, suspects: setOf(0, 2) },
      [],
    ])
  })

  it("R4: a later epoch is newer, whatever its sequence number", () => {
    const all = [[entry(3, 1, 90)], [entry(3, 2, 1)]]
    expect(reconcileLastIo(all, setOf(0, 1), NO_MEMBERS)).toMatchObject([{ suspects: setOf(1) }])
  })

  it("R4: what a member outside N recorded decides nothing (R5 will)", () => {
    const all = [[entry(0, 1, 5)], [entry(0, 1, 9)], [entry(0, 1, 5)]]
    expect(reconcileLastIo(all, setOf(0, 2), NO_MEMBERS)).toEqual([])
  })

  it("R4: a member that restarted recorded nothing, so the others suspect", () => {
    const all = [[entry(0, 1, 5)], undefined]
    expect(reconcileLastIo(all, setOf(0, 1), NO_MEMBERS)).toMatchObject([{ suspects: setOf(0) }])
  })

  it("V2: with somebody absent, ranges are listed also where all of N agree", () => {
    const all = [[entry(0, 1, 5)], [entry(0, 1, 5)]]
    expect(reconcileLastIo(all, setOf(0, 1), setOf(2))).toEqual([
      { unit: 0, offset: 105 * 4096, length: 4096, epoch: 1, sequence: 5, suspects: NO_MEMBERS },
    ])
  })

  it("P8: members that disagree about the range of one mutation all suspect both ranges", () => {
    const all = [[entry(0, 1, 5)], [{ ...entry(0, 1, 5), offset: 0 }]]
    expect(reconcileLastIo(all, setOf(0, 1), NO_MEMBERS)).toEqual([
      { unit: 0, offset: 0, length: 106 * 4096, epoch: 0, sequence: 0, suspects: setOf(0, 1) },
    ])
  })

  it("R4: agrees with the rule, unit by unit", () => {
    const property = fc.property(openings, ([all, normal]) => {
      const ranges = reconcileLastIo(all, normal, NO_MEMBERS)
      const units = new Set(slotsOf(normal).flatMap((slot) => (all[slot] ?? []).map((e) => e.unit)))
      for (const unit of units) {
        const found = ranges.find((range) => range.unit === unit)
        expect(found?.suspects ?? 0).toBe(expectedSuspects(all, normal, unit))
      }
      expect(ranges.map((range) => range.unit)).toEqual(
        [...units]
          .filter((unit) => expectedSuspects(all, normal, unit) !== 0)
          .sort((a, b) => a - b),
      )
    })
    fc.assert(property)
  })

  it("R4: does not depend on the order of the entries", () => {
    const property = fc.property(openings, ([all, normal]) => {
      const reversed = all.map((table) => table?.toReversed())
      expect(reconcileLastIo(reversed, normal, NO_MEMBERS)).toEqual(
        reconcileLastIo(all, normal, NO_MEMBERS),
      )
    })
    fc.assert(property)
  })

  it("R4: no member is special: with members swapped, the suspects are swapped", () => {
    const property = fc.property(openings, ([all, normal]) => {
      const swap = (slot: number): number => all.length - 1 - slot
      const swapSet = (set: MemberSet): MemberSet => setOf(...slotsOf(set).map(swap))
      const swapped = reconcileLastIo(all.toReversed(), swapSet(normal), NO_MEMBERS)
      const expected = reconcileLastIo(all, normal, NO_MEMBERS).map((range) => ({
        ...range,
        suspects: swapSet(range.suspects),
      }))
      expect(swapped).toEqual(expected)
    })
    fc.assert(property)
  })

  it("R4: can be repeated, and is done when all have recorded the newest", () => {
    const property = fc.property(openings, ([all, normal]) => {
      const before = JSON.stringify(all)
      const first = reconcileLastIo(all, normal, NO_MEMBERS)
      expect(reconcileLastIo(all, normal, NO_MEMBERS)).toEqual(first)
      expect(JSON.stringify(all)).toBe(before)
      const settled = all.map((_, slot) => (has(normal, slot) ? newestOf(all, normal) : undefined))
      expect(reconcileLastIo(settled, normal, NO_MEMBERS)).toEqual([])
    })
    fc.assert(property)
  })

  it("gives each member the ranges that it has to suspect itself", () => {
    const all = [[entry(0, 1, 5), entry(1, 1, 7)], [entry(1, 1, 8)]]
    const ranges = reconcileLastIo(all, setOf(0, 1), NO_MEMBERS)
    const unitsOf = (slot: number): number[] =>
      suspectedBy(ranges, slot).map((range: ListedRange) => range.unit)
    expect([unitsOf(0), unitsOf(1), unitsOf(2)]).toEqual([[0], [1], []])
  })
})

function newestOf(all: Tables, normal: MemberSet): LastIoEntry[] {
  const newest = new Map<number, LastIoEntry>()
  for (const slot of slotsOf(normal)) {
    for (const record of all[slot] ?? []) {
      const known = newest.get(record.unit)
      const order =
        known === undefined ? 1 : record.epoch - known.epoch || record.sequence - known.sequence
      if (order > 0) newest.set(record.unit, record)
    }
  }
  return [...newest.values()]
}
