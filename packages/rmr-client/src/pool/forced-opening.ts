/**
 * A forced opening: what V5 refuses, an admin takes upon himself (rule F6).
 *
 * Where V5 holds, force changes nothing. Else the present members open a history of their own: it
 * says which one it left and after which view, so that whoever went on there is found out when it
 * comes back (R7). Everything that the admin has to know is in the report: who is missing, since
 * when, and of how many chunks nobody here has a clean copy.
 */
import type {
  ForcedStart,
  MemberId,
  MutationRange,
  PoolMetadata,
  StartDecision,
  Uuid,
  ViewNumber,
} from "@rmr/core"
import {
  CHUNK_CLEAN,
  CHUNK_REAL,
  decideForcedStart,
  decideStart,
  forcedMinNormal,
  forkHistory,
  has,
  highestSeen,
  NO_VIEW,
  RmrError,
  randomUuid,
  slotsOf,
} from "@rmr/core"
import { dirtyRuns } from "./dirty-runs.js"
import { NO_MUTATION } from "./joined-ranges.js"
import { readOwnMap } from "./map-reading.js"
import type { PoolContext } from "./pool-context.js"
import { answerOf, minNormalOf, type Present } from "./present.js"
import { viewText } from "./sides.js"

/** What a forced start did, for the admin who asked for it. */
export interface ForcedReport {
  readonly lineage: Uuid
  /** The history that was left, and the last view of it that counts here. */
  readonly parent: Uuid
  readonly fork: ViewNumber
  /** Who opened had been put out of a later view: it lacks what was written since its own. */
  readonly isStale: boolean
  readonly minNormal: number
  /** Members that are not here, and the last view that is known to have named them normal. */
  readonly missing: readonly { readonly memberId: MemberId; readonly lastView: ViewNumber }[]
  readonly chunkSizeBytes: number
  /** Chunks that nobody here has clean. */
  readonly chunksWithoutCleanCopy: number
  /** Of these, chunks that all who are here are known to lack in part. */
  readonly chunksLost: number
}

export type Start = Extract<StartDecision, { decide: "start" }>

/** Who opens: by V5, or where that is forced, without those who may know more. */
export interface OpeningDecision {
  readonly start: Start
  readonly forced: ForcedStart | undefined
}

/** Fails with `no-leg`, and says who has to be here and what could be done without them. */
export function decideOpening(
  poolName: string,
  present: readonly Present[],
  isForced: boolean,
): OpeningDecision {
  const decision = decideStart(
    present.map(({ leg, record }) => answerOf(leg, record)),
    minNormalOf(present),
  )
  if (decision.decide === "start") return { start: decision, forced: undefined }
  if (!isForced) throw refusal(poolName, present, decision)
  const forced = decideForcedStart(
    present.map(({ leg, record }) => ({
      ...answerOf(leg, record),
      lineage: record.mapVersion.lineage,
      history: record.history,
      through: leg.report?.normalThrough ?? record.mapVersion,
    })),
  )
  if (forced === undefined) {
    const words = "no member that is here has ever been in a view"
    throw new RmrError("no-leg", `${words}: there is nothing to start pool ${poolName} from`)
  }
  const { star, normal, limit } = forced
  return { start: { decide: "start", star, normal, limit }, forced }
}

/** P11: exactly who is missing, why that matters, and what a start without them may cost. */
function refusal(
  poolName: string,
  present: readonly Present[],
  decision: Extract<StartDecision, { decide: "wait" }>,
): RmrError {
  const [first] = present
  const missing = slotsOf(decision.missing).map((slot) => first?.record.members[slot])
  const ids = missing.flatMap((entry) => entry?.memberId ?? [])
  const names = ids.length === 0 ? "any member" : `member ${ids.join(", ")}`
  const words = `${decision.needCount} more of ${names} must be here: they may know more (V5)`
  if (decision.row === "nobody-present") return new RmrError("no-leg", words)
  const star = highestSeen(present.map(({ leg, record }) => answerOf(leg, record))) ?? NO_VIEW
  const why = `view ${viewText(star)} is the last one known here, and they are in it`
  const cost = "what only they have is lost then, or a split brain when they return"
  const help = `"rmr pool start ${poolName} --force" starts without them; ${cost}`
  return new RmrError("no-leg", `${words}; ${why}, and they may have gone on alone. ${help}`)
}

export interface ForcedInputs {
  readonly context: PoolContext
  readonly forced: ForcedStart
  /** As an ordinary start would propose it. */
  readonly record: PoolMetadata
  /** Where `record` names a member normal through a view that this history does not have. */
  readonly base: PoolMetadata
}

/** F6: the record of the opening view of a history of its own. */
export function forcedRecord({ context, forced, record, base }: ForcedInputs): PoolMetadata {
  const { env } = context
  const { row, normal, parent, fork, history } = forced
  const isStale = row === "stale"
  const members = record.members.map((entry, slot) => {
    if (entry === undefined || !isStale || has(normal, slot)) return entry
    return { ...entry, normalThrough: base.members[slot]?.normalThrough ?? entry.normalThrough }
  })
  const { epoch, version } = record.mapVersion
  return {
    ...record,
    members,
    mapVersion: { lineage: randomUuid(env), epoch, version },
    history: forkHistory(parent, fork, history),
    minNormal: forcedMinNormal(record.minNormal, normal),
    ranges: isStale ? [wholeVolume(record)] : record.ranges,
  }
}

/** Who was told of a view without it holds no marks that count: the others may lack anything. */
function wholeVolume({ mappedSizeBytes }: PoolMetadata): MutationRange {
  return { kind: "unresolved", offset: 0, length: mappedSizeBytes, ...NO_MUTATION }
}

/** Asked of the members that open, after they suspect what was in flight (R4). */
export async function reportForced(
  context: PoolContext,
  record: PoolMetadata,
  parent: PoolMetadata,
  opened: readonly Present[],
  isStale: boolean,
): Promise<ForcedReport> {
  const { chunkSizeBytes, mappedSizeBytes, normal, minNormal, members } = record
  const [from] = record.history
  if (from === undefined) throw new RmrError("internal", "a forced history has a parent")
  const legs = opened.reduce<Present["leg"][]>((all, { leg }) => {
    all[leg.slot] = leg
    return all
  }, [])
  const { lineage } = parent.mapVersion
  const mapVersion = { lineage, epoch: record.mapVersion.epoch, version: 0 }
  const chunkCount = Math.ceil(mappedSizeBytes / chunkSizeBytes)
  const reading = { context, legs, mapVersion, normal, chunkCount }
  const maps = await Promise.all(slotsOf(normal).map((slot) => readOwnMap(reading, slot)))
  let chunksWithoutCleanCopy = 0
  let chunksLost = 0
  for (const { bytes, chunkCount: count } of dirtyRuns(maps)) {
    if (bytes.includes(CHUNK_CLEAN)) continue
    chunksWithoutCleanCopy += count
    if (bytes.every((byte) => byte === CHUNK_REAL)) chunksLost += count
  }
  const missing = members.flatMap((entry, slot) => {
    if (entry === undefined || legs[slot] !== undefined) return []
    return [{ memberId: entry.memberId, lastView: entry.normalThrough }]
  })
  return {
    lineage: record.mapVersion.lineage,
    parent: from.lineage,
    fork: from.fork,
    isStale,
    minNormal,
    missing,
    chunkSizeBytes,
    chunksWithoutCleanCopy,
    chunksLost,
  }
}
