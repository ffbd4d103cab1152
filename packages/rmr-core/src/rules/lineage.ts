/**
 * Lineages: what a forced start leaves behind, and how it is found out (rules F6, R7).
 *
 * A start without provable knowledge opens a new history of the pool. It remembers where it came
 * from and the view after which it went its own way. Whoever comes back later and never went beyond
 * that view has lost nothing and rejoins. Whoever did go on has acknowledged writes that this
 * history knows nothing of: that is a split brain, and only a person may say which side to keep.
 */
import { LINEAGE_HISTORY_MAX } from "../limits.js"
import { compareViews, type LineageEntry, type Uuid, type ViewNumber } from "./pool-metadata.js"

/** One side's history: its lineage, the highest view it has seen there, and where it came from. */
export interface LineageClaim {
  readonly lineage: Uuid
  readonly seen: ViewNumber
  readonly history: readonly LineageEntry[]
}

export type ReturnerDecision =
  /** The same history: the ordinary rules decide. */
  | { readonly decide: "same-lineage" }
  /** It stayed behind at or before our fork: an absent member like any other (R5). */
  | { readonly decide: "ancestor" }
  /** It is of a later history that was forced off ours, at a view we did not go beyond. */
  | { readonly decide: "descendant" }
  /** Both have gone on since they parted. `fork` is where, if that is still remembered. */
  | { readonly decide: "split-brain"; readonly fork: LineageEntry | undefined }

/** R7: what a store of `returner` is to a pool of `pool`. */
export function decideReturner(pool: LineageClaim, returner: LineageClaim): ReturnerDecision {
  if (pool.lineage === returner.lineage) return { decide: "same-lineage" }
  const ourFork = pool.history.find((entry) => entry.lineage === returner.lineage)
  if (ourFork !== undefined) {
    const stayed = compareViews(returner.seen, ourFork.fork) <= 0
    return stayed ? { decide: "ancestor" } : { decide: "split-brain", fork: ourFork }
  }
  const theirFork = returner.history.find((entry) => entry.lineage === pool.lineage)
  if (theirFork !== undefined) {
    const stayed = compareViews(pool.seen, theirFork.fork) <= 0
    return stayed ? { decide: "descendant" } : { decide: "split-brain", fork: theirFork }
  }
  const common = pool.history.find((ours) =>
    returner.history.some((theirs) => theirs.lineage === ours.lineage),
  )
  return { decide: "split-brain", fork: common }
}

/**
 * Which history to start when stores of several are present: the one that all others are ancestors
 * of. None where two have gone on apart; then each side's history is shown, and `resolve --keep`
 * decides.
 */
export function decideLineage(claims: readonly LineageClaim[]): Uuid | "split-brain" | undefined {
  let newest: LineageClaim | undefined
  for (const claim of claims) {
    if (newest === undefined) {
      newest = claim
      continue
    }
    const decision = decideReturner(newest, claim)
    if (decision.decide === "split-brain") return "split-brain"
    if (decision.decide === "descendant") newest = claim
    if (decision.decide === "same-lineage" && compareViews(claim.seen, newest.seen) > 0) {
      newest = claim
    }
  }
  const chosen = newest
  if (chosen === undefined) return undefined
  const isApart = claims.some((claim) => decideReturner(chosen, claim).decide === "split-brain")
  return isApart ? "split-brain" : chosen.lineage
}

/** F6: the history of a lineage that is forced off `parent` after `fork`. Newest first, bounded. */
export function forkHistory(
  parent: Uuid,
  fork: ViewNumber,
  parentHistory: readonly LineageEntry[],
): LineageEntry[] {
  const view = { epoch: fork.epoch, version: fork.version }
  const entry = { lineage: parent, fork: view, lostChunks: 0, isSettled: false }
  return [entry, ...parentHistory].slice(0, LINEAGE_HISTORY_MAX)
}
