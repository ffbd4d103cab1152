/**
 * Reconciling the last io of a client that is gone (rule R4): which ranges are in doubt, and at
 * whom.
 *
 * Unit by unit, the newest mutation that any member of the opening normal set recorded is either
 * recorded by all of them, then everybody has it or will say so; or by some, then it was never
 * acknowledged, those who have it suspect themselves, and the copies of the others decide. The
 * decision for one unit is `decideUnit` of rules/recovery.ts, with the reasons; here it is asked
 * for all of them.
 *
 * Only the tables count, not their order nor who asks: every client that repeats this gets the
 * same.
 */
import { assert } from "../assert.js"
import { has, type MemberSet, setOf, slotsOf } from "../rules/member-set.js"
import { compareUnitRecords, decideUnit } from "../rules/recovery.js"
import type { LastIoEntry } from "../wire/last-io-entry.js"

/** A range that the opening view lists: its normal members mark it for every absent member (V2). */
export interface ListedRange {
  readonly unit: number
  readonly offset: number
  readonly length: number
  /** Of the newest mutation of the unit; 0 where members disagree about it. */
  readonly epoch: number
  readonly sequence: number
  /** Members of the normal set that suspect it: rank 1, in their own maps. Often none. */
  readonly suspects: MemberSet
}

/**
 * `tables[slot]`: what the member answered in OPEN; undefined where it has restarted (then R3
 * spoke).
 */
export function reconcileLastIo(
  tables: readonly (readonly LastIoEntry[] | undefined)[],
  normal: MemberSet,
  absent: MemberSet,
): ListedRange[] {
  const recordsByUnit = new Map<number, (LastIoEntry | undefined)[]>()
  for (const slot of slotsOf(normal)) {
    for (const entry of tables[slot] ?? []) {
      const records = recordsByUnit.get(entry.unit) ?? []
      assert(records[slot] === undefined, "a member records a unit once")
      records[slot] = entry
      recordsByUnit.set(entry.unit, records)
    }
  }
  const units = [...recordsByUnit.keys()].sort((a, b) => a - b)
  return units.flatMap((unit) => reconcileUnit(unit, recordsByUnit.get(unit)!, normal, absent))
}

/** The ranges that one member has to suspect. */
export function suspectedBy(ranges: readonly ListedRange[], slot: number): ListedRange[] {
  return ranges.filter(({ suspects }) => has(suspects, slot))
}

function reconcileUnit(
  unit: number,
  records: readonly (LastIoEntry | undefined)[],
  normal: MemberSet,
  absent: MemberSet,
): ListedRange[] {
  const { newest, suspects, isListed } = decideUnit(records, normal, absent)
  assert(newest !== undefined, "a unit is looked at because somebody recorded it")
  const holders = slotsOf(normal).filter((slot) => {
    const record = records[slot]
    return record !== undefined && compareUnitRecords(record, newest) === 0
  })
  const ranges = holders.map((slot) => records[slot]!)
  const offset = Math.min(...ranges.map((range) => range.offset))
  const length = Math.max(...ranges.map((range) => range.offset + range.length)) - offset
  // One mutation has one range. Where members disagree about it, nobody's record is believed.
  const agrees = ranges.every((range) => range.offset === offset && range.length === length)
  if (!agrees) {
    return [{ unit, offset, length, epoch: 0, sequence: 0, suspects: setOf(...holders) }]
  }
  const { epoch, sequence } = newest
  return isListed ? [{ unit, offset, length, epoch, sequence, suspects }] : []
}
