/**
 * Logs of what was written to a disk, as the Linux target dm-log-writes and QEMU's driver
 * blklogwrites keep them:
 *
 * ```
 * | super: magic u64 | version u64 | entries u64 | sector size u32 |   padded to a sector
 * | entry: sector u64 | sectors u64 | flags u64 | data bytes u64 |     padded to a sector
 * | the bytes that were written |                                      not of a flush or discard
 * | entry | …
 * ```
 *
 * All of it is little-endian. An entry is added when its operation is over, and the super counts
 * them at each flush: what it counts was there when somebody was told that the flush is done. What
 * lies behind was written and not flushed. Whoever was killed may have left the last entry half
 * written, so behind the count a log ends where no entry is any more.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs"

export const FLAG_FLUSH = 1
export const FLAG_FUA = 2
export const FLAG_DISCARD = 4
export const FLAG_MARK = 8
const FLAGS = FLAG_FLUSH | FLAG_FUA | FLAG_DISCARD | FLAG_MARK

const MAGIC = 0x6a736677736872n
const VERSION = 1n
const SUPER_BYTES = 28
const ENTRY_BYTES = 32
const SECTOR_BYTES_MIN = 512
const SECTOR_BYTES_MAX = 4096

export interface LogEntry {
  /** In bytes of the disk. */
  readonly offset: number
  readonly bytes: number
  readonly flags: number
  /** Empty where nothing was written. */
  readonly data: Buffer
}

export interface WriteLog {
  readonly entries: readonly LogEntry[]
  /** So many of them were there at the last flush. */
  readonly countedEntries: number
}

/** How many entries the super of a log counts just now; 0 before the first flush. */
export function countedEntries(path: string): number {
  const head = Buffer.alloc(SUPER_BYTES)
  const file = openSync(path, "r")
  try {
    readSync(file, head, 0, SUPER_BYTES, 0)
  } finally {
    closeSync(file)
  }
  return head.every((byte) => byte === 0) ? 0 : readSuper(head).count
}

/** Fails with what is wrong with it, and where. */
export function readWriteLog(path: string, diskBytes: number): WriteLog {
  return parseWriteLog(readFileSync(path), diskBytes)
}

export function parseWriteLog(log: Buffer, diskBytes: number): WriteLog {
  const { count, sectorBytes } = readSuper(log)
  const entries: LogEntry[] = []
  let at = sectorBytes
  for (;;) {
    const isCounted = entries.length < count
    const next = readEntry(log, at, sectorBytes, diskBytes)
    if (typeof next === "string") {
      if (isCounted) throw new Error(`entry ${entries.length} of ${count}, at byte ${at}: ${next}`)
      break
    }
    entries.push(next.entry)
    at = next.end
  }
  return { entries, countedEntries: count }
}

function readSuper(log: Buffer): { count: number; sectorBytes: number } {
  if (log.length < SUPER_BYTES) throw new Error(`a log of ${log.length} bytes has no super`)
  const magic = log.readBigUInt64LE(0)
  if (magic !== MAGIC) throw new Error(`0x${magic.toString(16)} is not the magic of a log`)
  const version = log.readBigUInt64LE(8)
  if (version !== VERSION) throw new Error(`a log of version ${version}`)
  const sectorBytes = log.readUInt32LE(24)
  const isPower = (sectorBytes & (sectorBytes - 1)) === 0
  if (!isPower || sectorBytes < SECTOR_BYTES_MIN || sectorBytes > SECTOR_BYTES_MAX) {
    throw new Error(`a log with sectors of ${sectorBytes} bytes`)
  }
  return { count: safe(log.readBigUInt64LE(16)), sectorBytes }
}

type Next = { entry: LogEntry; end: number } | string

/** What is there, or why it is no entry. */
function readEntry(log: Buffer, at: number, sectorBytes: number, diskBytes: number): Next {
  if (at + ENTRY_BYTES > log.length) return "the log ends before"
  const offset = safe(log.readBigUInt64LE(at)) * sectorBytes
  const bytes = safe(log.readBigUInt64LE(at + 8)) * sectorBytes
  const flags = safe(log.readBigUInt64LE(at + 16))
  const markBytes = safe(log.readBigUInt64LE(at + 24))
  if (flags > FLAGS) return `there are no flags ${flags}`
  if (bytes === 0 && (flags & (FLAG_FLUSH | FLAG_MARK)) === 0) return "it does nothing"
  if (markBytes > 0 && (flags & FLAG_MARK) === 0) return `it has ${markBytes} bytes, and is no mark`
  if (offset + bytes > diskBytes) return `it ends at ${offset + bytes}, behind the disk`
  const hasData = (flags & (FLAG_DISCARD | FLAG_MARK)) === 0
  const start = at + sectorBytes
  const dataBytes = hasData ? bytes : 0
  const behind = Math.ceil(markBytes / sectorBytes) * sectorBytes
  const end = start + dataBytes + behind
  if (end > log.length) return "the log ends in its bytes"
  const data = log.subarray(start, start + dataBytes)
  return { entry: { offset, bytes, flags, data }, end }
}

function safe(value: bigint): number {
  const max = BigInt(Number.MAX_SAFE_INTEGER)
  return Number(value > max ? max : value)
}
