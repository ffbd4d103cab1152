/**
 * Answers to commands: CMD_RSP as bytes and back.
 *
 * ```
 *   | header 48 | status 0: the result of this command | CRC-32C |     payload beside it
 *   | header 48 | status ≠ 0: detail, a sentence       | CRC-32C |
 * ```
 *
 * A member that refuses says so with a status and with words for a person, and nothing else. What
 * every answer says, refusals included, is which view the member has on its disk and which epoch it
 * has opened: a client that is fenced learns by whom (F4), one that competes learns how high to go
 * (F2).
 */
import { assert } from "../assert.js"
import type { ErrorCode } from "../errors.js"
import { DETAIL_BYTES_MAX, HEADER_BYTES_MAX } from "../limits.js"
import { type MapVersion, ZERO_UUID } from "../rules/pool-metadata.js"
import { type CommandKind, type CommandTypes, specOf } from "./command.js"
import {
  isNoVersion,
  NO_BYTES,
  refuseLength,
  refusePayload,
  viewOf,
  wordsOf,
} from "./command-codec.js"
import type { CommandShape, CommandSpec } from "./command-spec.js"
import { type Checksum, crc32c } from "./crc32c.js"
import {
  MAP_VERSION,
  OPTIONAL_MEMBER_ID,
  type OptionalMemberId,
  U8,
  U16,
  U32,
} from "./field-types.js"
import {
  CRC_BYTES,
  FLAG_PAYLOAD_CRC,
  isSealed,
  PROTOCOL_VERSION,
  peekVersion,
  sealMessage,
  TYPE_CMD_RSP,
  VERSION_HELLO,
} from "./header.js"
import { type Struct, struct } from "./layout.js"
import { Refused } from "./refusal.js"
import { isKnownStatus, outcomeOfStatus, statusOfOutcome } from "./status.js"
import { utf8Tail } from "./tails.js"
import { cutUtf8 } from "./utf8.js"

/** Everything of an answer around its result. */
export interface ReplyEnvelope {
  readonly groupId: number
  /** Who answers; 0 in HELLO, and where the node has no such pool. */
  readonly memberId: OptionalMemberId
  /** The view record on its disk, zeroes for none. */
  readonly mapVersion: MapVersion
  /** The highest epoch that its store has opened, 0 for none (F1). */
  readonly openEpoch: number
}

export interface AnsweredReply<K extends CommandKind> extends ReplyEnvelope {
  readonly kind: K
  readonly outcome: "ok"
  readonly result: CommandTypes[K]["result"]
  readonly payload: CommandTypes[K]["resultPayload"]
}

export interface RefusedReply<K extends CommandKind> extends ReplyEnvelope {
  readonly kind: K
  readonly outcome: ErrorCode
  /** For a person; cut to DETAIL_BYTES_MAX when it is encoded. */
  readonly detail: string
}

export type ReplyOf<K extends CommandKind> = AnsweredReply<K> | RefusedReply<K>
export type Reply = { [K in CommandKind]: ReplyOf<K> }[CommandKind]

export interface ReplyHeader {
  readonly groupId: number
  readonly type: number
  readonly version: number
  readonly flags: number
  readonly mapVersion: MapVersion
  readonly openEpoch: number
  readonly payloadBytes: number
  readonly payloadCrc: number
  readonly command: number
  readonly memberId: OptionalMemberId
  readonly status: number
}

export const REPLY_HEADER: Struct<ReplyHeader> = struct<ReplyHeader>("CMD_RSP header", 48, [
  ["groupId", 0, U32, "jhash of the pool name; 0 in HELLO"],
  ["type", 4, U16, "CMD_RSP"],
  ["version", 6, U8, "the agreed version of the protocol; 0 in HELLO"],
  ["flags", 7, U8, "2 PAYLOAD_CRC: there is a payload"],
  ["mapVersion", 8, MAP_VERSION, "version, epoch, lineage of the record on the member's disk"],
  ["openEpoch", 32, U32, "the highest epoch that its store has opened, 0 for none (F1)"],
  ["payloadBytes", 36, U32, "length of the payload that comes back"],
  ["payloadCrc", 40, U32, "CRC-32C of that payload, 0 for none"],
  ["command", 44, U8, "code of the command that is answered"],
  ["memberId", 45, OPTIONAL_MEMBER_ID, "who answers; 0 in HELLO, and without such a pool"],
  ["status", 46, U16, "0 or a status of errors.ts"],
])

/** What a refusal says behind the header. */
export const DETAIL: Struct<{ readonly detail: string }> = struct<{ readonly detail: string }>(
  "refusal",
  0,
  [],
  ["detail", 0, utf8Tail(DETAIL_BYTES_MAX), "why, for a person"],
)

/** How much payload the answer needs room for. */
export function replyPayloadBytes<K extends CommandKind>(reply: ReplyOf<K>): number {
  return reply.outcome === "ok" ? specOf(reply.kind).resultPayload.bytesOf(reply.payload) : 0
}

/**
 * Writes the answer at `at` and its payload, of exactly `replyPayloadBytes`, into `payload`.
 * Returns the length of the message. What could not be decoded again is our mistake and fails an
 * assertion.
 */
export function encodeReply<K extends CommandKind>(
  view: DataView,
  at: number,
  reply: ReplyOf<K>,
  payload: Uint8Array = NO_BYTES,
  checksum: Checksum = crc32c,
): number {
  const spec = specOf(reply.kind)
  const payloadBytes = replyPayloadBytes(reply)
  assert(payload.length === payloadBytes, `${spec.name} is answered by ${payloadBytes} bytes`)
  const payloadView = viewOf(payload)
  if (reply.outcome === "ok") spec.resultPayload.write(payloadView, 0, reply.payload)
  const header: ReplyHeader = {
    groupId: reply.groupId,
    type: TYPE_CMD_RSP,
    version: versionOf(spec),
    flags: payloadBytes === 0 ? 0 : FLAG_PAYLOAD_CRC,
    mapVersion: reply.mapVersion,
    openEpoch: reply.openEpoch,
    payloadBytes,
    payloadCrc: payloadBytes === 0 ? 0 : checksum(payloadView, 0, payloadBytes),
    command: spec.code,
    memberId: reply.memberId,
    status: statusOfOutcome(reply.outcome),
  }
  let end = REPLY_HEADER.write(view, at, header)
  end +=
    reply.outcome === "ok"
      ? spec.result.write(view, at + end, reply.result)
      : DETAIL.write(view, at + end, { detail: cutUtf8(reply.detail, DETAIL_BYTES_MAX) })
  const bytes = sealMessage(view, at, end)
  assert(bytes <= HEADER_BYTES_MAX, `the answer to ${spec.name} fits a header slot`)
  const again = decodeReply(reply.kind, view, at, bytes, payload, checksum)
  assert(!(again instanceof Refused), `an answer that is sent is valid: ${wordsOf(again)}`)
  return bytes
}

/** The answer to a command of this kind in exactly `bytes` bytes, or why there is none. */
export function decodeReply<K extends CommandKind>(
  kind: K,
  view: DataView,
  at: number,
  bytes: number,
  payload: Uint8Array = NO_BYTES,
  checksum: Checksum = crc32c,
): ReplyOf<K> | Refused {
  const refusedLength = refuseLength(bytes, REPLY_HEADER.bytes + CRC_BYTES)
  if (refusedLength !== undefined) return refusedLength
  const spec = specOf(kind)
  if (peekVersion(view, at) !== versionOf(spec)) return new Refused("version")
  if (!isSealed(view, at, bytes)) return new Refused("checksum")
  const header = REPLY_HEADER.read(view, at, REPLY_HEADER.bytes)
  if (header instanceof Refused) return header
  const payloadView = viewOf(payload)
  const refused =
    refuseHeader(header, spec) ??
    refusePayload(header.payloadBytes, header.payloadCrc, payloadView, checksum)
  if (refused !== undefined) return refused.in(kind)

  const { groupId, memberId, mapVersion, openEpoch } = header
  const envelope: ReplyEnvelope = { groupId, memberId, mapVersion, openEpoch }
  const restAt = at + REPLY_HEADER.bytes
  const restBytes = bytes - REPLY_HEADER.bytes - CRC_BYTES
  const outcome = outcomeOfStatus(header.status)
  if (outcome !== "ok") {
    const rest = DETAIL.read(view, restAt, restBytes)
    if (rest instanceof Refused) return rest.in(kind)
    assert(outcome !== undefined, "an unknown status was refused before")
    return { kind, ...envelope, outcome, detail: rest.detail }
  }
  const result = spec.result.read(view, restAt, restBytes)
  if (result instanceof Refused) return result.in(`${kind}.result`)
  const value = spec.resultPayload.read(payloadView, 0, payload.length)
  if (value instanceof Refused) return value.in(`${kind}.payload`)
  const contradiction = spec.checkResult?.(result, value)
  if (contradiction !== undefined) return contradiction.in(kind)
  return { kind, ...envelope, outcome, result, payload: value } as ReplyOf<K>
}

function versionOf(spec: CommandSpec<CommandShape>): number {
  return spec.names === "none" ? VERSION_HELLO : PROTOCOL_VERSION
}

function refuseHeader(header: ReplyHeader, spec: CommandSpec<CommandShape>): Refused | undefined {
  if (header.type !== TYPE_CMD_RSP) return new Refused("type")
  if (header.command !== spec.code) return new Refused("command")
  if ((header.flags & ~FLAG_PAYLOAD_CRC) !== 0) return new Refused("flags")
  if ((header.flags === FLAG_PAYLOAD_CRC) !== header.payloadBytes > 0) return new Refused("flags")
  if (!isKnownStatus(header.status)) return new Refused("status")

  const isOk = header.status === 0
  if (header.payloadBytes > (isOk ? spec.resultPayload.bytesMax : 0)) {
    return new Refused("payload-bytes")
  }
  if (spec.names === "none") {
    const isEmpty = header.groupId === 0 && header.memberId === 0 && header.openEpoch === 0
    return isEmpty && isNoVersion(header.mapVersion) ? undefined : new Refused("view", "mapVersion")
  }
  if (isOk && header.memberId === 0) return new Refused("sender", "memberId")
  const { lineage, epoch, version } = header.mapVersion
  const isWhole = lineage !== ZERO_UUID && epoch > 0 && version > 0
  return isWhole || isNoVersion(header.mapVersion) ? undefined : new Refused("view", "mapVersion")
}
