/**
 * The payload of an IO against what its header says: length and, where it must be, checksum.
 *
 * Payload bytes are touched only here, and only where the transport does not vouch for them
 * (`payloadChecked`): then a session requires the checksum, and a native function may compute it.
 */
import { type Checksum, crc32c } from "./crc32c.js"
import { FLAG_PAYLOAD_CRC } from "./header.js"
import { type IoRecord, sendsPayload } from "./io-record.js"
import type { IoReplyRecord } from "./io-reply.js"
import { ACCEPTED, REFUSALS, type Refusal } from "./refusal.js"

/** For a decoded request, whose payload lies at `at` and is `bytes` long. */
export function refuseIoPayload(
  io: IoRecord,
  view: DataView,
  at: number,
  bytes: number,
  isChecksumRequired: boolean,
  checksum: Checksum = crc32c,
): Refusal {
  const expected = sendsPayload(io.operation) ? io.length : 0
  if (bytes !== expected) return REFUSALS["payload-bytes"].number
  if (bytes === 0) return ACCEPTED
  return refuseChecksum(io.flags, io.payloadCrc, view, at, bytes, isChecksumRequired, checksum)
}

/** For a decoded answer, whose payload lies at `at` and is `bytes` long. */
export function refuseIoReplyPayload(
  reply: IoReplyRecord,
  view: DataView,
  at: number,
  bytes: number,
  isChecksumRequired: boolean,
  checksum: Checksum = crc32c,
): Refusal {
  if (bytes !== reply.payloadBytes) return REFUSALS["payload-bytes"].number
  if (bytes === 0) return ACCEPTED
  return refuseChecksum(
    reply.flags,
    reply.payloadCrc,
    view,
    at,
    bytes,
    isChecksumRequired,
    checksum,
  )
}

function refuseChecksum(
  flags: number,
  payloadCrc: number,
  view: DataView,
  at: number,
  bytes: number,
  isChecksumRequired: boolean,
  checksum: Checksum,
): Refusal {
  if ((flags & FLAG_PAYLOAD_CRC) === 0) {
    return isChecksumRequired ? REFUSALS.flags.number : ACCEPTED
  }
  return checksum(view, at, bytes) === payloadCrc ? ACCEPTED : REFUSALS["payload-checksum"].number
}
