/**
 * Requests of commands: CMD, MAP_ADD and MAP_CLEAR as bytes and back.
 *
 * ```
 *   | header 48 | body: the fields of this command | CRC-32C |     payload beside it
 * ```
 *
 * Decoding goes from the outside in and stops at the first thing that is wrong: length, version,
 * checksum, who may send it, what it must name, payload checksum, fields, what ties them together.
 * A command that comes out is valid as a whole; nothing has been done about it before that.
 */
import { assert } from "../assert.js"
import { HEADER_BYTES_MAX } from "../limits.js"
import { type MapVersion, ZERO_UUID } from "../rules/pool-metadata.js"
import { type Command, type CommandKind, type CommandOf, commandOfCode, specOf } from "./command.js"
import type { CommandShape, CommandSpec, Naming, RequestEnvelope } from "./command-spec.js"
import { type Checksum, crc32c } from "./crc32c.js"
import {
  MAP_VERSION,
  OPTIONAL_MEMBER_ID,
  type OptionalMemberId,
  reserved,
  U8,
  U16,
  U32,
} from "./field-types.js"
import {
  CRC_BYTES,
  FLAG_PAYLOAD_CRC,
  FLAG_SYNC,
  FLAGS_KNOWN,
  isSealed,
  PROTOCOL_VERSION,
  peekVersion,
  sealMessage,
  VERSION_HELLO,
} from "./header.js"
import { type Struct, struct } from "./layout.js"
import { Refused } from "./refusal.js"

export interface CommandHeader {
  readonly groupId: number
  readonly type: number
  readonly version: number
  readonly flags: number
  readonly mapVersion: MapVersion
  readonly sessionGeneration: number
  readonly payloadBytes: number
  readonly payloadCrc: number
  readonly command: number
  readonly senderMemberId: OptionalMemberId
}

export const COMMAND_HEADER: Struct<CommandHeader> = struct<CommandHeader>("CMD header", 48, [
  ["groupId", 0, U32, "jhash of the pool name; 0 in HELLO"],
  ["type", 4, U16, "CMD, MAP_ADD or MAP_CLEAR, as the command says"],
  ["version", 6, U8, "the agreed version of the protocol; 0 in HELLO"],
  ["flags", 7, U8, "1 SYNC: from a storage node; 2 PAYLOAD_CRC: there is a payload"],
  ["mapVersion", 8, MAP_VERSION, "version, epoch and lineage of the sender (F3)"],
  ["sessionGeneration", 32, U32, "which of the holder's sessions this is (W5)"],
  ["payloadBytes", 36, U32, "length of the payload that goes with it"],
  ["payloadCrc", 40, U32, "CRC-32C of that payload, 0 for none"],
  ["command", 44, U8, "code of the command"],
  ["senderMemberId", 45, OPTIONAL_MEMBER_ID, "the storage node that asks, 0 for a client"],
  ["reserved", 46, reserved(2), "must be zero"],
])

/** How much payload the request needs room for: what to lease before encoding. */
export function commandPayloadBytes<K extends CommandKind>(command: CommandOf<K>): number {
  return specOf(command.kind).payload.bytesOf(command.payload)
}

/**
 * Writes the request at `at` and its payload, of exactly `commandPayloadBytes`, into `payload`.
 * Returns the length of the message. What could not be decoded again is our mistake and fails an
 * assertion.
 */
export function encodeCommand<K extends CommandKind>(
  view: DataView,
  at: number,
  command: CommandOf<K>,
  payload: Uint8Array = NO_BYTES,
  checksum: Checksum = crc32c,
): number {
  const spec = specOf(command.kind)
  const payloadBytes = spec.payload.bytesOf(command.payload)
  assert(payload.length === payloadBytes, `${spec.name} has ${payloadBytes} bytes of payload`)
  const payloadView = viewOf(payload)
  spec.payload.write(payloadView, 0, command.payload)
  const header: CommandHeader = {
    groupId: command.groupId,
    type: spec.type,
    version: spec.names === "none" ? VERSION_HELLO : PROTOCOL_VERSION,
    flags:
      (command.senderMemberId === 0 ? 0 : FLAG_SYNC) | (payloadBytes === 0 ? 0 : FLAG_PAYLOAD_CRC),
    mapVersion: command.mapVersion,
    sessionGeneration: command.sessionGeneration,
    payloadBytes,
    payloadCrc: payloadBytes === 0 ? 0 : checksum(payloadView, 0, payloadBytes),
    command: spec.code,
    senderMemberId: command.senderMemberId,
  }
  let end = COMMAND_HEADER.write(view, at, header)
  end += spec.body.write(view, at + end, command.body)
  const bytes = sealMessage(view, at, end)
  assert(bytes <= HEADER_BYTES_MAX, `${spec.name} fits a header slot`)
  const again = decodeCommand(view, at, bytes, payload, checksum)
  assert(!(again instanceof Refused), `a ${spec.name} that is sent is valid: ${wordsOf(again)}`)
  return bytes
}

/**
 * The command in exactly `bytes` bytes with this payload, or why there is none. Pages and user data
 * look into `payload` and into nothing else; everything else is copied.
 */
export function decodeCommand(
  view: DataView,
  at: number,
  bytes: number,
  payload: Uint8Array = NO_BYTES,
  checksum: Checksum = crc32c,
): Command | Refused {
  const refusedLength = refuseLength(bytes, COMMAND_HEADER.bytes + CRC_BYTES)
  if (refusedLength !== undefined) return refusedLength
  const version = peekVersion(view, at)
  if (version !== PROTOCOL_VERSION && version !== VERSION_HELLO) return new Refused("version")
  if (!isSealed(view, at, bytes)) return new Refused("checksum")
  const header = COMMAND_HEADER.read(view, at, COMMAND_HEADER.bytes)
  if (header instanceof Refused) return header
  const kind = commandOfCode(header.command)
  if (kind === undefined) return new Refused("command")
  const spec = specOf(kind)
  const payloadView = viewOf(payload)
  const refused =
    refuseHeader(header, spec) ??
    refusePayload(header.payloadBytes, header.payloadCrc, payloadView, checksum)
  if (refused !== undefined) return refused.in(kind)

  const bodyAt = at + COMMAND_HEADER.bytes
  const body = spec.body.read(view, bodyAt, bytes - COMMAND_HEADER.bytes - CRC_BYTES)
  if (body instanceof Refused) return body.in(`${kind}.body`)
  const value = spec.payload.read(payloadView, 0, payload.length)
  if (value instanceof Refused) return value.in(`${kind}.payload`)
  const { groupId, mapVersion, sessionGeneration, senderMemberId } = header
  const envelope: RequestEnvelope = { groupId, mapVersion, sessionGeneration, senderMemberId }
  const contradiction = spec.check?.(body, value, envelope)
  if (contradiction !== undefined) return contradiction.in(kind)
  return { kind, ...envelope, body, payload: value } as Command
}

export function refuseLength(bytes: number, bytesMin: number): Refused | undefined {
  if (bytes < bytesMin) return new Refused("short")
  return bytes > HEADER_BYTES_MAX ? new Refused("long") : undefined
}

/** Length and checksum of a payload that comes with a message, against what the message says. */
export function refusePayload(
  payloadBytes: number,
  payloadCrc: number,
  payload: DataView,
  checksum: Checksum,
): Refused | undefined {
  if (payload.byteLength !== payloadBytes) return new Refused("payload-bytes")
  const crc = payloadBytes === 0 ? 0 : checksum(payload, 0, payloadBytes)
  return crc === payloadCrc ? undefined : new Refused("payload-checksum")
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** For what has no payload. */
export const NO_BYTES: Uint8Array = new Uint8Array(0)

/** The words of a refusal, for an assertion. */
export function wordsOf(value: unknown): string {
  return value instanceof Refused ? value.toError().detail : "valid"
}

/** Zeroes: no lineage, no epoch, no view. */
export function isNoVersion({ lineage, epoch, version }: MapVersion): boolean {
  return lineage === ZERO_UUID && epoch === 0 && version === 0
}

function refuseHeader(header: CommandHeader, spec: CommandSpec<CommandShape>): Refused | undefined {
  if (header.type !== spec.type) return new Refused("type")
  const version = spec.names === "none" ? VERSION_HELLO : PROTOCOL_VERSION
  if (header.version !== version) return new Refused("version")
  if ((header.flags & ~FLAGS_KNOWN) !== 0) return new Refused("flags")
  const hasPayload = (header.flags & FLAG_PAYLOAD_CRC) !== 0
  if (hasPayload !== header.payloadBytes > 0) return new Refused("flags")
  if (header.payloadBytes > spec.payload.bytesMax) return new Refused("payload-bytes")

  const isFromNode = (header.flags & FLAG_SYNC) !== 0
  if (isFromNode !== (header.senderMemberId !== 0)) return new Refused("sender")
  if (isFromNode ? spec.from === "client" : spec.from === "node") return new Refused("sender")
  return refuseNaming(header, spec.names)
}

/** Rule F3: what the request names of (lineage, epoch, view). */
function refuseNaming(header: CommandHeader, names: Naming): Refused | undefined {
  const { lineage, epoch, version } = header.mapVersion
  if (names === "none") {
    const isEmpty = header.groupId === 0 && header.sessionGeneration === 0
    if (header.senderMemberId !== 0) return new Refused("sender")
    return isEmpty && isNoVersion(header.mapVersion) ? undefined : new Refused("view", "mapVersion")
  }
  if (names === "known" && isNoVersion(header.mapVersion)) return undefined
  if (lineage === ZERO_UUID || epoch === 0) return new Refused("view", "mapVersion")
  return names === "view" && version === 0 ? new Refused("view", "mapVersion.version") : undefined
}
