/**
 * tryEnable: the one procedure that brings legs back, as a decision (rule R8).
 *
 * Upstream has four cases and a flag for the last leg that was authoritative. Here the flag is
 * derived (V3, V6), and the cases are rows of one table, first match wins. Whoever carries it out
 * takes one lock, does the one bounded step that is named, and asks again; so it can be interrupted
 * anywhere and repeated.
 *
 * | row | when | next step |
 * |---|---|---|
 * | fenced | a member has answered `fenced` | end the client pool (F4) |
 * | pending | a proposal is not effective yet and its members answer | wait for it |
 * | alone | nobody is reachable | wait |
 * | restarted | a leg is normal; a member of the view lost its process | expel it, to rejoin |
 * | blinked | a leg is normal; a member of the view is back, its process unchanged | resume it |
 * | absent | a leg is normal; an absent member is reachable | rejoin it (M3) |
 * | settled | a leg is normal | nothing |
 * | regroup | no leg is normal; more may come back within `regroupMs` | wait a little |
 * | resume | no leg is normal; enough are back unchanged | resume all of them (V6) |
 * | start | too few are back unchanged; somebody is reachable | start anew: OPEN, then V5 |
 *
 * The rows with a normal leg need `minNormal` members whose processes are unchanged: with fewer no
 * view can go on, and a start is all that is left, however well the normal legs work.
 */
import { type MemberSet, sizeOf, without } from "./member-set.js"

export interface EnableInputs {
  readonly isFenced: boolean
  /**
   * This process holds the pool: it has a view chain of its own. Else it is a client that opens.
   */
  readonly isHolder: boolean
  readonly members: MemberSet
  /** N of the last view. */
  readonly view: MemberSet
  /** V3: whom a further view may name. */
  readonly allowed: MemberSet
  readonly hasProposalPending: boolean
  /** Members that answer. */
  readonly reachable: MemberSet
  /** Of those: the process is the one we opened. */
  readonly unchanged: MemberSet
  /** Of those: the leg is in use. */
  readonly normal: MemberSet
  readonly minNormal: number
  /** Since fewer than `minNormal` members have been there unchanged. */
  readonly lostMs: number
  readonly regroupMs: number
}

export type EnableDecision =
  | { readonly row: "fenced" | "pending" | "settled" | "regroup" | "start" }
  | { readonly row: "restarted" | "blinked" | "absent" | "resume"; readonly who: MemberSet }
  | { readonly row: "alone"; readonly missing: MemberSet }

export function tryEnable(inputs: EnableInputs): EnableDecision {
  if (inputs.isFenced) return { row: "fenced" }
  if (inputs.reachable === 0) return { row: "alone", missing: inputs.members }
  if (!inputs.isHolder) return { row: "start" }
  const back = inputs.unchanged & inputs.allowed
  if (sizeOf(back) >= Math.max(1, inputs.minNormal)) {
    if (inputs.normal !== 0) return enableBesideNormal(inputs)
    const isWhole = back === inputs.allowed
    if (!isWhole && inputs.lostMs < inputs.regroupMs) return { row: "regroup" }
    return { row: "resume", who: back }
  }
  // The unchanged ones may still come: a start would be the end of what is held for replay (W6).
  const mayComeBack = without(inputs.allowed, inputs.reachable)
  if (mayComeBack !== 0 && inputs.lostMs < inputs.regroupMs) return { row: "regroup" }
  return { row: "start" }
}

function enableBesideNormal(inputs: EnableInputs): EnableDecision {
  const isAnswered = (inputs.view & inputs.unchanged) === inputs.view
  if (inputs.hasProposalPending && isAnswered) return { row: "pending" }
  const inView = inputs.view & inputs.reachable
  const restarted = without(inView, inputs.unchanged)
  if (restarted !== 0) return { row: "restarted", who: restarted }
  const blinked = without(inView, inputs.normal)
  if (blinked !== 0) return { row: "blinked", who: blinked }
  if (inputs.hasProposalPending) return { row: "pending" }
  const absent = without(inputs.reachable, inputs.view) & inputs.members
  if (absent !== 0) return { row: "absent", who: absent }
  return { row: "settled" }
}
