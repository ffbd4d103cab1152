/**
 * A memory store while it is open: what each operation means, in the order of the port.
 *
 * It checks, hands over to the queue, and carries out against the medium what the queue brings
 * back. `die` is how a process ends. What had begun by then may have happened for some atomic units
 * and not for others, and for metadata from the first on; what had not begun never happens.
 */
import type {
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
  BLOCK_UNMAP,
  isBlockRange,
  leaseBytes,
  NO_LEASE,
  RmrError,
  STATUS_OK,
  statusOf,
} from "@rmr/core"
import type { BadRange } from "./bad-spots.js"
import type { MemoryMedium } from "./memory-medium.js"
import type { Operation, OperationKind } from "./operation.js"
import { OperationQueue } from "./operation-queue.js"

/** The numbers of a memory store that stay the same, one life after another. */
export interface MemoryStoreShape {
  readonly blockBytes: number
  readonly atomicBytes: number
  readonly ioBytesMax: number
  readonly inFlightMax: number
  readonly geometry: StoreGeometry
  readonly latencyMs: readonly [min: number, max: number]
}

const CLOSED = statusOf("closed")
const INVALID_RANGE = statusOf("invalid-range")
const IO_ERROR = statusOf("io-error")
const MEDIA_ERROR = statusOf("media-error")
const NO_SPACE = statusOf("no-space")

export class OpenMemoryStore implements Store {
  readonly geometry: StoreGeometry
  readonly supports: StoreCapabilities = Object.freeze({ unmap: true, dataChecked: false })
  readonly restart: RestartClass
  readonly hotAtOpen: readonly number[] | "unreadable"
  readonly blockBytes: number
  readonly atomicBytes: number
  readonly ioBytesMax: number
  readonly inFlightMax: number

  protected readonly medium: MemoryMedium
  protected readonly options: StoreOpen
  protected readonly queue: OperationQueue
  private readonly onClosed: () => void
  private readonly hot: Set<number>
  /** Cooled here, and not yet in the log of the medium. */
  private readonly cooling = new Set<number>()
  private closing: Promise<void> | undefined
  private isDead = false

  constructor(
    medium: MemoryMedium,
    shape: MemoryStoreShape,
    options: StoreOpen,
    onClosed: () => void,
  ) {
    this.medium = medium
    this.options = options
    this.onClosed = onClosed
    this.geometry = shape.geometry
    this.blockBytes = shape.blockBytes
    this.atomicBytes = shape.atomicBytes
    this.ioBytesMax = shape.ioBytesMax
    this.inFlightMax = shape.inFlightMax
    this.queue = new OperationQueue({
      open: options,
      inFlightMax: shape.inFlightMax,
      latencyMs: shape.latencyMs,
      random: medium.random,
      execute: (operation) => this.execute(operation),
    })
    const found = medium.open()
    this.restart = found.restart
    this.hotAtOpen = found.isHotDamaged ? "unreadable" : found.hot
    this.hot = new Set(found.hot)
  }

  get sizeBytes(): number {
    return this.medium.sizeBytes
  }

  read(token: number, offset: number, lease: Lease, at: number, bytes: number): void {
    this.addRange("read", token, offset, bytes, 0, lease, at)
  }

  write(
    token: number,
    offset: number,
    lease: Lease,
    at: number,
    bytes: number,
    flags: number,
  ): void {
    assert((flags & ~BLOCK_FUA) === 0, `write has no flags ${flags}`)
    this.addRange("write", token, offset, bytes, flags, lease, at)
  }

  zero(token: number, offset: number, bytes: number, flags: number): void {
    assert((flags & ~(BLOCK_FUA | BLOCK_UNMAP)) === 0, `zero has no flags ${flags}`)
    this.addRange("zero", token, offset, bytes, flags, NO_LEASE, 0)
  }

  flush(token: number): void {
    this.queue.add(this.take("flush", token))
  }

  submit(): void {
    this.queue.beginSubmitted()
  }

  async readCell(kind: CellKind, index: number): Promise<Uint8Array | undefined> {
    assertCellIndex(kind, index, this.geometry)
    this.refuseWhenClosed()
    return this.medium.readCell(kind, index)
  }

  cellIndexes(kind: CellKind): readonly number[] {
    return this.medium.cellIndexes(kind)
  }

  commit(token: number, cells: readonly CellWrite[]): void {
    assertCells(cells, this.geometry)
    const operation = this.take("commit", token)
    operation.cells = cells.map((cell) => ({ ...cell, bytes: cell.bytes?.slice() }))
    this.queue.add(operation)
  }

  heat(token: number, extents: readonly number[]): void {
    assertExtents(extents, this.sizeBytes, this.geometry)
    const operation = this.take("heat", token)
    for (const extent of extents) {
      if (!operation.extents.includes(extent)) operation.extents.push(extent)
    }
    this.queue.add(operation)
  }

  cool(extents: readonly number[]): void {
    assertExtents(extents, this.sizeBytes, this.geometry)
    for (const extent of extents) {
      if (this.hot.delete(extent)) this.cooling.add(extent)
    }
  }

  settleRestart(token: number): void {
    this.queue.add(this.take("settle", token))
  }

  async grow(sizeBytes: number): Promise<void> {
    this.refuseWhenClosed()
    assert(sizeBytes % this.blockBytes === 0, "a volume has whole blocks")
    this.medium.grow(sizeBytes)
  }

  close(): Promise<void> {
    this.closing ??= this.finishAndClose()
    return this.closing
  }

  die(): void {
    this.isDead = true
    const { data, metadata } = this.queue.abandon()
    for (const operation of data) this.leaveHalfDone(operation)
    const doneCount = this.medium.random.below(metadata.length + 1)
    for (const operation of metadata.slice(0, doneCount)) {
      if (operation.status === STATUS_OK) this.execute(operation)
    }
  }

  private addRange(
    kind: OperationKind,
    token: number,
    offset: number,
    bytes: number,
    flags: number,
    lease: Lease,
    at: number,
  ): void {
    const isLegal = isBlockRange(this, offset, bytes)
    if (isLegal && lease !== NO_LEASE) {
      assertLeaseRange(this.options.memory, this.blockBytes, lease, at, bytes)
    }
    if (isLegal && kind !== "read" && this.closing === undefined) this.assertHot(offset, bytes)
    const operation = this.take(kind, token)
    if (!isLegal && operation.status === STATUS_OK) operation.status = INVALID_RANGE
    operation.offset = offset
    operation.bytes = bytes
    operation.flags = flags
    operation.at = at
    operation.lease = lease
    this.queue.add(operation)
  }

  protected assertHot(offset: number, bytes: number): void {
    const { extentBytes } = this.geometry
    const last = Math.floor((offset + bytes - 1) / extentBytes)
    for (let extent = Math.floor(offset / extentBytes); extent <= last; extent++) {
      assert(this.hot.has(extent), `extent ${extent} is written and is not hot`)
    }
  }

  private take(kind: OperationKind, token: number): Operation {
    const operation = this.queue.take(kind, token)
    if (this.closing !== undefined) operation.status = CLOSED
    return operation
  }

  private execute(operation: Operation): void {
    switch (operation.kind) {
      case "read":
        this.executeRead(operation)
        break
      case "write":
      case "zero":
        this.executeChange(operation)
        break
      case "flush":
        if (!this.medium.flush()) operation.status = IO_ERROR
        break
      case "commit":
        this.logCooled()
        if (!this.medium.commit(operation.cells)) operation.status = IO_ERROR
        break
      case "heat":
        this.executeHeat(operation)
        break
      case "settle":
        this.medium.settle()
        break
    }
  }

  private executeRead(operation: Operation): void {
    const { offset, bytes } = operation
    const bad = this.medium.badReads.firstIn(offset, bytes)
    if (bad !== undefined) {
      failMedia(operation, bad)
      return
    }
    const { lease, at } = operation
    this.medium.data.read(offset, leaseBytes(this.options.memory, lease, at, bytes))
  }

  private executeChange(operation: Operation): void {
    const { offset, bytes } = operation
    const bad = this.medium.badWrites.firstIn(offset, bytes)
    if (bad !== undefined) {
      failMedia(operation, bad)
      return
    }
    this.change(operation, offset, bytes)
    if ((operation.flags & BLOCK_FUA) !== 0) this.medium.data.force(offset, bytes)
  }

  /** Carries out a write or zero for a part of its range. */
  private change(operation: Operation, offset: number, bytes: number): void {
    this.medium.badReads.heal(offset, bytes)
    if (operation.kind === "zero") {
      this.medium.data.zero(offset, bytes, (operation.flags & BLOCK_UNMAP) !== 0)
      return
    }
    const at = operation.at + (offset - operation.offset)
    this.medium.data.write(offset, leaseBytes(this.options.memory, operation.lease, at, bytes))
  }

  private executeHeat(operation: Operation): void {
    this.logCooled()
    let newCount = 0
    for (const extent of operation.extents) if (!this.hot.has(extent)) newCount++
    if (this.hot.size + newCount > this.geometry.hotExtentsMax) {
      operation.status = NO_SPACE
      return
    }
    for (const extent of operation.extents) this.hot.add(extent)
    this.medium.heat(operation.extents)
  }

  /** A record that is written anyway carries what was cooled before it. */
  private logCooled(): void {
    for (const extent of this.cooling) this.medium.cool(extent)
    this.cooling.clear()
  }

  private leaveHalfDone(operation: Operation): void {
    const isChange = operation.kind === "write" || operation.kind === "zero"
    if (!isChange || operation.status !== STATUS_OK) return
    const end = operation.offset + operation.bytes
    for (let offset = operation.offset; offset < end; offset += this.atomicBytes) {
      if (this.medium.random.below(2) === 0) this.change(operation, offset, this.atomicBytes)
    }
  }

  private async finishAndClose(): Promise<void> {
    this.queue.beginSubmitted()
    await this.queue.idle()
    if (this.isDead) return
    this.logCooled()
    this.medium.closeCleanly()
    this.onClosed()
  }

  private refuseWhenClosed(): void {
    if (this.closing !== undefined) throw new RmrError("closed", "the store was closed")
  }
}

function failMedia(operation: Operation, bad: BadRange): void {
  operation.status = MEDIA_ERROR
  operation.badAt = bad.offset - operation.offset
  operation.badBytes = bad.bytes
}
