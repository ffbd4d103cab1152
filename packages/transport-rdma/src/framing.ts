/**
 * The frame of this transport: a head of 48 bytes, a text, and a payload unless that is exposed.
 *
 * | at | bytes | field | meaning |
 * |---:|---:|---|---|
 * | 0 | 2 | magic | `RR` |
 * | 2 | 1 | kind | request or reply |
 * | 3 | 1 | lane and direction | lane in bits 0–1, direction in bit 2 |
 * | 4 | 4 | id | names a request (@rmr/core, request-id.ts) |
 * | 8 | 2 | text bytes | the message header |
 * | 10 | 2 | flags | 1: payload, or room, is exposed memory; 2: payload is summed; 4: asked again |
 * | 12 | 4 | payload bytes | behind the text, or in exposed memory |
 * | 16 | 4 | room bytes | request: what the requester can take back |
 * | 20 | 4 | payload checksum | CRC-32C, where it is summed |
 * | 24 | 4 | place | request: where the reply's frame goes, in the requester's room |
 * | 28 | 4 | key | of exposed memory |
 * | 32 | 8 | address | of exposed memory |
 * | 40 | 4 | zero | |
 * | 44 | 4 | checksum | CRC-32C of bytes 0…43 and the text |
 *
 * A frame is written into the room of the other side, at a place that the requester chose, and the
 * other side is told the place. Little-endian. Native code knows the layout too (native/table.h).
 */
import type { Lane, PayloadDirection } from "@rmr/core"

export const HEAD_BYTES = 48
/** Frames lie at multiples of it; RMR_PLACE_BYTES. */
export const PLACE_BYTES = 64

export const KIND_REQUEST = 1
export const KIND_REPLY = 2

export const FLAG_EXPOSED = 1
export const FLAG_SUMMED = 2
/** The path on which it was asked before was lost. */
export const FLAG_AGAIN = 4

const MAGIC = 0x5252
const KIND_AT = 2
const WAY_AT = 3
const ID_AT = 4
const TEXT_BYTES_AT = 8
const FLAGS_AT = 10
const PAYLOAD_BYTES_AT = 12
const ROOM_BYTES_AT = 16
const PAYLOAD_SUM_AT = 20
const PLACE_AT = 24
const KEY_AT = 28
const ADDRESS_AT = 32
const ZERO_AT = 40

/** A head without checksums: native code fills them in. Exposed memory is `exposeIn`'s. */
export function writeHead(
  view: DataView,
  at: number,
  kind: number,
  lane: Lane,
  direction: PayloadDirection,
  id: number,
  textBytes: number,
  flags: number,
  payloadBytes: number,
  roomBytes: number,
  place: number,
): void {
  view.setUint16(at, MAGIC, true)
  view.setUint8(at + KIND_AT, kind)
  view.setUint8(at + WAY_AT, lane | (direction << 2))
  view.setInt32(at + ID_AT, id, true)
  view.setUint16(at + TEXT_BYTES_AT, textBytes, true)
  view.setUint16(at + FLAGS_AT, flags, true)
  view.setInt32(at + PAYLOAD_BYTES_AT, payloadBytes, true)
  view.setInt32(at + ROOM_BYTES_AT, roomBytes, true)
  view.setInt32(at + PAYLOAD_SUM_AT, 0, true)
  view.setInt32(at + PLACE_AT, place, true)
  exposeIn(view, at, 0, 0, 0)
  view.setInt32(at + ZERO_AT, 0, true)
}

export function exposeIn(view: DataView, at: number, key: number, low: number, high: number): void {
  view.setInt32(at + KEY_AT, key, true)
  view.setInt32(at + ADDRESS_AT, low, true)
  view.setInt32(at + ADDRESS_AT + 4, high, true)
}

export function kindOf(view: DataView, at: number): number {
  return view.getUint8(at + KIND_AT)
}

export function wayOf(view: DataView, at: number): number {
  return view.getUint8(at + WAY_AT)
}

export function idIn(view: DataView, at: number): number {
  return view.getInt32(at + ID_AT, true)
}

export function isExposed(view: DataView, at: number): boolean {
  return (view.getUint16(at + FLAGS_AT, true) & FLAG_EXPOSED) !== 0
}

export function isAgain(view: DataView, at: number): boolean {
  return (view.getUint16(at + FLAGS_AT, true) & FLAG_AGAIN) !== 0
}

export function roomBytesOf(view: DataView, at: number): number {
  return view.getInt32(at + ROOM_BYTES_AT, true)
}

export function placeOf(view: DataView, at: number): number {
  return view.getInt32(at + PLACE_AT, true)
}

export function keyOf(view: DataView, at: number): number {
  return view.getInt32(at + KEY_AT, true)
}

export function addressLowOf(view: DataView, at: number): number {
  return view.getInt32(at + ADDRESS_AT, true)
}

export function addressHighOf(view: DataView, at: number): number {
  return view.getInt32(at + ADDRESS_AT + 4, true)
}
