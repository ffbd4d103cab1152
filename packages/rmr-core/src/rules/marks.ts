/**
 * Marks about absent members: which are valid, and what a view change does to them (rules M1, M2,
 * M4, V2, V4b).
 *
 * A member that is out of the view is described by marks that the view's members hold, stamped with
 * the view that expelled it. Marks of an earlier absence are not wrong, they are over: the member
 * came back, took them into its own map, and has been its own authority since. The record of the
 * highest view says until when a member was normal; nothing else may decide it, least of all the
 * member's own claim.
 */
import { compareViews, type ViewNumber } from "./pool-metadata.js"

/**
 * M2: marks stamped at or before the view through which the record of V* shows the member normal
 * are void.
 */
export function isMarkValid(stamp: ViewNumber, normalThroughInStar: ViewNumber): boolean {
  return compareViews(stamp, normalThroughInStar) > 0
}

/**
 * What becomes of a member's map about an absent one when it persists a view without it (M1, V2).
 */
export type MarksAtViewChange =
  /** This absence is the one the marks are about already: they stay, with their stamp. */
  | "keep"
  /** They are about an earlier absence: the map is born again, empty, stamped with the new view. */
  | "rebirth"

export function decideMarksAtViewChange(
  stamp: ViewNumber | undefined,
  normalThroughInNewView: ViewNumber,
): MarksAtViewChange {
  if (stamp === undefined) return "rebirth"
  return isMarkValid(stamp, normalThroughInNewView) ? "keep" : "rebirth"
}

/** What a store says about itself, and what the record remembers that it said last. */
export interface Claim {
  /** The last view naming it normal that it has persisted. */
  readonly normalThrough: ViewNumber
  readonly incarnation: number
}

/**
 * V4b: a joiner whose claim is older than what it had itself reported before was rolled back: a
 * restored snapshot, a lost metadata write. Marks cover only what came after; everything between is
 * unknown, so all of its chunks are dirty. Its `normalThrough` in the record is no measure: an
 * opening writes V* there for members that never persisted V* (RT-50).
 */
export function isRolledBack(
  claim: Claim,
  entry: { readonly reported: ViewNumber; readonly incarnation: number },
): boolean {
  const order = compareViews(claim.normalThrough, entry.reported)
  return order < 0 || claim.incarnation < entry.incarnation
}

/** M4: a MAP_CLEAR refreshes a hint only while its sender is normal by the same joining. */
export function honoursMapClear(
  senderIsNormal: boolean,
  joinedViewOfSender: ViewNumber,
  joinedViewInMessage: ViewNumber,
): boolean {
  return senderIsNormal && compareViews(joinedViewOfSender, joinedViewInMessage) === 0
}
