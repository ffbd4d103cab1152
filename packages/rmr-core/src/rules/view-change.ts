/**
 * View changes: which view may be proposed, and when it counts (rules V1, V2, V3, V6, V7).
 *
 * The holder of the epoch proposes; members persist; a view is effective once every member of its
 * normal set has it on disk. Between proposal and effect anything may die, so what protects the
 * pool is the *intersection rule* (V3): whoever is asked next must be inside every set that was
 * asked since the last effective view. Then two failures at once can never leave two views whose
 * members do not know of each other.
 *
 * ```
 *   base v5{A,B}   proposed v6{A}   next may be   {A}      never {B}: A may hold v6 already
 *   base v7{B}     proposed v8{B,C} next may be   {B}      never {C}: B may never hear of v8
 * ```
 */
import { assert } from "../assert.js"
import { isSubset, type MemberSet, sizeOf, without } from "./member-set.js"
import { compareViews, type ViewNumber } from "./pool-metadata.js"

/** What the rules need of a view record. */
export interface View extends ViewNumber {
  readonly normal: MemberSet
}

/**
 * What the epoch holder knows: where it stands, and what it has asked for since. `limit` narrows an
 * opening that is not effective yet (V5); it is the base's own normal set otherwise.
 */
export interface ViewChain {
  readonly base: View
  readonly limit: MemberSet
  /** Views proposed since `base`, oldest first. */
  readonly proposals: readonly View[]
}

/** V3: the members that the next proposal may name, unless it is a grow. */
export function allowedNormal(chain: ViewChain): MemberSet {
  let allowed = chain.base.normal & chain.limit
  for (const proposal of chain.proposals) allowed &= proposal.normal
  return allowed
}

/** The last view that was proposed, or the base. */
export function lastView(chain: ViewChain): View {
  return chain.proposals[chain.proposals.length - 1] ?? chain.base
}

export type ShrinkDecision =
  | { readonly decide: "propose"; readonly normal: MemberSet }
  /** Nobody may be put in the place of those who are missing: wait for some of `allowed` (W6). */
  | { readonly decide: "hold"; readonly allowed: MemberSet; readonly missingCount: number }

/**
 * V3, V6: may the members of `wanted` go on without the others?
 * `wanted` may name members that the rule excludes; they are left out, never put in.
 */
export function decideShrink(
  chain: ViewChain,
  wanted: MemberSet,
  minNormal: number,
): ShrinkDecision {
  const allowed = allowedNormal(chain)
  const normal = wanted & allowed
  const size = sizeOf(normal)
  if (size === 0 || size < minNormal) {
    return { decide: "hold", allowed, missingCount: Math.max(1, minNormal) - size }
  }
  return { decide: "propose", normal }
}

export type GrowDecision =
  | { readonly decide: "propose"; readonly normal: MemberSet }
  | { readonly decide: "wait"; readonly row: "proposal-pending" | "unresolved-mutation" }

/**
 * V3: a grow starts only from an effective view and with nothing in flight. It is made durable on
 * the joiners first, then on the others, so that whoever has it on disk knows that the joiners do.
 */
export function decideGrow(
  chain: ViewChain,
  joiners: MemberSet,
  unresolvedCount: number,
): GrowDecision {
  assert(joiners !== 0, "a grow names at least one joiner")
  if (chain.proposals.length > 0) return { decide: "wait", row: "proposal-pending" }
  if (unresolvedCount > 0) return { decide: "wait", row: "unresolved-mutation" }
  return { decide: "propose", normal: chain.base.normal | joiners }
}

/** V3: who may be sent the grow now, given who has it on disk already: joiners, then the others. */
export function growRecipients(base: MemberSet, grown: MemberSet, durableOn: MemberSet): MemberSet {
  const joiners = without(grown, base)
  const missingJoiners = without(joiners, durableOn)
  return missingJoiners !== 0 ? missingJoiners : without(grown, durableOn)
}

/** V1: durable on every member that it names. */
export function isEffective(view: View, durableOn: MemberSet): boolean {
  return isSubset(view.normal, durableOn)
}

/**
 * The chain after its last proposal became effective. Earlier proposals are superseded for good.
 */
export function advance(chain: ViewChain): ViewChain {
  const base = lastView(chain)
  return { base, limit: base.normal, proposals: [] }
}

export function propose(chain: ViewChain, view: View): ViewChain {
  assert(compareViews(view, lastView(chain)) > 0, "a proposal has a later number than the last")
  return { ...chain, proposals: [...chain.proposals, view] }
}

/** What one deadline pass sees of a leg of the last view. */
export interface LegDeadline {
  readonly slot: number
  readonly isLate: boolean
  /** It has answered something within the deadline, so it is alive. */
  readonly isAnswering: boolean
  readonly memberId: number
  /** Age of its oldest outstanding IO. */
  readonly oldestMs: number
}

/**
 * V7: whom one deadline pass expels. All late legs at once, and never all legs: with nobody
 * answering the fault may be ours, so nobody is expelled; if each answering leg is late for
 * something, the one whose oldest outstanding IO is youngest survives (tie: the lower member id).
 */
export function decideExpulsion(legs: readonly LegDeadline[]): MemberSet {
  if (!legs.some((leg) => leg.isAnswering)) return 0
  let late = 0
  for (const leg of legs) if (leg.isLate) late |= 1 << leg.slot
  if (legs.some((leg) => !leg.isLate)) return late
  const survivors = legs.filter((leg) => leg.isAnswering)
  survivors.sort((a, b) => a.oldestMs - b.oldestMs || a.memberId - b.memberId)
  const survivor = survivors[0]
  assert(survivor !== undefined, "somebody answered")
  return without(late, 1 << survivor.slot)
}
