/**
 * A frame of the commit log: all that one turn asked for, as one record that is there as a whole or
 * not at all.
 *
 * ```
 *   0        4       8         12            16           24         32
 *   | CRC-32C | magic | entries | frame bytes | generation | sequence | entries … | bodies … |
 * ```
 *
 * An entry says what its body is and has a checksum of its own, so that a bad spot in a body costs
 * the cell that lies there and no other. The checksum at the start covers the head and
 * all entries.
 */
import type { CellKind } from "@rmr/core"
import { assert, CELL_KINDS, crc32c } from "@rmr/core"

export const FRAME_HEAD_BYTES = 32
export const ENTRY_BYTES = 24
/** Frames begin at multiples of this, or of the file's blocks if those are larger. */
export const FRAME_ALIGN = 4096

const MAGIC = 0x46_4c_4d_52 // R M L F

export const ENTRY_CELL = 1
export const ENTRY_REMOVED = 2
export const ENTRY_HEAT = 3
export const ENTRY_COOL = 4
/** Begins a log: the hot set and the cells that follow are all there are. */
export const ENTRY_SNAPSHOT = 5

/** In a snapshot: the cell is there, and what it held could not be read any more (S19). */
export const ENTRY_DAMAGED = 6

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
  /** From the start of the frame. */
  readonly at: number
  readonly bytes: number
  readonly crc: number
}

export interface FrameHead {
  readonly sequence: number
  readonly frameBytes: number
  readonly entries: readonly EntryPlace[]
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

/** Bytes of a frame before it is filled up to its alignment. */
export function frameBytesOf(entries: readonly FrameEntry[]): number {
  let bytes = FRAME_HEAD_BYTES + entries.length * ENTRY_BYTES
  for (const { body } of entries) bytes += body.length
  return bytes
}

export function encodeFrame(
  generation: number,
  sequence: number,
  entries: readonly FrameEntry[],
  alignBytes: number,
): Uint8Array {
  const bytes = new Uint8Array(alignUp(frameBytesOf(entries), alignBytes))
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
  view.setUint32(8, entries.length, true)
  view.setUint32(12, bytes.length, true)
  view.setBigUint64(16, BigInt(generation), true)
  view.setBigUint64(24, BigInt(sequence), true)
  view.setUint32(0, headCrc(view, entries.length), true)
  return bytes
}

/** Whether a frame of this log seems to begin here. */
export function isHeadOf(view: DataView, at: number, generation: number): boolean {
  if (view.byteLength < at + FRAME_HEAD_BYTES || view.getUint32(at + 4, true) !== MAGIC)
    return false
  return view.getBigUint64(at + 16, true) === BigInt(generation)
}

/** How much of a frame has to be read for its head; 0 where there is no head of this log. */
export function headBytesOf(view: DataView, generation: number): number {
  if (!isHeadOf(view, 0, generation)) return 0
  const count = view.getUint32(8, true)
  return FRAME_HEAD_BYTES + count * ENTRY_BYTES
}

/** The head in these bytes; undefined where it is not whole. Bodies are not looked at. */
export function decodeHead(view: DataView, generation: number): FrameHead | undefined {
  const headBytes = headBytesOf(view, generation)
  if (headBytes === 0 || headBytes > view.byteLength) return undefined
  const count = view.getUint32(8, true)
  if (headCrc(view, count) !== view.getUint32(0, true)) return undefined
  const frameBytes = view.getUint32(12, true)
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
  return { sequence: Number(view.getBigUint64(24, true)), frameBytes, entries }
}

export function isWhole(frame: Uint8Array, { at, bytes, crc }: EntryPlace): boolean {
  if (at + bytes > frame.length) return false
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  return crc32c(view, at, bytes) === crc
}

export function alignUp(bytes: number, alignBytes: number): number {
  assert(alignBytes > 0, "an alignment is a size")
  return Math.ceil(bytes / alignBytes) * alignBytes
}

function headCrc(view: DataView, count: number): number {
  return crc32c(view, 4, FRAME_HEAD_BYTES - 4 + count * ENTRY_BYTES)
}
