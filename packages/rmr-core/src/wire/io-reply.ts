/**
 * The answer to an IO message: what became of it, and what the sender should know at once.
 *
 * It belongs to the data path like io.ts and is written the same way. What it says besides the
 * status rides along for free: the view and epoch the member is in (F3), that its intent log wants
 * a flush (I3), that it is draining (W5), where a medium is bad (P7), the digest of a chunk (S7).
 *
 * | status | may carry |
 * |---|---|
 * | 0, done | a payload, or the digest (DIGEST) without one |
 * | media-error, no-clean-copy | MISSED: not applied, and the member has marked its own chunks |
 * | media-error, corrupt, lost | the bad range |
 * | any other | nothing |
 */
import { statusOf } from "../errors.js"
import { IO_BYTES_MAX } from "../limits.js"
import { crc32cSigned } from "./crc32c.js"
import { DIGEST, U8, U16, U32 } from "./field-types.js"
import * as header from "./header.js"
import { FLAG_PAYLOAD_CRC, TYPE_IO_RSP } from "./header.js"
import { offsetIn, type Struct, struct } from "./layout.js"
import { ACCEPTED, REFUSALS, type Refusal } from "./refusal.js"
import { isKnownStatus, STATUS_MEDIA_ERROR, STATUS_NO_CLEAN_COPY } from "./status.js"

/** The intent log wants a flush soon (I3). */
export const REPLY_FLUSH_WANTED = 1
/** The mutation was not applied, and the member has durably marked its own chunks (W2). */
export const REPLY_MISSED = 2
/** The member is finishing what it has admitted and takes nothing new (W5). */
export const REPLY_DRAINING = 4
/** `digest` counts, and there is no payload (S7). */
export const REPLY_DIGEST = 8
const REPLY_FLAGS_KNOWN: number = REPLY_FLUSH_WANTED | REPLY_MISSED | REPLY_DRAINING | REPLY_DIGEST

export const IO_REPLY_LAYOUT: Struct<Record<string, unknown>> = struct<Record<string, unknown>>(
  "IO_RSP",
  60,
  [
    ["groupId", 0, U32, "jhash of the pool name"],
    ["type", 4, U16, "IO_RSP"],
    ["version", 6, U8, "the agreed version of the protocol"],
    ["flags", 7, U8, "2 PAYLOAD_CRC: payloadCrc counts"],
    ["viewVersion", 8, U32, "version of the view on the member's disk; 0 for none"],
    ["viewEpoch", 12, U32, "epoch of that view; 0 for none"],
    ["openEpoch", 16, U32, "the highest epoch that the member has opened; 0 for none (F1)"],
    ["status", 20, U16, "0 or a status of errors.ts"],
    ["replyFlags", 22, U16, "1 FLUSH_WANTED, 2 MISSED, 4 DRAINING, 8 DIGEST"],
    ["payloadBytes", 24, U32, "how much payload comes back"],
    ["payloadCrc", 28, U32, "CRC-32C of the payload with PAYLOAD_CRC, else 0"],
    ["badAt", 32, U32, "of a bad range: its first byte, relative to the request's offset"],
    ["badBytes", 36, U32, "of a bad range: its length, else 0"],
    ["digest", 40, DIGEST, "with DIGEST: 128-bit digest of the bytes asked for, else 0 (S7)"],
    ["headerCrc", 56, U32, "CRC-32C of bytes 0…55"],
  ],
)

export const IO_REPLY_BYTES: number = IO_REPLY_LAYOUT.bytes

const AT_VIEW_VERSION = offsetIn(IO_REPLY_LAYOUT, "viewVersion")
const AT_VIEW_EPOCH = offsetIn(IO_REPLY_LAYOUT, "viewEpoch")
const AT_OPEN_EPOCH = offsetIn(IO_REPLY_LAYOUT, "openEpoch")
const AT_STATUS = offsetIn(IO_REPLY_LAYOUT, "status")
const AT_REPLY_FLAGS = offsetIn(IO_REPLY_LAYOUT, "replyFlags")
const AT_PAYLOAD_BYTES = offsetIn(IO_REPLY_LAYOUT, "payloadBytes")
const AT_PAYLOAD_CRC = offsetIn(IO_REPLY_LAYOUT, "payloadCrc")
const AT_BAD_AT = offsetIn(IO_REPLY_LAYOUT, "badAt")
const AT_BAD_BYTES = offsetIn(IO_REPLY_LAYOUT, "badBytes")
const AT_DIGEST = offsetIn(IO_REPLY_LAYOUT, "digest")
const AT_CRC = offsetIn(IO_REPLY_LAYOUT, "headerCrc")

const STATUS_CORRUPT = statusOf("corrupt")
const STATUS_LOST = statusOf("lost")

/** The answer as numbers; made once, filled for every answer. */
export class IoReplyRecord {
  groupId = 0
  /** FLAG_PAYLOAD_CRC of header.ts. */
  flags = 0
  viewVersion = 0
  viewEpoch = 0
  openEpoch = 0
  status = 0
  replyFlags = 0
  payloadBytes = 0
  payloadCrc = 0
  badAt = 0
  badBytes = 0
  digest0 = 0
  digest1 = 0
  digest2 = 0
  digest3 = 0
}

/** Writes the answer; returns its length. The record must be one that `refuseIoReply` accepts. */
export function encodeIoReply(view: DataView, at: number, record: IoReplyRecord): number {
  view.setUint32(at, record.groupId, true)
  view.setUint16(at + header.AT_TYPE, TYPE_IO_RSP, true)
  view.setUint8(at + header.AT_VERSION, header.PROTOCOL_VERSION)
  view.setUint8(at + header.AT_FLAGS, record.flags)
  view.setUint32(at + AT_VIEW_VERSION, record.viewVersion, true)
  view.setUint32(at + AT_VIEW_EPOCH, record.viewEpoch, true)
  view.setUint32(at + AT_OPEN_EPOCH, record.openEpoch, true)
  view.setUint16(at + AT_STATUS, record.status, true)
  view.setUint16(at + AT_REPLY_FLAGS, record.replyFlags, true)
  view.setUint32(at + AT_PAYLOAD_BYTES, record.payloadBytes, true)
  view.setUint32(at + AT_PAYLOAD_CRC, record.payloadCrc, true)
  view.setUint32(at + AT_BAD_AT, record.badAt, true)
  view.setUint32(at + AT_BAD_BYTES, record.badBytes, true)
  view.setUint32(at + AT_DIGEST, record.digest0, true)
  view.setUint32(at + AT_DIGEST + 4, record.digest1, true)
  view.setUint32(at + AT_DIGEST + 8, record.digest2, true)
  view.setUint32(at + AT_DIGEST + 12, record.digest3, true)
  view.setInt32(at + AT_CRC, crc32cSigned(view, at, AT_CRC), true)
  return IO_REPLY_BYTES
}

/** Fills `into` from exactly `bytes` bytes; after a refusal what it holds means nothing. */
export function decodeIoReply(
  view: DataView,
  at: number,
  bytes: number,
  into: IoReplyRecord,
): Refusal {
  if (bytes < IO_REPLY_BYTES) return REFUSALS.short.number
  if (bytes > IO_REPLY_BYTES) return REFUSALS.long.number
  if (view.getUint16(at + header.AT_TYPE, true) !== TYPE_IO_RSP) return REFUSALS.type.number
  if (view.getUint8(at + header.AT_VERSION) !== header.PROTOCOL_VERSION) {
    return REFUSALS.version.number
  }
  if (crc32cSigned(view, at, AT_CRC) !== view.getInt32(at + AT_CRC, true)) {
    return REFUSALS.checksum.number
  }
  into.groupId = view.getUint32(at, true)
  into.flags = view.getUint8(at + header.AT_FLAGS)
  into.viewVersion = view.getUint32(at + AT_VIEW_VERSION, true)
  into.viewEpoch = view.getUint32(at + AT_VIEW_EPOCH, true)
  into.openEpoch = view.getUint32(at + AT_OPEN_EPOCH, true)
  into.status = view.getUint16(at + AT_STATUS, true)
  into.replyFlags = view.getUint16(at + AT_REPLY_FLAGS, true)
  into.payloadBytes = view.getUint32(at + AT_PAYLOAD_BYTES, true)
  into.payloadCrc = view.getUint32(at + AT_PAYLOAD_CRC, true)
  into.badAt = view.getUint32(at + AT_BAD_AT, true)
  into.badBytes = view.getUint32(at + AT_BAD_BYTES, true)
  into.digest0 = view.getUint32(at + AT_DIGEST, true)
  into.digest1 = view.getUint32(at + AT_DIGEST + 4, true)
  into.digest2 = view.getUint32(at + AT_DIGEST + 8, true)
  into.digest3 = view.getUint32(at + AT_DIGEST + 12, true)
  return refuseIoReply(into)
}

/** ACCEPTED, or the first thing that is wrong with the answer whatever it answers. */
export function refuseIoReply(reply: IoReplyRecord): Refusal {
  const { status, replyFlags } = reply
  if (!isKnownStatus(status)) return REFUSALS.status.number
  if ((replyFlags & ~REPLY_FLAGS_KNOWN) !== 0) return REFUSALS.flags.number
  if ((reply.viewVersion === 0) !== (reply.viewEpoch === 0)) return REFUSALS.view.number

  const mayMiss = status === STATUS_MEDIA_ERROR || status === STATUS_NO_CLEAN_COPY
  if ((replyFlags & REPLY_MISSED) !== 0 && !mayMiss) return REFUSALS.status.number

  const isDigest = (replyFlags & REPLY_DIGEST) !== 0
  const digest = reply.digest0 | reply.digest1 | reply.digest2 | reply.digest3
  if (isDigest ? status !== 0 || reply.payloadBytes !== 0 : digest !== 0) {
    return REFUSALS.contradiction.number
  }
  const payloadBytesMax = status === 0 ? IO_BYTES_MAX : 0
  if (reply.payloadBytes > payloadBytesMax) return REFUSALS.range.number
  const flagsAllowed = reply.payloadBytes === 0 ? 0 : FLAG_PAYLOAD_CRC
  if ((reply.flags & ~flagsAllowed) !== 0) return REFUSALS.flags.number
  if (reply.flags === 0 && reply.payloadCrc !== 0) return REFUSALS.flags.number
  return refuseBadRange(reply)
}

/**
 * Whether the answer fits a request of this length: a bad range lies in it, a payload is not
 * longer.
 */
export function refuseIoReplyFor(reply: IoReplyRecord, requestBytes: number): Refusal {
  if (reply.payloadBytes > requestBytes) return REFUSALS.range.number
  return reply.badAt + reply.badBytes > requestBytes ? REFUSALS.range.number : ACCEPTED
}

function refuseBadRange(reply: IoReplyRecord): Refusal {
  const { status, badAt, badBytes } = reply
  if (badBytes === 0) return badAt === 0 ? ACCEPTED : REFUSALS.range.number
  const mayBeBad =
    status === STATUS_MEDIA_ERROR || status === STATUS_CORRUPT || status === STATUS_LOST
  if (!mayBeBad) return REFUSALS.status.number
  return badAt + badBytes > IO_BYTES_MAX ? REFUSALS.range.number : ACCEPTED
}
