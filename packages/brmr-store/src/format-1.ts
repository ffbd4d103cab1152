/**
 * Format 1, as it is found: superblocks in the first two blocks, and a log of all cells in one of
 * two areas. It is only read, to be rewritten as the format of today (upgrade.ts).
 *
 * A frame was one copy: its checksum covers head and entries, each body has its own. A frame that
 * is not whole ended the log, unless something newer lay behind it.
 */
import type { RestartClass } from "@rmr/core"
import { COMMIT_BYTES_MAX, crc32c, RESTART_CLASSES, RmrError } from "@rmr/core"
import type { MetaLane } from "./meta-io.js"
import { SUPERBLOCK_BYTES } from "./superblock.js"

export interface OldSuperblock {
  readonly sequence: number
  readonly extentBytes: number
  readonly hotExtentsMax: number
  readonly mapPagesMax: number
  readonly areaBytes: number
  readonly areaStart: number
  readonly dataStart: number
  readonly sizeBytes: number
  readonly generation: number
  readonly logFrames: number
  readonly area: number
  readonly isClean: boolean
  readonly isHotUnreadable: boolean
  readonly pending: RestartClass
  readonly bootId: string
}

/** A body is undefined where it is damaged. */
export interface OldCell {
  readonly kind: number
  readonly index: number
  readonly body: Uint8Array | undefined
}

export interface OldContent {
  readonly cells: readonly OldCell[]
  readonly hot: readonly number[]
  readonly isHotDamaged: boolean
}

const NAMES = [
  "sequence",
  "extentBytes",
  "hotExtentsMax",
  "mapPagesMax",
  "areaBytes",
  "areaStart",
  "dataStart",
  "sizeBytes",
  "generation",
  "logFrames",
] as const

/** The superblock in these bytes, which are whole and of format 1. */
export function decodeOldSuperblock(bytes: Uint8Array): OldSuperblock {
  const view = new DataView(bytes.buffer, bytes.byteOffset, SUPERBLOCK_BYTES)
  const numbers = NAMES.map((name, nth) => [name, Number(view.getBigUint64(16 + nth * 8, true))])
  const flags = view.getUint16(6, true)
  const pending = RESTART_CLASSES[view.getUint8(12)]
  const area = view.getUint8(13)
  if (view.getUint32(8, true) !== 0 || pending === undefined || area > 1) {
    throw new RmrError("bad-version", "the store's superblock says what no program has written")
  }
  return {
    ...(Object.fromEntries(numbers) as Record<(typeof NAMES)[number], number>),
    area,
    pending,
    isClean: (flags & 1) !== 0,
    isHotUnreadable: (flags & 2) !== 0,
    bootId: String.fromCharCode(...bytes.subarray(128, 128 + view.getUint8(14))),
  }
}

/** The same, newer, and saying that a cache was lost. */
export function withCacheLost(superblock: Uint8Array): Uint8Array {
  const bytes = superblock.slice(0, SUPERBLOCK_BYTES)
  const view = viewOf(bytes)
  view.setUint8(12, RESTART_CLASSES.indexOf("cache-lost"))
  view.setBigUint64(16, view.getBigUint64(16, true) + 1n, true)
  view.setUint32(SUPERBLOCK_BYTES - 4, crc32c(view, 0, SUPERBLOCK_BYTES - 4), true)
  return bytes
}

const MAGIC = 0x46_4c_4d_52 // R M L F
const HEAD_BYTES = 32
const ENTRY_BYTES = 24
const ALIGN = 4096
const CELL = 1
const REMOVED = 2
const COOL = 4
const SNAPSHOT = 5
const DAMAGED = 6

interface OldEntry {
  readonly type: number
  readonly kind: number
  readonly index: number
  readonly body: Uint8Array | undefined
}

interface OldFrame {
  readonly sequence: number
  readonly bytes: number
  readonly entries: readonly OldEntry[]
}

/** All that the log of format 1 says. */
export class OldLog {
  private readonly lane: MetaLane
  private readonly block: OldSuperblock
  private readonly cells = new Map<string, OldCell>()
  private readonly hot = new Set<number>()
  private isHotDamaged = false

  constructor(lane: MetaLane, block: OldSuperblock) {
    this.lane = lane
    this.block = block
  }

  async read(): Promise<OldContent> {
    const { areaStart, areaBytes, area, isClean, logFrames } = this.block
    const end = areaStart + (area + 1) * areaBytes
    let at = areaStart + area * areaBytes
    let count = 0
    while (at + ALIGN <= end && !(isClean && count === logFrames)) {
      const frame = await this.frameAt(at, end)
      if (frame?.sequence !== count + 1) break
      const isWhole = frame.entries.every(({ body }) => body !== undefined)
      if (!isWhole && !isClean && !(await this.isNewerBehind(at + frame.bytes, end, count + 1))) {
        break
      }
      for (const entry of frame.entries) this.apply(entry)
      count++
      at += frame.bytes
    }
    if (isClean ? count !== logFrames : await this.isNewerBehind(at + ALIGN, end, count)) {
      throw new RmrError("corrupt", `the commit log is damaged behind frame ${count}`)
    }
    const hot = [...this.hot].sort((a, b) => a - b)
    return { cells: [...this.cells.values()], hot, isHotDamaged: this.isHotDamaged }
  }

  private async frameAt(at: number, end: number): Promise<OldFrame | undefined> {
    const head = viewOf(await this.lane.readOrFill(at, ALIGN, ALIGN, 0))
    if (!this.isHead(head, 0)) return undefined
    const count = head.getUint32(8, true)
    const bytes = head.getUint32(12, true)
    const headBytes = HEAD_BYTES + count * ENTRY_BYTES
    if (bytes < headBytes || at + bytes > end) return undefined
    const frame = await this.lane.readOrFill(at, bytes, ALIGN, 0)
    const view = viewOf(frame)
    if (crc32c(view, 4, headBytes - 4) !== view.getUint32(0, true)) return undefined
    const entries = Array.from({ length: count }, (_, nth) => entryIn(frame, view, nth))
    return { sequence: Number(view.getBigUint64(24, true)), bytes, entries }
  }

  private async isNewerBehind(from: number, end: number, sequence: number): Promise<boolean> {
    const limit = Math.min(end, from + 2 * COMMIT_BYTES_MAX)
    for (let at = from; at + ALIGN <= limit; at += LOOK_BYTES) {
      const bytes = Math.min(LOOK_BYTES, limit - at)
      const view = viewOf(await this.lane.readOrFill(at, bytes, ALIGN, 0))
      for (let offset = 0; offset + ALIGN <= bytes; offset += ALIGN) {
        if (!this.isHead(view, offset)) continue
        const frame = await this.frameAt(at + offset, end)
        if (frame !== undefined && frame.sequence > sequence) return true
      }
    }
    return false
  }

  private isHead(view: DataView, at: number): boolean {
    if (view.getUint32(at + 4, true) !== MAGIC) return false
    return view.getBigUint64(at + 16, true) === BigInt(this.block.generation)
  }

  private apply({ type, kind, index, body }: OldEntry): void {
    const name = `${kind} ${index}`
    if (type === REMOVED) this.cells.delete(name)
    else if (type === CELL) this.cells.set(name, { kind, index, body })
    else if (type === DAMAGED) this.cells.set(name, { kind, index, body: undefined })
    else if (body === undefined) this.isHotDamaged = true
    else {
      const view = viewOf(body)
      if (type === SNAPSHOT) this.hot.clear()
      for (let at = 0; at + 8 <= body.length; at += 8) {
        const extent = Number(view.getBigUint64(at, true))
        if (type === COOL) this.hot.delete(extent)
        else this.hot.add(extent)
      }
    }
  }
}

const LOOK_BYTES = 64 * 1024

function entryIn(frame: Uint8Array, view: DataView, nth: number): OldEntry {
  const at = HEAD_BYTES + nth * ENTRY_BYTES
  const bodyAt = view.getUint32(at + 4, true)
  const bytes = view.getUint32(at + 16, true)
  const isInside = bodyAt + bytes <= frame.length
  const isWhole = isInside && crc32c(view, bodyAt, bytes) === view.getUint32(at + 20, true)
  return {
    type: view.getUint8(at),
    kind: view.getUint8(at + 1),
    index: Number(view.getBigUint64(at + 8, true)),
    body: isWhole ? frame.slice(bodyAt, bodyAt + bytes) : undefined,
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
