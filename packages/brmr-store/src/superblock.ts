/**
 * The superblock: what a place must say before anything else of it can be read.
 *
 * It lies twice, in the first two blocks, and an update writes one copy, durably, and then the
 * other. So one bad block never loses it, and whichever copy is newer is whole. What it says of the
 * last life (clean or not, what was not dealt with yet) is what the restart class is made of.
 */
import type { RestartClass } from "@rmr/core"
import { crc32c, RESTART_CLASSES, RmrError } from "@rmr/core"

export const SUPERBLOCK_BYTES = 4096
export const STORE_FORMAT = 1

export interface Superblock {
  /** Higher is newer. */
  readonly sequence: number
  readonly extentBytes: number
  readonly hotExtentsMax: number
  readonly mapPagesMax: number
  /** Of each of the two log areas. */
  readonly areaBytes: number
  /** Where the first area starts; the second follows, then the data. */
  readonly areaStart: number
  readonly dataStart: number
  /** Of the volume. */
  readonly sizeBytes: number
  /** 0 or 1: which area the log is in. */
  readonly area: number
  /** Frames of another generation are not of this log. */
  readonly generation: number
  /** Closed, with everything durable; then the log ends after frame `logFrames`. */
  readonly isClean: boolean
  readonly logFrames: number
  /** What happened and was not dealt with (`settleRestart`). */
  readonly pending: RestartClass
  /** The hot set could not be read, and that was not dealt with. */
  readonly isHotUnreadable: boolean
  /** Boot of the machine that has it open, or had it last. */
  readonly bootId: string
}

/** What one of the two places holds; `damaged` was one, an error is of a version we cannot read. */
export type SuperblockCopy = Superblock | "none" | "damaged" | RmrError

const MAGIC = 0x53_42_4d_52 // R M B S
const BOOT_ID_AT = 128
const BOOT_ID_BYTES_MAX = 64
const CRC_AT = SUPERBLOCK_BYTES - 4

const FLAG_CLEAN = 1
const FLAG_HOT_UNREADABLE = 2
const FLAGS_KNOWN = 3

export function encodeSuperblock(block: Superblock): Uint8Array {
  const bytes = new Uint8Array(SUPERBLOCK_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint16(4, STORE_FORMAT, true)
  const hot = block.isHotUnreadable ? FLAG_HOT_UNREADABLE : 0
  view.setUint16(6, (block.isClean ? FLAG_CLEAN : 0) | hot, true)
  // Features that a reader has to know: none so far.
  view.setUint32(8, 0, true)
  view.setUint8(12, RESTART_CLASSES.indexOf(block.pending))
  view.setUint8(13, block.area)
  view.setUint8(14, block.bootId.length)
  const numbers = [
    block.sequence,
    block.extentBytes,
    block.hotExtentsMax,
    block.mapPagesMax,
    block.areaBytes,
    block.areaStart,
    block.dataStart,
    block.sizeBytes,
    block.generation,
    block.logFrames,
  ]
  for (const [nth, value] of numbers.entries()) {
    view.setBigUint64(16 + nth * 8, BigInt(value), true)
  }
  for (let at = 0; at < block.bootId.length; at++) {
    view.setUint8(BOOT_ID_AT + at, block.bootId.charCodeAt(at))
  }
  view.setUint32(CRC_AT, crc32c(view, 0, CRC_AT), true)
  return bytes
}

/** Whether these bytes were once a superblock, of any version, whole or not. */
export function looksLikeSuperblock(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return bytes.length >= 4 && view.getUint32(0, true) === MAGIC
}

export function decodeSuperblock(bytes: Uint8Array): SuperblockCopy {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < SUPERBLOCK_BYTES || view.getUint32(0, true) !== MAGIC) return "none"
  if (crc32c(view, 0, CRC_AT) !== view.getUint32(CRC_AT, true)) return "damaged"
  const format = view.getUint16(4, true)
  const features = view.getUint32(8, true)
  if (format !== STORE_FORMAT || features !== 0) {
    return new RmrError("bad-version", `the store has format ${format}, this program reads 1`)
  }
  const flags = view.getUint16(6, true)
  const pending = RESTART_CLASSES[view.getUint8(12)]
  const area = view.getUint8(13)
  const bootBytes = view.getUint8(14)
  const isKnown = (flags & ~FLAGS_KNOWN) === 0 && pending !== undefined && area <= 1
  if (!isKnown || bootBytes > BOOT_ID_BYTES_MAX) return "damaged"
  const numbers = Array.from({ length: 10 }, (_, nth) =>
    Number(view.getBigUint64(16 + nth * 8, true)),
  )
  if (!numbers.every((value) => Number.isSafeInteger(value))) return "damaged"
  let bootId = ""
  for (let at = 0; at < bootBytes; at++) {
    bootId += String.fromCharCode(view.getUint8(BOOT_ID_AT + at))
  }
  return {
    sequence: numbers[0]!,
    extentBytes: numbers[1]!,
    hotExtentsMax: numbers[2]!,
    mapPagesMax: numbers[3]!,
    areaBytes: numbers[4]!,
    areaStart: numbers[5]!,
    dataStart: numbers[6]!,
    sizeBytes: numbers[7]!,
    generation: numbers[8]!,
    logFrames: numbers[9]!,
    isClean: (flags & FLAG_CLEAN) !== 0,
    isHotUnreadable: (flags & FLAG_HOT_UNREADABLE) !== 0,
    pending,
    area,
    bootId: bootId.slice(0, BOOT_ID_BYTES_MAX),
  }
}

/** The newer of the copies that are whole; where none is, what the place says instead. */
export function newestSuperblock(copies: readonly SuperblockCopy[]): SuperblockCopy {
  let newest: Superblock | undefined
  let instead: SuperblockCopy = "none"
  for (const copy of copies) {
    if (copy instanceof RmrError) instead = copy
    else if (copy === "damaged") instead = instead === "none" ? copy : instead
    else if (copy !== "none" && (newest === undefined || copy.sequence > newest.sequence)) {
      newest = copy
    }
  }
  return newest ?? instead
}
