/**
 * Starting a pool: may these members go on without the missing ones? (rule V5)
 *
 * Somebody who is missing could hold a later view, and with it acknowledged writes that nobody here
 * has. Views only shrink inside what was asked before (V3) and never below `minNormal` members, so
 * the missing ones alone could have formed a later view only if at least `minNormal` of the highest
 * known normal set are missing. Fewer, and nobody can know more than those who are here.
 */
import { assert } from "../assert.js"
import { has, type MemberSet, NO_MEMBERS, sizeOf, without } from "./member-set.js"
import { compareViews, type ViewNumber } from "./pool-metadata.js"
import type { View } from "./view-change.js"

/** What a present store answered to OPEN: right store uuid, valid view record, this lineage. */
export interface OpenAnswer {
  readonly slot: number
  /** The view record on its disk. */
  readonly view: View
  /** The highest view it has persisted or was told of (V4). */
  readonly seen: View
  /** `normalThrough` of every slot, as its record says. */
  readonly normalThrough: readonly ViewNumber[]
}

export type StartDecision =
  | {
      readonly decide: "start"
      /** V*: the highest view that any present store has seen. */
      readonly star: View
      /** The largest normal set that the opening view may have. */
      readonly normal: MemberSet
      /** Every proposal until one is effective stays inside this. */
      readonly limit: MemberSet
    }
  | {
      readonly decide: "wait"
      readonly row: "nobody-present" | "missing-may-know-more" | "too-few-allowed"
      /** Any `needCount` of these let the pool start. */
      readonly missing: MemberSet
      readonly needCount: number
    }

/** V5. `minNormal` as in the record of V*. */
export function decideStart(answers: readonly OpenAnswer[], minNormal: number): StartDecision {
  const star = highestSeen(answers)
  if (star === undefined) {
    return { decide: "wait", row: "nobody-present", missing: NO_MEMBERS, needCount: 1 }
  }
  let present = 0
  for (const answer of answers) present |= 1 << answer.slot
  const missing = without(star.normal, present)
  const missingCount = sizeOf(missing)
  if (missingCount >= minNormal) {
    const needCount = missingCount - minNormal + 1
    return { decide: "wait", row: "missing-may-know-more", missing, needCount }
  }
  const limit = openingLimit(star, answers)
  const normal = limit & present
  if (sizeOf(normal) < minNormal) {
    const needCount = minNormal - sizeOf(normal)
    return { decide: "wait", row: "too-few-allowed", missing: without(limit, present), needCount }
  }
  return { decide: "start", star, normal, limit }
}

export function highestSeen(answers: readonly OpenAnswer[]): View | undefined {
  let star: View | undefined
  for (const answer of answers) {
    if (star === undefined || compareViews(answer.seen, star) > 0) star = answer.seen
  }
  return star
}

/**
 * V5, third clause: inside N(V*), and inside the view that each present member of N(V*) still has.
 * Else a grow that only its joiner persisted would let the joiner open alone, while the older
 * members, who never heard of it, may later start without it.
 */
export function openingLimit(star: View, answers: readonly OpenAnswer[]): MemberSet {
  let limit = star.normal
  for (const answer of answers) {
    if (has(star.normal, answer.slot)) limit &= answer.view.normal
  }
  return limit
}

/**
 * The `normalThrough` that the opening record writes for a slot (V1, M2). Inside the limit it is
 * V*. Outside, V* may never have been effective: the members that did not name it normal know how
 * far it really came, and the lowest of their records is the one that voids no valid mark.
 */
export function openingNormalThrough(
  slot: number,
  star: View,
  limit: MemberSet,
  answers: readonly OpenAnswer[],
): ViewNumber {
  if (has(limit, slot)) return star
  let through: ViewNumber | undefined
  for (const answer of answers) {
    if (!has(star.normal, answer.slot) || has(answer.view.normal, slot)) continue
    const recorded = answer.normalThrough[slot]
    assert(recorded !== undefined, "a record has a normalThrough for every slot of its table")
    if (through === undefined || compareViews(recorded, through) < 0) through = recorded
  }
  if (through !== undefined) return through
  const holder = answers.find((answer) => compareViews(answer.view, star) === 0)
  return holder?.normalThrough[slot] ?? { epoch: 0, version: 0 }
}
