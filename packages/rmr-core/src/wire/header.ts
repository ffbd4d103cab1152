/**
 * The header that every message starts with (upstream: `rmr_msg_hdr`), and where its checksum is.
 *
 * ```
 *   0          4      6         7       8                              n-4           n
 *   | group_id | type | version | flags | what this type carries …     | CRC-32C     |
 * ```
 *
 * The last four bytes of a message are the CRC-32C of all bytes before them. A payload travels
 * beside the message, not in it, and has a checksum of its own where the transport does not
 * guarantee it.
 *
 * Version 0 belongs to HELLO alone, whose layout never changes: it is how two sides find out which
 * version they both speak (negotiation.ts). Everything else carries the version they agreed on.
 */
import { crc32c } from "./crc32c.js"
import { U8, U16, U32 } from "./field-types.js"
import { type Layout, struct } from "./layout.js"

/** The version that this code speaks. */
export const PROTOCOL_VERSION = 1
/** HELLO and its answer, before a version is agreed. */
export const VERSION_HELLO = 0

/**
 * Message types; 0 to 5 are upstream's. Upstream answers an IO by a bare errno, and has no type 6.
 */
export const TYPE_CMD = 0
export const TYPE_CMD_RSP = 1
export const TYPE_IO = 2
export const TYPE_MD = 3
export const TYPE_MAP_CLEAR = 4
export const TYPE_MAP_ADD = 5
export const TYPE_IO_RSP = 6

export const TYPE_NAMES: readonly string[] = [
  "CMD",
  "CMD_RSP",
  "IO",
  "MD",
  "MAP_CLEAR",
  "MAP_ADD",
  "IO_RSP",
]

/** The sender is a storage node, over its sync pool (upstream: `sync`). */
export const FLAG_SYNC = 1
/**
 * `payloadCrc` is the CRC-32C of the payload; else it is zero and the transport vouches for the
 * bytes.
 */
export const FLAG_PAYLOAD_CRC = 2
export const FLAGS_KNOWN: number = FLAG_SYNC | FLAG_PAYLOAD_CRC

export const CRC_BYTES = 4

/** What every message starts with. */
export interface MessageHeader {
  readonly groupId: number
  readonly type: number
  readonly version: number
  readonly flags: number
}

export const MESSAGE_HEADER: Layout = struct<MessageHeader>("rmr_msg_hdr", 8, [
  ["groupId", 0, U32, "jhash of the pool name; 0 in HELLO, which belongs to no pool"],
  ["type", 4, U16, "what kind of message this is"],
  ["version", 6, U8, "the agreed version of the protocol; 0 in HELLO"],
  ["flags", 7, U8, "1 SYNC: the sender is a storage node; 2 PAYLOAD_CRC: payloadCrc counts"],
])

export const AT_GROUP_ID = 0
export const AT_TYPE = 4
export const AT_VERSION = 6
export const AT_FLAGS = 7

/** The answer of `peekType` for what is too short to have a type. */
export const NO_TYPE = -1

/** The type of a message that may be anything, so that the right decoder is asked. */
export function peekType(view: DataView, at: number, bytes: number): number {
  return bytes < MESSAGE_HEADER.bytes ? NO_TYPE : view.getUint16(at + AT_TYPE, true)
}

/** The pool that a message of at least eight bytes is for, before it is decoded. */
export function peekGroupId(view: DataView, at: number): number {
  return view.getUint32(at + AT_GROUP_ID, true)
}

/** The version of a message of at least eight bytes. */
export function peekVersion(view: DataView, at: number): number {
  return view.getUint8(at + AT_VERSION)
}

/** Writes the checksum behind `bytes` bytes of message; returns the length of the whole. */
export function sealMessage(view: DataView, at: number, bytes: number): number {
  view.setUint32(at + bytes, crc32c(view, at, bytes), true)
  return bytes + CRC_BYTES
}

/** Whether the last four of `bytes` bytes are the checksum of those before. */
export function isSealed(view: DataView, at: number, bytes: number): boolean {
  const covered = bytes - CRC_BYTES
  return crc32c(view, at, covered) === view.getUint32(at + covered, true)
}
