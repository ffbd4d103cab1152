/**
 * EngineCore: what all parts of the data path share: the operations that are not over, the way to
 * the legs, what is true of the view now, and how a caller hears that its operation is over.
 */
import type { ChunkRange, FlushScope, IoReplyRecord, View } from "@rmr/core"
import { NO_LEASE, STATUS_OK, statusOf } from "@rmr/core"
import type { PoolVolume } from "../volume/pool-volume.js"
import type { EngineLeg } from "./engine-leg.js"
import { type EngineOptions, EngineWire } from "./engine-wire.js"
import { IncompleteChunks } from "./incomplete-chunks.js"
import { IoCounts } from "./io-counts.js"
import { IoRows, KIND_MUTATION } from "./io-rows.js"

export const IO_ERROR: number = statusOf("io-error")
/** A leg that is busy or between two states is asked again after this long. */
const RETRY_MS = 10
/** What nobody has a clean copy for is asked for again after this long. */
export const COPY_RETRY_MS = 50

export interface EngineHooks {
  /** A mutation is over: whoever waited for its bytes goes on (W1). */
  onMutationEnded(row: number): void
  /** Time to try again what a leg did not take. */
  onRetry(): void
}

export class EngineCore {
  readonly options: EngineOptions
  readonly rows: IoRows
  readonly counts: IoCounts = new IoCounts()
  readonly wire: EngineWire
  readonly legs: (EngineLeg | undefined)[] = []
  view: View = { epoch: 0, version: 0, normal: 0 }
  absentIds: readonly number[] = []
  /** Legs that a view change under way leaves out: their answers are dropped. */
  leaving = 0
  minNormal = 1
  stableEpoch = 0
  stableSequence = 0
  /** For whom a flush may be sent (I5). */
  flushes: FlushScope = "nobody"
  /** Set while no mutation may be sent or judged (V2). */
  isFrozen = true
  /** Set while no mutation begins, so that those in flight come to an end (V3). */
  isHeldBack = false
  isEnded = false
  /** What everything ends with once the engine has ended. */
  endStatus = 0
  /** Number of the newest mutation of this epoch. */
  lastSequence = 0
  /** Newest mutation of this epoch that is durable, as far as callers may be told (I5). */
  flushedSequence = 0
  /** Of an epoch before this one, something was not flushed. */
  carriesUnflushed = false
  /** Chunks that some member lacks, as far as this client knows. */
  readonly incomplete: IncompleteChunks
  private readonly hooks: EngineHooks
  /** Handles with something to tell; few. */
  private readonly due: PoolVolume[] = []
  private isRetrying = false
  private readonly runDeliver = (): void => this.deliver()

  /** Something that was acknowledged may be lost with somebody's cache. */
  get hasUnflushed(): boolean {
    return this.carriesUnflushed || this.lastSequence !== this.flushedSequence
  }

  /** I5: a flush that callers may be told of has covered everything up to this mutation. */
  noteFlushed(sequence: number): void {
    this.flushedSequence = Math.max(this.flushedSequence, sequence)
    this.carriesUnflushed = false
  }

  constructor(options: EngineOptions, hooks: EngineHooks) {
    this.options = options
    this.hooks = hooks
    this.rows = new IoRows(options.queueDepth, options.readsMax)
    this.wire = new EngineWire(options, this.rows, this.legs)
    const chunkCount = Math.ceil(options.mappedSizeBytes / options.chunkSizeBytes)
    this.incomplete = new IncompleteChunks(chunkCount)
  }

  /** The volume has this size from now on (G1). */
  growTo(mappedSizeBytes: number): void {
    this.wire.growTo(mappedSizeBytes)
    this.incomplete.extendTo(Math.ceil(mappedSizeBytes / this.options.chunkSizeBytes))
  }

  /** Members that take part and are not about to leave. */
  get staying(): number {
    return this.view.normal & ~this.leaving
  }

  /** Whether what is flushed can be told to callers (I5). */
  get isFlushable(): boolean {
    return this.flushes === "callers"
  }

  /** RT-62: flushes of the pool's own go on while callers have to wait for a chunk's holder. */
  maySendFlush(row: number): boolean {
    if (this.flushes === "pool") return this.rows.volumes[row]?.isPoolsOwn === true
    return this.flushes === "callers"
  }

  /** Delivered at the end of a batch; or soon, when none is under way. */
  onDue(volume: PoolVolume): void {
    if (this.due.length === 0) this.options.env.clock.endOfTurn(this.runDeliver)
    if (!this.due.includes(volume)) this.due.push(volume)
  }

  deliver(): void {
    // Those that are due by what is told now have their turn at its end.
    for (let left = this.due.length; left > 0; left--) this.due.shift()?.deliver()
    if (this.due.length > 0) this.options.env.clock.endOfTurn(this.runDeliver)
  }

  noteError(row: number, reply: IoReplyRecord): void {
    const { rows } = this
    rows.statuses[row] = reply.status === STATUS_OK ? IO_ERROR : reply.status
    rows.badAts[row] = reply.badAt
    rows.badBytes[row] = reply.badBytes
  }

  retryLater(delayMs: number = RETRY_MS): void {
    if (this.isRetrying) return
    this.isRetrying = true
    this.options.env.clock.schedule(delayMs, () => {
      this.isRetrying = false
      if (!this.isEnded) this.hooks.onRetry()
    })
  }

  /** An election has ended, or goes on: what waits for these chunks is not late (W2, V7). */
  grantTime(chunks: readonly ChunkRange[]): void {
    if (chunks.length === 0) return
    const { rows } = this
    const { chunkSizeBytes, env } = this.options
    const nowMs = env.clock.nowMs()
    for (let row = 0; row < rows.unitCount; row++) {
      if (rows.kinds[row] !== KIND_MUTATION) continue
      const first = Math.floor(rows.offsets[row]! / chunkSizeBytes)
      const end = Math.ceil((rows.offsets[row]! + rows.lengths[row]!) / chunkSizeBytes)
      const isHeld = chunks.some(
        ({ firstChunk, chunkCount }) => firstChunk < end && first < firstChunk + chunkCount,
      )
      if (isHeld) rows.grantedMs[row] = nowMs
    }
  }

  completeFor(row: number, status: number): void {
    const { rows } = this
    const volume = rows.volumes[row]
    if (volume === undefined) return
    const isBad = status !== STATUS_OK && rows.badBytes[row]! > 0
    volume.complete(
      rows.tokens[row]!,
      status,
      isBad ? rows.badAts[row]! : 0,
      isBad ? rows.badBytes[row]! : 0,
    )
    this.onDue(volume)
  }

  /** The operation is over: its caller hears of it, and whoever waited for it goes on. */
  end(row: number, status: number): void {
    const { rows } = this
    const wasMutation = rows.kinds[row] === KIND_MUTATION
    this.counts.noteEnd(rows.kinds[row]!, rows.operations[row]!, status, rows.lengths[row]!)
    if (rows.isTold[row] === 0) this.completeFor(row, status)
    const lease = rows.leaseOf(row)
    if (lease !== NO_LEASE) this.options.memory.release(lease)
    if (wasMutation) this.noteMissing(row)
    rows.give(row)
    if (wasMutation) this.hooks.onMutationEnded(row)
    this.options.events.onEnded(rows.count)
  }

  private noteMissing(row: number): void {
    const isMissed = this.rows.missed[row] !== 0
    if (!isMissed && this.absentIds.length === 0) return
    const { chunkSizeBytes } = this.options
    const offset = this.rows.offsets[row]!
    const first = Math.floor(offset / chunkSizeBytes)
    const count = Math.ceil((offset + this.rows.lengths[row]!) / chunkSizeBytes) - first
    if (isMissed) this.incomplete.present.mark(first, count)
    if (this.absentIds.length > 0) this.incomplete.absent.mark(first, count)
  }
}
