/**
 * Commands of recovery and of the pool's metadata: last io, store check, records, replaced stores.
 */
import type { MemberId } from "../brand.js"
import { codeOfStatus } from "../errors.js"
import type { MapVersion, PoolMetadata, Uuid } from "../rules/pool-metadata.js"
import { CHUNK_RANGES, type ChunkRange, refuseChunkRanges } from "./chunk-ranges.js"
import { SEEN_RESULT, type SeenResult } from "./command-map.js"
import { type CommandSpec, NOTHING, type Nothing, type Shape } from "./command-spec.js"
import {
  BOOL,
  MAP_VERSION,
  MEMBER_ID,
  oneOf,
  reserved,
  U16,
  U32,
  U64,
  UUID,
} from "./field-types.js"
import { TYPE_CMD } from "./header.js"
import { LAST_IO_PAYLOAD, type LastIoEntry } from "./last-io-entry.js"
import { struct } from "./layout.js"
import { type MemberReport, REPORT } from "./member-report.js"
import { NO_PAYLOAD, OPTIONAL_RECORD_PAYLOAD, RECORD_PAYLOAD } from "./payload.js"
import { refuseOtherVersion } from "./record-match.js"
import { Refused } from "./refusal.js"

export type LastIoMode = "listed" | "own"

export interface LastIoToMapBody {
  readonly mode: LastIoMode
}

/**
 * First every normal member marks, then the elected one clears; beside a clean copy, who lost its
 * cache yields (R6). What is lost an admin accepts: then the elected one clears also that (F6).
 */
export type ElectStep = "mark" | "clear" | "yield" | "accept" | "mend"

const ELECT_STEP_NUMBERS: Readonly<Record<ElectStep, number>> = {
  mark: 1,
  clear: 2,
  yield: 3,
  accept: 4,
  mend: 5,
}

export interface ElectBody {
  readonly step: ElectStep
  readonly elected: MemberId
  readonly ranges: readonly ChunkRange[]
}

export interface ElectResult {
  readonly changedChunks: number
}

export interface MarkedResult {
  readonly markedChunks: number
}

export interface StoreCheckResult {
  readonly report: MemberReport
  readonly hotExtents: number
  /** 0, or the status of the store's last failure. */
  readonly lastStatus: number
  readonly isFlushWanted: boolean
}

export interface SendMdBufBody {
  readonly persistedBy: MemberId
}

export interface MdSendBody {
  readonly known: MapVersion
}

export interface MdSendResult {
  readonly isUnchanged: boolean
}

export interface SendDiscardBody {
  readonly memberId: MemberId
  readonly storeUuid: Uuid
  readonly forgottenStoreUuid: Uuid
}

export interface DiscardClearFlagBody {
  readonly memberId: MemberId
  readonly storeUuid: Uuid
}

export interface RecoveryCommandTypes {
  "last-io-to-map": Shape<LastIoToMapBody, readonly LastIoEntry[], MarkedResult, undefined>
  "read-last-io": Shape<Nothing, undefined, Nothing, readonly LastIoEntry[]>
  elect: Shape<ElectBody, undefined, ElectResult, undefined>
  "store-check": Shape<Nothing, undefined, StoreCheckResult, undefined>
  "send-md-buf": Shape<SendMdBufBody, PoolMetadata, SeenResult, undefined>
  "md-send": Shape<MdSendBody, undefined, MdSendResult, PoolMetadata | undefined>
  "send-discard": Shape<SendDiscardBody, undefined, MarkedResult, undefined>
  "discard-clear-flag": Shape<DiscardClearFlagBody, undefined, Nothing, undefined>
}

const MARKED_RESULT = struct<MarkedResult>("marked result", 8, [
  ["markedChunks", 0, U64, "chunks of its own map that the member marked by this"],
])

export const LAST_IO_TO_MAP: CommandSpec<RecoveryCommandTypes["last-io-to-map"]> = {
  name: "LAST_IO_TO_MAP",
  code: 40,
  type: TYPE_CMD,
  from: "client",
  names: "epoch",
  lane: "control",
  does: `
    Makes a member suspect, in its own map, what a client that is gone may have left half done.
    "listed": the chunks of these entries, which it recorded and others did not (after OPEN).
    "own": all of its last_io (a member that comes from outside the view). Durable when it is
    answered; nothing is consumed, so it may be repeated.`,
  rules: ["R4", "R5"],
  body: struct<LastIoToMapBody>("LAST_IO_TO_MAP body", 4, [
    ["mode", 0, oneOf<LastIoMode>({ listed: 1, own: 2 }), "which mutations"],
    ["reserved", 1, reserved(3), "must be zero"],
  ]),
  payload: LAST_IO_PAYLOAD,
  result: MARKED_RESULT,
  resultPayload: NO_PAYLOAD,
  check: ({ mode }, entries) =>
    (mode === "own") === (entries.length === 0) ? undefined : new Refused("count", "payload"),
}

export const READ_LAST_IO: CommandSpec<RecoveryCommandTypes["read-last-io"]> = {
  name: "READ_LAST_IO",
  code: 46,
  type: TYPE_CMD,
  from: "either",
  names: "epoch",
  lane: "sync",
  does: `
    Reads a member's last_io. A member that copies a chunk asks it where the answer to its sync
    read could not list all entries (after the copy, before it clears), and where it missed a
    mutation itself and must find a source that has it (before the copy). Asked by a node, it leaves
    out what it has admitted and not applied: its chunks do not hold that (S9). A unit is used again
    only when its mutation is resolved, so what is missing from a later answer is in doubt no
    more.`,
  rules: ["S9", "S10", "R4"],
  body: NOTHING,
  payload: NO_PAYLOAD,
  result: NOTHING,
  resultPayload: LAST_IO_PAYLOAD,
}

export const ELECT: CommandSpec<RecoveryCommandTypes["elect"]> = {
  name: "ELECT",
  code: 47,
  type: TYPE_CMD,
  from: "client",
  names: "view",
  lane: "control",
  does: `
    Carries an election out: nobody of the normal set has these chunks clean, and one member's
    suspect copy was chosen. First every normal member is asked to "mark": it marks the chunks
    for all absent members, really and durably. When all have answered, the elected member is
    asked to "clear": it clears its own suspicion, durably. A chunk that is real in its own map
    is never cleared by this. With "yield" nobody is elected: "elected" has the chunks clean, and
    the receiver, also one that joins, makes those that it suspects with rank 2 real, durably.
    "accept" is "clear" for what is lost: nobody has a good copy, an admin has said so, and what
    the elected one holds counts, also where it is real. "mend" comes before that for one chunk: the
    elected one writes zeroes where it cannot read the chunk. Repeating a step changes nothing.`,
  rules: ["R5", "R6", "F6", "Q23"],
  body: struct<ElectBody>(
    "ELECT body",
    4,
    [
      ["step", 0, oneOf(ELECT_STEP_NUMBERS), "which of the steps"],
      ["elected", 1, MEMBER_ID, "whose copy was chosen, or is clean"],
      ["reserved", 2, reserved(2), "must be zero"],
    ],
    ["ranges", 4, CHUNK_RANGES, "the chunks; ranges ascend and do not touch"],
  ),
  payload: NO_PAYLOAD,
  result: struct<ElectResult>("ELECT result", 8, [
    ["changedChunks", 0, U64, "chunks that the step marked, or cleared"],
  ]),
  resultPayload: NO_PAYLOAD,
  check({ step, ranges }) {
    const isOne = ranges.length === 1 && ranges[0]?.chunkCount === 1
    if (step === "mend" && !isOne) return new Refused("range", "body.ranges")
    return refuseChunkRanges(ranges, "body.ranges")
  },
}

export const STORE_CHECK: CommandSpec<RecoveryCommandTypes["store-check"]> = {
  name: "STORE_CHECK",
  code: 41,
  type: TYPE_CMD,
  from: "either",
  names: "known",
  lane: "control",
  does: `
    Asks whether the store is there and works: what a client needs to know before it tries a
    failed leg again, and what a person needs to know about it. The member makes a small durable
    write before it answers, so that the time it takes says how quick its store is (V7).`,
  rules: ["R2", "R8", "I3", "V7"],
  body: NOTHING,
  payload: NO_PAYLOAD,
  result: struct<StoreCheckResult>("STORE_CHECK result", 68, [
    ["report", 0, REPORT, "what the member says about itself"],
    ["hotExtents", 60, U32, "how many extents are hot"],
    ["lastStatus", 64, U16, "status of the store's last failure, 0 for none"],
    ["isFlushWanted", 66, BOOL, "the intent log wants a flush soon"],
    ["reserved", 67, reserved(1), "must be zero"],
  ]),
  resultPayload: NO_PAYLOAD,
  checkResult: ({ lastStatus }) =>
    lastStatus === 0 || codeOfStatus(lastStatus) !== undefined
      ? undefined
      : new Refused("status", "result.lastStatus"),
}

export const SEND_MD_BUF: CommandSpec<RecoveryCommandTypes["send-md-buf"]> = {
  name: "SEND_MD_BUF",
  code: 42,
  type: TYPE_CMD,
  from: "either",
  names: "view",
  lane: "control",
  does: `
    Shows a member a view record that another one has persisted. The member learns addresses and
    members from it, and raises "seen", durably; its own record and its claim about content stay
    as they are, because it was not asked to take part in that view.`,
  rules: ["V4", "G2"],
  body: struct<SendMdBufBody>("SEND_MD_BUF body", 4, [
    ["persistedBy", 0, MEMBER_ID, "a member that has the record on its disk"],
    ["reserved", 1, reserved(3), "must be zero"],
  ]),
  payload: RECORD_PAYLOAD,
  result: SEEN_RESULT,
  resultPayload: NO_PAYLOAD,
  check({ persistedBy }, metadata, envelope) {
    const isMember = metadata.members.some((member) => member?.memberId === persistedBy)
    return isMember
      ? refuseOtherVersion(metadata, envelope)
      : new Refused("members", "body.persistedBy")
  },
}

export const MD_SEND: CommandSpec<RecoveryCommandTypes["md-send"]> = {
  name: "MD_SEND",
  code: 43,
  type: TYPE_CMD,
  from: "either",
  names: "known",
  lane: "control",
  does: `
    Asks a member for its view record, unless it is the one that the sender names as known. This
    is how a client learns the members of a pool that it assembles.`,
  rules: ["V1", "V4"],
  body: struct<MdSendBody>("MD_SEND body", 24, [
    ["known", 0, MAP_VERSION, "the record that the sender has, zeroes for none"],
  ]),
  payload: NO_PAYLOAD,
  result: struct<MdSendResult>("MD_SEND result", 4, [
    ["isUnchanged", 0, BOOL, "the record is the known one, and not sent again"],
    ["reserved", 1, reserved(3), "must be zero"],
  ]),
  resultPayload: OPTIONAL_RECORD_PAYLOAD,
  checkResult: ({ isUnchanged }, metadata) =>
    isUnchanged === (metadata === undefined) ? undefined : new Refused("payload-bytes"),
}

export const SEND_DISCARD: CommandSpec<RecoveryCommandTypes["send-discard"]> = {
  name: "SEND_DISCARD",
  code: 44,
  type: TYPE_CMD,
  from: "client",
  names: "view",
  lane: "control",
  does: `
    A member's store was replaced by an empty one. The member itself marks every chunk as missing,
    durably, and remembers that it is empty, before a view names the new store; the others give up
    what they know about the old one. The old store is refused for ever.`,
  rules: ["G3", "V5"],
  body: struct<SendDiscardBody>("SEND_DISCARD body", 36, [
    ["memberId", 0, MEMBER_ID, "whose store was replaced"],
    ["reserved", 1, reserved(3), "must be zero"],
    ["storeUuid", 4, UUID, "the new store"],
    ["forgottenStoreUuid", 20, UUID, "the old store"],
  ]),
  payload: NO_PAYLOAD,
  result: MARKED_RESULT,
  resultPayload: NO_PAYLOAD,
  check: ({ storeUuid, forgottenStoreUuid }) =>
    storeUuid === forgottenStoreUuid
      ? new Refused("contradiction", "body.forgottenStoreUuid")
      : undefined,
}

export const DISCARD_CLEAR_FLAG: CommandSpec<RecoveryCommandTypes["discard-clear-flag"]> = {
  name: "DISCARD_CLEAR_FLAG",
  code: 45,
  type: TYPE_CMD,
  from: "client",
  names: "view",
  lane: "control",
  does: `
    The view that names the new store is effective: the member may be counted by its view record
    again, instead of as empty. Its chunks stay marked until it has fetched them.`,
  rules: ["G3"],
  body: struct<DiscardClearFlagBody>("DISCARD_CLEAR_FLAG body", 20, [
    ["memberId", 0, MEMBER_ID, "whose store was replaced"],
    ["reserved", 1, reserved(3), "must be zero"],
    ["storeUuid", 4, UUID, "the new store"],
  ]),
  payload: NO_PAYLOAD,
  result: NOTHING,
  resultPayload: NO_PAYLOAD,
}
