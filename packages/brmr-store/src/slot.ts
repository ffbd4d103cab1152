/**
 * A slot: one block of metadata at a fixed place, that says what it is.
 *
 * ```
 *   0     4       8         10     11      12       16      24         32     48    52     64
 *   | CRC | magic | version | kind | state | length | index | sequence | uuid | CRC | zero | body …
 * ```
 *
 * The first checksum covers the head, the other one the body, so that a damaged body is told from a
 * damaged place. The uuid is the store's: what an earlier store left there, or a write that went
 * astray, is not taken for this store's. All zero is a slot that was never written.
 */
import { assert, type Checksum, crc32c, isUuid, writeUuid } from "@rmr/core"

export const SLOT_BYTES = 4096
export const SLOT_HEAD_BYTES = 64
/** Body bytes of a slot of one block. */
export const SLOT_BODY_BYTES: number = SLOT_BYTES - SLOT_HEAD_BYTES

const MAGIC = 0x4c_53_4d_52 // R M S L
const VERSION = 1

/** `damaged`: whatever it held was lost before, and must not be taken for absent. */
export const SLOT_STATES = ["blank", "held", "removed", "damaged"] as const
export type SlotState = (typeof SLOT_STATES)[number]

export interface Slot {
  /** Index in CELL_KINDS, DIRECTORY_KIND or SUMS_KIND. */
  readonly kind: number
  readonly index: number
  readonly state: SlotState
  /** The frame that its content is as new as. Higher is newer. */
  readonly sequence: number
  readonly body: Uint8Array
}

export interface SlotHead extends Omit<Slot, "body"> {
  readonly bodyBytes: number
  readonly bodyCrc: number
}

export const DIRECTORY_KIND = 255
export const SUMS_KIND = 254

/** Bytes that a slot with such a body takes, in whole blocks. */
export function slotBytesOf(bodyBytes: number): number {
  return Math.ceil((SLOT_HEAD_BYTES + bodyBytes) / SLOT_BYTES) * SLOT_BYTES
}

export function encodeSlot(uuid: string, slot: Slot): Uint8Array {
  const { kind, index, state, sequence, body } = slot
  assert(state !== "blank", "a slot that is written says something")
  const bytes = new Uint8Array(slotBytesOf(body.length))
  const view = new DataView(bytes.buffer)
  bytes.set(body, SLOT_HEAD_BYTES)
  view.setUint32(4, MAGIC, true)
  view.setUint16(8, VERSION, true)
  view.setUint8(10, kind)
  view.setUint8(11, SLOT_STATES.indexOf(state))
  view.setUint32(12, body.length, true)
  view.setBigUint64(16, BigInt(index), true)
  view.setBigUint64(24, BigInt(sequence), true)
  writeUuid(view, 32, uuid)
  view.setUint32(48, crc32c(view, SLOT_HEAD_BYTES, body.length), true)
  view.setUint32(0, crc32c(view, 4, SLOT_HEAD_BYTES - 4), true)
  return bytes
}

/** What the head says; `blank` where all of it is zero, `damaged` where it is not this slot's. */
export function decodeSlotHead(
  bytes: Uint8Array,
  uuid: string,
  kind: number,
  index: number,
): SlotHead | "blank" | "damaged" {
  return slotHeadAt(viewOf(bytes), 0, uuid, kind, index)
}

/** The same of a slot among others: many are read at once when a store is opened. */
export function slotHeadAt(
  view: DataView,
  at: number,
  uuid: string,
  kind: number,
  index: number,
): SlotHead | "blank" | "damaged" {
  if (view.byteLength - at < SLOT_HEAD_BYTES) return "damaged"
  if (isZero(view, at)) return "blank"
  const isWhole = crc32c(view, at + 4, SLOT_HEAD_BYTES - 4) === view.getUint32(at, true)
  if (!isWhole || view.getUint32(at + 4, true) !== MAGIC) return "damaged"
  const isOurs = view.getUint16(at + 8, true) === VERSION && isUuid(view, at + 32, uuid)
  const state = SLOT_STATES[view.getUint8(at + 11)]
  if (!isOurs || state === undefined || state === "blank") return "damaged"
  if (view.getUint8(at + 10) !== kind || u64(view, at + 16) !== index) return "damaged"
  const sequence = u64(view, at + 24)
  const bodyBytes = view.getUint32(at + 12, true)
  return { kind, index, state, sequence, bodyBytes, bodyCrc: view.getUint32(at + 48, true) }
}

/** The body in a whole slot's bytes; undefined where it is not what was written. */
export function slotBody(
  bytes: Uint8Array,
  head: SlotHead,
  checksum: Checksum = crc32c,
): Uint8Array | undefined {
  if (!isBodyAt(viewOf(bytes), 0, bytes.length, head, checksum)) return undefined
  return bytes.slice(SLOT_HEAD_BYTES, SLOT_HEAD_BYTES + head.bodyBytes)
}

/** Whether the body of a slot of so many bytes is what was written. */
export function isBodyAt(
  view: DataView,
  at: number,
  room: number,
  { bodyBytes, bodyCrc }: SlotHead,
  checksum: Checksum,
): boolean {
  if (SLOT_HEAD_BYTES + bodyBytes > room) return false
  return checksum(view, at + SLOT_HEAD_BYTES, bodyBytes) === bodyCrc
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function isZero(view: DataView, at: number): boolean {
  for (let from = 0; from < SLOT_HEAD_BYTES; from += 4) {
    if (view.getInt32(at + from, true) !== 0) return false
  }
  return true
}

function u64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
}
