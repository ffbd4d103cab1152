/**
 * IoEngine: the data path of a client pool (rules W1, W3, W4, W6, W7, F4, F7, I2, I5).
 *
 * It takes operations from the pool's handles in turn, sends them to legs, and decides over answers
 * in the batch in which they arrive. What it does not do: views. The pool says which view is in
 * force and which legs are up; while a view change is under way the engine is *frozen*: it sends no
 * mutation and judges none (V2).
 */
import type { MutationRange, View } from "@rmr/core"
import { OP_FLUSH, OP_READ, REPLY_FLUSH_WANTED, STATUS_OK, statusOf } from "@rmr/core"
import type { PoolVolume } from "../volume/pool-volume.js"
import { EngineCore, IO_ERROR } from "./engine-core.js"
import type { EngineOptions } from "./engine-wire.js"
import { FlushFlow } from "./flush-flow.js"
import { KIND_FLUSH, KIND_FREE, KIND_MUTATION, KIND_READ } from "./io-rows.js"
import { MutationFlow } from "./mutation-flow.js"
import { ReadFlow } from "./read-flow.js"

const CLOSED = statusOf("closed")
const FENCED = statusOf("fenced")
const NO_LEG = statusOf("no-leg")
const NO_CLEAN_COPY = statusOf("no-clean-copy")

export class IoEngine {
  readonly core: EngineCore
  private readonly mutations: MutationFlow
  private readonly reads: ReadFlow
  private readonly flushes: FlushFlow
  private readonly ready: PoolVolume[] = []
  private arrivals = 0
  /** Number of the first request of this epoch. */
  private firstOfEpoch = 0
  /** Waits for the last mutation in flight to be over. */
  private onQuiet: (() => void) | undefined

  constructor(options: EngineOptions) {
    this.core = new EngineCore(options, {
      onMutationEnded: (row) => this.onMutationEnded(row),
      onRetry: () => this.legUp(),
    })
    this.mutations = new MutationFlow(this.core)
    this.reads = new ReadFlow(this.core)
    this.flushes = new FlushFlow(this.core, this.mutations)
  }

  /** A handle has operations: they are taken in turn with those of others. */
  onPending(volume: PoolVolume): void {
    if (!this.ready.includes(volume)) this.ready.push(volume)
    this.pump()
  }

  /** Takes operations while there is room, one of each handle in turn. */
  pump(): void {
    let idle = 0
    while (this.ready.length > 0 && idle < this.ready.length) {
      const volume = this.ready.shift()!
      if (volume.pendingCount === 0) continue
      const isTaken = this.take(volume)
      idle = isTaken ? 0 : idle + 1
      this.ready.push(volume)
    }
  }

  /** The token of a request that ended, and what came back. */
  onCompletion(
    submission: number,
    status: number,
    headers: DataView,
    headerAt: number,
    headerBytes: number,
    payloadBytes: number,
  ): void {
    const { wire } = this.core
    const { slot, row, isCurrent } = wire.end(submission)
    // Whoever refuses what was sent in an epoch of before has heard of this one from us (R8).
    if (wire.submissions.numbers[submission]! < this.firstOfEpoch) return
    if (status !== STATUS_OK) {
      if (isCurrent) this.onLost(row, slot)
      return
    }
    const reply = wire.decode(headers, headerAt, headerBytes)
    if (reply === undefined) {
      this.core.options.events.onLegRefused(slot, "bad-message")
      if (isCurrent) this.onLost(row, slot)
      this.core.retryLater()
      return
    }
    wire.noteAnswer(submission, slot, isCurrent && this.core.rows.kinds[row] === KIND_READ)
    if ((reply.replyFlags & REPLY_FLUSH_WANTED) !== 0) this.core.options.events.onFlushWanted()
    if (reply.status === FENCED) {
      this.core.options.events.onFenced(slot)
      return
    }
    if (!isCurrent) return
    switch (this.core.rows.kinds[row]) {
      case KIND_MUTATION:
        this.mutations.onAnswer(row, slot, reply)
        break
      case KIND_READ:
        this.reads.onAnswer(row, slot, reply, payloadBytes)
        break
      case KIND_FLUSH:
        this.flushes.onAnswer(row, slot, reply)
        break
    }
  }

  /** Something waits for a credit, which may be another pool's, on sessions that are shared. */
  get wantsRoom(): boolean {
    return this.reads.isShort || this.core.wire.hasDebts
  }

  /** Another pool of this process gave credits back. */
  onRoom(): void {
    if (this.wantsRoom) this.onBatchEnd()
  }

  onBatchEnd(): void {
    this.reads.vouch()
    // A view change is under way: nothing is sent in the view before it (V3).
    if (!this.core.isFrozen) this.core.wire.payDebts(this.core.view.normal)
    this.reads.payDebts()
    this.pump()
    this.core.deliver()
  }

  /**
   * Lets no mutation begin, and waits for those in flight to be over; then the engine is frozen.
   * False where they were not within this time, and then all goes on as before (V3).
   */
  async freezeWhenQuiet(withinMs: number): Promise<boolean> {
    const { core } = this
    core.isHeldBack = true
    if (this.mutations.hasUnresolved) {
      await new Promise<void>((resolve) => {
        const timer = core.options.env.clock.schedule(withinMs, resolve)
        this.onQuiet = () => {
          timer.cancel()
          resolve()
        }
      })
      this.onQuiet = undefined
    }
    core.isHeldBack = false
    // A view change may have begun meanwhile, or the pool ended.
    const isQuiet = !core.isFrozen && !core.isEnded && !this.mutations.hasUnresolved
    if (isQuiet) core.isFrozen = true
    else this.legUp()
    return isQuiet
  }

  /** Who waits for that need not wait any longer: some leg is late. */
  giveUpQuiet(): void {
    this.onQuiet?.()
  }

  /** Mutations that were sent and are not resolved, and those that were given up (V2, W6). */
  unresolvedRanges(): MutationRange[] {
    return this.mutations.unresolvedRanges()
  }

  /** The view that lists a mutation as uncertain is effective: it is over (W6). */
  forgetUncertain(listed: readonly MutationRange[]): void {
    this.mutations.forgetUncertain(listed)
  }

  /** These legs have marked for the absent what they missed (W3). */
  noteMarked(row: number, sequence: number, slots: number): void {
    this.mutations.noteMarked(row, sequence, slots)
    this.onBatchEnd()
  }

  /**
   * A view is in force. `listed` are the ranges that it carries, `takenBack[slot]` the indexes of
   * those that the member does not have, whatever it said (RT-48).
   */
  enterView(
    view: View,
    absentIds: readonly number[],
    listed: readonly MutationRange[],
    takenBack: (slot: number, index: number) => boolean,
  ): void {
    const { core } = this
    core.counts.viewChanges++
    core.view = view
    core.leaving = 0
    core.absentIds = absentIds
    this.core.wire.setView(view, absentIds)
    const { rows } = this.core
    for (let row = 0; row < rows.rowCount; row++) {
      if (rows.kinds[row] === KIND_MUTATION) this.mutations.carryOver(row, view, listed, takenBack)
      else if (rows.kinds[row] === KIND_FLUSH) this.flushes.restart(row)
    }
  }

  /** Sends what waits, in the order in which it came, and judges what was answered meanwhile. */
  thaw(): void {
    this.core.isFrozen = false
    const { rows } = this.core
    const waiting: number[] = []
    for (let row = 0; row < rows.rowCount; row++) {
      if (rows.kinds[row] !== KIND_FREE) waiting.push(row)
    }
    waiting.sort((a, b) => rows.arrivals[a]! - rows.arrivals[b]!)
    for (const row of waiting) this.goOn(row)
    this.onBatchEnd()
  }

  /** A leg's session is up, and what is owed to it can be sent. */
  legUp(): void {
    if (!this.core.isFrozen) this.thaw()
  }

  /**
   * What waited longer than its deadline fails (W6): `no-leg` where too few members answer to go
   * on, or `no-clean-copy` for a flush; and with `closed` what nobody waits for any more. Returns
   * the legs whose sessions have to end for that.
   */
  expire(beforeMs: number, hasLegs: boolean): number {
    const { rows } = this.core
    let toEnd = 0
    for (let row = 0; rows.count > 0 && row < rows.rowCount; row++) {
      if (rows.kinds[row] === KIND_FREE) continue
      if (rows.volumes[row]?.isGivenUp === true) toEnd |= this.abandon(row)
      else if (rows.startMs[row]! <= beforeMs) toEnd |= this.expireRow(row, hasLegs)
    }
    this.expireQueued(beforeMs, hasLegs)
    this.core.deliver()
    return toEnd
  }

  private expireRow(row: number, hasLegs: boolean): number {
    if (this.core.rows.kinds[row] !== KIND_FLUSH) return hasLegs ? 0 : this.giveUp(row, NO_LEG)
    if (!this.core.maySendFlush(row) || !hasLegs) {
      this.core.end(row, hasLegs ? NO_CLEAN_COPY : NO_LEG)
    }
    return 0
  }

  /** Its handle was closed long enough ago: it is not sent any more, whoever comes back (P6). */
  private abandon(row: number): number {
    this.core.rows.owed[row] = 0
    return this.giveUp(row, CLOSED)
  }

  /**
   * A mutation is given up only when no session carries it any more (RT-53). Returns the legs whose
   * sessions do.
   */
  private giveUp(row: number, status: number): number {
    const { rows, wire } = this.core
    if (rows.isTold[row] === 1) return 0
    const isSent = rows.kinds[row] === KIND_MUTATION && rows.sequences[row]! > 0
    const carriedBy = isSent ? wire.submissions.legsOf(row, rows.serials[row]!) : 0
    if (!isSent) this.core.end(row, status)
    else if (carriedBy === 0) this.mutations.tell(row, status)
    return carriedBy
  }

  /** All units may be busy with what was given up: who waits for one has a deadline too (P6). */
  private expireQueued(beforeMs: number, hasLegs: boolean): void {
    for (const volume of this.ready) {
      while (volume.pendingCount > 0) {
        if (volume.isGivenUp) volume.failHead(CLOSED)
        else if (!hasLegs && volume.headMs <= beforeMs) volume.failHead(NO_LEG)
        else break
      }
    }
  }

  /** Another client has the pool, or this one was closed: nothing is acknowledged any more (F4). */
  endAll(status: number): void {
    this.core.isEnded = true
    this.core.endStatus = status
    const { rows } = this.core
    for (let row = 0; row < rows.rowCount; row++) {
      if (rows.kinds[row] !== KIND_FREE) this.core.end(row, status)
    }
    this.pump()
    this.core.deliver()
  }

  /**
   * After a new epoch: mutations are numbered from 1 again, and everything is asked anew (W6, R8).
   */
  renumber(): void {
    const { core } = this
    const { rows, wire } = core
    core.carriesUnflushed = core.hasUnflushed
    core.lastSequence = 0
    core.flushedSequence = 0
    core.stableEpoch = 0
    core.stableSequence = 0
    wire.setStable(0, 0)
    this.firstOfEpoch = wire.submissions.lastNumber + 1
    for (let row = 0; row < rows.rowCount; row++) {
      if (rows.kinds[row] === KIND_FREE) continue
      rows.askAnew(row)
      if (rows.isTold[row] === 1) core.end(row, IO_ERROR)
    }
  }

  private onMutationEnded(row: number): void {
    this.mutations.unblock(row)
    if (this.onQuiet !== undefined && !this.mutations.hasUnresolved) this.onQuiet()
  }

  private take(volume: PoolVolume): boolean {
    const { rows } = this.core
    const operation = volume.headOperation
    const kind =
      operation === OP_READ ? KIND_READ : operation === OP_FLUSH ? KIND_FLUSH : KIND_MUTATION
    if (!rows.hasRoomFor(kind)) return false
    const row = rows.take(kind)
    rows.volumes[row] = volume
    rows.tokens[row] = volume.headToken
    rows.operations[row] = operation
    rows.ioFlags[row] = volume.headFlags
    rows.offsets[row] = volume.headOffset
    rows.lengths[row] = volume.headLength
    rows.leases[row] = volume.headLease
    rows.leaseAts[row] = volume.headAt
    rows.arrivals[row] = this.arrivals++
    rows.startMs[row] = this.core.options.env.clock.nowMs()
    volume.dropHead()
    if (kind === KIND_MUTATION) this.mutations.countBlockers(row)
    if (this.core.isEnded) {
      this.core.end(row, this.core.endStatus)
      return true
    }
    if (kind === KIND_MUTATION) this.core.wire.sealPayload(row)
    this.goOn(row)
    return true
  }

  /** Does what can be done for the operation now. */
  private goOn(row: number): void {
    switch (this.core.rows.kinds[row]) {
      case KIND_MUTATION:
        this.mutations.send(row)
        break
      case KIND_READ:
        this.reads.send(row)
        break
      case KIND_FLUSH:
        this.flushes.send(row)
        break
    }
  }

  /** The session is gone, or the answer was none: it is asked for again. */
  private onLost(row: number, slot: number): void {
    const { rows } = this.core
    this.core.counts.resends++
    if (rows.kinds[row] === KIND_READ) {
      rows.marks[row] = 0
      this.reads.send(row)
    } else if ((this.core.view.normal & (1 << slot)) !== 0 && rows.isWaitedFor(row)) {
      rows.owed[row]! |= 1 << slot
    }
  }
}
