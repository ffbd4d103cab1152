/**
 * Sides: in which history a pool is opened, where stores of several are there (rules F6, R7, V5).
 *
 * A forced start leaves a history behind. Stores that did not go beyond the fork are of the newer
 * history too: nothing that they know is unknown in it, and V5 counts them like any that have not
 * heard of the last view yet. Where two have gone on apart, nobody but an admin says which one is
 * opened; the other is then out of the pool, until it is given up.
 */
import type { LineageClaim, PoolMetadata, Uuid, ViewNumber } from "@rmr/core"
import { assert, compareViews, decideLineage, decideReturner, maxView, RmrError } from "@rmr/core"
import type { Leg } from "./leg.js"
import type { PoolContext } from "./pool-context.js"

/** A member that answers, and the record that it has. */
export interface Witness {
  readonly leg: Leg
  readonly record: PoolMetadata
}

/** `seen`: the highest view that the store was told of, where that is later than its record. */
export function claimOf(
  { mapVersion, history }: PoolMetadata,
  seen: ViewNumber = mapVersion,
): LineageClaim {
  const { epoch, version } = maxView(seen, mapVersion)
  return { lineage: mapVersion.lineage, seen: { epoch, version }, history }
}

export function claimOfWitness({ leg, record }: Witness): LineageClaim {
  return claimOf(record, leg.report?.seen)
}

/** Whether a store takes part in a start of this side. */
export function isOfSide(side: LineageClaim, claim: LineageClaim): boolean {
  const { decide } = decideReturner(side, claim)
  return decide === "same-lineage" || decide === "ancestor"
}

/**
 * The history to open, as the member of it that knows most has it. Fails with `split-brain` where
 * nobody has said which of several.
 */
export function chosenSide(context: PoolContext, witnesses: readonly Witness[]): LineageClaim {
  const claims = witnesses.map(claimOfWitness)
  const { side } = context
  if (side !== undefined) {
    const named = witnesses.find(({ leg }) => leg.memberId === side)
    if (named !== undefined) return newestOf(claims, named.record.mapVersion.lineage)
    throw new RmrError("no-leg", `member ${side} is to say which history is opened; it is not here`)
  }
  const lineage = decideLineage(claims)
  assert(lineage !== undefined, "somebody is here")
  if (lineage === "split-brain") throw splitBrain(context, witnesses)
  return newestOf(claims, lineage)
}

function newestOf(claims: readonly LineageClaim[], lineage: Uuid): LineageClaim {
  const own = claims.filter((claim) => claim.lineage === lineage)
  return own.reduce((a, b) => (compareViews(b.seen, a.seen) > 0 ? b : a))
}

function splitBrain({ poolName }: PoolContext, witnesses: readonly Witness[]): RmrError {
  const sides = witnesses.map(
    (witness) => `member ${witness.leg.memberId} is of ${historyText(claimOfWitness(witness))}`,
  )
  const [first] = witnesses
  const open = `"rmr pool start ${poolName} --side ${first?.leg.memberId ?? 1}" opens the history`
  const words = `members have gone on apart: ${sides.join("; ")}`
  return new RmrError("split-brain", `${words}. ${open} of that member, and leaves the other out`)
}

/** A history in words: `history 3f0a9c11 up to view 6.7, which left 77b1c0de after view 5.6`. */
export function historyText({ lineage, seen, history }: LineageClaim): string {
  const [from] = history
  const left =
    from === undefined
      ? ""
      : `, which left ${shortLineage(from.lineage)} after view ${viewText(from.fork)}`
  return `history ${shortLineage(lineage)} up to view ${viewText(seen)}${left}`
}

/** Enough digits to tell two apart; programs get them all. */
export function shortLineage(lineage: Uuid): string {
  return lineage.slice(0, 8)
}

export function viewText({ epoch, version }: ViewNumber): string {
  return `${epoch}.${version}`
}
