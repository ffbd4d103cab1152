/**
 * The frame of this transport: a head of 32 bytes, a text, a payload.
 *
 * | at | bytes | field | meaning |
 * |---:|---:|---|---|
 * | 0 | 2 | magic | `RT`, also of every greeting |
 * | 2 | 1 | kind | see below |
 * | 3 | 1 | lane and direction | lane in bits 0–1, direction in bit 2 |
 * | 4 | 4 | id | names a request: index of its credit in the low 14 bits, a generation above |
 * | 8 | 2 | text bytes | the message header, or the text of a greeting |
 * | 10 | 2 | zero | |
 * | 12 | 4 | payload bytes | what follows the text |
 * | 16 | 4 | room bytes | request: what the requester can take back |
 * | 20 | 4 | payload checksum | CRC-32C, zero where payloads are not summed |
 * | 24 | 4 | zero | |
 * | 28 | 4 | checksum | CRC-32C of bytes 0…27 and the text |
 *
 * Little-endian. The layout is frozen: two versions must be able to tell each other that they are
 * two.
 */
import type { Lane, PayloadDirection } from "@rmr/core"
import type { FrameShape } from "@rmr/io"

export const HEAD_BYTES = 32

export const KIND_HELLO = 1 // dialer, first on its first connection
export const KIND_WELCOME = 2 // listener: the session's key and limits
export const KIND_REFUSE = 3 // listener: a status and why
export const KIND_JOIN = 4 // dialer, first on a further connection: key and channel
export const KIND_READY = 5 // listener: all channels are there
export const KIND_REQUEST = 6
export const KIND_REPLY = 7
export const KIND_BEAT = 8 // either side: it is alive

const MAGIC = 0x5452
const KIND_AT = 2
const WAY_AT = 3
const ID_AT = 4
const TEXT_BYTES_AT = 8
const ZERO_10_AT = 10
const PAYLOAD_BYTES_AT = 12
const ROOM_BYTES_AT = 16
const PAYLOAD_SUM_AT = 20
const ZERO_24_AT = 24
const HEAD_SUM_AT = 28

export const FRAME_SHAPE: FrameShape = {
  headBytes: HEAD_BYTES,
  magic: MAGIC,
  kindAt: KIND_AT,
  roomKind: KIND_REPLY,
  idAt: ID_AT,
  textBytesAt: TEXT_BYTES_AT,
  payloadBytesAt: PAYLOAD_BYTES_AT,
  payloadSumAt: PAYLOAD_SUM_AT,
  headSumAt: HEAD_SUM_AT,
}

/** A head without checksums: the engine fills them in. */
export function writeHead(
  view: DataView,
  at: number,
  kind: number,
  lane: Lane,
  direction: PayloadDirection,
  id: number,
  textBytes: number,
  payloadBytes: number,
  roomBytes: number,
): void {
  view.setUint16(at, MAGIC, true)
  view.setUint8(at + KIND_AT, kind)
  view.setUint8(at + WAY_AT, lane | (direction << 2))
  view.setInt32(at + ID_AT, id, true)
  view.setUint16(at + TEXT_BYTES_AT, textBytes, true)
  view.setUint16(at + ZERO_10_AT, 0, true)
  view.setInt32(at + PAYLOAD_BYTES_AT, payloadBytes, true)
  view.setInt32(at + ROOM_BYTES_AT, roomBytes, true)
  view.setInt32(at + PAYLOAD_SUM_AT, 0, true)
  view.setInt32(at + ZERO_24_AT, 0, true)
}

export function kindOf(view: DataView, at: number): number {
  return view.getUint8(at + KIND_AT)
}

/** Lane in bits 0 and 1, direction in bit 2; whatever else is set makes no sense. */
export function wayOf(view: DataView, at: number): number {
  return view.getUint8(at + WAY_AT)
}

export function idIn(view: DataView, at: number): number {
  return view.getInt32(at + ID_AT, true)
}

export function roomBytesOf(view: DataView, at: number): number {
  return view.getInt32(at + ROOM_BYTES_AT, true)
}

/** A frame without payload, for what is not the data path. */
export function frameOf(kind: number, text: Uint8Array, id = 0): DataView {
  const bytes = new Uint8Array(HEAD_BYTES + text.length)
  bytes.set(text, HEAD_BYTES)
  const view = new DataView(bytes.buffer)
  writeHead(view, 0, kind, 0, 0, id, text.length, 0, 0)
  return view
}
