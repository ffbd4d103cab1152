/**
 * Metadata: what is asked of cells, hot set and superblock, and in which order it becomes durable
 * (S9, S16, S17).
 *
 * Commits, heats and coolings of a turn make one frame, in the order in which they were asked; one
 * frame is on its way at a time, so that commits take effect in order. A token ends when its frame
 * is durable. Beside that, and without anybody waiting for it, what older frames say is brought to
 * its places, and the log is cut (checkpoint.ts).
 */
import type { BlockFile, CellKind, CellWrite, RestartClass, StoreOpen } from "@rmr/core"
import { BLOCK_UNMAP, CELL_KINDS, RmrError, STATUS_OK, statusOf } from "@rmr/core"
import type { CellPlace } from "./cell-homes.js"
import type { CellTable } from "./cell-table.js"
import type { Checkpoint } from "./checkpoint.js"
import type { CommitLog } from "./commit-log.js"
import type { DataSums } from "./data-sums.js"
import {
  cellEntry,
  ENTRY_BYTES,
  ENTRY_CELL,
  ENTRY_COOL,
  ENTRY_HEAT,
  ENTRY_REMOVED,
  ENTRY_SNAPSHOT,
  entryBytesOf,
  FRAME_HEAD_BYTES,
  type FrameEntry,
  frameBytesOf,
  hotEntry,
} from "./frame.js"
import { HotSet } from "./hot-set.js"
import { commitBytesMax } from "./layout.js"
import type { LogTail } from "./log-replay.js"
import type { MetaIo } from "./meta-io.js"
import { SumsSaver } from "./sums-saver.js"
import type { Superblock } from "./superblock.js"
import type { SuperblockFile } from "./superblock-file.js"

type OnFrame = (tokens: readonly number[], status: number) => void

/** What was asked and is not durable yet. */
interface Asked {
  readonly token: number
  readonly entries: readonly FrameEntry[]
  /** Extents that shall be hot with it. */
  readonly heat: readonly number[]
  readonly bytes: number
}

export interface MetadataParts {
  readonly opening: StoreOpen
  readonly io: MetaIo
  readonly log: CommitLog
  readonly table: CellTable
  readonly blocks: SuperblockFile
  /** Hot at the end of the log, and where its frames say so. */
  readonly hot: readonly number[]
  readonly hotPlaces: readonly CellPlace[]
  readonly isHotDamaged: boolean
  readonly checkpoint: Checkpoint
  /** Of a store that keeps sums of its data. */
  readonly sums: DataSums | undefined
}

const IO_ERROR = statusOf("io-error")
const NO_SPACE = statusOf("no-space")

export class Metadata {
  readonly io: MetaIo
  readonly restart: RestartClass
  readonly hotAtOpen: readonly number[] | "unreadable"
  private readonly opening: StoreOpen
  private readonly log: CommitLog
  private readonly table: CellTable
  private readonly blocks: SuperblockFile
  private readonly checkpoint: Checkpoint
  private readonly hot: HotSet
  readonly sums: DataSums | undefined
  private readonly saver: SumsSaver | undefined
  /** Where the log says what is hot, for whoever wants to look. */
  private hotPlaces: CellPlace[]
  private isHotDamaged: boolean
  private tell: OnFrame = () => undefined
  private asked: Asked[] = []
  private settles: number[] = []
  private isRunning = false
  private isStarting = false
  /** The last frame that says all that is hot. */
  private snapshot: LogTail | undefined

  constructor(parts: MetadataParts) {
    const { superblock } = parts.blocks
    this.opening = parts.opening
    this.io = parts.io
    this.log = parts.log
    this.table = parts.table
    this.blocks = parts.blocks
    this.checkpoint = parts.checkpoint
    this.hotPlaces = [...parts.hotPlaces]
    this.isHotDamaged = parts.isHotDamaged
    this.restart = superblock.pending
    this.hotAtOpen = superblock.isHotUnreadable ? "unreadable" : parts.hot
    const { io, sums } = parts
    this.hot = new HotSet(parts.hot, superblock.hotExtentsMax, sums !== undefined)
    this.sums = sums
    if (sums === undefined) return
    io.flushes.onFailed = () => sums.forget()
    const sequence = (): number => this.log.lastSequence + 1
    const onEnd = (): void => void this.noteFailedFlush().then(() => this.tell([], STATUS_OK))
    this.saver = new SumsSaver({ io, sums, hot: this.hot, sequence, onEnd })
  }

  get superblock(): Superblock {
    return this.blocks.superblock
  }

  get isIdle(): boolean {
    const isSaving = this.saver?.isRunning === true || this.sums?.isIdle === false
    return !this.isRunning && !this.hasWork && !this.checkpoint.isRunning && !isSaving
  }

  onFrame(tell: OnFrame): void {
    this.tell = tell
    this.checkpoint.onEnd = (status) => {
      if (status !== STATUS_OK) this.fail("cells cannot be brought to their places", status)
      void this.noteFailedFlush().then(() => tell([], STATUS_OK))
    }
    if (this.sums !== undefined) this.sums.onLoaded = () => tell([], STATUS_OK)
  }

  isHot(extent: number): boolean {
    return this.hot.has(extent)
  }

  async readCell(kind: CellKind, index: number): Promise<Uint8Array | undefined> {
    const found = await this.table.read(kind, index)
    if (found !== "damaged") return found
    throw new RmrError("corrupt", `cell ${kind} ${index} is damaged in the commit log`)
  }

  cellIndexes(kind: CellKind): number[] {
    return this.table.indexes(kind)
  }

  placesOf(kind: CellKind, index: number): readonly CellPlace[] {
    return this.table.placesOf(kind, index)
  }

  placesOfHotSet(): readonly CellPlace[] {
    return this.hotPlaces
  }

  /** How much of the log is needed. */
  get logUsedBytes(): number {
    return this.log.usedBytes
  }

  commit(token: number, cells: readonly CellWrite[]): void {
    const entries = cells.map(({ kind, index, bytes }) => cellEntry(kind, index, bytes?.slice()))
    this.ask(token, entries, [])
  }

  /** False where they are more than the log has room for: then none of them is hot. */
  heat(token: number, extents: readonly number[]): boolean {
    if (!this.hot.reserve(extents)) return false
    this.ask(token, [], extents)
    return true
  }

  /** Lazy: it goes with the next frame, or with the close. */
  cool(extents: readonly number[]): void {
    this.hot.cool(extents)
    this.saver?.start()
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
    await this.blocks.noteCacheLost()
  }

  /** Whether its metadata has room for such a volume: maps, and sums where it keeps some. */
  hasRoomFor(sizeBytes: number): boolean {
    const { sizeBytesMax, sumsExtents, extentBytes } = this.superblock
    const isInMaps = sizeBytesMax === 0 || sizeBytes <= sizeBytesMax
    return isInMaps && (this.sums === undefined || sizeBytes <= sumsExtents * extentBytes)
  }

  async changeSize(sizeBytes: number): Promise<void> {
    if (!(await this.blocks.write({ sizeBytes }))) {
      throw new RmrError("io-error", "the superblock cannot be written")
    }
  }

  /** What a device holds where it has grown is not said; a volume reads zero there. */
  async zeroNew(file: BlockFile, dataStart: number, from: number, to: number): Promise<void> {
    const { failures } = this.io.flushes
    for (let at = from; at < to; at += file.ioBytesMax) {
      const bytes = Math.min(file.ioBytesMax, to - at)
      const status = await this.io.run((token) =>
        file.zero(token, dataStart + at, bytes, file.supports.unmap ? BLOCK_UNMAP : 0),
      )
      if (status !== STATUS_OK) throw RmrError.ofStatus(status, "new space cannot be zeroed")
    }
    // Before the size says that it is there: a crash would bring back what the device held.
    const status = await this.io.flush(failures)
    await this.noteFailedFlush()
    if (status !== STATUS_OK) throw RmrError.ofStatus(status, "new space cannot be flushed")
  }

  /** Everything is durable and at its place, and the superblock says that this was no crash. */
  async close(): Promise<void> {
    await this.checkpoint.ended()
    let status = await this.io.flush()
    while (this.asked.length > 0 && status === STATUS_OK) status = await this.runFrame()
    const areSumsSaved = status === STATUS_OK && (await this.saver?.saveAll()) === true
    // One that fails leaves the log as it is; whoever opens the store reads it.
    if (status === STATUS_OK && (this.table.hasLogged || this.hot.hasCooled)) await this.cut()
    if (this.io.hasFailedFlush || status !== STATUS_OK) {
      await this.noteCacheLost()
      return
    }
    const { lastSequence } = this.log
    const isSaid = await this.blocks.write({ isClean: true, lastSequence, areSumsSaved })
    // Its flush may have failed for more than these few bytes, and nobody can tell (S17).
    if (!isSaid) await this.noteCacheLost()
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
    return this.settles.length > 0 || this.asked.length > 0
  }

  private ask(token: number, entries: readonly FrameEntry[], heat: readonly number[]): void {
    this.asked.push({ token, entries, heat, bytes: entryBytesOf(entries) })
    this.startSoon()
  }

  private async run(): Promise<void> {
    this.isRunning = true
    while (this.hasWork) {
      if (this.asked.length > 0) await this.runFrame()
      if (this.settles.length > 0) await this.runSettles()
      if (this.log.isWorthCutting && this.checkpoint.isReady) await this.beginCut()
    }
    this.isRunning = false
    this.tell([], STATUS_OK)
  }

  /** One frame with what waits, in order, as much as one frame may hold. */
  private async runFrame(): Promise<number> {
    let taken = this.takeAsked()
    let heat = this.heatOf(taken)
    if (this.saver !== undefined && this.hot.countWith(heat) > this.superblock.hotExtentsMax) {
      await this.saver.saveCooled()
      if (this.hot.countWith(heat) > this.superblock.hotExtentsMax) taken = this.refuseHeat(taken)
      heat = this.heatOf(taken)
    }
    const [status] = await Promise.all([
      this.append(
        taken.flatMap((one) => one.entries),
        heat,
      ),
      this.sums?.track(heat),
    ])
    this.hot.noteHeated(heat, status === STATUS_OK)
    this.releaseSums(heat)
    this.tell(
      taken.map(({ token }) => token),
      status,
    )
    return status
  }

  private takeAsked(): Asked[] {
    const bytesMax = commitBytesMax(this.superblock.mapPagesMax)
    const taken: Asked[] = []
    let bytes = 0
    for (const one of this.asked) {
      if (taken.length > 0 && bytes + one.bytes > bytesMax) break
      taken.push(one)
      bytes += one.bytes
    }
    this.asked = this.asked.slice(taken.length)
    return taken
  }

  private heatOf(taken: readonly Asked[]): number[] {
    return this.hot.cold(taken.flatMap((one) => one.heat))
  }

  /** The log still has to call hot what was cooled: its sums cannot be saved. */
  private refuseHeat(taken: readonly Asked[]): Asked[] {
    const refused = taken.filter(({ heat }) => this.hot.cold(heat).length > 0)
    for (const { heat } of refused) this.hot.noteHeated(this.hot.cold(heat), false)
    this.tell(
      refused.map(({ token }) => token),
      NO_SPACE,
    )
    return taken.filter((one) => !refused.includes(one))
  }

  /** Sums of extents that the log calls cold come from their places from now on. */
  private releaseSums(extents: readonly number[]): void {
    if (this.sums === undefined) return
    for (const extent of extents) if (!this.hot.isLogged(extent)) this.sums.release(extent)
  }

  private async runSettles(): Promise<void> {
    const settles = this.settles
    this.settles = []
    let status = STATUS_OK
    // What could not be read of the hot set would be found again by the next open.
    if (this.isHotDamaged) status = await this.cut()
    if (status === STATUS_OK) {
      const isDone = await this.blocks.write({ pending: "none", isHotUnreadable: false })
      if (!isDone) status = IO_ERROR
    }
    this.table.forgetAhead()
    await this.noteFailedFlush()
    this.tell(settles, status)
  }

  /** One frame of these and of what was cooled; a log without room for it is cut before. */
  private async append(entries: readonly FrameEntry[], heat: readonly number[]): Promise<number> {
    if (entries.length === 0 && heat.length === 0) return STATUS_OK
    const bytes = entryBytesOf(entries) + 8 * (heat.length + this.hot.cooledCount) + 2 * ENTRY_BYTES
    if (!this.log.hasRoomFor(bytes, false)) await this.checkpoint.ended()
    if (!this.log.hasRoomFor(bytes, false)) {
      const status = await this.cut()
      if (status !== STATUS_OK) return status
      if (!this.log.hasRoomFor(bytes, false)) return IO_ERROR
    }
    return this.appendFrame(entries, heat, false)
  }

  /** A new tail, and all that was before it at its place. */
  private async cut(): Promise<number> {
    const status = await this.beginCut()
    return status === STATUS_OK ? this.checkpoint.ended() : status
  }

  /** A frame that a log can begin with; the rest happens beside whatever comes next. */
  private async beginCut(): Promise<number> {
    await this.checkpoint.ended()
    // Where cuts have failed until nothing is left, the last frame of this kind has to do.
    if (this.log.hasRoomFor(2 * ENTRY_BYTES + 8 * this.hot.count, true)) {
      const status = await this.appendFrame([], [], true)
      if (status !== STATUS_OK) return status
      this.isHotDamaged = false
      this.snapshot = this.log.lastFrame
    }
    if (this.snapshot === undefined) return IO_ERROR
    this.checkpoint.start(this.snapshot)
    return STATUS_OK
  }

  private async appendFrame(
    cells: readonly FrameEntry[],
    heat: readonly number[],
    isSnapshot: boolean,
  ): Promise<number> {
    const entries = [...cells]
    const cooled = this.hot.takeCooled()
    if (isSnapshot) entries.push(hotEntry(ENTRY_SNAPSHOT, this.hot.all()))
    else if (cooled.length > 0) entries.push(hotEntry(ENTRY_COOL, cooled))
    // Last, so that what is cooled and heated again in one turn is hot.
    if (heat.length > 0) entries.push(hotEntry(ENTRY_HEAT, heat))
    const { status, sequence, at } = await this.log.append(entries)
    if (status === STATUS_OK) this.apply(entries, sequence, at, isSnapshot)
    else this.fail("the commit log cannot be written", status)
    this.hot.noteCooled(cooled, status === STATUS_OK)
    // What is heated with the same frame goes on to change.
    this.releaseSums(heat.length === 0 ? cooled : cooled.filter((one) => !heat.includes(one)))
    await this.noteFailedFlush()
    return status
  }

  private apply(
    entries: readonly FrameEntry[],
    sequence: number,
    frameAt: number,
    isSnapshot: boolean,
  ): void {
    const frameBytes = frameBytesOf(entryBytesOf(entries))
    if (isSnapshot) this.hotPlaces = []
    let at = frameAt + FRAME_HEAD_BYTES + entries.length * ENTRY_BYTES
    for (const { type, kind, index, body } of entries) {
      const places = [at, at + frameBytes].map((from) => ({ at: from, bytes: body.length }))
      at += body.length
      if (type !== ENTRY_CELL && type !== ENTRY_REMOVED) {
        this.hotPlaces.push(...places)
        continue
      }
      const content = type === ENTRY_CELL ? body : undefined
      this.table.note({ kind: CELL_KINDS[kind]!, index, body: content, sequence, places })
    }
  }

  /** S17: a flush does not ask whose writes it loses. */
  private async noteFailedFlush(): Promise<void> {
    if (!this.io.hasFailedFlush) return
    this.io.hasFailedFlush = false
    await this.noteCacheLost()
  }

  private fail(what: string, status: number): void {
    const { message } = RmrError.ofStatus(status, what)
    this.opening.env.log.write("error", "store.metadata-failed", { detail: message })
  }
}
