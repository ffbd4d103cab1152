/**
 * The superblock: what a place must say before anything else of it can be read.
 *
 * It lies twice, and an update writes one copy, durably, and then the other. So one bad block never
 * loses it, and whichever copy is newer is whole. It says where everything lies (layout.ts), where
 * the commit log begins, and what became of the last life: clean or not, and what was not dealt
 * with yet; that is what the restart class is made of.
 */
import type { RestartClass } from "@rmr/core"
import { crc32c, RESTART_CLASSES, RmrError, readUuid, writeUuid } from "@rmr/core"
import { FRAME_ALIGN } from "./frame.js"
import { isLaidOut, type Places } from "./layout.js"

export const SUPERBLOCK_BYTES = 4096
export const STORE_FORMAT = 2

export interface Superblock extends Places {
  /** Higher is newer. */
  readonly sequence: number
  /** Of this place: every block of metadata carries it. */
  readonly uuid: string
  readonly extentBytes: number
  /** Extents that the intent log has room for, spare ones included. */
  readonly hotExtentsMax: number
  /** Hot extents above which a flush is wanted; the others are spare. */
  readonly hotExtentsSoft: number
  readonly mapPagesMax: number
  /** Where the second copy of the superblock lies. */
  readonly secondAt: number
  /** Of the volume. */
  readonly sizeBytes: number
  /** The frame that the log begins with, and where it lies. */
  readonly tailSequence: number
  readonly tailAt: number
  /** Closed, with everything durable; then `lastSequence` is the log's last frame. */
  readonly isClean: boolean
  readonly lastSequence: number
  /** What happened and was not dealt with (`settleRestart`). */
  readonly pending: RestartClass
  /** The hot set could not be read, and that was not dealt with. */
  readonly isHotUnreadable: boolean
  /** How large it may ever be, as far as the maps reach; 0 where that was not said. */
  readonly sizeBytesMax: number
  /** Slots of sums that are older than this frame say nothing: what was hot since is not known. */
  readonly sumsFrom: number
  /** The slots of hot extents say what is true too: set by a close that has written all of them. */
  readonly areSumsSaved: boolean
  /** Boot of the machine that has it open, or had it last. */
  readonly bootId: string
}

/** What one of the places holds; `damaged` was one, an error is of a version we cannot read. */
export type SuperblockCopy = Superblock | "none" | "damaged" | RmrError

const MAGIC = 0x53_42_4d_52 // R M B S
const UUID_AT = 24
const NUMBERS_AT = 40
const BOOT_ID_AT = 256
const BOOT_ID_BYTES_MAX = 64
const CRC_AT = SUPERBLOCK_BYTES - 4

const FLAG_CLEAN = 1
const FLAG_HOT_UNREADABLE = 2
const FLAG_SUMS_SAVED = 4
const FLAGS_KNOWN = 7

/** Data has sums: a program that does not keep them up would make them wrong. */
const FEATURE_SUMS = 1
const FEATURES_KNOWN = FEATURE_SUMS

/** The numbers of a superblock, in their order on the medium, eight bytes each. */
const NUMBERS = [
  "sequence",
  "extentBytes",
  "hotExtentsMax",
  "hotExtentsSoft",
  "mapPagesMax",
  "secondAt",
  "sizeBytes",
  "logStart",
  "logBytes",
  "cellsStart",
  "directoryStart",
  "pagesStart",
  "dataStart",
  "tailSequence",
  "tailAt",
  "lastSequence",
  "sumsStart",
  "sumsExtents",
  "sumsFrom",
  "sizeBytesMax",
] as const satisfies readonly (keyof Superblock)[]

/** Whether the store keeps sums of its data. */
export function hasSums({ sumsExtents }: Pick<Superblock, "sumsExtents">): boolean {
  return sumsExtents > 0
}

export function encodeSuperblock(block: Superblock): Uint8Array {
  const bytes = new Uint8Array(SUPERBLOCK_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint16(4, STORE_FORMAT, true)
  const hot = block.isHotUnreadable ? FLAG_HOT_UNREADABLE : 0
  const sums = block.areSumsSaved ? FLAG_SUMS_SAVED : 0
  view.setUint16(6, (block.isClean ? FLAG_CLEAN : 0) | hot | sums, true)
  // Features that a reader has to know, and such as it may ignore: none of those so far.
  view.setUint32(8, hasSums(block) ? FEATURE_SUMS : 0, true)
  view.setUint32(12, 0, true)
  view.setUint8(16, RESTART_CLASSES.indexOf(block.pending))
  view.setUint8(17, block.bootId.length)
  writeUuid(view, UUID_AT, block.uuid)
  for (const [nth, name] of NUMBERS.entries()) {
    view.setBigUint64(NUMBERS_AT + nth * 8, BigInt(block[name]), true)
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

/** The format that a whole superblock is of; undefined where there is none that is whole. */
export function formatOf(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < SUPERBLOCK_BYTES || view.getUint32(0, true) !== MAGIC) return undefined
  if (crc32c(view, 0, CRC_AT) !== view.getUint32(CRC_AT, true)) return undefined
  return view.getUint16(4, true)
}

export function decodeSuperblock(bytes: Uint8Array): SuperblockCopy {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < SUPERBLOCK_BYTES || !looksLikeSuperblock(bytes)) return "none"
  const format = formatOf(bytes)
  if (format === undefined) return "damaged"
  const features = view.getUint32(8, true)
  if (format !== STORE_FORMAT || (features & ~FEATURES_KNOWN) !== 0) {
    const has = features === 0 ? `format ${format}` : `format ${format}, features ${features}`
    const words = `the store has ${has}; this program reads format ${STORE_FORMAT} and earlier`
    return new RmrError("bad-version", words)
  }
  const flags = view.getUint16(6, true)
  const pending = RESTART_CLASSES[view.getUint8(16)]
  const bootBytes = view.getUint8(17)
  const isKnown = (flags & ~FLAGS_KNOWN) === 0 && pending !== undefined
  if (!isKnown || bootBytes > BOOT_ID_BYTES_MAX) return "damaged"
  const numbers = NUMBERS.map((_, nth) => Number(view.getBigUint64(NUMBERS_AT + nth * 8, true)))
  if (!numbers.every((value) => Number.isSafeInteger(value))) return "damaged"
  // What the feature says and what the places say is one and the same.
  const isFeatured = (features & FEATURE_SUMS) !== 0
  if (isFeatured !== numbers[NUMBERS.indexOf("sumsExtents")]! > 0) return "damaged"
  const named = Object.fromEntries(NUMBERS.map((name, nth) => [name, numbers[nth]!]))
  let bootId = ""
  for (let at = 0; at < bootBytes; at++) {
    bootId += String.fromCharCode(view.getUint8(BOOT_ID_AT + at))
  }
  const block = {
    ...(named as Record<(typeof NUMBERS)[number], number>),
    uuid: readUuid(view, UUID_AT),
    isClean: (flags & FLAG_CLEAN) !== 0,
    isHotUnreadable: (flags & FLAG_HOT_UNREADABLE) !== 0,
    areSumsSaved: (flags & FLAG_SUMS_SAVED) !== 0,
    pending,
    bootId,
  }
  return isBelievable(block) ? block : "damaged"
}

/** What is whole and was never written by this program is not acted on either. */
function isBelievable(block: Superblock): boolean {
  const { logStart, logBytes, tailAt, tailSequence, lastSequence } = block
  const isTail = tailAt >= logStart && tailAt < logStart + logBytes && tailAt % FRAME_ALIGN === 0
  const isLog = isTail && tailSequence >= 1 && (!block.isClean || lastSequence >= tailSequence)
  const isSoft = block.hotExtentsSoft >= 1 && block.hotExtentsSoft <= block.hotExtentsMax
  const isMax = block.sizeBytesMax === 0 || block.sizeBytesMax >= block.sizeBytes
  return isLog && isSoft && isMax && block.secondAt < logStart && isLaidOut(block)
}

export function isSuperblock(copy: SuperblockCopy): copy is Superblock {
  return typeof copy === "object" && !(copy instanceof RmrError)
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
