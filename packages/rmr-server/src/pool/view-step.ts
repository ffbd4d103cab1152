/**
 * The step to another view: what a member marks in it, for whom, and what it has to take back
 * (rules V2, W6, R4, M1, M2).
 *
 * Everything here happens in one turn, before the commit: from then on, mutations that are still
 * being applied mark for the absent of the new view. What the marks are is said by the record's
 * ranges; the own map is asked, and never believed to be better than it is.
 */
import type { MutationRange, PoolMetadata, RangeMarking, TakenBack } from "@rmr/core"
import {
  decideMarksAtViewChange,
  isMarkValid,
  MEMBERS_MAX,
  QUEUE_DEPTH_MAX,
  RANK_IN_FLIGHT,
  slotsOf,
} from "@rmr/core"
import { absentOf, type Member } from "./member.js"
import { hasLost, type MemberVolume, markListed, markOwn } from "./member-volume.js"

export interface ViewStep {
  readonly markings: readonly RangeMarking[]
  /** Listed mutations that this member has not got, whatever it said before (RT-48). */
  readonly takenBack: readonly TakenBack[]
  readonly markedChunks: number
}

/** What of the listed mutations a member still has to apply. */
export interface UnderWay {
  isUnderWay(unit: number, epoch: number, sequence: number): boolean
}

export function stepToView(
  member: Member,
  volume: MemberVolume,
  record: PoolMetadata,
  underWay: UnderWay,
): ViewStep {
  const absent = absentOf(record) & ~(1 << volume.ownSlot)
  rebirthMarks(volume, record, absent)
  emptyOverMarks(volume, record)
  emptyMarksOfNobody(volume, record)
  member.markedFor = absent
  const markings: RangeMarking[] = []
  const takenBack: TakenBack[] = []
  let markedChunks = 0
  for (const [nth, range] of record.ranges.entries()) {
    if (range.kind === "uncertain") {
      markedChunks += markOwn(volume, range.offset, range.length, RANK_IN_FLIGHT)
      forgetGivenUp(volume, range)
      markings.push("none")
      continue
    }
    // A client lists what it waits for first, so that these indexes are small.
    if (nth < QUEUE_DEPTH_MAX && hasLost(volume, range.offset, range.length)) {
      takenBack.push({ range: nth })
    }
    if (absent === 0) {
      markings.push("none")
      continue
    }
    const isReal = markListed(volume, range, absent, hasApplied(volume, range, underWay))
    markedChunks += volume.geometry.chunkSpan(range.offset, range.length)
    markings.push(isReal ? "real" : "suspected")
  }
  return { markings, takenBack, markedChunks }
}

/** M1: a member that was normal since its marks were stamped is absent anew, and they are over. */
function rebirthMarks(volume: MemberVolume, record: PoolMetadata, absent: number): void {
  for (const slot of slotsOf(absent)) {
    const entry = record.members[slot]
    if (entry === undefined) continue
    const stamp = volume.maps.stampOf(slot)
    const isAboutIt = volume.maps.memberIdOf(slot) === entry.memberId
    if (isAboutIt && decideMarksAtViewChange(stamp, entry.normalThrough) === "keep") continue
    const { chunkCount } = volume.geometry
    volume.maps.rebirth(slot, entry.memberId, record.mapVersion, chunkCount)
  }
}

/**
 * M3: marks about a member that has been normal in an effective view since are over. They go with
 * the view after that one: a growing view may be superseded before it counts.
 */
function emptyOverMarks({ maps, geometry }: MemberVolume, record: PoolMetadata): void {
  for (const slot of slotsOf(record.normal)) {
    const entry = record.members[slot]
    const map = maps.about(slot)
    if (entry === undefined || map === undefined || map.isEmpty) continue
    if (isMarkValid(map.stamp, entry.normalThrough)) continue
    maps.rebirth(slot, entry.memberId, map.stamp, geometry.chunkCount)
  }
}

/** G4: who is deleted has left marks behind; another member may come to the place that was his. */
function emptyMarksOfNobody({ maps, geometry }: MemberVolume, record: PoolMetadata): void {
  for (let slot = 0; slot < MEMBERS_MAX; slot++) {
    const map = maps.about(slot)
    const memberId = maps.memberIdOf(slot)
    if (record.members[slot] !== undefined || memberId === undefined) continue
    if (map === undefined || map.isEmpty) continue
    maps.rebirth(slot, memberId, map.stamp, geometry.chunkCount)
  }
}

/** Whether this member has carried out the very mutation that is listed (V2, RT-57). */
function hasApplied(
  { lastIo }: MemberVolume,
  { unit, epoch, sequence }: MutationRange,
  underWay: UnderWay,
): boolean {
  if (sequence === 0) return false
  return lastIo.holds({ unit, epoch, sequence }) && !underWay.isUnderWay(unit, epoch, sequence)
}

/** W6: what was given up has become suspicion (RT-53), and what came before it is resolved. */
function forgetGivenUp(volume: MemberVolume, range: MutationRange): void {
  if (range.sequence === 0) return
  volume.lastIo.forgetUpTo(range.unit, range.epoch, range.sequence)
}
