/**
 * Histories at a member that returns: whose it is, and what becomes of its own (rules R7, F6).
 *
 * | row | the member's history | it |
 * |---|---|---|
 * | same | is the record's | goes on by the ordinary rules |
 * | ancestor | is one that the record's left, and it went no further | takes the record over (R5) |
 * | abandoned | is another one, and an admin gives up just that | takes it over, lacking all |
 * | – | is another one | refuses, and keeps what it has |
 *
 * The record of the other history comes with its lineage in one commit, so that a crash leaves it
 * of one of the two, and never half of both. Its own marks about others count for nothing from then
 * on, as for anybody who has heard of a view that it is not in.
 */
import type { CommandOf, LineageClaim, MemberEntry, PoolMetadata } from "@rmr/core"
import { compareViews, decideReturner, RmrError } from "@rmr/core"
import type { ServerPool } from "../pool/server-pool.js"

export type HistoryRow = "same" | "ancestor" | "abandoned"

/** Fails with `split-brain` where the member stays out, and says what it has. */
export function rowOfHistory(
  { member }: ServerPool,
  { body, payload }: CommandOf<"rejoin-pool">,
): HistoryRow {
  const { state, record } = member
  // An empty store has no history yet, and gets one with the record that names it (G3).
  if (record === undefined) return "same"
  const own: LineageClaim = {
    lineage: state.lineage,
    seen: state.seen,
    history: record.history,
  }
  const { mapVersion, history } = payload
  const pool: LineageClaim = { lineage: mapVersion.lineage, seen: mapVersion, history }
  const { decide } = decideReturner(pool, own)
  if (decide === "same-lineage") return "same"
  if (decide === "ancestor") return "ancestor"
  const { epoch, version } = own.seen
  const has = `this member is of history ${own.lineage}, view ${epoch}.${version}`
  const isMeant = body.abandonedLineage === own.lineage
  if (isMeant && compareViews(body.abandonedView, own.seen) === 0) return "abandoned"
  const why = isMeant ? "it has gone on since that was looked at" : `not of ${mapVersion.lineage}`
  throw new RmrError("split-brain", `${has}; ${why}`)
}

/**
 * Fails with `held` where another client uses this member in its own history: it is not taken away
 * from anybody who is alive, and epochs only rise (F1).
 */
export function requireUnused(
  { admission, holderSilentMs, world, member }: ServerPool,
  row: HistoryRow,
  epoch: number,
  nonce: string,
): void {
  const isOther = nonce !== admission.nonce
  const isAlive = holderSilentMs !== undefined && holderSilentMs < world.holderMs
  const host = member.state.holderHost
  if (row === "abandoned" && isOther && isAlive) {
    throw new RmrError("held", `${host} uses this member in its own history; end that first`)
  }
  if (epoch > admission.epoch || (epoch === admission.epoch && !isOther)) return
  const words = `${host} has opened epoch ${admission.epoch} here, the request is of ${epoch}`
  throw new RmrError("held", `${words}; it returns when the pool is opened anew`)
}

/** R7: from here on it is of the record's history, absent there. */
export async function takeHistory(
  { member }: ServerPool,
  record: PoolMetadata,
  entry: MemberEntry,
  row: Exclude<HistoryRow, "same">,
): Promise<void> {
  const { volume, state } = member
  if (volume === undefined) return
  // Pages of a volume that has grown are there before a record tells of them (G1).
  await member.saveMaps()
  if (row === "ancestor") {
    await member.takeHistory(record, {})
    return
  }
  volume.maps.fillOwn()
  volume.lastIo.clear()
  const incarnation = Math.max(state.incarnation, entry.incarnation)
  await member.takeHistory(record, { normalThrough: entry.reported, incarnation })
}

/** G1: what a larger volume left behind would show where this one grows. */
export function requireNotLarger(
  { member }: ServerPool,
  { mappedSizeBytes }: PoolMetadata,
  row: HistoryRow,
): void {
  const ownBytes = member.record?.mappedSizeBytes ?? 0
  if (row !== "abandoned" || ownBytes <= mappedSizeBytes) return
  const words = `its volume has ${ownBytes} bytes, more than the ${mappedSizeBytes} that are kept`
  throw new RmrError("mismatch", `${words}; give the member an empty store, and replace it`)
}
