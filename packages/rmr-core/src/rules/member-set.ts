/**
 * Sets of members as bit masks over *member slots*.
 *
 * A slot is a member's place in the member table of the view record, 0…MEMBERS_MAX-1; it stays the
 * same as long as the member is in the pool. Rules speak of sets all the time (who is normal, who
 * is present, whose answer is missing), and a mask makes union, intersection and "nobody missing"
 * one operation each, without allocation.
 */
import { MEMBERS_MAX } from "../limits.js"

/** A bit mask over member slots. */
export type MemberSet = number

export const NO_MEMBERS: MemberSet = 0
export const ALL_SLOTS: MemberSet = (1 << MEMBERS_MAX) - 1

export function setOf(...slots: readonly number[]): MemberSet {
  let set = 0
  for (const slot of slots) set |= 1 << slot
  return set
}

export function has(set: MemberSet, slot: number): boolean {
  return (set & (1 << slot)) !== 0
}

export function isSubset(inner: MemberSet, outer: MemberSet): boolean {
  return (inner & ~outer) === 0
}

export function without(set: MemberSet, removed: MemberSet): MemberSet {
  return set & ~removed
}

export function sizeOf(set: MemberSet): number {
  let rest = set
  let size = 0
  while (rest !== 0) {
    rest &= rest - 1
    size++
  }
  return size
}

/** The lowest slot in the set, or -1. */
export function lowest(set: MemberSet): number {
  return set === 0 ? -1 : 31 - Math.clz32(set & -set)
}

/** The slots of the set, ascending. It allocates: not for the data path. */
export function slotsOf(set: MemberSet): number[] {
  const slots: number[] = []
  for (let rest = set; rest !== 0; rest &= rest - 1) slots.push(lowest(rest))
  return slots
}
