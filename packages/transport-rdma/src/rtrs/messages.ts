/**
 * Messages of RTRS: those that are sent, and heads that stand at the end of a request.
 * Little-endian.
 *
 * | message | fields |
 * |---|---|
 * | who calls (0) | type 2, name 255 with a zero behind it, 15 of zeroes |
 * | where buffers are (1) | type 2, count 2, 4 of zeroes; of each: address 8, key 4, bytes 4 |
 * | head of a write (2) | type 2, bytes of the user's header 2 |
 * | head of a read (3) | type 2, bytes of the user's header 2, flags 2, count 2; of each as above |
 * | a new key (4) | type 2, number of the buffer 2, key 4 |
 *
 * A read names one piece of memory at most: the kernel's server takes no more. We ask for no
 * invalidation of its key, which a device does for the kernel alone; the right to it ends with its
 * registration, on this side.
 */
import { RmrError } from "@rmr/core"

export const NAME_BYTES_MAX = 254
export const CALLER_BYTES: number = 2 + 255 + 15
export const WRITE_HEAD_BYTES = 4
export const READ_HEAD_BYTES: number = 8 + 16

const BUFFERS_ARE_AT = 8
export const PIECE_BYTES = 16

const TYPE_CALLER = 0
export const TYPE_BUFFERS = 1
const TYPE_WRITE = 2
const TYPE_READ = 3
export const TYPE_KEY = 4
const KEY_MESSAGE_BYTES = 8

/** Of the answer that says where so many pieces are. */
export function buffersBytes(count: number): number {
  return BUFFERS_ARE_AT + count * PIECE_BYTES
}

export function pieceAt(nth: number): number {
  return BUFFERS_ARE_AT + nth * PIECE_BYTES
}

/** Fails with `invalid-argument`: a name is visible ASCII, without slashes and dots. */
export function writeCaller(name: string): Uint8Array {
  if (name.length > NAME_BYTES_MAX || !/^[!-~]+$/.test(name) || /[/.]/.test(name)) {
    throw new RmrError("invalid-argument", `"${name}" is no name of a session of RTRS`)
  }
  const bytes = new Uint8Array(CALLER_BYTES)
  new DataView(bytes.buffer).setUint16(0, TYPE_CALLER, true)
  for (let at = 0; at < name.length; at++) bytes[2 + at] = name.charCodeAt(at)
  return bytes
}

export function writeWriteHead(view: DataView, at: number, userBytes: number): void {
  view.setUint16(at, TYPE_WRITE, true)
  view.setUint16(at + 2, userBytes, true)
}

/** Of a read that goes to memory of ours: its address, low and high word, and its key. */
export function writeReadHead(
  view: DataView,
  at: number,
  userBytes: number,
  keyWords: Int32Array,
  bytes: number,
): void {
  view.setUint16(at, TYPE_READ, true)
  view.setUint16(at + 2, userBytes, true)
  view.setUint16(at + 4, 0, true)
  view.setUint16(at + 6, 1, true)
  for (let word = 0; word < 3; word++) view.setInt32(at + 8 + 4 * word, keyWords[word]!, true)
  view.setInt32(at + 20, bytes, true)
}

/** Whether this is the new key of that buffer. */
export function isKeyOf(view: DataView, at: number, bytes: number, buffer: number): boolean {
  if (bytes !== KEY_MESSAGE_BYTES) return false
  return view.getUint16(at, true) === TYPE_KEY && view.getUint16(at + 2, true) === buffer
}

export function keyIn(view: DataView, at: number): number {
  return view.getInt32(at + 4, true)
}
