/** How the next view record follows from the last (rules V1, M2). */
import type {
  MapVersion,
  MemberEntry,
  MemberId,
  MemberSet,
  MutationRange,
  PoolMetadata,
  ViewNumber,
} from "@rmr/core"
import { compareViews, has, maxView } from "@rmr/core"
import type { Leg } from "./leg.js"

/** Members of the table, as a set of slots. */
export function membersOf({ members }: PoolMetadata): MemberSet {
  let all = 0
  for (const [slot, member] of members.entries()) if (member !== undefined) all |= 1 << slot
  return all
}

/** Ids of members that are not normal, ascending. */
export function absentIdsOf({ members, normal }: PoolMetadata): MemberId[] {
  return members
    .flatMap((entry, slot) => (entry === undefined || has(normal, slot) ? [] : [entry.memberId]))
    .sort((a, b) => a - b)
}

/**
 * The record of a view that follows an effective one: who stays was normal through the view that is
 * proposed, who leaves, through the last effective view that named it.
 */
export function nextRecord(
  base: PoolMetadata,
  mapVersion: MapVersion,
  normal: MemberSet,
  ranges: readonly MutationRange[],
  legs: readonly (Leg | undefined)[],
): PoolMetadata {
  const members = base.members.map((entry, slot) => {
    if (entry === undefined) return undefined
    const wasNormal = has(base.normal, slot)
    const through = wasNormal ? base.mapVersion : entry.normalThrough
    const normalThrough = { epoch: through.epoch, version: through.version }
    return withReport({ ...entry, normalThrough }, legs[slot], mapVersion)
  })
  return { ...base, members, normal, mapVersion, ranges }
}

/**
 * What its store has said of itself, at most, as far as this client heard it. What it says now may
 * be less, and then it was set back (V4b): what was known before is not forgotten for that. Of a
 * view after this one it knows from another client, which has the pool now.
 */
export function withReport(
  entry: MemberEntry,
  leg: Leg | undefined,
  view: ViewNumber,
): MemberEntry {
  const report = leg?.report
  if (report === undefined || report.storeUuid !== entry.storeUuid) return entry
  if (compareViews(report.normalThrough, view) > 0) return entry
  const { epoch, version } = maxView(report.normalThrough, entry.reported)
  const incarnation = Math.max(report.incarnation, entry.incarnation)
  return { ...entry, reported: { epoch, version }, incarnation }
}
