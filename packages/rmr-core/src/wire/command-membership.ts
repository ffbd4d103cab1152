/**
 * Commands of membership: who belongs to a pool and who takes part (rules G, W5, M3, R7).
 *
 * None of them decides a view: a member is in or out by the view record alone, which MAP_ADD
 * carries. These bring a member to the point where a view may name it, or tell others that one did.
 */
import type { MemberId } from "../brand.js"
import { groupIdOfName, poolNameProblem } from "../group-id.js"
import {
  CHUNK_BYTES_MAX,
  CHUNK_BYTES_MIN,
  MEMBERS_MAX,
  POOL_NAME_BYTES_MAX,
  QUEUE_DEPTH_MAX,
} from "../limits.js"
import { type PoolMetadata, type Uuid, type ViewNumber, ZERO_UUID } from "../rules/pool-metadata.js"
import {
  type CommandSpec,
  NOTHING,
  type Nothing,
  type RequestEnvelope,
  type Shape,
} from "./command-spec.js"
import {
  BOOL,
  integer,
  MEMBER_ID,
  OPTIONAL_UUID,
  OPTIONAL_VIEW,
  oneOf,
  powerOfTwo,
  reserved,
  UUID,
} from "./field-types.js"
import { TYPE_CMD } from "./header.js"
import { struct } from "./layout.js"
import { type MemberReport, REPORT } from "./member-report.js"
import { NO_PAYLOAD, OPTIONAL_RECORD_PAYLOAD, RECORD_PAYLOAD } from "./payload.js"
import { VOLUME_BYTES } from "./pool-metadata-layout.js"
import { refuseOtherVersion } from "./record-match.js"
import { Refused } from "./refusal.js"
import { asciiTail } from "./tails.js"

export type JoinMode = "create" | "assemble"

/** Parameters are 0 where the sender does not say: it takes what the member has. */
export interface JoinPoolBody {
  readonly mode: JoinMode
  readonly startsDirty: boolean
  readonly memberId: MemberId
  readonly minNormal: number
  readonly chunkSizeBytes: number
  readonly queueDepth: number
  readonly mappedSizeBytes: number
  readonly poolUuid: Uuid
  readonly storeUuid: Uuid
  readonly nonce: Uuid
  readonly poolName: string
}

export interface ReportResult {
  readonly report: MemberReport
}

export interface RejoinPoolBody {
  readonly nonce: Uuid
  readonly abandonedLineage: Uuid
  readonly abandonedView: ViewNumber
}

export type EnableMode = "start" | "resume" | "rejoin" | "maintenance"

export interface EnablePoolBody {
  readonly mode: EnableMode
  readonly joinedView: ViewNumber
}

export type LeaveMode = "disassemble" | "delete"

export interface LeavePoolBody {
  readonly mode: LeaveMode
  readonly memberId: MemberId
}

export type PoolInfoOperation = "add" | "remove"

export interface PoolInfoBody {
  readonly operation: PoolInfoOperation
  readonly mode: JoinMode | LeaveMode
  readonly memberId: MemberId
  readonly isDirty: boolean
  readonly storeUuid: Uuid
}

export interface GrowStoreBody {
  readonly sizeBytes: number
}

export interface GrowStoreResult {
  readonly sizeBytes: number
}

export interface MembershipCommandTypes {
  "join-pool": Shape<JoinPoolBody, PoolMetadata | undefined, ReportResult, PoolMetadata | undefined>
  "rejoin-pool": Shape<RejoinPoolBody, PoolMetadata, ReportResult, undefined>
  "enable-pool": Shape<EnablePoolBody, undefined, ReportResult, undefined>
  "leave-pool": Shape<LeavePoolBody, undefined, Nothing, undefined>
  "pool-info": Shape<PoolInfoBody, undefined, Nothing, undefined>
  "grow-store": Shape<GrowStoreBody, undefined, GrowStoreResult, undefined>
}

const REPORT_RESULT = struct<ReportResult>("report result", 60, [
  ["report", 0, REPORT, "what the member says about itself"],
])

export const JOIN_POOL: CommandSpec<MembershipCommandTypes["join-pool"]> = {
  name: "JOIN_POOL",
  code: 8,
  type: TYPE_CMD,
  from: "either",
  names: "known",
  lane: "control",
  does: `
    Ties this session to a pool, before anything else of that pool is sent on it. "create" makes
    the member one of a new pool, or a new one of an existing pool: the payload is the view record
    with all members, and the parameters here repeat it, so that a sender who mixed them up is
    refused. "assemble" finds the pool that the member knows; the answer carries its record. Two
    pools whose names have one hash are told apart by the full name and the pool's UUID, and
    refused "name-clash"; parameters that differ, "mismatch". A storage node joins its peers
    the same way, with SYNC.`,
  rules: ["F3", "G1", "G5", "Q21"],
  body: struct<JoinPoolBody>(
    "JOIN_POOL body",
    68,
    [
      ["mode", 0, oneOf<JoinMode>({ create: 1, assemble: 2 }), "make the member, or find it"],
      ["startsDirty", 1, BOOL, "create: the member lacks every chunk (G1)"],
      ["memberId", 2, MEMBER_ID, "who the sender believes it talks to"],
      ["minNormal", 3, integer("u8", 1, 0, MEMBERS_MAX), "parameter of the pool, 0 for not said"],
      [
        "chunkSizeBytes",
        4,
        powerOfTwo(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX, true),
        "parameter of the pool, 0 for not said",
      ],
      ["queueDepth", 8, integer("u16", 2, 0, QUEUE_DEPTH_MAX), "parameter, 0 for not said"],
      ["reserved", 10, reserved(2), "must be zero"],
      ["mappedSizeBytes", 12, VOLUME_BYTES, "parameter of the pool, 0 for not said"],
      ["poolUuid", 20, OPTIONAL_UUID, "the pool; 0 for a sender that knows only the name"],
      ["storeUuid", 36, OPTIONAL_UUID, "the store that the member must have, 0 for any"],
      ["nonce", 52, UUID, "of the sending process"],
    ],
    ["poolName", 68, asciiTail(1, POOL_NAME_BYTES_MAX), "the full name"],
  ),
  payload: OPTIONAL_RECORD_PAYLOAD,
  result: REPORT_RESULT,
  resultPayload: OPTIONAL_RECORD_PAYLOAD,
  check: refuseJoin,
}

export const REJOIN_POOL: CommandSpec<MembershipCommandTypes["rejoin-pool"]> = {
  name: "REJOIN_POOL",
  code: 9,
  type: TYPE_CMD,
  from: "client",
  names: "view",
  lane: "control",
  does: `
    The holder is back with a member that it had lost. The server pool goes "no-io", admits
    nothing, finishes what it had admitted ("draining" meanwhile) and refuses older session
    generations from then on. The payload is the record of the holder's effective view, from which
    the member learns what changed while it was away. A member whose history is an earlier part of
    the record's takes that over, durably. Of another history it refuses "split-brain", unless the
    request names that history and its last view as the ones to give up: an admin's choice. Then it
    takes the record and marks all of its chunks as missing, in one step.`,
  rules: ["W5", "V6", "R8", "R7", "G2", "G5"],
  body: struct<RejoinPoolBody>("REJOIN_POOL body", 40, [
    ["nonce", 0, UUID, "of the holder's process"],
    ["abandonedLineage", 16, OPTIONAL_UUID, "the member's own history, to be given up; 0 for none"],
    ["abandonedView", 32, OPTIONAL_VIEW, "the last view there that the admin saw; 0 for none"],
  ]),
  payload: RECORD_PAYLOAD,
  result: REPORT_RESULT,
  resultPayload: NO_PAYLOAD,
  check({ abandonedLineage, abandonedView }, metadata, envelope) {
    if (abandonedLineage === envelope.mapVersion.lineage) {
      return new Refused("contradiction", "body.abandonedLineage")
    }
    const isNone = abandonedLineage === ZERO_UUID
    if (isNone !== (abandonedView.epoch === 0)) return new Refused("view", "body.abandonedView")
    return refuseOtherVersion(metadata, envelope)
  },
}

export const ENABLE_POOL: CommandSpec<MembershipCommandTypes["enable-pool"]> = {
  name: "ENABLE_POOL",
  code: 10,
  type: TYPE_CMD,
  from: "client",
  names: "view",
  lane: "control",
  does: `
    Makes a member normal after the view that names it is effective: at a start, after a resume
    without restart, or after a map update. From then on it admits requests of views from
    "joinedView" on. Like OPEN and REJOIN_POOL, a resume ends every session before this one of the
    same holder at this node: what is still on them is refused. "maintenance" takes a member out
    after the view without it is effective.`,
  rules: ["W5", "V5", "V6", "M3", "G2"],
  body: struct<EnablePoolBody>("ENABLE_POOL body", 12, [
    ["joinedView", 0, OPTIONAL_VIEW, "the oldest view whose requests are admitted; 0 to leave"],
    [
      "mode",
      8,
      oneOf<EnableMode>({ start: 1, resume: 2, rejoin: 3, maintenance: 4 }),
      "which event of the server pool this is",
    ],
    ["reserved", 9, reserved(3), "must be zero"],
  ]),
  payload: NO_PAYLOAD,
  result: REPORT_RESULT,
  resultPayload: NO_PAYLOAD,
  check({ mode, joinedView }, _payload, { mapVersion }) {
    const isNone = joinedView.epoch === 0
    const isAhead =
      joinedView.epoch > mapVersion.epoch ||
      (joinedView.epoch === mapVersion.epoch && joinedView.version > mapVersion.version)
    return isNone !== (mode === "maintenance") || isAhead
      ? new Refused("view", "body.joinedView")
      : undefined
  },
}

export const LEAVE_POOL: CommandSpec<MembershipCommandTypes["leave-pool"]> = {
  name: "LEAVE_POOL",
  code: 11,
  type: TYPE_CMD,
  from: "either",
  names: "known",
  lane: "control",
  does: `
    Ends the tie. "disassemble" keeps what the member holds, for a later assemble; "delete"
    removes the member for good, after a view without it is effective and no chunk has its only
    clean copy there.`,
  rules: ["G2", "G4"],
  body: struct<LeavePoolBody>("LEAVE_POOL body", 4, [
    ["mode", 0, oneOf<LeaveMode>({ disassemble: 3, delete: 4 }), "for a while, or for good"],
    ["memberId", 1, MEMBER_ID, "who leaves: the member that is asked"],
    ["reserved", 2, reserved(2), "must be zero"],
  ]),
  payload: NO_PAYLOAD,
  result: NOTHING,
  resultPayload: NO_PAYLOAD,
}

export const POOL_INFO: CommandSpec<MembershipCommandTypes["pool-info"]> = {
  name: "POOL_INFO",
  code: 12,
  type: TYPE_CMD,
  from: "client",
  names: "epoch",
  lane: "control",
  does: `
    Tells the other members that one was added or removed, and how. It prepares or frees what they
    keep about it (its map, their session to it). The view record stays the only truth about who
    is a member: one that misses this message learns it from the record at its REJOIN.`,
  rules: ["G2", "Q20"],
  body: struct<PoolInfoBody>("POOL_INFO body", 20, [
    ["operation", 0, oneOf<PoolInfoOperation>({ add: 1, remove: 2 }), "came or went"],
    [
      "mode",
      1,
      oneOf<JoinMode | LeaveMode>({ create: 1, assemble: 2, disassemble: 3, delete: 4 }),
      "add: create or assemble; remove: disassemble or delete",
    ],
    ["memberId", 2, MEMBER_ID, "who"],
    ["isDirty", 3, BOOL, "add, create: it lacks every chunk"],
    ["storeUuid", 4, UUID, "the store it has or had"],
  ]),
  payload: NO_PAYLOAD,
  result: NOTHING,
  resultPayload: NO_PAYLOAD,
  check({ operation, mode, isDirty }) {
    const isJoining = mode === "create" || mode === "assemble"
    if (isJoining !== (operation === "add")) return new Refused("contradiction", "body.mode")
    return isDirty && mode !== "create" ? new Refused("contradiction", "body.isDirty") : undefined
  },
}

export const GROW_STORE: CommandSpec<MembershipCommandTypes["grow-store"]> = {
  name: "GROW_STORE",
  code: 13,
  type: TYPE_CMD,
  from: "client",
  names: "epoch",
  lane: "control",
  does: `
    Makes room in a member's store for a volume of at least this size, before a view says that the
    volume has it. What is new there reads zero, durably, when it is answered; a store that has the
    room already changes nothing. One that cannot have it refuses "no-space", and then no view
    grows the volume.`,
  rules: ["G1", "G2"],
  body: struct<GrowStoreBody>("GROW_STORE body", 8, [
    ["sizeBytes", 0, VOLUME_BYTES, "of the volume that is to have room"],
  ]),
  payload: NO_PAYLOAD,
  result: struct<GrowStoreResult>("GROW_STORE result", 8, [
    ["sizeBytes", 0, VOLUME_BYTES, "the largest volume that the store has room for now"],
  ]),
  resultPayload: NO_PAYLOAD,
}

function refuseJoin(
  body: JoinPoolBody,
  metadata: PoolMetadata | undefined,
  envelope: RequestEnvelope,
): Refused | undefined {
  if (poolNameProblem(body.poolName) !== undefined) return new Refused("text", "body.poolName")
  if (groupIdOfName(body.poolName) !== envelope.groupId) return new Refused("group", "groupId")
  if (body.mode === "assemble") {
    if (body.startsDirty) return new Refused("contradiction", "body.startsDirty")
    return metadata === undefined ? undefined : new Refused("payload-bytes")
  }
  if (metadata === undefined) return new Refused("payload-bytes")
  const isSame =
    metadata.poolName === body.poolName &&
    metadata.poolUuid === body.poolUuid &&
    metadata.minNormal === body.minNormal &&
    metadata.chunkSizeBytes === body.chunkSizeBytes &&
    metadata.queueDepth === body.queueDepth &&
    metadata.mappedSizeBytes === body.mappedSizeBytes
  if (!isSame) return new Refused("contradiction", "body")
  const entry = metadata.members.find((member) => member?.memberId === body.memberId)
  if (entry?.storeUuid !== body.storeUuid) return new Refused("contradiction", "body.storeUuid")
  return refuseOtherVersion(metadata, envelope)
}
