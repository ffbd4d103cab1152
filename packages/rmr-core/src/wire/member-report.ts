/**
 * What a member says about itself: the part that the answers to QUERY, OPEN, JOIN_POOL, REJOIN_POOL
 * and STORE_CHECK have in common.
 *
 * These are claims (V4). They say what is on the member's own disk; what the pool makes of them,
 * the rules decide from the record of the highest view.
 */
import type { RestartClass } from "../ports/store.js"
import type { MemberSet } from "../rules/member-set.js"
import type { Uuid, ViewNumber } from "../rules/pool-metadata.js"
import type { ServerPoolState } from "../states/server-pool-state.js"
import type { StoreLifecycleState } from "../states/store-lifecycle.js"
import { OPTIONAL_UUID, OPTIONAL_VIEW, oneOf, U8, U64 } from "./field-types.js"
import { type FieldType, type Struct, struct, structField } from "./layout.js"
import { VOLUME_BYTES } from "./pool-metadata-layout.js"
import { RESTART_NUMBERS, SERVER_POOL_STATE_NUMBERS, STORE_LIFECYCLE_NUMBERS } from "./status.js"

export interface MemberReport {
  readonly storeUuid: Uuid
  readonly seen: ViewNumber
  readonly normalThrough: ViewNumber
  readonly joinedView: ViewNumber
  readonly incarnation: number
  readonly sizeBytes: number
  readonly seenNormal: MemberSet
  readonly state: ServerPoolState
  readonly restart: RestartClass
  readonly lifecycle: StoreLifecycleState
}

export const MEMBER_REPORT: Struct<MemberReport> = struct<MemberReport>("member report", 60, [
  ["storeUuid", 0, OPTIONAL_UUID, "the store it has; 0 while it has none"],
  ["seen", 16, OPTIONAL_VIEW, "the highest view it has persisted or was told of (V4)"],
  ["normalThrough", 24, OPTIONAL_VIEW, "the last view naming it normal that it persisted (V4)"],
  ["joinedView", 32, OPTIONAL_VIEW, "the view in which this process became normal (W5)"],
  ["incarnation", 40, U64, "counts openings of the store; unchanged means the same process (V6)"],
  ["sizeBytes", 48, VOLUME_BYTES, "the largest volume that the store has room for"],
  ["seenNormal", 56, U8, "normal set of the view in `seen`, a bit per slot (V5)"],
  ["state", 57, oneOf(SERVER_POOL_STATE_NUMBERS), "state of the server pool"],
  ["restart", 58, oneOf(RESTART_NUMBERS), "what happened to the store before this opening (R2)"],
  ["lifecycle", 59, oneOf(STORE_LIFECYCLE_NUMBERS), "state of the store"],
])

/** The report as one field of an answer. */
export const REPORT: FieldType<MemberReport> = structField(MEMBER_REPORT)
