/**
 * A frame of the commit log: all that one turn asked for, as one record that is there as a whole or
 * not at all.
 *
 * ```
 *   0         4       8         10     12        16            20     22        24         32
 *   | CRC-32C | magic | version | zero | entries | frame bytes | copy | attempt | sequence | uuid
 *   … 48     64
 *   … | zero | entries … | bodies … |
 * ```
 *
 * It is written twice, one copy right behind the other, in one write: a bad spot never costs what
 * was committed, and never looks like a frame that was on its way. An entry says what its body is
 * and has a checksum of its own. The checksum at the start covers the head and all entries.
 */
import type { CellKind } from "@rmr/core"
import { assert, CELL_KINDS, crc32c, readUuid, writeUuid } from "@rmr/core"

export const FRAME_HEAD_BYTES = 64
export const ENTRY_BYTES = 24
/** Frames begin at multiples of this. */
export const FRAME_ALIGN = 4096

const MAGIC = 0x47_4c_4d_52 // R M L G
const VERSION = 1

export const ENTRY_CELL = 1
export const ENTRY_REMOVED = 2
export const ENTRY_HEAT = 3
export const ENTRY_COOL = 4
/** All that is hot, whatever was said before. */
export const ENTRY_SNAPSHOT = 5

export interface FrameEntry {
  readonly type: number
  /** Index in CELL_KINDS; 0 for the hot set. */
  readonly kind: number
  readonly index: number
  readonly body: Uint8Array
}

export interface EntryPlace {
  readonly type: number
  readonly kind: number
  readonly index: number
  /** From the start of the frame's copy. */
  readonly at: number
  readonly bytes: number
  readonly crc: number
}

export interface FrameHead {
  readonly sequence: number
  /** Of several that failed or were cut off under one sequence, the last one has the highest. */
  readonly attempt: number
  readonly copy: number
  /** Of one copy. */
  readonly frameBytes: number
  readonly entries: readonly EntryPlace[]
}

export interface FrameName {
  readonly uuid: string
  readonly sequence: number
  readonly attempt: number
}

const NO_BODY = new Uint8Array(0)

export function cellEntry(kind: CellKind, index: number, body: Uint8Array | undefined): FrameEntry {
  const type = body === undefined ? ENTRY_REMOVED : ENTRY_CELL
  return { type, kind: CELL_KINDS.indexOf(kind), index, body: body ?? NO_BODY }
}

/** Extents as eight bytes each. */
export function hotEntry(type: number, extents: readonly number[]): FrameEntry {
  const body = new Uint8Array(extents.length * 8)
  const view = new DataView(body.buffer)
  for (const [nth, extent] of extents.entries()) view.setBigUint64(nth * 8, BigInt(extent), true)
  return { type, kind: 0, index: 0, body }
}

export function extentsOf(body: Uint8Array): number[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  return Array.from({ length: Math.floor(body.length / 8) }, (_, nth) =>
    Number(view.getBigUint64(nth * 8, true)),
  )
}

/** Bytes of entries and bodies. */
export function entryBytesOf(entries: readonly FrameEntry[]): number {
  let bytes = entries.length * ENTRY_BYTES
  for (const { body } of entries) bytes += body.length
  return bytes
}

/** Bytes of one copy of a frame with as much in it. */
export function frameBytesOf(entryBytes: number): number {
  return alignUp(FRAME_HEAD_BYTES + entryBytes, FRAME_ALIGN)
}

/** Both copies, one behind the other. */
export function encodeFrame(name: FrameName, entries: readonly FrameEntry[]): Uint8Array {
  const frameBytes = frameBytesOf(entryBytesOf(entries))
  const bytes = new Uint8Array(2 * frameBytes)
  const view = new DataView(bytes.buffer)
  let at = FRAME_HEAD_BYTES + entries.length * ENTRY_BYTES
  for (const [nth, { type, kind, index, body }] of entries.entries()) {
    const entryAt = FRAME_HEAD_BYTES + nth * ENTRY_BYTES
    bytes.set(body, at)
    view.setUint8(entryAt, type)
    view.setUint8(entryAt + 1, kind)
    view.setUint32(entryAt + 4, at, true)
    view.setBigUint64(entryAt + 8, BigInt(index), true)
    view.setUint32(entryAt + 16, body.length, true)
    view.setUint32(entryAt + 20, crc32c(view, at, body.length), true)
    at += body.length
  }
  view.setUint32(4, MAGIC, true)
  view.setUint16(8, VERSION, true)
  view.setUint32(12, entries.length, true)
  view.setUint32(16, frameBytes, true)
  view.setUint16(22, name.attempt, true)
  view.setBigUint64(24, BigInt(name.sequence), true)
  writeUuid(view, 32, name.uuid)
  bytes.copyWithin(frameBytes, 0, frameBytes)
  view.setUint16(frameBytes + 20, 1, true)
  for (const start of [0, frameBytes]) {
    view.setUint32(start, headCrc(view, start, entries.length), true)
  }
  return bytes
}

/** How much has to be read for the head here; 0 where no head of this store seems to begin. */
export function headBytesOf(view: DataView, at: number, uuid: string): number {
  if (view.byteLength < at + FRAME_HEAD_BYTES || view.getUint32(at + 4, true) !== MAGIC) return 0
  if (view.getUint16(at + 8, true) !== VERSION || readUuid(view, at + 32) !== uuid) return 0
  return FRAME_HEAD_BYTES + view.getUint32(at + 12, true) * ENTRY_BYTES
}

/** The head at the start of these bytes; undefined where it is not whole. */
export function decodeHead(view: DataView, uuid: string): FrameHead | undefined {
  const headBytes = headBytesOf(view, 0, uuid)
  if (headBytes === 0 || headBytes > view.byteLength) return undefined
  const count = view.getUint32(12, true)
  if (headCrc(view, 0, count) !== view.getUint32(0, true)) return undefined
  const frameBytes = view.getUint32(16, true)
  if (frameBytes < headBytes || frameBytes % FRAME_ALIGN !== 0) return undefined
  const entries: EntryPlace[] = []
  for (let nth = 0; nth < count; nth++) {
    const entryAt = FRAME_HEAD_BYTES + nth * ENTRY_BYTES
    entries.push({
      type: view.getUint8(entryAt),
      kind: view.getUint8(entryAt + 1),
      index: Number(view.getBigUint64(entryAt + 8, true)),
      at: view.getUint32(entryAt + 4, true),
      bytes: view.getUint32(entryAt + 16, true),
      crc: view.getUint32(entryAt + 20, true),
    })
  }
  const sequence = Number(view.getBigUint64(24, true))
  const copy = view.getUint16(20, true)
  return { sequence, attempt: view.getUint16(22, true), copy, frameBytes, entries }
}

/** The entry's body in this copy of its frame; undefined where it is not what was written. */
export function bodyIn(copy: Uint8Array, { at, bytes, crc }: EntryPlace): Uint8Array | undefined {
  if (at + bytes > copy.length) return undefined
  const view = new DataView(copy.buffer, copy.byteOffset, copy.byteLength)
  return crc32c(view, at, bytes) === crc ? copy.slice(at, at + bytes) : undefined
}

export function alignUp(bytes: number, alignBytes: number): number {
  assert(alignBytes > 0, "an alignment is a size")
  return Math.ceil(bytes / alignBytes) * alignBytes
}

function headCrc(view: DataView, at: number, count: number): number {
  return crc32c(view, at + 4, FRAME_HEAD_BYTES - 4 + count * ENTRY_BYTES)
}
