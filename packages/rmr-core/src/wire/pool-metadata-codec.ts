/**
 * The view record as bytes (upstream: `rmr_pool_md`), for payloads and for the store's cell.
 *
 * A record is read as a whole or not at all. What is read satisfies everything that a record can
 * promise by itself (pool-metadata-rules.ts), so nobody behind this line checks a name, an id or a
 * set again. Two records that mean the same have the same bytes.
 */
import { assert } from "../assert.js"
import type { GroupId } from "../brand.js"
import type {
  LineageEntry,
  MemberEntry,
  MutationRange,
  PoolMetadata,
} from "../rules/pool-metadata.js"
import { CRC_BYTES, isSealed, sealMessage } from "./header.js"
import {
  METADATA_HEAD,
  METADATA_LINEAGE,
  METADATA_MEMBER,
  METADATA_RANGE,
  POOL_METADATA_BYTES_MAX,
  POOL_METADATA_BYTES_MIN,
  POOL_METADATA_FORMAT,
  POOL_METADATA_MAGIC,
  type PoolMetadataHead,
} from "./pool-metadata-layout.js"
import { refusePoolMetadata } from "./pool-metadata-rules.js"
import { Refused } from "./refusal.js"
import { readAscii, readList, writeAscii, writeList } from "./tails.js"

export function poolMetadataBytes(metadata: PoolMetadata): number {
  let bytes = METADATA_HEAD.bytes + metadata.poolName.length
  bytes += metadata.history.length * METADATA_LINEAGE.bytes
  for (const member of metadata.members) {
    if (member !== undefined) bytes += METADATA_MEMBER.bytes + member.address.length
  }
  return bytes + metadata.ranges.length * METADATA_RANGE.bytes + CRC_BYTES
}

/** The record as bytes of its own. */
export function encodePoolMetadata(metadata: PoolMetadata): Uint8Array {
  const bytes = new Uint8Array(poolMetadataBytes(metadata))
  writePoolMetadata(new DataView(bytes.buffer), 0, metadata)
  return bytes
}

export function decodePoolMetadata(bytes: Uint8Array): PoolMetadata | Refused {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return readPoolMetadata(view, 0, bytes.length)
}

/** Writes a record that the rules accept; returns its length. */
export function writePoolMetadata(view: DataView, at: number, metadata: PoolMetadata): number {
  const refused = refusePoolMetadata(metadata)
  assert(refused === undefined, `a view record is valid: ${refused?.toError().detail}`)
  let end = METADATA_HEAD.write(view, at, headOf(metadata))
  writeAscii(view, at + end, metadata.poolName)
  end += metadata.poolName.length
  end += writeList(METADATA_LINEAGE, view, at + end, metadata.history)
  for (const member of metadata.members) {
    if (member === undefined) continue
    const addressBytes = member.address.length
    end += METADATA_MEMBER.write(view, at + end, { ...member, addressBytes })
    writeAscii(view, at + end, member.address)
    end += addressBytes
  }
  end += writeList(METADATA_RANGE, view, at + end, metadata.ranges)
  return sealMessage(view, at, end)
}

/** The record in exactly these bytes. */
export function readPoolMetadata(
  view: DataView,
  at: number,
  bytes: number,
): PoolMetadata | Refused {
  if (bytes < POOL_METADATA_BYTES_MIN) return new Refused("short")
  if (bytes > POOL_METADATA_BYTES_MAX) return new Refused("long")
  const head = METADATA_HEAD.read(view, at, METADATA_HEAD.bytes)
  if (head instanceof Refused) return head
  if (head.magic !== POOL_METADATA_MAGIC) return new Refused("value", "magic")
  if (head.format !== POOL_METADATA_FORMAT) return new Refused("version", "format")
  if (head.totalBytes !== bytes) return new Refused("value", "totalBytes")
  if (!isSealed(view, at, bytes)) return new Refused("checksum")
  const metadata = readSections(head, view, at, bytes - CRC_BYTES)
  if (metadata instanceof Refused) return metadata
  return refusePoolMetadata(metadata) ?? metadata
}

function headOf(metadata: PoolMetadata): PoolMetadataHead {
  let memberSlots = 0
  for (const [slot, member] of metadata.members.entries()) {
    if (member !== undefined) memberSlots |= 1 << slot
  }
  return {
    magic: POOL_METADATA_MAGIC,
    format: POOL_METADATA_FORMAT,
    slotCount: metadata.members.length,
    memberSlots,
    normal: metadata.normal,
    minNormal: metadata.minNormal,
    queueDepth: metadata.queueDepth,
    rangeCount: metadata.ranges.length,
    historyCount: metadata.history.length,
    poolNameBytes: metadata.poolName.length,
    totalBytes: poolMetadataBytes(metadata),
    groupId: metadata.groupId,
    mappedSizeBytes: metadata.mappedSizeBytes,
    mapVersion: metadata.mapVersion,
    poolUuid: metadata.poolUuid,
    chunkSizeBytes: metadata.chunkSizeBytes,
  }
}

/** What follows the head, up to `end`; never a byte further. */
function readSections(
  head: PoolMetadataHead,
  view: DataView,
  at: number,
  end: number,
): PoolMetadata | Refused {
  if (head.memberSlots >= 1 << head.slotCount) return new Refused("members", "memberSlots")
  const nameAt = METADATA_HEAD.bytes
  const historyAt = nameAt + head.poolNameBytes
  const membersAt = historyAt + head.historyCount * METADATA_LINEAGE.bytes
  if (membersAt > end) return new Refused("short")
  const poolName = readAscii(view, at + nameAt, head.poolNameBytes)
  if (poolName === undefined) return new Refused("text", "poolName")
  const history = readList(METADATA_LINEAGE, view, at + historyAt, head.historyCount)
  if (history instanceof Refused) return history.in("history")
  const table = readMembers(head, view, at, membersAt, end)
  if (table instanceof Refused) return table.in("members")
  const rangesEnd = table.end + head.rangeCount * METADATA_RANGE.bytes
  if (rangesEnd !== end) return new Refused(rangesEnd > end ? "short" : "long")
  const ranges = readList(METADATA_RANGE, view, at + table.end, head.rangeCount)
  if (ranges instanceof Refused) return ranges.in("ranges")
  return metadataOf(head, poolName, history, table.members, ranges)
}

interface MemberTable {
  readonly members: readonly (MemberEntry | undefined)[]
  readonly end: number
}

function readMembers(
  head: PoolMetadataHead,
  view: DataView,
  at: number,
  membersAt: number,
  end: number,
): MemberTable | Refused {
  const members: (MemberEntry | undefined)[] = []
  let position = membersAt
  for (let slot = 0; slot < head.slotCount; slot++) {
    if ((head.memberSlots & (1 << slot)) === 0) {
      members.push(undefined)
      continue
    }
    if (position + METADATA_MEMBER.bytes > end) return new Refused("short", `${slot}`)
    const entry = METADATA_MEMBER.read(view, at + position, METADATA_MEMBER.bytes)
    if (entry instanceof Refused) return entry.in(`${slot}`)
    position += METADATA_MEMBER.bytes
    const { addressBytes, ...member } = entry
    if (position + addressBytes > end) return new Refused("short", `${slot}`)
    const address = readAscii(view, at + position, addressBytes)
    if (address === undefined) return new Refused("text", `${slot}.address`)
    position += addressBytes
    members.push({ ...member, address })
  }
  return { members, end: position }
}

function metadataOf(
  head: PoolMetadataHead,
  poolName: string,
  history: readonly LineageEntry[],
  members: readonly (MemberEntry | undefined)[],
  ranges: readonly MutationRange[],
): PoolMetadata {
  return {
    poolName,
    groupId: head.groupId as GroupId,
    poolUuid: head.poolUuid,
    chunkSizeBytes: head.chunkSizeBytes,
    mappedSizeBytes: head.mappedSizeBytes,
    queueDepth: head.queueDepth,
    minNormal: head.minNormal,
    mapVersion: head.mapVersion,
    history,
    members,
    normal: head.normal,
    ranges,
  }
}
