/**
 * Resolving a split brain: a member gives its own history up for the pool's (rule R7).
 *
 * It says so itself, in one durable step: it has the pool's record, and all of its chunks are
 * missing. What the admin has seen of its history goes with the request, so that a member which has
 * gone on since refuses. Then it returns like any that lacks everything; chunks that are equal
 * cost no bytes (S7; docs/adr/0011).
 */
import type { MemberId, PoolMetadata, ViewNumber } from "@rmr/core"
import { compareViews, has, RmrError } from "@rmr/core"
import type { Leg } from "./leg.js"
import { NO_MAP_VERSION, type PoolContext, RECORD_ROOM } from "./pool-context.js"
import { claimOf, historyText, viewText } from "./sides.js"
import { type SplitBrain, splitBetween, splitError } from "./split-brain.js"

/** Between two looks at whether the pool is open in a higher epoch. */
const LOOK_MS = 100

export interface Resolution {
  readonly context: PoolContext
  /** The view in force. */
  readonly record: () => PoolMetadata
  /** Asks for the pool to be opened in a higher epoch. */
  readonly wantEpoch: () => void
  /** A member of the side that is kept: it is normal here. */
  readonly keep: MemberId
  /** What is to give its history up. */
  readonly leg: Leg | undefined
  readonly discard: MemberId
  /** The last view of its history that the admin has seen: what comes after it nobody gives up. */
  readonly view: ViewNumber
  /** What was found of it last. */
  readonly seen: SplitBrain | undefined
}

/**
 * Fails with `mismatch` where the admin means another side than this pool is, `not-found` where the
 * member is of no other history, `split-brain` where it has gone on since that was shown, `held`
 * where a client uses it there.
 */
export async function giveUpHistory(resolution: Resolution): Promise<void> {
  const { context, leg, discard, seen } = resolution
  requireKept(resolution)
  if (leg === undefined) {
    throw new RmrError("not-found", `pool ${context.poolName} has no member ${discard}`)
  }
  if (seen === undefined) {
    const words = `member ${discard} is not known to be of another history`
    throw new RmrError("not-found", `${words}; "rmr status" says how far it is`)
  }
  requireSeen(resolution, seen)
  await raiseEpoch(resolution, leg)
  const record = resolution.record()
  const { lineage: abandonedLineage, seen: abandonedView } = seen.there
  const { nonce, times } = context
  leg.io.sessionGeneration++
  const body = { nonce, abandonedLineage, abandonedView }
  const { mapVersion } = record
  try {
    const reply = await leg.ask("rejoin-pool", mapVersion, body, record, times.commandMs)
    leg.report = reply.result.report
    leg.claim = claimOf(record, leg.report.seen)
  } catch (thrown) {
    const error = RmrError.from(thrown)
    // Of its epochs it says nothing: they are of another history, and end no pool (F4).
    if (error.code === "fenced") throw new RmrError("held", error.detail)
    throw error
  }
  if (splitBetween(claimOf(record), leg.claim) === undefined) return
  throw splitError(resolution.context, seen, record, discard)
}

function requireSeen({ discard, view }: Resolution, { there }: SplitBrain): void {
  if (compareViews(there.seen, view) === 0) return
  const words = `member ${discard} is of ${historyText(there)}`
  throw new RmrError("split-brain", `${words}, and not up to view ${viewText(view)}: look again`)
}

/**
 * F1: epochs of a store only rise, whatever history they were of, and numbers of mutations with
 * them. The other side may have come further in them than this pool, which is opened anew then.
 */
async function raiseEpoch({ context, record, wantEpoch }: Resolution, leg: Leg): Promise<void> {
  const { env, times } = context
  const reply = await leg.ask("query", NO_MAP_VERSION, {}, undefined, times.commandMs, RECORD_ROOM)
  const endMs = env.clock.nowMs() + times.noLegMs
  while (record().mapVersion.epoch <= reply.openEpoch) {
    if (env.clock.nowMs() >= endMs) {
      const words = `the pool could not be opened above epoch ${reply.openEpoch}`
      throw new RmrError("deadline", `${words}; see the status, and try again`)
    }
    wantEpoch()
    await new Promise<void>((resolve) => {
      env.clock.schedule(LOOK_MS, resolve)
    })
  }
}

function requireKept({ context, record: recordNow, keep, discard }: Resolution): void {
  const { poolName } = context
  const record = recordNow()
  const slot = record.members.findIndex((entry) => entry?.memberId === keep)
  if (slot >= 0 && has(record.normal, slot) && keep !== discard) return
  const words = `member ${keep} is no normal member of pool ${poolName} as it is open here`
  const other = `end this pool and "rmr pool start ${poolName} --side ${keep}"`
  throw new RmrError("mismatch", `${words}: to keep its history, ${other}`)
}
