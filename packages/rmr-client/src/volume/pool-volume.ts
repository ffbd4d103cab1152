/**
 * PoolVolume: one user's handle on a pool's volume (ports/volume.ts).
 *
 * It checks what is asked, keeps it in order until the engine has room, and gathers what is done
 * into one batch. The pool serves its handles in turn, so that a user with a long queue does not
 * starve one with a short one.
 */
import type { BlockEvents, Lease, Volume, VolumeOpen, VolumeRange } from "@rmr/core"
import {
  assert,
  assertLeaseRange,
  BLOCK_FUA,
  BLOCK_STRIDE,
  BLOCK_UNMAP,
  isBlockRange,
  type Memory,
  NO_LEASE,
  OP_DISCARD,
  OP_FLUSH,
  OP_READ,
  OP_WRITE,
  OP_WRITE_ZEROES,
  statusOf,
  type Timer,
} from "@rmr/core"

/** What a handle needs of its pool. */
export interface VolumeHost {
  readonly memory: Memory
  readonly sizeBytes: number
  readonly blockBytes: number
  readonly atomicBytes: number
  readonly ioBytesMax: number
  readonly optimalIoBytes: number
  readonly canUnmap: boolean
  readonly nowMs: number
  /** What is in flight at a close is waited for so long. */
  readonly closeMs: number
  schedule(delayMs: number, run: () => void): Timer
  /** The handle has something to do. */
  onPending(volume: PoolVolume): void
  /** The handle has something to deliver, outside of any delivery. */
  onDue(volume: PoolVolume): void
  ranges(offset: number, bytes: number, countMax: number): readonly VolumeRange[]
  /** Sends what was asked now, instead of at the end of the turn. */
  flush(): void
  /** The handle was closed, and what it has in flight is not waited for any more. */
  onGivenUp(volume: PoolVolume): void
  onClosed(volume: PoolVolume): void
}

const CLOSED = statusOf("closed")
const INVALID_RANGE = statusOf("invalid-range")

export class PoolVolume implements Volume {
  readonly name: string
  readonly inFlightMax: number
  private readonly host: VolumeHost
  private readonly events: BlockEvents
  /** A ring of operations that the engine has not taken: columns by place. */
  private readonly queueTokens: Int32Array
  private readonly queueOps: Uint8Array
  private readonly queueFlags: Uint8Array
  private readonly queueOffsets: Float64Array
  private readonly queueLengths: Float64Array
  private readonly queueLeases: Float64Array
  private readonly queueAts: Float64Array
  private readonly queueMs: Float64Array
  /** What it was told is written may be gone: its next flush says so, once (I5, RT-54). */
  hasLostBytes = false
  /** Nobody but the pool hears what becomes of its flushes (RT-62). */
  isPoolsOwn = false
  private head = 0
  private queued = 0
  private inFlight = 0
  /** What is done, and what is being delivered: they change places. */
  private batch: { count: number; readonly words: Int32Array }
  private delivered: { count: number; readonly words: Int32Array }
  private isClosed = false
  private closing: (() => void)[] = []
  private lateTimer: Timer | undefined
  private lateMs = Number.POSITIVE_INFINITY
  private isGivenUpNow = false

  constructor(name: string, host: VolumeHost, { events, inFlightMax }: VolumeOpen) {
    this.name = name
    this.host = host
    this.events = events
    this.inFlightMax = inFlightMax
    this.queueTokens = new Int32Array(inFlightMax)
    this.queueOps = new Uint8Array(inFlightMax)
    this.queueFlags = new Uint8Array(inFlightMax)
    this.queueOffsets = new Float64Array(inFlightMax)
    this.queueLengths = new Float64Array(inFlightMax)
    this.queueLeases = new Float64Array(inFlightMax)
    this.queueAts = new Float64Array(inFlightMax)
    this.queueMs = new Float64Array(inFlightMax)
    this.batch = { count: 0, words: new Int32Array(inFlightMax * BLOCK_STRIDE) }
    this.delivered = { count: 0, words: new Int32Array(inFlightMax * BLOCK_STRIDE) }
  }

  get sizeBytes(): number {
    return this.host.sizeBytes
  }

  get blockBytes(): number {
    return this.host.blockBytes
  }

  get atomicBytes(): number {
    return this.host.atomicBytes
  }

  get ioBytesMax(): number {
    return this.host.ioBytesMax
  }

  get optimalIoBytes(): number {
    return this.host.optimalIoBytes
  }

  get canUnmap(): boolean {
    return this.host.canUnmap
  }

  read(token: number, offset: number, lease: Lease, at: number, bytes: number): void {
    assertLeaseRange(this.host.memory, this.blockBytes, lease, at, bytes)
    this.ask(OP_READ, token, offset, bytes, lease, at, 0)
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
    assertLeaseRange(this.host.memory, this.blockBytes, lease, at, bytes)
    this.ask(OP_WRITE, token, offset, bytes, lease, at, flags)
  }

  zero(token: number, offset: number, bytes: number, flags: number): void {
    assert((flags & ~(BLOCK_FUA | BLOCK_UNMAP)) === 0, "zero may be FUA and unmap")
    const operation = (flags & BLOCK_UNMAP) === 0 ? OP_WRITE_ZEROES : OP_DISCARD
    this.ask(operation, token, offset, bytes, NO_LEASE, 0, flags & BLOCK_FUA)
  }

  flush(token: number): void {
    this.ask(OP_FLUSH, token, 0, 0, NO_LEASE, 0, 0)
  }

  submit(): void {
    if (this.queued > 0) this.host.onPending(this)
    this.host.flush()
  }

  ranges(offset: number, bytes: number, countMax: number): readonly VolumeRange[] {
    return this.host.ranges(offset, bytes, countMax)
  }

  close(withinMs: number = this.host.closeMs): Promise<void> {
    this.isClosed = true
    if (this.inFlight === 0) {
      this.host.onClosed(this)
      return Promise.resolve()
    }
    this.waitUntil(this.host.nowMs + withinMs)
    return new Promise((resolve) => this.closing.push(resolve))
  }

  /** P6: the pool ends what this handle has in flight, as soon as it may. */
  get isGivenUp(): boolean {
    return this.isGivenUpNow
  }

  /** Operations that are not over, as far as the user was told. */
  get openCount(): number {
    return this.inFlight
  }

  /** Operations that the engine has not taken. */
  get pendingCount(): number {
    return this.queued
  }

  get headOperation(): number {
    return this.queueOps[this.head]!
  }

  get headToken(): number {
    return this.queueTokens[this.head]!
  }

  get headFlags(): number {
    return this.queueFlags[this.head]!
  }

  get headOffset(): number {
    return this.queueOffsets[this.head]!
  }

  get headLength(): number {
    return this.queueLengths[this.head]!
  }

  get headLease(): Lease {
    return this.queueLeases[this.head]! as Lease
  }

  get headAt(): number {
    return this.queueAts[this.head]!
  }

  /** Since when the operation at the head waits. */
  get headMs(): number {
    return this.queueMs[this.head]!
  }

  /** The operation at the head fails, without having been taken. */
  failHead(status: number): void {
    const lease = this.headLease
    this.complete(this.headToken, status, 0, 0)
    this.dropHead()
    if (lease !== NO_LEASE) this.host.memory.release(lease)
    this.host.onDue(this)
  }

  /** The engine has taken the operation at the head, and its reference on the lease with it. */
  dropHead(): void {
    assert(this.queued > 0, "there is an operation at the head")
    this.head = (this.head + 1) % this.inFlightMax
    this.queued--
  }

  /** The operation is over; `deliver` tells the user. */
  complete(token: number, status: number, badAt: number, badBytes: number): void {
    const { batch } = this
    const at = batch.count * BLOCK_STRIDE
    batch.words[at] = token
    batch.words[at + 1] = status
    batch.words[at + 2] = badAt
    batch.words[at + 3] = badBytes
    batch.count++
  }

  get hasCompletions(): boolean {
    return this.batch.count > 0
  }

  deliver(): void {
    while (this.batch.count > 0) {
      const done = this.batch
      this.batch = this.delivered
      this.delivered = done
      this.inFlight -= done.count
      this.events.onCompletions(done)
      done.count = 0
    }
    if (this.isClosed && this.inFlight === 0) this.endClosing()
  }

  /** The earliest end counts, whoever asked for it. */
  private waitUntil(lateMs: number): void {
    if (lateMs >= this.lateMs || this.isGivenUp) return
    this.lateMs = lateMs
    this.lateTimer?.cancel()
    this.lateTimer = this.host.schedule(Math.max(0, lateMs - this.host.nowMs), () => {
      this.isGivenUpNow = true
      this.host.onGivenUp(this)
    })
  }

  private endClosing(): void {
    this.lateTimer?.cancel()
    this.host.onClosed(this)
    const waiters = this.closing
    this.closing = []
    for (const resolve of waiters) resolve()
  }

  private ask(
    operation: number,
    token: number,
    offset: number,
    bytes: number,
    lease: Lease,
    at: number,
    flags: number,
  ): void {
    if (this.inFlight >= this.inFlightMax)
      assert(false, `more than ${this.inFlightMax} operations in flight`)
    this.inFlight++
    const isRange = operation === OP_FLUSH || isBlockRange(this.host, offset, bytes)
    if (this.isClosed || !isRange) {
      this.complete(token, this.isClosed ? CLOSED : INVALID_RANGE, 0, 0)
      this.host.onDue(this)
      return
    }
    if (lease !== NO_LEASE) this.host.memory.retain(lease)
    const place = (this.head + this.queued) % this.inFlightMax
    this.queueTokens[place] = token
    this.queueOps[place] = operation
    this.queueFlags[place] = flags
    this.queueOffsets[place] = offset
    this.queueLengths[place] = bytes
    this.queueLeases[place] = lease
    this.queueAts[place] = at
    this.queueMs[place] = this.host.nowMs
    this.queued++
    this.host.onPending(this)
  }
}

/** One flush through a handle of its own, whatever becomes of it. */
export function flushOnce(name: string, host: VolumeHost): Promise<void> {
  return new Promise((resolve) => {
    const events = { onCompletions: () => resolve() }
    new PoolVolume(name, host, { events, inFlightMax: 1 }).flush(OP_FLUSH)
  })
}
