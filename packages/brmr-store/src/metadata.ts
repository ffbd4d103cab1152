/**
 * Metadata: the superblock, the commit log and what is asked of them (S9, S16, S17).
 *
 * Commits, heats and coolings of a turn make one frame, in the order in which they were asked; one
 * frame is on its way at a time, so that commits take effect in order. A token ends when its frame
 * is durable.
 */
import type { BlockFile, CellWrite, RestartClass, StoreOpen } from "@rmr/core"
import {
  BLOCK_UNMAP,
  COMMIT_BYTES_MAX,
  RESTART_CLASSES,
  RmrError,
  STATUS_OK,
  statusOf,
} from "@rmr/core"
import type { CommitLog } from "./commit-log.js"
import {
  cellEntry,
  ENTRY_COOL,
  ENTRY_HEAT,
  type FrameEntry,
  frameBytesOf,
  hotEntry,
} from "./frame.js"
import type { MetaIo } from "./meta-io.js"
import { encodeSuperblock, SUPERBLOCK_BYTES, type Superblock } from "./superblock.js"

type OnFrame = (tokens: readonly number[], status: number) => void

/** What was asked and is not durable yet. */
interface Asked {
  /** Undefined for what nobody waits for. */
  readonly token: number | undefined
  readonly entries: readonly FrameEntry[]
  /** Extents that shall be hot with it. */
  readonly heat: readonly number[]
  readonly bytes: number
}

const IO_ERROR = statusOf("io-error")

export class Metadata {
  readonly io: MetaIo
  readonly restart: RestartClass
  readonly hotAtOpen: readonly number[] | "unreadable"
  private readonly opening: StoreOpen
  private logNow: CommitLog
  private block: Superblock
  private tell: OnFrame = () => undefined
  private asked: Asked[] = []
  private settles: number[] = []
  private isRunning = false
  private isStarting = false
  private hasFailedFlush = false
  /** A flush of metadata failed, and whoever flushes data has not been told. */
  private owesFailedFlush = false
  private blockWrites: Promise<void> = Promise.resolve()
  /** A write of the superblock failed: which of two states the file names is not known. */
  private isBlockUnsure = false
  /** Hot for whoever writes: what was heated and has completed, and was not cooled since. */
  private readonly hot = new Set<number>()
  /** Extents that will be hot when what was asked is durable. */
  private readonly heating = new Set<number>()

  constructor(opening: StoreOpen, io: MetaIo, log: CommitLog, block: Superblock) {
    this.opening = opening
    this.io = io
    this.logNow = log
    this.block = block
    this.restart = block.pending
    this.hotAtOpen = block.isHotUnreadable ? "unreadable" : log.hotExtents
    for (const extent of log.hotExtents) this.hot.add(extent)
  }

  get log(): CommitLog {
    return this.logNow
  }

  get superblock(): Superblock {
    return this.block
  }

  get isIdle(): boolean {
    return !this.isRunning && !this.hasWork
  }

  onFrame(tell: OnFrame): void {
    this.tell = tell
  }

  isHot(extent: number): boolean {
    return this.hot.has(extent)
  }

  commit(token: number, cells: readonly CellWrite[]): void {
    this.ask(
      token,
      cells.map(({ kind, index, bytes }) => cellEntry(kind, index, bytes?.slice())),
      [],
    )
    this.startSoon()
  }

  /** False where they are more than the log has room for: then none of them is hot. */
  heat(token: number, extents: readonly number[]): boolean {
    const added = new Set<number>()
    for (const extent of extents) {
      if (!this.hot.has(extent) && !this.heating.has(extent)) added.add(extent)
    }
    const { hotExtentsMax } = this.block
    if (this.hot.size + this.heating.size + added.size > hotExtentsMax) return false
    for (const extent of added) this.heating.add(extent)
    this.ask(token, [], extents)
    this.startSoon()
    return true
  }

  /** Lazy: it goes with the next frame, or with the close. */
  cool(extents: readonly number[]): void {
    const known = extents.filter((extent) => this.hot.has(extent))
    for (const extent of known) this.hot.delete(extent)
    if (known.length > 0) this.ask(undefined, [hotEntry(ENTRY_COOL, known)], [])
  }

  settle(token: number): void {
    this.settles.push(token)
    this.startSoon()
  }

  /** Begins with what was asked until now. */
  start(): void {
    if (!this.isRunning && this.hasWork) void this.run()
  }

  /** S17: said durably, before the flush that failed is told. */
  async noteCacheLost(): Promise<void> {
    this.hasFailedFlush = true
    await this.writeBlock(() => ({}))
  }

  /** Whether the flush of data that has succeeded just now must fail: one of metadata's did. */
  takeFailedFlush(): boolean {
    const isOwed = this.owesFailedFlush
    this.owesFailedFlush = false
    return isOwed
  }

  async changeSize(sizeBytes: number): Promise<void> {
    if (!(await this.writeBlock(() => ({ sizeBytes })))) {
      throw new RmrError("io-error", "the superblock cannot be written")
    }
  }

  /** What a device holds where it has grown is not said; a volume reads zero there. */
  async zeroNew(file: BlockFile, dataStart: number, from: number, to: number): Promise<void> {
    for (let at = from; at < to; at += file.ioBytesMax) {
      const bytes = Math.min(file.ioBytesMax, to - at)
      const status = await this.io.run((token) =>
        file.zero(token, dataStart + at, bytes, file.supports.unmap ? BLOCK_UNMAP : 0),
      )
      if (status !== STATUS_OK) throw RmrError.ofStatus(status, "new space cannot be zeroed")
    }
    // Before the size says that it is there: a crash would bring back what the device held.
    const status = await this.io.flush()
    await this.noteFailedFlush()
    if (status !== STATUS_OK) throw RmrError.ofStatus(status, "new space cannot be flushed")
  }

  /** Everything is durable, and the superblock says that this was no crash. */
  async close(): Promise<void> {
    let status = await this.io.flush()
    while (this.asked.length > 0 && status === STATUS_OK) status = await this.runFrame()
    if (status !== STATUS_OK) {
      await this.noteCacheLost()
      return
    }
    await this.writeBlock(() => ({ isClean: true, logFrames: this.logNow.frames }))
  }

  private startSoon(): void {
    if (this.isStarting || this.isRunning) return
    this.isStarting = true
    this.opening.env.clock.endOfTurn(() => {
      this.isStarting = false
      this.start()
    })
  }

  private get hasWork(): boolean {
    return this.settles.length > 0 || this.asked.some(({ token }) => token !== undefined)
  }

  private ask(
    token: number | undefined,
    entries: readonly FrameEntry[],
    heat: readonly number[],
  ): void {
    this.asked.push({ token, entries, heat, bytes: frameBytesOf(entries) })
  }

  private async run(): Promise<void> {
    this.isRunning = true
    while (this.hasWork) {
      if (this.asked.length > 0) await this.runFrame()
      if (this.settles.length > 0) await this.runSettles()
    }
    this.isRunning = false
    this.tell([], STATUS_OK)
  }

  /** One frame with what waits, in order, as much as one commit may be. */
  private async runFrame(): Promise<number> {
    const taken: Asked[] = []
    let bytes = 0
    for (const one of this.asked) {
      if (taken.length > 0 && bytes + one.bytes > COMMIT_BYTES_MAX) break
      taken.push(one)
      bytes += one.bytes
    }
    this.asked = this.asked.slice(taken.length)
    const entries = taken.flatMap((one) => one.entries)
    const cold = new Set<number>()
    for (const { heat } of taken) for (const extent of heat) cold.add(extent)
    for (const extent of cold) if (this.hot.has(extent)) cold.delete(extent)
    // Last, so that what is cooled and heated again in one turn is hot.
    if (cold.size > 0) entries.push(hotEntry(ENTRY_HEAT, [...cold]))
    const status = entries.length === 0 ? STATUS_OK : await this.append(entries)
    for (const extent of cold) {
      this.heating.delete(extent)
      if (status === STATUS_OK) this.hot.add(extent)
    }
    const tokens = taken.map(({ token }) => token).filter((token) => token !== undefined)
    this.tell(tokens, status)
    return status
  }

  private async runSettles(): Promise<void> {
    const settles = this.settles
    this.settles = []
    try {
      // What could not be read of the hot set would be found again by the next open.
      if (this.logNow.isHotDamaged) await this.beginAnew()
      const isDone = await this.writeBlock(() => ({ pending: "none", isHotUnreadable: false }))
      await this.noteFailedFlush()
      this.tell(settles, isDone ? STATUS_OK : IO_ERROR)
    } catch (thrown) {
      this.fail(RmrError.from(thrown))
      this.tell(settles, IO_ERROR)
    }
  }

  /** A new log first, where this one is full or mostly history. */
  private async append(entries: readonly FrameEntry[]): Promise<number> {
    try {
      await this.assureBlock()
      if (!this.logNow.hasRoomFor(entries)) await this.beginAnew()
      const status = await this.logNow.append(entries)
      await this.noteFailedFlush()
      return status
    } catch (thrown) {
      this.fail(RmrError.from(thrown))
      await this.noteFailedFlush()
      return IO_ERROR
    }
  }

  /** S17: a flush does not ask whose writes it loses. */
  private async noteFailedFlush(): Promise<void> {
    if (!this.io.hasFailedFlush) return
    this.io.hasFailedFlush = false
    this.owesFailedFlush = true
    await this.noteCacheLost()
  }

  /** The file may name a log that was given up: nothing counts until it names this one again. */
  private async assureBlock(): Promise<void> {
    if (!this.isBlockUnsure) return
    if (!(await this.writeBlock(() => ({})))) {
      throw new RmrError("io-error", "the superblock cannot be written")
    }
  }

  private fail(error: RmrError): void {
    this.opening.env.log.write("error", "store.log-failed", { detail: error.message })
  }

  /** The other area gets all that is alive; the superblock then names it, in one step. */
  private async beginAnew(): Promise<void> {
    await this.assureBlock()
    const { area, areaStart, areaBytes, generation } = this.block
    const other = 1 - area
    const start = areaStart + other * areaBytes
    const next = await this.logNow.rewrite({ start, bytes: areaBytes, generation: generation + 1 })
    const change = { area: other, generation: generation + 1 }
    if (!(await this.writeBlock(() => change)))
      throw new RmrError("io-error", "the superblock cannot be written")
    this.logNow = next
  }

  /**
   * Both copies, one durable after the other, and one change after another. What failed is taken
   * back here; the file may hold it all the same, until the next write that succeeds.
   */
  private writeBlock(change: () => Partial<Superblock>): Promise<boolean> {
    const done = this.blockWrites.then(() => this.writeCopies(change()))
    this.blockWrites = done.then(() => undefined)
    return done
  }

  private async writeCopies(change: Partial<Superblock>): Promise<boolean> {
    const sequence = this.block.sequence + 1
    const lost = this.hasFailedFlush ? { pending: "cache-lost" as const } : {}
    const next: Superblock = { ...this.block, ...change, ...lost, sequence }
    const bytes = encodeSuperblock(next)
    this.block = { ...this.block, sequence }
    for (const copy of [0, 1]) {
      const status = await this.io.writeDurably(copy * SUPERBLOCK_BYTES, bytes)
      if (status !== STATUS_OK) {
        this.isBlockUnsure = true
        return false
      }
    }
    this.isBlockUnsure = false
    this.block = next
    return true
  }
}

/** The worse of two classes. */
export function worse(a: RestartClass, b: RestartClass): RestartClass {
  return RESTART_CLASSES.indexOf(a) >= RESTART_CLASSES.indexOf(b) ? a : b
}
