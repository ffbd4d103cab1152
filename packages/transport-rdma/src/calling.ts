/**
 * What goes with a request to connect a queue pair, and with its answer: 56 bytes at most, which is
 * what the connection manager takes.
 *
 * | at | bytes | field | meaning |
 * |---:|---:|---|---|
 * | 0 | 4 | magic | `RMRR`, of every version |
 * | 4 | 2 | version | of this transport; another one is refused |
 * | 6 | 1 | kind | link, lane, welcome, refusal or path |
 * | 7 | 1 | channel | lane: which queue pair of its session |
 * | 8 | 1 | flags | 1: frames are told by SEND |
 * | 9 | 1 | shard | link: for pools of this part |
 * | 10 | 2 | why | refusal: what is wrong |
 * | 12 | 16 | key | lane, path: of the session, which its listener gave out |
 * | 28 | 4 | path | lane, path: its number |
 *
 * A path is the link of one more path of a session that is there.
 *
 * No key or address of memory goes here: they are said on the link of a session whose two ends have
 * agreed, and nobody else learns them.
 */
import { bytesAt, KEY_BYTES } from "@rmr/core"

export const CALL_LINK = 1
export const CALL_LANE = 2
export const CALL_WELCOME = 3
export const CALL_REFUSAL = 4
export const CALL_PATH = 5

export const REFUSED_VERSION = 1
export const REFUSED_NONSENSE = 2
/** There are too many callers, or the listener was closed. */
export const REFUSED_FULL = 3

const MAGIC = 0x524d5252
export const CALLING_VERSION = 2
const FLAG_BY_SEND = 1
const KEY_AT = 12
const PATH_AT: number = KEY_AT + KEY_BYTES
const CALLING_BYTES: number = PATH_AT + 4
const NO_KEY: Uint8Array = new Uint8Array(KEY_BYTES)

export interface Calling {
  readonly kind: number
  readonly channel: number
  readonly tellsBySend: boolean
  readonly shard: number
  readonly why: number
  readonly key: Uint8Array
  readonly path: number
}

export function writeCalling(kind: number, parts: Partial<Omit<Calling, "kind">> = {}): Uint8Array {
  const bytes = new Uint8Array(CALLING_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC)
  view.setUint16(4, CALLING_VERSION, true)
  view.setUint8(6, kind)
  view.setUint8(7, parts.channel ?? 0)
  view.setUint8(8, parts.tellsBySend === true ? FLAG_BY_SEND : 0)
  view.setUint8(9, parts.shard ?? 0)
  view.setUint16(10, parts.why ?? 0, true)
  bytes.set(parts.key ?? NO_KEY, KEY_AT)
  view.setUint32(PATH_AT, parts.path ?? 0, true)
  return bytes
}

/** Or why it is refused. What stands behind it is padding. */
export function readCalling(view: DataView, at: number, bytes: number): Calling | number {
  if (bytes < 6 || view.getUint32(at) !== MAGIC) return REFUSED_NONSENSE
  if (view.getUint16(at + 4, true) !== CALLING_VERSION) return REFUSED_VERSION
  if (bytes < CALLING_BYTES) return REFUSED_NONSENSE
  return {
    kind: view.getUint8(at + 6),
    channel: view.getUint8(at + 7),
    tellsBySend: (view.getUint8(at + 8) & FLAG_BY_SEND) !== 0,
    shard: view.getUint8(at + 9),
    why: view.getUint16(at + 10, true),
    key: bytesAt(view, at + KEY_AT, KEY_BYTES),
    path: view.getUint32(at + PATH_AT, true),
  }
}
