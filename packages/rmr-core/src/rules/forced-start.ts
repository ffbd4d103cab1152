/**
 * A start that an admin forces (rule F6): who opens, and of which view the others have to be.
 *
 * Somebody who is missing may know more, and the admin goes on without. Nothing can prove any more
 * that all acknowledged writes are here; what can be done is to say exactly where this history
 * leaves the other one, the *fork*. It is the last view whose content the opening members have.
 * Whoever comes back and never went beyond it lacks what is written from now on, and nothing else;
 * whoever did go beyond it holds writes that this history will never have (R7).
 *
 * | row | who is there | who opens | the fork |
 * |---|---|---|---|
 * | members | some of N(V*), inside the limit of V5 | all of these | V* |
 * | stale | only members that V* has left out | the one that was normal last | its last view |
 * | nobody | only stores that never were normal | nobody | – |
 *
 * A *stale* member knows of views that it was not in. Its marks about others may be about to be
 * replaced (M3), so they count for nothing: all of the volume is listed for the absent. One alone
 * opens then, so that the opening view is there as a whole or not at all.
 */
import { has, type MemberSet, sizeOf } from "./member-set.js"
import { compareViews, type LineageEntry, type Uuid, type ViewNumber } from "./pool-metadata.js"
import { highestSeen, type OpenAnswer, openingLimit } from "./start.js"
import type { View } from "./view-change.js"

/** What V5 asks of a present store, and how far its content comes. */
export interface ForcedAnswer extends OpenAnswer {
  /** The history of the record on its disk, and where that came from. */
  readonly lineage: Uuid
  readonly history: readonly LineageEntry[]
  /** The last view naming it normal that it has persisted, by its own word (V4). */
  readonly through: ViewNumber
}

export interface ForcedStart {
  readonly row: "members" | "stale"
  /** The highest view that any present store has seen; the opening view has a later number. */
  readonly star: View
  readonly normal: MemberSet
  /** Every proposal until one is effective stays inside this. */
  readonly limit: MemberSet
  /** The history that this one leaves, and after which view. */
  readonly parent: Uuid
  readonly fork: ViewNumber
  /** Of the parent: where it came from itself. */
  readonly history: readonly LineageEntry[]
}

/** F6, where V5 says that the pool has to wait. Undefined where nobody has anything to start. */
export function decideForcedStart(answers: readonly ForcedAnswer[]): ForcedStart | undefined {
  const star = highestSeen(answers)
  if (star === undefined) return undefined
  const limit = openingLimit(star, answers)
  const inside = answers.filter(({ slot }) => has(limit, slot))
  const [first] = inside
  if (first !== undefined) {
    let normal = 0
    for (const { slot } of inside) normal |= 1 << slot
    const newest = inside.reduce(laterRecord, first)
    const { lineage: parent, history } = newest
    const { epoch, version } = star
    return { row: "members", star, normal, limit, parent, history, fork: { epoch, version } }
  }
  return decideStale(star, answers)
}

/** F6: no view has fewer normal members; a start that is forced may lower that. */
export function forcedMinNormal(minNormal: number, normal: MemberSet): number {
  return Math.min(minNormal, sizeOf(normal))
}

function laterRecord<One extends ForcedAnswer>(a: One, b: One): One {
  return compareViews(b.view, a.view) > 0 ? b : a
}

function decideStale(star: View, answers: readonly ForcedAnswer[]): ForcedStart | undefined {
  let best: ForcedAnswer | undefined
  for (const answer of answers) {
    if (answer.through.epoch === 0) continue
    if (best === undefined || compareViews(answer.through, best.through) > 0) best = answer
  }
  if (best === undefined) return undefined
  const normal = 1 << best.slot
  // The chain of views that follows begins with it, and not with those who have left it out.
  const base = { epoch: star.epoch, version: star.version, normal }
  return { row: "stale", star: base, normal, limit: normal, ...contentOf(best) }
}

/**
 * Where the content of a store stands: in the history of its record, or in an earlier one, where it
 * has taken that record over as an absent member and was normal in none of its views yet (R7).
 */
function contentOf({
  lineage,
  history,
  through,
}: ForcedAnswer): Pick<ForcedStart, "parent" | "fork" | "history"> {
  let parent = lineage
  let older = history
  for (const [nth, entry] of history.entries()) {
    if (compareViews(through, entry.fork) > 0) break
    parent = entry.lineage
    older = history.slice(nth + 1)
  }
  return { parent, fork: { epoch: through.epoch, version: through.version }, history: older }
}
