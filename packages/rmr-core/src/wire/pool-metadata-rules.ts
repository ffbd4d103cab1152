/**
 * What a view record must satisfy by itself, whoever made it and wherever it was read.
 *
 * Types and field layouts already bound every single value that comes from bytes. Here is what ties
 * values together, and every bound again for a record that was put together in memory: what is
 * written is exactly what can be read.
 */
import { isByteCount, isU32, MEMBER_ID_MAX, MEMBER_ID_MIN } from "../brand.js"
import { groupIdOfName, poolNameProblem } from "../group-id.js"
import {
  ADDRESS_BYTES_MAX,
  CHUNK_BYTES_MAX,
  CHUNK_BYTES_MIN,
  LINEAGE_HISTORY_MAX,
  MEMBERS_MAX,
  QUEUE_DEPTH_MAX,
  QUEUE_DEPTH_MIN,
  RECOVERY_RANGES_MAX,
  VOLUME_BLOCK_BYTES,
  VOLUME_BYTES_MAX,
} from "../limits.js"
import { isSubset, sizeOf } from "../rules/member-set.js"
import {
  compareViews,
  type MemberEntry,
  type MutationRange,
  type PoolMetadata,
  type ViewNumber,
  ZERO_UUID,
} from "../rules/pool-metadata.js"
import { Refused } from "./refusal.js"
import { isVisibleAscii } from "./tails.js"

/**
 * How many ranges one view record may list: one for each io unit (V2), and for an opening view what
 * else it has found (R4).
 */
export function rangeCountMax(queueDepth: number): number {
  return queueDepth + RECOVERY_RANGES_MAX
}

/** Undefined for a valid record, else the first thing that is wrong with it. */
export function refusePoolMetadata(metadata: PoolMetadata): Refused | undefined {
  return (
    refuseName(metadata) ??
    refuseGeometry(metadata) ??
    refuseVersions(metadata) ??
    refuseMembers(metadata) ??
    refuseSets(metadata) ??
    refuseRanges(metadata)
  )
}

function refuseName(metadata: PoolMetadata): Refused | undefined {
  if (poolNameProblem(metadata.poolName) !== undefined) return new Refused("text", "poolName")
  if (groupIdOfName(metadata.poolName) !== metadata.groupId) return new Refused("group", "groupId")
  return isUuid(metadata.poolUuid) ? undefined : new Refused("value", "poolUuid")
}

function refuseGeometry(metadata: PoolMetadata): Refused | undefined {
  const { chunkSizeBytes, mappedSizeBytes, queueDepth } = metadata
  const isPowerOfTwo = isU32(chunkSizeBytes) && (chunkSizeBytes & (chunkSizeBytes - 1)) === 0
  if (!isPowerOfTwo || chunkSizeBytes < CHUNK_BYTES_MIN || chunkSizeBytes > CHUNK_BYTES_MAX) {
    return new Refused("value", "chunkSizeBytes")
  }
  if (!isByteCount(mappedSizeBytes) || mappedSizeBytes > VOLUME_BYTES_MAX) {
    return new Refused("value", "mappedSizeBytes")
  }
  if (mappedSizeBytes % VOLUME_BLOCK_BYTES !== 0) return new Refused("value", "mappedSizeBytes")
  if (!isU32(queueDepth) || queueDepth < QUEUE_DEPTH_MIN || queueDepth > QUEUE_DEPTH_MAX) {
    return new Refused("value", "queueDepth")
  }
  return undefined
}

/** The lineage, its ancestors, and the views at which they forked, newest first. */
function refuseVersions({ mapVersion, history }: PoolMetadata): Refused | undefined {
  if (!isUuid(mapVersion.lineage)) return new Refused("view", "mapVersion.lineage")
  if (!isExistingView(mapVersion)) return new Refused("view", "mapVersion")
  if (history.length > LINEAGE_HISTORY_MAX) return new Refused("count", "history")
  const lineages = new Set([mapVersion.lineage])
  let newer: ViewNumber = mapVersion
  for (const [index, { lineage, fork }] of history.entries()) {
    if (!isUuid(lineage) || lineages.has(lineage)) {
      return new Refused("contradiction", `history.${index}.lineage`)
    }
    if (!isExistingView(fork) || compareViews(fork, newer) >= 0) {
      return new Refused("contradiction", `history.${index}.fork`)
    }
    lineages.add(lineage)
    newer = fork
  }
  return undefined
}

function refuseMembers({ members, mapVersion }: PoolMetadata): Refused | undefined {
  if (members.length === 0 || members.length > MEMBERS_MAX) return new Refused("count", "members")
  const ids = new Set<number>()
  const stores = new Set<string>()
  for (const [slot, member] of members.entries()) {
    if (member === undefined) continue
    const refused = refuseMember(member, mapVersion)
    if (refused !== undefined) return refused.in(`members.${slot}`)
    if (ids.has(member.memberId)) return new Refused("members", `members.${slot}.memberId`)
    if (stores.has(member.storeUuid)) return new Refused("members", `members.${slot}.storeUuid`)
    ids.add(member.memberId)
    stores.add(member.storeUuid)
  }
  return undefined
}

function refuseMember(member: MemberEntry, mapVersion: ViewNumber): Refused | undefined {
  const { memberId, storeUuid, address, normalThrough, reported, incarnation } = member
  if (!Number.isInteger(memberId) || memberId < MEMBER_ID_MIN || memberId > MEMBER_ID_MAX) {
    return new Refused("value", "memberId")
  }
  if (!isUuid(storeUuid)) return new Refused("value", "storeUuid")
  if (address.length === 0 || address.length > ADDRESS_BYTES_MAX || !isVisibleAscii(address)) {
    return new Refused("text", "address")
  }
  if (!isByteCount(incarnation)) return new Refused("unsafe", "incarnation")
  if (!isViewOrNone(normalThrough)) return new Refused("view", "normalThrough")
  if (!isViewOrNone(reported)) return new Refused("view", "reported")
  // Nobody was normal in a view that is still to come.
  if (compareViews(normalThrough, mapVersion) > 0) {
    return new Refused("contradiction", "normalThrough")
  }
  if (compareViews(reported, mapVersion) > 0) return new Refused("contradiction", "reported")
  return undefined
}

/** A normal slot has a member, and a view has at least `minNormal` of them (V5). */
function refuseSets({ members, normal, minNormal }: PoolMetadata): Refused | undefined {
  let used = 0
  for (const [slot, member] of members.entries()) if (member !== undefined) used |= 1 << slot
  if (!isU32(normal) || !isSubset(normal, used)) return new Refused("members", "normal")
  if (!Number.isInteger(minNormal) || minNormal < 1 || minNormal > sizeOf(used)) {
    return new Refused("value", "minNormal")
  }
  return sizeOf(normal) < minNormal ? new Refused("contradiction", "normal") : undefined
}

function refuseRanges({ ranges, queueDepth, mappedSizeBytes }: PoolMetadata): Refused | undefined {
  if (ranges.length > rangeCountMax(queueDepth)) return new Refused("count", "ranges")
  for (const [index, range] of ranges.entries()) {
    if (!isMutationOrNone(range, queueDepth)) return new Refused("sequence", `ranges.${index}`)
    const { offset, length } = range
    const isInside =
      isByteCount(offset) &&
      isByteCount(length) &&
      length > 0 &&
      length <= mappedSizeBytes &&
      offset <= mappedSizeBytes - length
    if (!isInside) return new Refused("range", `ranges.${index}`)
  }
  return undefined
}

/** All of unit, epoch and sequence name a mutation, or none does. */
function isMutationOrNone(range: MutationRange, queueDepth: number): boolean {
  const { unit, epoch, sequence } = range
  if (!isU32(unit) || unit >= queueDepth || !isU32(epoch) || !isByteCount(sequence)) return false
  if (sequence === 0) return epoch === 0 && unit === 0
  return epoch > 0
}

function isUuid(value: string): boolean {
  return /^[0-9a-f]{32}$/.test(value) && value !== ZERO_UUID
}

function isViewOrNone(view: ViewNumber): boolean {
  return (view.epoch === 0 && view.version === 0) || isExistingView(view)
}

function isExistingView(view: ViewNumber): boolean {
  return isU32(view.epoch) && isU32(view.version) && view.epoch > 0 && view.version > 0
}
