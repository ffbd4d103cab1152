/**
 * The `state` cell: what a member must never forget, beside the view record (V4, F1).
 *
 * It is committed before the answer that depends on it leaves: an epoch before OPEN is answered, a
 * view that was told before `seen` is reported, a lifecycle before a device is shown.
 */
import { HOST_NAME_BYTES_MAX, MEMBERS_MAX } from "../limits.js"
import type { MemberSet } from "../rules/member-set.js"
import { compareViews, type Uuid, type ViewNumber, ZERO_UUID } from "../rules/pool-metadata.js"
import type { StoreLifecycleState } from "../states/store-lifecycle.js"
import {
  integer,
  OPTIONAL_UUID,
  OPTIONAL_VIEW,
  oneOf,
  reserved,
  U32,
  U64,
} from "../wire/field-types.js"
import { struct } from "../wire/layout.js"
import { Refused } from "../wire/refusal.js"
import { STORE_LIFECYCLE_NUMBERS } from "../wire/status.js"
import { asciiTail } from "../wire/tails.js"
import { type CellCodec, cellCodec } from "./cell-codec.js"

export interface MemberState {
  /** The highest epoch that was opened here; 0 before the first (F1). */
  readonly epoch: number
  /** Who opened it; `ZERO_UUID` before the first. */
  readonly nonce: Uuid
  /** Counts openings of the store. */
  readonly incarnation: number
  /** The highest view that was persisted or told of, and its normal set (V4). */
  readonly seen: ViewNumber
  readonly seenNormal: MemberSet
  /** The last view naming this member normal that it persisted: a claim (V4, V4b). */
  readonly normalThrough: ViewNumber
  /** The history that these views are of; `ZERO_UUID` before the first view (F6). */
  readonly lineage: Uuid
  readonly lifecycle: StoreLifecycleState
  /** Where the holder runs (F5); empty before the first. */
  readonly holderHost: string
}

export const STATE_CELL: CellCodec<MemberState> = cellCodec(
  "state",
  "RMST",
  struct<MemberState>(
    "state",
    64,
    [
      ["nonce", 0, OPTIONAL_UUID, "of the process that opened the epoch; 0 before the first (F1)"],
      ["lineage", 16, OPTIONAL_UUID, "history of the views named here; 0 before the first (F6)"],
      ["incarnation", 32, U64, "counts openings of the store (V4b)"],
      ["seen", 40, OPTIONAL_VIEW, "the highest view it has persisted or was told of (V4)"],
      ["normalThrough", 48, OPTIONAL_VIEW, "the last view naming it normal that it persisted (V4)"],
      ["epoch", 56, U32, "the highest epoch that was opened; 0 before the first (F1)"],
      [
        "seenNormal",
        60,
        integer("u8", 1, 0, 2 ** MEMBERS_MAX - 1),
        "normal set of the view in `seen`, a bit per slot (V5)",
      ],
      ["lifecycle", 61, oneOf(STORE_LIFECYCLE_NUMBERS), "whether a pool has it, and maps it"],
      ["reserved", 62, reserved(2), "must be zero"],
    ],
    ["holderHost", 64, asciiTail(0, HOST_NAME_BYTES_MAX), "where the holder runs (F5)"],
  ),
  refuseState,
)

/** What a store holds that was created and never opened by a client. */
export function newMemberState(lifecycle: StoreLifecycleState): MemberState {
  const none = { epoch: 0, version: 0 }
  return {
    epoch: 0,
    nonce: ZERO_UUID,
    incarnation: 0,
    seen: none,
    seenNormal: 0,
    normalThrough: none,
    lineage: ZERO_UUID,
    lifecycle,
    holderHost: "",
  }
}

function refuseState(state: MemberState): Refused | undefined {
  const hasEpoch = state.epoch !== 0
  const hasView = state.seen.epoch !== 0
  if (hasEpoch !== (state.nonce !== ZERO_UUID)) return new Refused("contradiction", "nonce")
  if (!hasEpoch && state.holderHost !== "") return new Refused("contradiction", "holderHost")
  if (hasView !== (state.lineage !== ZERO_UUID)) return new Refused("contradiction", "lineage")
  if (hasView !== (state.seenNormal !== 0)) return new Refused("members", "seenNormal")
  const isAhead = compareViews(state.normalThrough, state.seen) > 0
  return isAhead ? new Refused("view", "normalThrough") : undefined
}
