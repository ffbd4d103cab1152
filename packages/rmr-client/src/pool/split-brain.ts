/**
 * Split brain: a member that has gone on in a history of its own (rules R7, P5).
 *
 * It is found by what the member says of itself, before it is asked to take anything over: asking
 * it for more could only take it away from whoever uses it there. The pool goes on without it. Both
 * histories are shown, until an admin gives one up.
 */
import type { LineageClaim, LineageEntry, MemberId, PoolMetadata } from "@rmr/core"
import { decideReturner, RmrError, slotsOf } from "@rmr/core"
import type { Leg } from "./leg.js"
import { NO_MAP_VERSION, type PoolContext, RECORD_ROOM } from "./pool-context.js"
import { claimOf, historyText, shortLineage, viewText } from "./sides.js"

export interface SplitBrain {
  /** Of this pool. */
  readonly here: LineageClaim
  /** Of the member, as it said last. */
  readonly there: LineageClaim
  /** The newest history that both know, and the last view that they share; none where forgotten. */
  readonly fork: LineageEntry | undefined
}

/** Asks the member, where its store was of another history when it was joined. */
export async function splitOf(
  context: PoolContext,
  leg: Leg,
  record: PoolMetadata,
): Promise<SplitBrain | undefined> {
  const { lineage } = record.mapVersion
  if (leg.claim === undefined || leg.claim.lineage === lineage) return undefined
  const { commandMs } = context.times
  const reply = await leg.ask("query", NO_MAP_VERSION, {}, undefined, commandMs, RECORD_ROOM)
  const { report } = reply.result
  leg.report = report
  if (reply.payload !== undefined) leg.claim = claimOf(reply.payload, report.seen)
  return splitBetween(claimOf(record), leg.claim)
}

export function splitBetween(here: LineageClaim, there: LineageClaim): SplitBrain | undefined {
  const decision = decideReturner(here, there)
  if (decision.decide === "split-brain") return { here, there, fork: decision.fork }
  if (decision.decide !== "descendant") return undefined
  return { here, there, fork: there.history.find(({ lineage }) => lineage === here.lineage) }
}

/** In words that say what each side has and what helps. */
export function splitError(
  { poolName }: PoolContext,
  { here, there, fork }: SplitBrain,
  { members, normal }: PoolMetadata,
  memberId: MemberId,
): RmrError {
  const both = `this pool is ${historyText(here)}; member ${memberId} is ${historyText(there)}`
  const parted =
    fork === undefined
      ? "they share no view that is remembered"
      : `view ${viewText(fork.fork)} of ${shortLineage(fork.lineage)} is the last that they share`
  const keep = members[slotsOf(normal)[0] ?? 0]?.memberId ?? memberId
  const what = `--keep ${keep} --discard ${memberId} --view ${viewText(there.seen)}`
  const help = `"rmr pool resolve ${poolName} ${what}" gives up what only that member has`
  return new RmrError("split-brain", `${both}; ${parted}. ${help}`)
}
