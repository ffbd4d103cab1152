/**
 * The IO message: every read, write, discard, write-zeroes, flush, sync read and metadata access.
 *
 * This is the one message of the data path, so it is read and written by hand: into a record that
 * exists already, without an allocation, without a throw. Its offsets come from the table, which is
 * also what PROTOCOL.md shows. The checksum of the header is always there: it costs 60 ns.
 *
 * Validation comes in two steps. What is wrong with the message for any pool is refused here; what
 * is wrong for this pool (its size, chunks and queue depth) by `refuseIoForPool` of io-bounds.ts,
 * when the pool is known. Both finish before anything acts on the request.
 */

import { crc32cSigned } from "./crc32c.js"
import * as header from "./header.js"
import { TYPE_IO, TYPE_MD } from "./header.js"
import { IO_LAYOUT } from "./io-layout.js"
import { type IoRecord, isMetadataOperation } from "./io-record.js"
import { refuseIo } from "./io-rules.js"
import { offsetIn } from "./layout.js"
import { ACCEPTED, REFUSALS, type Refusal } from "./refusal.js"

export const IO_BYTES: number = IO_LAYOUT.bytes

const AT_VIEW_VERSION = offsetIn(IO_LAYOUT, "viewVersion")
const AT_EPOCH = offsetIn(IO_LAYOUT, "epoch")
const AT_LINEAGE = offsetIn(IO_LAYOUT, "lineage")
const AT_SEQUENCE = offsetIn(IO_LAYOUT, "sequence")
const AT_OFFSET = offsetIn(IO_LAYOUT, "offset")
const AT_FIRST_CHUNK = offsetIn(IO_LAYOUT, "firstChunk")
const AT_LENGTH = offsetIn(IO_LAYOUT, "length")
const AT_SESSION_GENERATION = offsetIn(IO_LAYOUT, "sessionGeneration")
const AT_STABLE_SEQUENCE = offsetIn(IO_LAYOUT, "stableSequence")
const AT_STABLE_EPOCH = offsetIn(IO_LAYOUT, "stableEpoch")
const AT_PAYLOAD_CRC = offsetIn(IO_LAYOUT, "payloadCrc")
const AT_ABSENT = offsetIn(IO_LAYOUT, "absentMembers")
const AT_UNIT = offsetIn(IO_LAYOUT, "unit")
const AT_CHUNK_COUNT = offsetIn(IO_LAYOUT, "chunkCount")
const AT_OPERATION = offsetIn(IO_LAYOUT, "operation")
const AT_IO_FLAGS = offsetIn(IO_LAYOUT, "ioFlags")
const AT_SENDER = offsetIn(IO_LAYOUT, "senderMemberId")
const AT_PRIORITY = offsetIn(IO_LAYOUT, "priority")
const AT_CRC = offsetIn(IO_LAYOUT, "headerCrc")

const TWO_32 = 2 ** 32

const SHORT: Refusal = REFUSALS.short.number
const LONG: Refusal = REFUSALS.long.number
const TYPE: Refusal = REFUSALS.type.number
const VERSION: Refusal = REFUSALS.version.number
const CHECKSUM: Refusal = REFUSALS.checksum.number

/**
 * Writes the request; returns its length. The record must be one that `refuseIo` accepts: it is
 * what the caller has put together, not what came from outside, and tests hold callers to it.
 */
export function encodeIo(view: DataView, at: number, record: IoRecord): number {
  view.setUint32(at, record.groupId, true)
  view.setUint16(
    at + header.AT_TYPE,
    isMetadataOperation(record.operation) ? TYPE_MD : TYPE_IO,
    true,
  )
  view.setUint8(at + header.AT_VERSION, header.PROTOCOL_VERSION)
  view.setUint8(at + header.AT_FLAGS, record.flags)
  view.setUint32(at + AT_VIEW_VERSION, record.viewVersion, true)
  view.setUint32(at + AT_EPOCH, record.epoch, true)
  view.setUint32(at + AT_LINEAGE, record.lineage0, true)
  view.setUint32(at + AT_LINEAGE + 4, record.lineage1, true)
  view.setUint32(at + AT_LINEAGE + 8, record.lineage2, true)
  view.setUint32(at + AT_LINEAGE + 12, record.lineage3, true)
  // A conversion to 32 bits takes the lower half of a double, so only upper halves are computed.
  view.setUint32(at + AT_SEQUENCE, record.sequence, true)
  view.setUint32(at + AT_SEQUENCE + 4, Math.floor(record.sequence / TWO_32), true)
  view.setUint32(at + AT_OFFSET, record.offset, true)
  view.setUint32(at + AT_OFFSET + 4, Math.floor(record.offset / TWO_32), true)
  view.setUint32(at + AT_FIRST_CHUNK, record.firstChunk, true)
  view.setUint32(at + AT_FIRST_CHUNK + 4, Math.floor(record.firstChunk / TWO_32), true)
  view.setUint32(at + AT_LENGTH, record.length, true)
  view.setUint32(at + AT_SESSION_GENERATION, record.sessionGeneration, true)
  view.setUint32(at + AT_STABLE_SEQUENCE, record.stableSequence, true)
  view.setUint32(at + AT_STABLE_SEQUENCE + 4, Math.floor(record.stableSequence / TWO_32), true)
  view.setUint32(at + AT_STABLE_EPOCH, record.stableEpoch, true)
  view.setUint32(at + AT_PAYLOAD_CRC, record.payloadCrc, true)
  view.setUint32(at + AT_ABSENT, record.absent0, true)
  view.setUint32(at + AT_ABSENT + 4, record.absent1, true)
  view.setUint16(at + AT_UNIT, record.unit, true)
  view.setUint16(at + AT_CHUNK_COUNT, record.chunkCount, true)
  view.setUint8(at + AT_OPERATION, record.operation)
  view.setUint8(at + AT_IO_FLAGS, record.ioFlags)
  view.setUint8(at + AT_SENDER, record.senderMemberId)
  view.setUint8(at + AT_PRIORITY, record.priority)
  view.setInt32(at + AT_CRC, crc32cSigned(view, at, AT_CRC), true)
  return IO_BYTES
}

/** Fills `into` from exactly `bytes` bytes; after a refusal what it holds means nothing. */
export function decodeIo(view: DataView, at: number, bytes: number, into: IoRecord): Refusal {
  if (bytes !== IO_BYTES) return bytes < IO_BYTES ? SHORT : LONG
  const type = view.getUint16(at + header.AT_TYPE, true)
  if (type !== TYPE_IO && type !== TYPE_MD) return TYPE
  if (view.getUint8(at + header.AT_VERSION) !== header.PROTOCOL_VERSION) return VERSION
  if (crc32cSigned(view, at, AT_CRC) !== view.getInt32(at + AT_CRC, true)) return CHECKSUM

  into.groupId = view.getUint32(at, true)
  into.flags = view.getUint8(at + header.AT_FLAGS)
  into.viewVersion = view.getUint32(at + AT_VIEW_VERSION, true)
  into.epoch = view.getUint32(at + AT_EPOCH, true)
  into.lineage0 = view.getUint32(at + AT_LINEAGE, true)
  into.lineage1 = view.getUint32(at + AT_LINEAGE + 4, true)
  into.lineage2 = view.getUint32(at + AT_LINEAGE + 8, true)
  into.lineage3 = view.getUint32(at + AT_LINEAGE + 12, true)
  // Above 2^53-1 these come out as 2^53 or more, which is how `refuseIo` knows them.
  into.sequence =
    view.getUint32(at + AT_SEQUENCE + 4, true) * TWO_32 + view.getUint32(at + AT_SEQUENCE, true)
  into.offset =
    view.getUint32(at + AT_OFFSET + 4, true) * TWO_32 + view.getUint32(at + AT_OFFSET, true)
  into.firstChunk =
    view.getUint32(at + AT_FIRST_CHUNK + 4, true) * TWO_32 +
    view.getUint32(at + AT_FIRST_CHUNK, true)
  into.length = view.getUint32(at + AT_LENGTH, true)
  into.sessionGeneration = view.getUint32(at + AT_SESSION_GENERATION, true)
  into.stableSequence =
    view.getUint32(at + AT_STABLE_SEQUENCE + 4, true) * TWO_32 +
    view.getUint32(at + AT_STABLE_SEQUENCE, true)
  into.stableEpoch = view.getUint32(at + AT_STABLE_EPOCH, true)
  into.payloadCrc = view.getUint32(at + AT_PAYLOAD_CRC, true)
  into.absent0 = view.getUint32(at + AT_ABSENT, true)
  into.absent1 = view.getUint32(at + AT_ABSENT + 4, true)
  into.unit = view.getUint16(at + AT_UNIT, true)
  into.chunkCount = view.getUint16(at + AT_CHUNK_COUNT, true)
  into.operation = view.getUint8(at + AT_OPERATION)
  into.ioFlags = view.getUint8(at + AT_IO_FLAGS)
  into.senderMemberId = view.getUint8(at + AT_SENDER)
  into.priority = view.getUint8(at + AT_PRIORITY)

  const refusal = refuseIo(into)
  if (refusal !== ACCEPTED) return refusal
  return isMetadataOperation(into.operation) === (type === TYPE_MD) ? ACCEPTED : TYPE
}
