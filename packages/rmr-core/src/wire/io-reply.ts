/**
 * The answer to an IO message: what became of it, and what the sender should know at once.
 *
 * It belongs to the data path like io.ts and is written the same way. What it says besides the
 * status rides along for free: the view and epoch the member is in (F3), that its intent log wants
 * a flush (I3), that it is draining (W5), where a medium is bad (P7), the digest of a chunk (S7).
 * The answer to a sync read also lists the source's last io entries that overlap what was read
 * (S9): they follow the fixed part; only then is the message longer, and does decoding allocate.
 *
 * | status | may carry |
 * |---|---|
 * | 0, done | a payload, or the digest (DIGEST) without one; last io entries (LAST_IO) |
 * | media-error, no-clean-copy | MISSED: not applied, and the member has marked its own chunks |
 * | media-error, corrupt, lost | the bad range |
 * | any other | nothing |
 */
import { assert } from "../assert.js"
import { statusOf } from "../errors.js"
import { IO_BYTES_MAX, REPLY_LAST_IO_MAX } from "../limits.js"
import { crc32cSigned } from "./crc32c.js"
import { DIGEST, U8, U16, U32 } from "./field-types.js"
import * as header from "./header.js"
import { CRC_BYTES, FLAG_PAYLOAD_CRC, TYPE_IO_RSP } from "./header.js"
import { LAST_IO_ENTRY, type LastIoEntry, readLastIo } from "./last-io-entry.js"
import { offsetIn, type Struct, struct } from "./layout.js"
import { ACCEPTED, REFUSALS, type Refusal, Refused } from "./refusal.js"
import { isKnownStatus, STATUS_MEDIA_ERROR, STATUS_NO_CLEAN_COPY } from "./status.js"
import { listTail, writeList } from "./tails.js"

/** The intent log wants a flush soon (I3). */
export const REPLY_FLUSH_WANTED = 1
/** The mutation was not applied, and the member has durably marked its own chunks (W2). */
export const REPLY_MISSED = 2
/** The member is finishing what it has admitted and takes nothing new (W5). */
export const REPLY_DRAINING = 4
/** `digest` counts, and there is no payload (S7). */
export const REPLY_DIGEST = 8
/** Last io entries follow (S9). */
export const REPLY_LAST_IO = 16
/** There are more of them than fit: READ_LAST_IO tells all. */
export const REPLY_LAST_IO_MORE = 32
/** The source of a sync read has foreground IO (S11). */
export const REPLY_FOREGROUND = 64
/** And that is slower beside sync reads. */
export const REPLY_PRESSED = 128
const REPLY_FOREGROUND_ANY = REPLY_FOREGROUND | REPLY_PRESSED
const REPLY_LAST_IO_ANY = REPLY_LAST_IO | REPLY_LAST_IO_MORE
const REPLY_FLAGS_KNOWN: number =
  REPLY_FLUSH_WANTED |
  REPLY_MISSED |
  REPLY_DRAINING |
  REPLY_DIGEST |
  REPLY_LAST_IO_ANY |
  REPLY_FOREGROUND_ANY

export const IO_REPLY_LAYOUT: Struct<Record<string, unknown>> = struct<Record<string, unknown>>(
  "IO_RSP",
  56,
  [
    ["groupId", 0, U32, "jhash of the pool name"],
    ["type", 4, U16, "IO_RSP"],
    ["version", 6, U8, "the agreed version of the protocol"],
    ["flags", 7, U8, "2 PAYLOAD_CRC: payloadCrc counts"],
    ["viewVersion", 8, U32, "version of the view on the member's disk; 0 for none"],
    ["viewEpoch", 12, U32, "epoch of that view; 0 for none"],
    ["openEpoch", 16, U32, "the highest epoch that the member has opened; 0 for none (F1)"],
    ["status", 20, U16, "0 or a status of errors.ts"],
    [
      "replyFlags",
      22,
      U16,
      "1 FLUSH_WANTED, 2 MISSED, 4 DRAINING, 8 DIGEST, 16 LAST_IO, 32 LAST_IO_MORE, " +
        "64 FOREGROUND, 128 PRESSED (S11)",
    ],
    ["payloadBytes", 24, U32, "how much payload comes back"],
    ["payloadCrc", 28, U32, "CRC-32C of the payload with PAYLOAD_CRC, else 0"],
    ["badAt", 32, U32, "of a bad range: its first byte, relative to the request's offset"],
    ["badBytes", 36, U32, "of a bad range: its length, else 0"],
    ["digest", 40, DIGEST, "with DIGEST: 128-bit digest of the bytes asked for, else 0 (S7)"],
  ],
  [
    "lastIo",
    56,
    listTail(LAST_IO_ENTRY, 0, REPLY_LAST_IO_MAX),
    "with LAST_IO: entries that overlap what a sync read asked for (S9)",
  ],
)

/** Without last io entries: every answer but some to sync reads. */
export const IO_REPLY_BYTES: number = IO_REPLY_LAYOUT.bytes + CRC_BYTES
export const IO_REPLY_BYTES_MAX: number = IO_REPLY_LAYOUT.bytesMax + CRC_BYTES

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
const AT_LAST_IO = IO_REPLY_LAYOUT.bytes

const NO_ENTRIES: readonly LastIoEntry[] = []

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
  /** How many last io entries follow; `lastIoOf` reads them. */
  lastIoCount = 0
}

/**
 * Writes the answer; returns its length. The record must be one that `refuseIoReply` accepts, and
 * `lastIo` have as many entries as it says, ascending by unit.
 */
export function encodeIoReply(
  view: DataView,
  at: number,
  record: IoReplyRecord,
  lastIo: readonly LastIoEntry[] = NO_ENTRIES,
): number {
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
  assert(lastIo.length === record.lastIoCount, "the record says how many entries follow")
  let end = AT_LAST_IO
  if (lastIo.length > 0) end += writeList(LAST_IO_ENTRY, view, at + end, lastIo)
  view.setInt32(at + end, crc32cSigned(view, at, end), true)
  return end + CRC_BYTES
}

/** The entries behind a decoded answer, while its bytes are still there. */
export function lastIoOf(
  view: DataView,
  at: number,
  record: IoReplyRecord,
): readonly LastIoEntry[] {
  if (record.lastIoCount === 0) return NO_ENTRIES
  const entries = readLastIo(view, at + AT_LAST_IO, record.lastIoCount)
  assert(!(entries instanceof Refused), "they were checked when the answer was decoded")
  return entries
}

/**
 * Fills `into` from exactly `bytes` bytes; after a refusal what it holds means nothing. Entries of
 * last io stay where they are, checked: ask `lastIoOf`.
 */
export function decodeIoReply(
  view: DataView,
  at: number,
  bytes: number,
  into: IoReplyRecord,
): Refusal {
  if (bytes < IO_REPLY_BYTES) return REFUSALS.short.number
  if (bytes > IO_REPLY_BYTES_MAX) return REFUSALS.long.number
  if (view.getUint16(at + header.AT_TYPE, true) !== TYPE_IO_RSP) return REFUSALS.type.number
  if (view.getUint8(at + header.AT_VERSION) !== header.PROTOCOL_VERSION) {
    return REFUSALS.version.number
  }
  const covered = bytes - CRC_BYTES
  if (crc32cSigned(view, at, covered) !== view.getInt32(at + covered, true)) {
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
  into.lastIoCount = (covered - AT_LAST_IO) / LAST_IO_ENTRY.bytes
  const refusal = refuseIoReply(into)
  if (refusal !== ACCEPTED || into.lastIoCount === 0) return refusal
  const entries = readLastIo(view, at + AT_LAST_IO, into.lastIoCount)
  return entries instanceof Refused ? entries.refusal : ACCEPTED
}

/** ACCEPTED, or the first thing that is wrong with the answer whatever it answers. */
export function refuseIoReply(reply: IoReplyRecord): Refusal {
  const { status, replyFlags } = reply
  if (!isKnownStatus(status)) return REFUSALS.status.number
  if ((replyFlags & ~REPLY_FLAGS_KNOWN) !== 0) return REFUSALS.flags.number
  if ((replyFlags & REPLY_FOREGROUND_ANY) === REPLY_PRESSED) return REFUSALS.flags.number
  if (reply.lastIoCount !== 0 || (replyFlags & REPLY_LAST_IO_ANY) !== 0) {
    const refusal = refuseLastIoCount(reply)
    if (refusal !== ACCEPTED) return refusal
  }
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

/** Entries and their flag come together, with success; MORE only where no more would fit. */
function refuseLastIoCount({ status, replyFlags, lastIoCount }: IoReplyRecord): Refusal {
  if (!Number.isInteger(lastIoCount)) return REFUSALS.count.number
  if ((replyFlags & REPLY_LAST_IO) === 0 || lastIoCount === 0) return REFUSALS.flags.number
  const isCut = (replyFlags & REPLY_LAST_IO_MORE) !== 0
  if (isCut && lastIoCount !== REPLY_LAST_IO_MAX) return REFUSALS.count.number
  return status === 0 ? ACCEPTED : REFUSALS.status.number
}

function refuseBadRange(reply: IoReplyRecord): Refusal {
  const { status, badAt, badBytes } = reply
  if (badBytes === 0) return badAt === 0 ? ACCEPTED : REFUSALS.range.number
  const mayBeBad =
    status === STATUS_MEDIA_ERROR || status === STATUS_CORRUPT || status === STATUS_LOST
  if (!mayBeBad) return REFUSALS.status.number
  return badAt + badBytes > IO_BYTES_MAX ? REFUSALS.range.number : ACCEPTED
}
