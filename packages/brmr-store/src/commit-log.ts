/**
 * CommitLog: the cells and the hot set of a store, as a log in one of two areas.
 *
 * Everything that a turn asked for becomes one frame, appended and durable before any of it counts.
 * What is where is remembered; a cell's bytes are read from the log when somebody asks. When the
 * area is full, or most of it is history, all that is alive is written into the other area as the
 * beginning of a new log, and the superblock, in one step, names that one.
 *
 * Reading it back ends at the first frame that is not whole. After a clean close the superblock
 * says how many there are, so that a bad spot is told from an end; after a crash a frame that is
 * not whole with whole ones behind it is a bad spot, and the last one was never answered for.
 */
import type { CellKind } from "@rmr/core"
import { assert, CELL_KINDS, COMMIT_BYTES_MAX, RmrError, STATUS_OK } from "@rmr/core"
import {
  alignUp,
  cellEntry,
  decodeHead,
  ENTRY_BYTES,
  ENTRY_CELL,
  ENTRY_COOL,
  ENTRY_DAMAGED,
  ENTRY_REMOVED,
  ENTRY_SNAPSHOT,
  type EntryPlace,
  encodeFrame,
  extentsOf,
  FRAME_ALIGN,
  FRAME_HEAD_BYTES,
  type FrameEntry,
  type FrameHead,
  frameBytesOf,
  headBytesOf,
  hotEntry,
  isHeadOf,
  isWhole,
} from "./frame.js"
import type { MetaIo } from "./meta-io.js"

/** Where a cell's bytes are in the file. */
export interface CellPlace {
  readonly at: number
  readonly bytes: number
  readonly crc: number
  /** It was lost before the log was written anew. */
  readonly isDamaged: boolean
}

export interface LogArea {
  readonly start: number
  readonly bytes: number
  readonly generation: number
}

/** A new log is begun when this much more than what is alive has been appended. */
const HISTORY_BYTES_MAX = 8 * 1024 * 1024
/** Cells in one frame of a snapshot: bounded, so that the frame is. */
const SNAPSHOT_BYTES = 1024 * 1024

export class CommitLog {
  readonly io: MetaIo
  readonly alignBytes: number
  area: LogArea
  frames = 0
  isHotDamaged = false
  private end: number
  private liveBytes = 0
  private readonly cells: Map<number, CellPlace>[] = CELL_KINDS.map(() => new Map())
  private readonly hot = new Set<number>()
  /** Where the newest news about the hot set are, for whoever wants to look. */
  private hotPlace: CellPlace | undefined

  constructor(io: MetaIo, area: LogArea, blockBytes: number) {
    this.io = io
    this.area = area
    this.alignBytes = Math.max(FRAME_ALIGN, blockBytes)
    this.end = area.start
  }

  get hotExtents(): number[] {
    return [...this.hot].sort((a, b) => a - b)
  }

  indexes(kind: CellKind): number[] {
    return [...this.of(kind).keys()].sort((a, b) => a - b)
  }

  placeOf(kind: CellKind, index: number): CellPlace | undefined {
    return this.of(kind).get(index)
  }

  get placeOfHotSet(): CellPlace | undefined {
    return this.hotPlace
  }

  /** Fails with `corrupt` where the bytes are not what was committed. */
  async read(kind: CellKind, index: number): Promise<Uint8Array | undefined> {
    const place = this.placeOf(kind, index)
    if (place === undefined) return undefined
    const { at, bytes, crc, isDamaged } = place
    if (isDamaged) throw new RmrError("corrupt", `cell ${kind} ${index} was lost`)
    if (bytes === 0) return new Uint8Array(0)
    let found: Uint8Array
    try {
      found = await this.io.read(at, bytes)
    } catch (thrown) {
      const error = RmrError.from(thrown)
      if (error.code !== "media-error") throw error
      throw new RmrError("corrupt", `cell ${kind} ${index} cannot be read from the medium`)
    }
    const place0: EntryPlace = { type: ENTRY_CELL, kind: 0, index, at: 0, bytes, crc }
    if (isWhole(found, place0)) return found.slice()
    throw new RmrError("corrupt", `cell ${kind} ${index} does not match its checksum`)
  }

  /** Whether a frame with these entries fits behind what is there. */
  hasRoomFor(entries: readonly FrameEntry[]): boolean {
    const used = this.end - this.area.start
    const bytes = alignUp(frameBytesOf(entries), this.alignBytes)
    const isOld = used > 2 * this.liveBytes + HISTORY_BYTES_MAX
    return used + bytes <= this.area.bytes && !isOld
  }

  /** One frame, durable at the end. A status that is not STATUS_OK has changed nothing yet. */
  async append(entries: readonly FrameEntry[]): Promise<number> {
    const frame = encodeFrame(this.area.generation, this.frames + 1, entries, this.alignBytes)
    assert(this.end + frame.length <= this.area.start + this.area.bytes, "the frame fits its area")
    const status = await this.io.writeDurably(this.end, frame)
    if (status !== STATUS_OK) return status
    const head = decodeHead(viewOf(frame), this.area.generation)
    assert(head !== undefined, "a frame that was made can be read")
    for (const entry of head.entries) {
      this.apply(entry, frame.subarray(entry.at, entry.at + entry.bytes))
    }
    this.frames++
    this.end += frame.length
    return STATUS_OK
  }

  /**
   * Writes all that is alive into another area. This log is as it was until `adopt`; the superblock
   * decides which one counts.
   */
  async rewrite(into: LogArea): Promise<CommitLog> {
    const next = new CommitLog(this.io, into, this.alignBytes)
    let entries: FrameEntry[] = [hotEntry(ENTRY_SNAPSHOT, this.hotExtents)]
    let bytes = 0
    const flush = async (): Promise<void> => {
      const status = await next.append(entries)
      if (status !== STATUS_OK) throw RmrError.ofStatus(status, "the log cannot be written anew")
      entries = []
      bytes = 0
    }
    for (const kind of CELL_KINDS) {
      for (const index of this.indexes(kind)) {
        const entry = await this.entryOf(kind, index)
        entries.push(entry)
        bytes += entry.body.length + ENTRY_BYTES
        if (bytes >= SNAPSHOT_BYTES) await flush()
      }
    }
    await flush()
    return next
  }

  /**
   * Reads the log back. `frames` is how many there must be, where that is known. Bodies are not
   * read, but for those of the hot set and of the last frame, which may have been on its way.
   */
  async replay(frames: number | undefined): Promise<void> {
    const { start, bytes } = this.area
    while (this.frames !== frames && this.end + this.alignBytes <= start + bytes) {
      const head = await this.readHead(this.end)
      if (head === undefined) break
      const { frameBytes, entries } = head
      const mayBeLast = frames === undefined && !(await this.hasFrameBehind(frameBytes))
      if (mayBeLast && !(await this.areWhole(entries))) break
      for (const entry of entries) {
        this.apply(entry, isOfCell(entry) ? NO_BYTES : await this.bodyOf(entry))
      }
      this.frames++
      this.end += frameBytes
    }
    if (this.frames === frames) return
    if (frames !== undefined) {
      const words = `the commit log has ${this.frames} frames that can be read, of ${frames}`
      throw new RmrError("corrupt", words)
    }
    if (await this.hasFrameBehind(this.alignBytes)) {
      throw new RmrError("corrupt", `the commit log is damaged behind frame ${this.frames}`)
    }
  }

  /** A cell that cannot be read is taken along as one: still there, still damaged. */
  private async entryOf(kind: CellKind, index: number): Promise<FrameEntry> {
    try {
      const body = await this.read(kind, index)
      assert(body !== undefined, "a cell that is listed is there")
      return cellEntry(kind, index, body)
    } catch (thrown) {
      const error = RmrError.from(thrown)
      if (error.code !== "corrupt") throw error
      return { ...cellEntry(kind, index, new Uint8Array(0)), type: ENTRY_DAMAGED }
    }
  }

  /** The head of the frame that comes next in this log, if it is there. */
  private async readHead(at: number): Promise<FrameHead | undefined> {
    const { start, bytes } = this.area
    const head = await this.anyHead(at)
    if (head === undefined || head.sequence !== this.frames + 1) return undefined
    const isRoomy = head.frameBytes >= FRAME_HEAD_BYTES + head.entries.length * ENTRY_BYTES
    return isRoomy && at + head.frameBytes <= start + bytes ? head : undefined
  }

  /** The head of any frame of this log at this place, however long it is. */
  private async anyHead(at: number): Promise<FrameHead | undefined> {
    const { generation, start, bytes } = this.area
    const first = await this.readOrZero(at, this.alignBytes)
    const headBytes = headBytesOf(viewOf(first), generation)
    if (headBytes === 0 || at + headBytes > start + bytes) return undefined
    if (headBytes <= first.length) return decodeHead(viewOf(first), generation)
    const whole = await this.readOrZero(at, alignUp(headBytes, this.alignBytes))
    return decodeHead(viewOf(whole), generation)
  }

  /** Whether all bodies of the frame at the end are what was written. */
  private async areWhole(entries: readonly EntryPlace[]): Promise<boolean> {
    for (const entry of entries) {
      if (!isWhole(await this.bodyOf(entry), { ...entry, at: 0 })) return false
    }
    return true
  }

  /** Of the frame at the end. What cannot be read counts as zeroes here, too. */
  private async bodyOf({ at, bytes }: EntryPlace): Promise<Uint8Array> {
    if (bytes === 0) return NO_BYTES
    try {
      return await this.io.read(this.end + at, bytes)
    } catch (thrown) {
      if (RmrError.from(thrown).code !== "media-error") throw thrown
      return new Uint8Array(bytes)
    }
  }

  /** What the medium cannot read counts as zeroes, which no checksum takes for anything else. */
  private async readOrZero(at: number, length: number): Promise<Uint8Array> {
    try {
      return await this.io.read(at, length)
    } catch (thrown) {
      if (RmrError.from(thrown).code !== "media-error") throw thrown
    }
    const bytes = new Uint8Array(length)
    for (let from = 0; from < length; from += this.alignBytes) {
      try {
        bytes.set(await this.io.read(at + from, this.alignBytes), from)
      } catch (thrown) {
        if (RmrError.from(thrown).code !== "media-error") throw thrown
      }
    }
    return bytes
  }

  /** Whether some frame of this log lies behind the one at the end: then that one is no tail. */
  private async hasFrameBehind(frameBytes: number): Promise<boolean> {
    const { start, bytes } = this.area
    const limit = Math.min(start + bytes, this.end + frameBytes + LOOK_AHEAD_BYTES)
    // Nearly always it is the next thing.
    let length = this.alignBytes
    for (let from = this.end + frameBytes; from < limit; from += length, length = LOOK_BYTES) {
      length = Math.min(length, limit - from)
      const view = viewOf(await this.readOrZero(from, length))
      for (let at = 0; at < length; at += this.alignBytes) {
        if (!isHeadOf(view, at, this.area.generation)) continue
        const head = await this.anyHead(from + at)
        if (head !== undefined && head.sequence > this.frames + 1) return true
      }
    }
    return false
  }

  /** An entry of the frame at the end, and its body where that is of the hot set. */
  private apply(entry: EntryPlace, body: Uint8Array): void {
    const { type, kind, index, at, bytes, crc } = entry
    const place = { at: this.end + at, bytes, crc, isDamaged: type === ENTRY_DAMAGED }
    if (isOfCell(entry)) {
      const cells = this.cells[kind]
      if (cells === undefined) throw new RmrError("corrupt", `there is no kind of cell ${kind}`)
      this.liveBytes -= sizeOf(cells.get(index))
      if (type === ENTRY_REMOVED) cells.delete(index)
      else cells.set(index, place)
      this.liveBytes += sizeOf(cells.get(index))
      return
    }
    this.hotPlace = place
    if (!isWhole(body, { ...entry, at: 0 })) {
      this.isHotDamaged = true
      return
    }
    const extents = extentsOf(body)
    if (type === ENTRY_SNAPSHOT) this.hot.clear()
    for (const extent of extents) {
      if (type === ENTRY_COOL) this.hot.delete(extent)
      else this.hot.add(extent)
    }
  }

  private of(kind: CellKind): Map<number, CellPlace> {
    const cells = this.cells[CELL_KINDS.indexOf(kind)]
    assert(cells !== undefined, "every kind has its cells")
    return cells
  }
}

const NO_BYTES = new Uint8Array(0)
/** So far behind a bad frame another one can begin: each is a commit and a head at most. */
const LOOK_AHEAD_BYTES = 2 * COMMIT_BYTES_MAX
/** As much is read at a time when looking for one. */
const LOOK_BYTES = 64 * 1024

function isOfCell({ type }: EntryPlace): boolean {
  return type === ENTRY_CELL || type === ENTRY_REMOVED || type === ENTRY_DAMAGED
}

function sizeOf(place: CellPlace | undefined): number {
  return place === undefined ? 0 : place.bytes + ENTRY_BYTES
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
