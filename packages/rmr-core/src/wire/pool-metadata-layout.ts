/**
 * The tables of the view record: a head, then what the head counts, then a checksum.
 *
 * ```
 *   | head 76 | pool name | lineages | members with their addresses | ranges | CRC-32C |
 * ```
 *
 * The same bytes travel as a payload and lie in the store's `pool-metadata` cell.
 */
import {
  ADDRESS_BYTES_MAX,
  CHUNK_BYTES_MAX,
  CHUNK_BYTES_MIN,
  LINEAGE_HISTORY_MAX,
  MEMBERS_MAX,
  POOL_NAME_BYTES_MAX,
  QUEUE_DEPTH_MAX,
  QUEUE_DEPTH_MIN,
  RECOVERY_RANGES_MAX,
  VOLUME_BYTES_MAX,
} from "../limits.js"
import type {
  LineageEntry,
  MapVersion,
  MemberEntry,
  MutationRange,
  Uuid,
} from "../rules/pool-metadata.js"
import {
  BOOL,
  EXISTING_VIEW,
  integer,
  MAP_VERSION,
  MEMBER_ID,
  OPTIONAL_VIEW,
  oneOf,
  powerOfTwo,
  reserved,
  safeInteger,
  U8,
  U16,
  U32,
  U64,
  UUID,
} from "./field-types.js"
import { type FieldType, type Struct, struct } from "./layout.js"
import { MEMBER_ROLE_NUMBERS, RANGE_KIND_NUMBERS } from "./status.js"

/** "RPMD" as bytes. */
export const POOL_METADATA_MAGIC = 0x444d5052
/** The format of the record; another one is refused, never guessed. */
export const POOL_METADATA_FORMAT = 1

export interface PoolMetadataHead {
  readonly magic: number
  readonly format: number
  readonly slotCount: number
  readonly memberSlots: number
  readonly normal: number
  readonly minNormal: number
  readonly queueDepth: number
  readonly rangeCount: number
  readonly historyCount: number
  readonly poolNameBytes: number
  readonly totalBytes: number
  readonly groupId: number
  readonly mappedSizeBytes: number
  readonly mapVersion: MapVersion
  readonly poolUuid: Uuid
  readonly chunkSizeBytes: number
}

export const QUEUE_DEPTH: FieldType<number> = integer("u16", 2, QUEUE_DEPTH_MIN, QUEUE_DEPTH_MAX)
export const VOLUME_BYTES: FieldType<number> = safeInteger("u64", VOLUME_BYTES_MAX)

export const METADATA_HEAD: Struct<PoolMetadataHead> = struct<PoolMetadataHead>(
  "pool metadata head",
  76,
  [
    ["magic", 0, U32, "the bytes R, P, M, D"],
    ["format", 4, U16, "format of the record: 1"],
    ["slotCount", 6, integer("u8", 1, 1, MEMBERS_MAX), "length of the member table"],
    ["memberSlots", 7, U8, "bit per slot: there is a member"],
    ["normal", 8, U8, "bit per slot: the member is in N, the normal set"],
    ["minNormal", 9, integer("u8", 1, 1, MEMBERS_MAX), "no view has fewer normal members (V5)"],
    ["queueDepth", 10, QUEUE_DEPTH, "io units of the pool"],
    ["rangeCount", 12, U16, "ranges that ride on this view (V2, R4)"],
    ["historyCount", 14, integer("u8", 1, 0, LINEAGE_HISTORY_MAX), "lineages before this one"],
    ["poolNameBytes", 15, integer("u8", 1, 1, POOL_NAME_BYTES_MAX), "length of the pool name"],
    ["totalBytes", 16, U32, "length of the record, checksum included"],
    ["groupId", 20, U32, "jhash of the pool name"],
    ["mappedSizeBytes", 24, VOLUME_BYTES, "size of the volume; 0 before it is mapped first"],
    ["mapVersion", 32, MAP_VERSION, "which view this is: version, epoch, lineage"],
    ["poolUuid", 56, UUID, "tells this pool from another one of the same name"],
    [
      "chunkSizeBytes",
      72,
      powerOfTwo(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX, false),
      "unit of dirty tracking; fixed when the pool is created",
    ],
  ],
)

export const METADATA_LINEAGE: Struct<LineageEntry> = struct<LineageEntry>("lineage", 32, [
  ["fork", 0, EXISTING_VIEW, "the last view that both histories share (F6)"],
  ["lineage", 8, UUID, "the history that the next newer one was forked from"],
  ["lostChunks", 24, U32, "chunks of which the forced start had no good copy (F6)"],
  ["isSettled", 28, BOOL, "they are counted: nothing more is taken for lost (R6)"],
  ["reserved", 29, reserved(3), "must be zero"],
])

export interface MetadataMember extends Omit<MemberEntry, "address"> {
  readonly addressBytes: number
}

export const METADATA_MEMBER: Struct<MetadataMember> = struct<MetadataMember>("member", 44, [
  ["memberId", 0, MEMBER_ID, "its number"],
  ["role", 1, oneOf(MEMBER_ROLE_NUMBERS), "what it does for the pool"],
  ["addressBytes", 2, integer("u8", 1, 1, ADDRESS_BYTES_MAX), "length of the address that follows"],
  ["reserved", 3, reserved(1), "must be zero"],
  ["incarnation", 4, U64, "its store's incarnation, as it last reported it (V4b)"],
  ["normalThrough", 12, OPTIONAL_VIEW, "the last view that named it normal, 0 for never (V4, M2)"],
  ["reported", 20, OPTIONAL_VIEW, "what its store last said that it had persisted (V4b)"],
  ["storeUuid", 28, UUID, "the one store that may speak for it (G3)"],
])

export const METADATA_RANGE: Struct<MutationRange> = struct<MutationRange>("range", 32, [
  ["offset", 0, VOLUME_BYTES, "first byte in the volume"],
  ["length", 8, VOLUME_BYTES, "bytes, at least 1"],
  ["sequence", 16, U64, "of the mutation; 0 where it is of no single one (R3)"],
  ["epoch", 24, U32, "of the mutation, else 0"],
  ["unit", 28, integer("u16", 2, 0, QUEUE_DEPTH_MAX - 1), "io unit of the mutation, else 0"],
  ["kind", 30, oneOf(RANGE_KIND_NUMBERS), "why it rides along (V2, W6)"],
  ["reserved", 31, reserved(1), "must be zero"],
])

const CRC_BYTES = 4

/** The longest record there can be. */
export const POOL_METADATA_BYTES_MAX: number =
  METADATA_HEAD.bytes +
  POOL_NAME_BYTES_MAX +
  LINEAGE_HISTORY_MAX * METADATA_LINEAGE.bytes +
  MEMBERS_MAX * (METADATA_MEMBER.bytes + ADDRESS_BYTES_MAX) +
  (QUEUE_DEPTH_MAX + RECOVERY_RANGES_MAX) * METADATA_RANGE.bytes +
  CRC_BYTES

/** The shortest: one member, names of one byte, no history, no ranges. */
export const POOL_METADATA_BYTES_MIN: number =
  METADATA_HEAD.bytes + 1 + METADATA_MEMBER.bytes + 1 + CRC_BYTES
