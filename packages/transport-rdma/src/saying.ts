/**
 * What is said on the link before there is a session: a kind, and a text.
 *
 * The dialer says HELLO, the listener WELCOME with a random key, or REFUSE. The dialer then calls
 * with the key for each lane. When all are connected, it says where its room is (ROOM), and the
 * listener answers with its own (READY): who was not welcomed learns no key of any memory.
 */
import { assert } from "@rmr/core"

export const SAY_HELLO = 1
export const SAY_WELCOME = 2
export const SAY_REFUSE = 3
export const SAY_ROOM = 4
export const SAY_READY = 5

const MAGIC = 0x5352
const HEAD_BYTES = 4
const SAID_BYTES_MAX = 1024

export function said(kind: number, text: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + text.length)
  assert(bytes.length <= SAID_BYTES_MAX, "greetings are short")
  new DataView(bytes.buffer).setUint16(0, MAGIC, true)
  bytes[2] = kind
  bytes.set(text, HEAD_BYTES)
  return bytes
}

/** Of something said: its kind, 0 where it is none of ours. */
export function saidKind(view: DataView, at: number, bytes: number): number {
  const isOurs = bytes >= HEAD_BYTES && view.getUint16(at, true) === MAGIC
  return isOurs && view.getUint8(at + 3) === 0 ? view.getUint8(at + 2) : 0
}

export function saidTextAt(at: number): number {
  return at + HEAD_BYTES
}

export function saidTextBytes(bytes: number): number {
  return bytes - HEAD_BYTES
}

/** Where a room is: address (low, high), key, bytes. */
const ROOM_WORDS = 4
export const ROOM_BYTES_MAX: number = 2 ** 30

export function roomText(words: Int32Array): Uint8Array {
  const text = new Uint8Array(ROOM_WORDS * 4)
  const view = new DataView(text.buffer)
  for (let nth = 0; nth < ROOM_WORDS; nth++) view.setInt32(4 * nth, words[nth]!, true)
  return text
}

/** Undefined for what is none. */
export function readRoom(view: DataView, at: number, bytes: number): Int32Array | undefined {
  if (bytes !== ROOM_WORDS * 4) return undefined
  const words = Int32Array.from({ length: ROOM_WORDS }, (_, nth) =>
    view.getInt32(at + 4 * nth, true),
  )
  return words[3]! > 0 && words[3]! <= ROOM_BYTES_MAX ? words : undefined
}
