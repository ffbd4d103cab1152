/**
 * PoolMetadata: the view record, the one durable and totally ordered truth about a pool (rule V1).
 *
 * Upstream's `rmr_pool_md`. Only the epoch holder makes a new one; a member persists it as a whole;
 * a view counts once it is durable on all members of its normal set. Everything here is plain data;
 * the codec is wire/pool-metadata-codec.ts, the two copies on a disk are the store's business.
 */
import type { GroupId, MemberId } from "../brand.js"
import type { MemberSet } from "./member-set.js"

/** 16 bytes as 32 lower-case hex digits; `ZERO_UUID` for none. */
export type Uuid = string
export const ZERO_UUID: Uuid = "0".repeat(32)

/** Which view, inside one lineage. Ordered by epoch, then version. (0, 0) is "none". */
export interface ViewNumber {
  readonly epoch: number
  readonly version: number
}

export const NO_VIEW: ViewNumber = { epoch: 0, version: 0 }

/** map_ver: names one view of one history of the pool. */
export interface MapVersion extends ViewNumber {
  readonly lineage: Uuid
}

/** A lineage that this one came from, and the view after which a force forked it off (F6). */
export interface LineageEntry {
  readonly lineage: Uuid
  readonly fork: ViewNumber
  /** Chunks of which the forced start had no good copy; one that was there counts since (F6). */
  readonly lostChunks: number
  /** Until then, a chunk that all of N really lack is still to be counted as lost (R6). */
  readonly isSettled: boolean
}

/**
 * `data` members hold the volume. One in `maintenance` does too, and is kept out of the view until
 * an admin says that it may return. (Room for a witness that only votes.)
 */
export type MemberRole = "data" | "maintenance"

export interface MemberEntry {
  readonly memberId: MemberId
  readonly storeUuid: Uuid
  /** Where peers and clients reach it, as a transport address. */
  readonly address: string
  readonly role: MemberRole
  /** The last view that named it normal, as the epoch holder recorded it (V4, M2). */
  readonly normalThrough: ViewNumber
  /**
   * The last view naming it normal that its store has itself said to have persisted, and the
   * incarnation that it said with it. An older claim means that the store was rolled back (V4b).
   * Before `normalThrough` where a view counted for it that it was never known to have persisted.
   */
  readonly reported: ViewNumber
  readonly incarnation: number
}

/** Why a byte range rides on a view change. */
export const RANGE_KINDS = ["unresolved", "uncertain"] as const
/**
 * `unresolved`: a mutation that was in flight; newly absent members miss it (V2).
 * `uncertain`: a mutation that failed everywhere; every normal member suspects it (W6).
 */
export type RangeKind = (typeof RANGE_KINDS)[number]

export interface MutationRange {
  readonly kind: RangeKind
  readonly offset: number
  readonly length: number
  /**
   * Which mutation it is, as `last_io` names it: a member marks for the absent what it has applied
   * itself, and must not take an older mutation of the same bytes for it (V2). All three are 0
   * where the range is of no single mutation (R3, R4).
   */
  readonly unit: number
  readonly epoch: number
  readonly sequence: number
}

export interface PoolMetadata {
  readonly poolName: string
  readonly groupId: GroupId
  readonly poolUuid: Uuid
  readonly chunkSizeBytes: number
  readonly mappedSizeBytes: number
  readonly queueDepth: number
  readonly minNormal: number
  readonly mapVersion: MapVersion
  /** Newest first, at most LINEAGE_HISTORY_MAX. */
  readonly history: readonly LineageEntry[]
  /** By slot; undefined where a member was deleted. */
  readonly members: readonly (MemberEntry | undefined)[]
  /** N: slots whose members are normal. All other members of the table are absent. */
  readonly normal: MemberSet
  /** One for each io unit at most (V2); an opening view may list more (R4). */
  readonly ranges: readonly MutationRange[]
}

/** Negative, zero or positive as `a` is before, equal to or after `b`, inside one lineage. */
export function compareViews(a: ViewNumber, b: ViewNumber): number {
  return a.epoch - b.epoch || a.version - b.version
}

export function maxView(a: ViewNumber, b: ViewNumber): ViewNumber {
  return compareViews(a, b) >= 0 ? a : b
}

/** The default minimum of normal members: 1 of 1, 1 of 2, 2 of 3, 2 of 4, 3 of 5. */
export function defaultMinNormal(memberCount: number): number {
  return Math.ceil(memberCount / 2)
}
