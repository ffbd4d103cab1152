/**
 * ReadFlow: reads from one member at a time (rules R-reads, S6, F7).
 *
 * What one member cannot read is read from another, and never written back. With a minimum above
 * one, the bytes are handed over only when enough members have shown since that they know this
 * client.
 */
import type { IoReplyRecord } from "@rmr/core"
import { isSubset, outcomeOfStatus, STATUS_OK, statusOf } from "@rmr/core"
import { COPY_RETRY_MS, type EngineCore } from "./engine-core.js"
import { KIND_READ } from "./io-rows.js"

const NO_CLEAN_COPY = statusOf("no-clean-copy")

export class ReadFlow {
  private readonly core: EngineCore
  /** Reads whose bytes are here and that wait for members who know this client. */
  private readonly unvouched: number[] = []
  private readonly unvouchedSerials: number[] = []
  /** Some read found no credit. */
  private isShortNow = false

  constructor(core: EngineCore) {
    this.core = core
  }

  get isShort(): boolean {
    return this.isShortNow
  }

  /** Reads that found no credit try again: one may be there now. */
  payDebts(): void {
    if (!this.isShortNow) return
    this.isShortNow = false
    const { rows } = this.core
    for (let row = rows.unitCount; row < rows.rowCount; row++) {
      if (rows.kinds[row] === KIND_READ && rows.owed[row] !== 0) this.send(row)
    }
  }

  send(row: number): void {
    const { rows, wire } = this.core
    if (rows.marks[row] !== 0) return
    rows.owed[row] = 0
    const candidates = this.core.staying & ~rows.tried[row]!
    const leg = wire.balance.choose(this.core.legs, candidates, rows.lengths[row]!)
    if (leg === undefined) {
      if (rows.tried[row] !== 0 && this.isTriedByAll(row)) this.failOrWait(row)
      return
    }
    rows.marks[row] = wire.submissions.lastNumber
    if (wire.submit(row, leg)) return
    rows.marks[row] = 0
    rows.owed[row] = 1 << leg.slot
    this.isShortNow = true
    this.core.options.events.onShort()
  }

  onAnswer(row: number, slot: number, reply: IoReplyRecord, payloadBytes: number): void {
    const { rows } = this.core
    const isGood =
      reply.status === STATUS_OK && this.core.wire.isPayloadGood(row, reply, payloadBytes)
    const isNormal = (this.core.staying & (1 << slot)) !== 0
    if (isGood && isNormal) {
      if (this.isVouched(row)) this.core.end(row, STATUS_OK)
      else {
        this.unvouched.push(row)
        this.unvouchedSerials.push(rows.serials[row]!)
      }
      return
    }
    // R-reads, S6: it is read elsewhere, and nothing is written back.
    rows.marks[row] = 0
    const outcome = outcomeOfStatus(reply.status) ?? "internal"
    const isMedia = outcome === "media-error" || outcome === "corrupt" || outcome === "lost"
    if (isNormal) {
      if (isMedia || outcome === "no-clean-copy" || outcome === "ok") {
        rows.tried[row]! |= 1 << slot
        this.core.counts.readRetries++
        // Somebody may have the chunk soon: a copy, or an election, is under way (S8).
        if (outcome === "no-clean-copy") rows.missed[row]! |= 1 << slot
        this.core.noteError(row, reply)
        this.core.options.events.onCopyMissing()
      } else {
        this.core.options.events.onLegRefused(slot, outcome)
        this.core.retryLater()
        return
      }
    }
    this.send(row)
  }

  /** Nobody is left to ask who is up: what the last one said is the answer. */
  private isTriedByAll(row: number): boolean {
    let up = 0
    for (const leg of this.core.legs) {
      if (leg?.session !== undefined) up |= 1 << leg.slot
    }
    const candidates = this.core.view.normal & up
    return candidates !== 0 && isSubset(candidates, this.core.rows.tried[row]!)
  }

  /** S8: a chunk that nobody has clean is waited for, for a while. */
  private failOrWait(row: number): void {
    const { rows } = this.core
    const { env, noLegMs } = this.core.options
    if (rows.missed[row] !== 0 && env.clock.nowMs() - rows.startMs[row]! < noLegMs) {
      rows.tried[row] = 0
      rows.missed[row] = 0
      this.core.retryLater(COPY_RETRY_MS)
      return
    }
    this.core.end(row, rows.statuses[row] || NO_CLEAN_COPY)
  }

  /** F7: enough members have answered what was asked after the read was submitted. */
  private isVouched(row: number): boolean {
    if (this.core.minNormal <= 1) return true
    const mark = this.core.rows.marks[row]!
    let count = 0
    for (const leg of this.core.legs) {
      const isNormal = leg !== undefined && (this.core.view.normal & (1 << leg.slot)) !== 0
      if (isNormal && leg.answeredNumber > mark) count++
    }
    return count >= this.core.minNormal
  }

  vouch(): void {
    const { unvouched, unvouchedSerials } = this
    if (unvouched.length === 0) return
    let kept = 0
    for (let nth = 0; nth < unvouched.length; nth++) {
      const row = unvouched[nth]!
      const serial = unvouchedSerials[nth]!
      // A read that was given up is over, and its row may be another one's.
      if (this.core.rows.serials[row] !== serial) continue
      if (this.isVouched(row)) {
        this.core.end(row, STATUS_OK)
        continue
      }
      unvouched[kept] = row
      unvouchedSerials[kept++] = serial
    }
    unvouched.length = kept
    unvouchedSerials.length = kept
    if (kept > 0) this.core.options.events.onVouchNeeded()
  }
}
