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
import { assert, CELL_KINDS, RmrError, STATUS_OK } from "@rmr/core"
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
  frameBytesOf,
  headBytesOf,
  hotEntry,
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
    for (const entry of head.entries) this.apply(entry, this.end, frame)
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

  /** Reads the log back. `frames` is how many there must be, where that is known. */
  async replay(frames: number | undefined): Promise<void> {
    const { start, bytes } = this.area
    while (this.end + this.alignBytes <= start + bytes) {
      const frame = await this.readFrame(this.end)
      if (frame === undefined) break
      const { head, content } = frame
      const isTorn = !head.entries.every((entry) => isWhole(content, entry))
      const isLast = frames === undefined ? !(await this.hasFrameBehind(head.frameBytes)) : false
      if (isTorn && isLast) break
      for (const entry of head.entries) this.apply(entry, this.end, content)
      this.frames++
      this.end += head.frameBytes
      if (this.frames === frames) return
    }
    if (frames !== undefined && this.frames < frames) {
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

  private async readFrame(
    at: number,
  ): Promise<
    | { readonly head: NonNullable<ReturnType<typeof decodeHead>>; readonly content: Uint8Array }
    | undefined
  > {
    const { generation, start, bytes } = this.area
    const first = await this.readOrZero(at, this.alignBytes)
    const headBytes = headBytesOf(viewOf(first), generation)
    if (headBytes < FRAME_HEAD_BYTES || at + headBytes > start + bytes) return undefined
    const longer =
      headBytes <= first.length
        ? first
        : await this.readOrZero(at, alignUp(headBytes, this.alignBytes))
    const head = decodeHead(viewOf(longer), generation)
    if (head === undefined || head.sequence !== this.frames + 1) return undefined
    if (head.frameBytes < headBytes || at + head.frameBytes > start + bytes) return undefined
    return { head, content: await this.readOrZero(at, head.frameBytes) }
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
    const { generation, start, bytes } = this.area
    const limit = Math.min(start + bytes, this.end + frameBytes + LOOK_AHEAD_BYTES)
    for (let at = this.end + frameBytes; at + this.alignBytes <= limit; at += this.alignBytes) {
      const block = await this.readOrZero(at, this.alignBytes)
      const view = viewOf(block)
      const headBytes = headBytesOf(view, generation)
      if (headBytes === 0 || headBytes > block.length) continue
      const head = decodeHead(view, generation)
      if (head !== undefined && head.sequence > this.frames + 1) return true
    }
    return false
  }

  private apply(entry: EntryPlace, frameAt: number, frame: Uint8Array): void {
    const { type, kind, index, at, bytes, crc } = entry
    const place = { at: frameAt + at, bytes, crc, isDamaged: type === ENTRY_DAMAGED }
    if (type === ENTRY_CELL || type === ENTRY_REMOVED || type === ENTRY_DAMAGED) {
      const cells = this.cells[kind]
      if (cells === undefined) throw new RmrError("corrupt", `there is no kind of cell ${kind}`)
      this.liveBytes -= sizeOf(cells.get(index))
      if (type === ENTRY_REMOVED) cells.delete(index)
      else cells.set(index, place)
      this.liveBytes += sizeOf(cells.get(index))
      return
    }
    this.hotPlace = place
    if (!isWhole(frame, entry)) {
      this.isHotDamaged = true
      return
    }
    const extents = extentsOf(frame.subarray(at, at + bytes))
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

/** A frame is at most a commit long; behind more than that nothing of the same crash can lie. */
const LOOK_AHEAD_BYTES = 256 * 1024

function sizeOf(place: CellPlace | undefined): number {
  return place === undefined ? 0 : place.bytes + ENTRY_BYTES
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
