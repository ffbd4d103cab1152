/**
 * A store inside a store: every operation passes a filter on its way down and on its way back.
 *
 * Faults, delays and traces are put around any store in this way instead of being flags inside one,
 * and what comes out is a store again: it passes the same contract. The wrapper holds leases as
 * long as it holds completions, refuses nothing that the inner store takes, and waits at close for
 * what it keeps.
 */
import type {
  BlockBatch,
  CellKind,
  CellWrite,
  Lease,
  RestartClass,
  Store,
  StoreCapabilities,
  StoreGeometry,
  StoreOpen,
  StoreSource,
  Timer,
} from "@rmr/core"
import {
  BLOCK_BAD_AT,
  BLOCK_BAD_BYTES,
  BLOCK_STATUS,
  BLOCK_STRIDE,
  BLOCK_TOKEN,
  NO_LEASE,
  STATUS_OK,
} from "@rmr/core"
import type { Operation, OperationKind } from "../store/operation.js"
import { Completions, OperationTable } from "../store/operation.js"

/** What a filter sees of an operation; it may set status and bad range. */
export type FilteredOperation = Operation

export interface StoreFilter {
  /**
   * On the way down. If it leaves a status that is not 0, the inner store never sees the operation.
   */
  before?(operation: FilteredOperation): void
  /** On the way back, with what became of it. */
  after?(operation: FilteredOperation): void
  /** How long its completion is kept back. */
  holdMs?(operation: FilteredOperation): number
  /** What the outer store says about its restart. */
  restart?(found: RestartClass): RestartClass
}

/** `filter` makes the filter of one life, when the store is opened. */
export function filterStore(
  source: StoreSource,
  label: string,
  filter: (open: StoreOpen) => StoreFilter,
): StoreSource {
  return {
    name: `${label} ${source.name}`,
    open: async (open) => {
      const events = { onCompletions: (batch: BlockBatch): void => outer.onInner(batch) }
      const inner = await source.open({ ...open, events })
      const outer = new FilteredStore(inner, open, filter(open))
      return outer
    },
  }
}

class FilteredStore implements Store {
  readonly geometry: StoreGeometry
  readonly supports: StoreCapabilities
  readonly restart: RestartClass
  readonly hotAtOpen: readonly number[] | "unreadable"
  readonly blockBytes: number
  readonly atomicBytes: number
  readonly ioBytesMax: number
  readonly inFlightMax: number
  private readonly inner: Store
  private readonly outer: StoreOpen
  private readonly filter: StoreFilter
  private readonly table: OperationTable
  private readonly completions: Completions
  /** Come back, or never gone down, and kept until they are due. */
  private readonly held: Operation[] = []
  private timer: Timer | undefined
  private timerDueMs = Number.POSITIVE_INFINITY
  private closing: Promise<void> | undefined
  private whenIdle: (() => void) | undefined

  constructor(inner: Store, outer: StoreOpen, filter: StoreFilter) {
    this.inner = inner
    this.outer = outer
    this.filter = filter
    this.geometry = inner.geometry
    this.supports = inner.supports
    this.restart = filter.restart?.(inner.restart) ?? inner.restart
    this.hotAtOpen = inner.hotAtOpen
    this.blockBytes = inner.blockBytes
    this.atomicBytes = inner.atomicBytes
    this.ioBytesMax = inner.ioBytesMax
    this.inFlightMax = inner.inFlightMax
    this.table = new OperationTable(inner.inFlightMax)
    this.completions = new Completions(inner.inFlightMax)
  }

  get sizeBytes(): number {
    return this.inner.sizeBytes
  }

  read(token: number, offset: number, lease: Lease, at: number, bytes: number): void {
    const operation = this.take("read", token)
    fill(operation, offset, bytes, 0, lease)
    this.pass(operation, (slot) => this.inner.read(slot, offset, lease, at, bytes))
  }

  write(
    token: number,
    offset: number,
    lease: Lease,
    at: number,
    bytes: number,
    flags: number,
  ): void {
    const operation = this.take("write", token)
    fill(operation, offset, bytes, flags, lease)
    this.pass(operation, (slot) => this.inner.write(slot, offset, lease, at, bytes, flags))
  }

  zero(token: number, offset: number, bytes: number, flags: number): void {
    const operation = this.take("zero", token)
    fill(operation, offset, bytes, flags, NO_LEASE)
    this.pass(operation, (slot) => this.inner.zero(slot, offset, bytes, flags))
  }

  flush(token: number): void {
    this.pass(this.take("flush", token), (slot) => this.inner.flush(slot))
  }

  submit(): void {
    this.inner.submit()
  }

  readCell(kind: CellKind, index: number): Promise<Uint8Array | undefined> {
    return this.inner.readCell(kind, index)
  }

  cellIndexes(kind: CellKind): readonly number[] {
    return this.inner.cellIndexes(kind)
  }

  commit(token: number, cells: readonly CellWrite[]): void {
    const operation = this.take("commit", token)
    operation.cells = cells
    this.pass(operation, (slot) => this.inner.commit(slot, cells))
  }

  heat(token: number, extents: readonly number[]): void {
    const operation = this.take("heat", token)
    for (const extent of extents) operation.extents.push(extent)
    this.pass(operation, (slot) => this.inner.heat(slot, extents))
  }

  cool(extents: readonly number[]): void {
    this.inner.cool(extents)
  }

  settleRestart(token: number): void {
    this.pass(this.take("settle", token), (slot) => this.inner.settleRestart(slot))
  }

  grow(sizeBytes: number): Promise<void> {
    return this.inner.grow(sizeBytes)
  }

  close(): Promise<void> {
    this.closing ??= this.closeBoth()
    return this.closing
  }

  /** Completions of the inner store; their tokens are our slots. */
  onInner(batch: BlockBatch): void {
    for (let row = 0; row < batch.count; row++) {
      const at = row * BLOCK_STRIDE
      const operation = this.table.at(batch.words[at + BLOCK_TOKEN]!)
      operation.status = batch.words[at + BLOCK_STATUS]!
      operation.badAt = batch.words[at + BLOCK_BAD_AT]!
      operation.badBytes = batch.words[at + BLOCK_BAD_BYTES]!
      this.filter.after?.(operation)
      this.hold(operation)
    }
    this.deliverDue()
  }

  private take(kind: OperationKind, token: number): Operation {
    return this.table.take(kind, token)
  }

  /** Sends an operation down, unless the filter ends it. */
  private pass(operation: Operation, down: (slot: number) => void): void {
    if (this.closing === undefined) this.filter.before?.(operation)
    if (operation.status === STATUS_OK) {
      try {
        down(operation.slot)
      } catch (thrown) {
        this.table.give(operation)
        throw thrown
      }
    }
    if (operation.lease !== NO_LEASE) this.outer.memory.retain(operation.lease)
    if (operation.status === STATUS_OK) return
    this.hold(operation)
    this.arm()
  }

  private hold(operation: Operation): void {
    operation.dueMs = this.outer.env.clock.nowMs() + (this.filter.holdMs?.(operation) ?? 0)
    this.held.push(operation)
  }

  private readonly onDue = (): void => {
    this.timerDueMs = Number.POSITIVE_INFINITY
    this.deliverDue()
  }

  private deliverDue(): void {
    const nowMs = this.outer.env.clock.nowMs()
    let keptCount = 0
    for (const operation of this.held) {
      if (operation.dueMs > nowMs) this.held[keptCount++] = operation
      else this.finish(operation)
    }
    this.held.length = keptCount
    this.arm()
    this.completions.deliverTo(this.outer.events)
    if (this.table.inFlightCount === 0) this.whenIdle?.()
  }

  private finish(operation: Operation): void {
    const { token, status, badAt, badBytes, lease } = operation
    this.completions.add(token, status, badAt, badBytes)
    if (lease !== NO_LEASE) this.outer.memory.release(lease)
    this.table.give(operation)
  }

  private arm(): void {
    let dueMs = Number.POSITIVE_INFINITY
    for (const operation of this.held) dueMs = Math.min(dueMs, operation.dueMs)
    if (dueMs === this.timerDueMs) return
    this.timer?.cancel()
    this.timerDueMs = dueMs
    if (dueMs === Number.POSITIVE_INFINITY) return
    const { clock } = this.outer.env
    this.timer = clock.schedule(Math.max(0, dueMs - clock.nowMs()), this.onDue)
  }

  private async closeBoth(): Promise<void> {
    await this.inner.close()
    if (this.table.inFlightCount === 0) return
    await new Promise<void>((resolve) => {
      this.whenIdle = resolve
    })
  }
}

function fill(
  operation: Operation,
  offset: number,
  bytes: number,
  flags: number,
  lease: Lease,
): void {
  operation.offset = offset
  operation.bytes = bytes
  operation.flags = flags
  operation.lease = lease
}
