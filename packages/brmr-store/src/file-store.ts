/**
 * FileStore: a store in a file or block device (ports/store.ts).
 *
 * ```
 *   superblock ×2 │ commit log │ cells ×2 │ page directory ×2 │ map pages │ sums │ data
 * ```
 *
 * Data goes straight to the file; its tokens are translated in a table, it is held against its sums
 * where the store keeps some (checked-io.ts), and nothing else happens. Metadata goes through the
 * commit log to its places (metadata.ts). The two never share a block, so no data operation reaches
 * metadata.
 */
import type {
  BlockBatch,
  BlockChecksums,
  BlockFile,
  CellKind,
  CellWrite,
  Lease,
  RestartClass,
  Store,
  StoreCapabilities,
  StoreGeometry,
  StoreOpen,
} from "@rmr/core"
import {
  assert,
  assertCellIndex,
  assertCells,
  assertExtents,
  assertLeaseRange,
  BLOCK_FUA,
  BLOCK_STRIDE,
  BLOCK_UNMAP,
  isBlockRange,
  RmrError,
  STATUS_OK,
  statusOf,
} from "@rmr/core"
import type { CellPlace } from "./cell-homes.js"
import { CheckedIo } from "./checked-io.js"
import { DataSlots, NEEDS_FLUSH } from "./data-slots.js"
import type { DataSums } from "./data-sums.js"
import type { FlushLine } from "./flush-line.js"
import { META_TOKENS } from "./meta-io.js"
import type { Metadata } from "./metadata.js"
import { type CheckedPart, RangeCheck } from "./range-check.js"
import type { SumCounts } from "./sum-check.js"
import { SUMS_IN_FLIGHT } from "./sums-slots.js"

const CLOSED = statusOf("closed")
const IO_ERROR = statusOf("io-error")
const INVALID_RANGE = statusOf("invalid-range")
const NO_SPACE = statusOf("no-space")
/** What metadata may have in flight beside data. */
const META_IN_FLIGHT = 4
/** Of what is read on purpose (scrub.ts). */
const CHECKS_IN_FLIGHT = 1
const CHECKED_IN_FLIGHT = SUMS_IN_FLIGHT + CHECKS_IN_FLIGHT
const NO_SUM_COUNTS: SumCounts = { checkedBlocks: 0, damagedBlocks: 0 }

export class FileStore implements Store {
  readonly geometry: StoreGeometry
  readonly supports: StoreCapabilities
  readonly restart: RestartClass
  readonly hotAtOpen: readonly number[] | "unreadable"
  readonly blockBytes: number
  readonly atomicBytes: number
  readonly ioBytesMax: number
  readonly inFlightMax: number
  private readonly file: BlockFile
  private readonly opening: StoreOpen
  private readonly metadata: Metadata
  private readonly slots: DataSlots
  private readonly flushes: FlushLine
  /** Failed flushes that whoever flushes data has been told of. */
  private toldFailures: number
  /** Where the volume begins in the file. */
  readonly dataStart: number
  private readonly done: { count: number; words: Int32Array }
  private isClosing: Promise<void> | undefined
  /** For completions that come while others are delivered. */
  private spare: Int32Array = new Int32Array(64 * BLOCK_STRIDE)
  private growing: Promise<void> = Promise.resolve()
  private readonly checked: CheckedIo | undefined
  private readonly rangeCheck: RangeCheck | undefined
  private checkCount = 0
  private isDue = false
  /** Completions of the file are being handled: what ends is told with them. */
  private isInBatch = false
  private idle: (() => void) | undefined

  constructor(
    opening: StoreOpen,
    file: BlockFile,
    metadata: Metadata,
    blockChecksums: BlockChecksums,
  ) {
    const { superblock, sums } = metadata
    this.opening = opening
    this.file = file
    this.metadata = metadata
    this.geometry = Object.freeze({
      extentBytes: superblock.extentBytes,
      hotExtentsMax: superblock.hotExtentsMax,
      hotExtentsSoft: superblock.hotExtentsSoft,
      mapPagesMax: superblock.mapPagesMax,
    })
    const dataChecked = sums !== undefined
    this.supports = Object.freeze({ unmap: file.supports.unmap, dataChecked })
    this.restart = metadata.restart
    this.hotAtOpen = metadata.hotAtOpen
    this.blockBytes = file.blockBytes
    this.atomicBytes = file.atomicBytes
    this.ioBytesMax = file.ioBytesMax
    this.inFlightMax = file.inFlightMax - META_IN_FLIGHT - (dataChecked ? CHECKED_IN_FLIGHT : 0)
    this.dataStart = superblock.dataStart
    this.slots = new DataSlots(this.inFlightMax)
    this.flushes = metadata.io.flushes
    this.toldFailures = this.flushes.failures
    metadata.io.onDataFlushed = (slot, status) => this.onFlushed(slot, status)
    // Completions of data and metadata that wait for the end of the turn: each has its own room.
    this.done = { count: 0, words: new Int32Array(64 * BLOCK_STRIDE) }
    if (sums !== undefined) {
      const checked = this.checkedIo(sums, blockChecksums)
      const { dataStart } = this
      const { io } = metadata
      this.checked = checked
      this.rangeCheck = new RangeCheck({
        io,
        file,
        memory: opening.memory,
        sums,
        checked,
        dataStart,
      })
    }
    metadata.onFrame((tokens, status) => {
      for (const token of tokens) this.complete(token, status, 0, 0)
      if (tokens.length > 0 || this.idle !== undefined) this.deliverSoon()
    })
  }

  get sizeBytes(): number {
    return this.metadata.superblock.sizeBytes
  }

  /** Where the copies of a cell lie in the file now, for tools and tests. */
  placesOf(kind: CellKind, index: number): readonly CellPlace[] {
    return this.metadata.placesOf(kind, index)
  }

  /** Where all that says what is hot lies in the file now. */
  placesOfHotSet(): readonly CellPlace[] {
    return this.metadata.placesOfHotSet()
  }

  /** How much of the commit log is needed now. */
  get logUsedBytes(): number {
    return this.metadata.logUsedBytes
  }

  /** How many blocks were held against their sums since it was opened, and how many differed. */
  get sumCounts(): Readonly<SumCounts> {
    return this.checked?.check.counts ?? NO_SUM_COUNTS
  }

  /**
   * Reads blocks of one extent and holds them against their sums; one call at a time. Undefined
   * where payload memory is lacking. Fails with `closed`, and with what the file says.
   */
  async checkRange(offset: number, bytes: number): Promise<CheckedPart | undefined> {
    assert(this.rangeCheck !== undefined, "a store that keeps sums can be checked")
    assert(this.checkCount < CHECKS_IN_FLIGHT, "one range is checked at a time")
    if (this.isClosing !== undefined) throw new RmrError("closed", "the store was closed")
    this.checkCount++
    try {
      return await this.rangeCheck.check(offset, bytes)
    } finally {
      this.checkCount--
      if (this.idle !== undefined) this.deliverSoon()
    }
  }

  read(token: number, offset: number, lease: Lease, at: number, bytes: number): void {
    if (!this.admit(token, offset, bytes)) return
    assertLeaseRange(this.opening.memory, this.blockBytes, lease, at, bytes)
    const slot = this.slots.take(token, 0, 0)
    this.checked?.noteRead(slot, offset, lease, at, bytes)
    this.file.read(slot, this.dataStart + offset, lease, at, bytes)
  }

  write(
    token: number,
    offset: number,
    lease: Lease,
    at: number,
    bytes: number,
    flags: number,
  ): void {
    assert((flags & ~BLOCK_FUA) === 0, "a write may be FUA, and nothing else")
    if (!this.admit(token, offset, bytes)) return
    assertLeaseRange(this.opening.memory, this.blockBytes, lease, at, bytes)
    this.assertHot(offset, bytes)
    const isForced = (flags & BLOCK_FUA) !== 0
    const isEmulated = isForced && !this.file.supports.forcedUnitAccess
    const slot = this.slots.take(token, isEmulated ? NEEDS_FLUSH : 0, this.flushes.failures)
    const passed = isEmulated ? 0 : flags
    this.checked?.noteWrite(slot, offset, lease, at, bytes)
    this.file.write(slot, this.dataStart + offset, lease, at, bytes, passed)
  }

  zero(token: number, offset: number, bytes: number, flags: number): void {
    assert((flags & ~(BLOCK_FUA | BLOCK_UNMAP)) === 0, "zero may be FUA and unmap")
    if (!this.admit(token, offset, bytes)) return
    this.assertHot(offset, bytes)
    const isForced = (flags & BLOCK_FUA) !== 0
    const isEmulated = isForced && !this.file.supports.forcedUnitAccess
    const slot = this.slots.take(token, isEmulated ? NEEDS_FLUSH : 0, this.flushes.failures)
    const passed = isEmulated ? flags & ~BLOCK_FUA : flags
    this.checked?.noteZero(slot, offset, bytes)
    this.file.zero(slot, this.dataStart + offset, bytes, passed)
  }

  flush(token: number): void {
    if (this.refuseClosed(token)) return
    this.flushes.ask(this.slots.take(token, 0, this.toldFailures, true))
  }

  submit(): void {
    this.file.submit()
    this.metadata.start()
  }

  async readCell(kind: CellKind, index: number): Promise<Uint8Array | undefined> {
    assertCellIndex(kind, index, this.geometry)
    if (this.isClosing !== undefined) throw new RmrError("closed", "the store was closed")
    // Awaited here: a promise that is handed on costs three turns of the queue instead of one.
    return await this.metadata.readCell(kind, index)
  }

  cellIndexes(kind: CellKind): readonly number[] {
    return this.metadata.cellIndexes(kind)
  }

  commit(token: number, cells: readonly CellWrite[]): void {
    assertCells(cells, this.geometry)
    if (this.refuseClosed(token)) return
    this.metadata.commit(token, cells)
  }

  heat(token: number, extents: readonly number[]): void {
    assertExtents(extents, this.sizeBytes, this.geometry)
    if (this.refuseClosed(token)) return
    if (!this.metadata.heat(token, extents)) {
      this.complete(token, NO_SPACE, 0, 0)
      this.deliverSoon()
    }
  }

  cool(extents: readonly number[]): void {
    assertExtents(extents, this.sizeBytes, this.geometry)
    if (this.isClosing === undefined) this.metadata.cool(extents)
  }

  settleRestart(token: number): void {
    if (this.refuseClosed(token)) return
    this.metadata.settle(token)
  }

  /** One after the other: who asks for less than is there already, or again, changes nothing. */
  grow(sizeBytes: number): Promise<void> {
    const done = this.growing.then(() => this.growTo(sizeBytes))
    this.growing = done.catch(() => undefined)
    return done
  }

  private async growTo(sizeBytes: number): Promise<void> {
    if (this.isClosing !== undefined) throw new RmrError("closed", "the store was closed")
    if (sizeBytes <= this.sizeBytes) return
    if (!this.metadata.hasRoomFor(sizeBytes)) {
      const words = `the store was made for less than ${sizeBytes} bytes`
      throw new RmrError("no-space", `${words}; make a larger one with --max-size`)
    }
    await this.file.grow(this.dataStart + sizeBytes)
    await this.metadata.zeroNew(this.file, this.dataStart, this.sizeBytes, sizeBytes)
    await this.metadata.changeSize(sizeBytes)
  }

  close(): Promise<void> {
    this.isClosing ??= this.shut()
    return this.isClosing
  }

  /** The file's completions; the metadata's are in between. */
  onCompletions({ words, count }: BlockBatch): void {
    this.isInBatch = true
    for (let row = 0, at = 0; row < count; row++, at += BLOCK_STRIDE) {
      const token = words[at]!
      const status = words[at + 1]!
      if (token >= META_TOKENS) {
        this.metadata.io.onCompletion(token, status)
        continue
      }
      this.onData(token, status, words[at + 2]!, words[at + 3]!)
    }
    this.isInBatch = false
    this.deliver()
  }

  private onData(slot: number, status: number, badAt: number, badBytes: number): void {
    const { slots } = this
    if (this.checked?.onEnd(slot, status) === true) return
    if (status === STATUS_OK && slots.needsFlush(slot)) this.flushes.ask(slot)
    else this.complete(slots.give(slot), status, badAt, badBytes)
  }

  /**
   * A flush that somebody asked for, or one behind a write that must be durable. It ends among
   * the file's completions, which are delivered together.
   */
  private onFlushed(slot: number, status: number): void {
    const { slots } = this
    if (status !== STATUS_OK && status !== CLOSED) {
      if (slots.isFlush(slot)) this.toldFailures = this.flushes.failures
      // S17: that the cache is lost is durable before anybody hears of it.
      void this.metadata.noteCacheLost().then(() => {
        this.complete(slots.give(slot), status, 0, 0)
        this.deliverSoon()
      })
      return
    }
    // What was written may have gone with a flush that failed before this one, for somebody else.
    const isLost = status === STATUS_OK && slots.failuresBefore(slot) !== this.flushes.failures
    if (isLost && slots.isFlush(slot)) this.toldFailures = this.flushes.failures
    this.complete(slots.give(slot), isLost ? IO_ERROR : status, 0, 0)
  }

  private checkedIo(sums: DataSums, blockChecksums: BlockChecksums): CheckedIo {
    const { file, dataStart } = this
    const { env, memory } = this.opening
    const finish = (slot: number, status: number, badAt: number, badBytes: number): void => {
      this.complete(this.slots.give(slot), status, badAt, badBytes)
      // Its lease is free, so it has ended for everybody.
      if (!this.isInBatch) this.deliver()
    }
    const slotCount = this.inFlightMax
    return new CheckedIo({
      env,
      memory,
      file,
      sums,
      blockChecksums,
      dataStart,
      slotCount,
      finish,
    })
  }

  private admit(token: number, offset: number, bytes: number): boolean {
    if (this.refuseClosed(token)) return false
    if (isBlockRange(this, offset, bytes)) return true
    this.complete(token, INVALID_RANGE, 0, 0)
    this.deliverSoon()
    return false
  }

  private refuseClosed(token: number): boolean {
    if (this.isClosing === undefined) return false
    this.complete(token, CLOSED, 0, 0)
    this.deliverSoon()
    return true
  }

  /** I1: data is written nowhere but where a crash would make everybody look. */
  private assertHot(offset: number, bytes: number): void {
    const { extentBytes } = this.geometry
    const last = Math.floor((offset + bytes - 1) / extentBytes)
    for (let extent = Math.floor(offset / extentBytes); extent <= last; extent++) {
      if (!this.metadata.isHot(extent))
        assert(false, `extent ${extent} is hot before it is written`)
    }
  }

  private complete(token: number, status: number, badAt: number, badBytes: number): void {
    const { done } = this
    const at = done.count * BLOCK_STRIDE
    if (at === done.words.length) {
      const longer = new Int32Array(2 * done.words.length)
      longer.set(done.words)
      done.words = longer
    }
    done.words[at] = token
    done.words[at + 1] = status
    done.words[at + 2] = badAt
    done.words[at + 3] = badBytes
    done.count++
  }

  private deliverSoon(): void {
    if (this.isDue) return
    this.isDue = true
    // Not by a timer: the shortest takes a millisecond, and IO may stand still for a commit (P9).
    this.opening.env.clock.endOfTurn(() => {
      this.isDue = false
      this.deliver()
    })
  }

  private deliver(): void {
    const { done } = this
    if (done.count > 0) {
      const { count, words } = done
      // What the user asks meanwhile completes into a table of its own.
      done.words = this.spare
      done.count = 0
      this.opening.events.onCompletions({ count, words })
      this.spare = words
    }
    if (this.idle !== undefined && this.isIdle) this.idle()
  }

  private get isIdle(): boolean {
    const isBusy = this.slots.count > 0 || this.checkCount > 0 || !this.metadata.isIdle
    return !isBusy && this.done.count === 0 && !this.isDue
  }

  private async shut(): Promise<void> {
    this.file.submit()
    this.metadata.start()
    while (!this.isIdle) {
      await new Promise<void>((resolve) => {
        this.idle = resolve
      })
      this.idle = undefined
    }
    await this.growing
    await this.metadata.close()
    await this.file.close()
    // Operations that came meanwhile are told that it is closed.
    while (this.isDue) {
      await new Promise<void>((resolve) => {
        this.idle = resolve
      })
      this.idle = undefined
    }
    this.metadata.io.release()
  }
}
