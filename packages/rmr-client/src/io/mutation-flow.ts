/**
 * MutationFlow: writes, zeroes and discards on their way to all members (rules W1, W3, W4, V2).
 *
 * A mutation is resolved when every member of the effective view has answered, one has done it, and
 * whoever missed it is out of a view that lists it. Overlapping ones wait for each other. While a
 * view change is under way nothing is sent and nothing is judged.
 */
import type { IoReplyRecord, MutationProgress, MutationRange, View } from "@rmr/core"
import {
  decideMutation,
  isSubset,
  meaningOfAnswer,
  outcomeOfStatus,
  progressAfterView,
  REPLY_MISSED,
  STATUS_OK,
  statusOf,
} from "@rmr/core"
import { BusyRanges } from "./busy-ranges.js"
import { type EngineCore, IO_ERROR } from "./engine-core.js"
import { KIND_MUTATION } from "./io-rows.js"

const MEDIA_ERROR = statusOf("media-error")

export class MutationFlow {
  private readonly core: EngineCore
  private readonly busy = new BusyRanges()
  /** Mutations that have blockers. */
  private blockedCount = 0

  constructor(core: EngineCore) {
    this.core = core
  }

  /** W1: overlapping mutations are never in flight together. Once for each, when it comes. */
  countBlockers(row: number): void {
    const { rows } = this.core
    const offset = rows.offsets[row]!
    const length = rows.lengths[row]!
    const blockers = this.busy.mayMeet(offset, length) ? this.overlapsOf(row) : 0
    this.busy.add(offset, length)
    rows.blockers[row] = blockers
    if (blockers > 0) this.blockedCount++
  }

  private overlapsOf(row: number): number {
    const { rows } = this.core
    let count = 0
    for (let other = 0; other < rows.unitCount; other++) {
      if (other === row || rows.kinds[other] !== KIND_MUTATION) continue
      if (rows.overlaps(row, other)) count++
    }
    return count
  }

  send(row: number): void {
    const { rows } = this.core
    if (this.core.isFrozen || rows.blockers[row]! > 0 || rows.isTold[row] === 1) return
    if (rows.sequences[row] === 0) {
      if (this.core.isHeldBack) return
      rows.sequences[row] = ++this.core.lastSequence
      rows.sentMs[row] = this.core.options.env.clock.nowMs()
      rows.sentTo[row] = this.core.view.normal
      rows.owed[row] = this.core.view.normal
    }
    this.core.wire.payDebt(row, this.core.view.normal)
    this.settle(row)
  }

  onAnswer(row: number, slot: number, reply: IoReplyRecord): void {
    const { rows } = this.core
    const bit = 1 << slot
    if ((this.core.staying & bit) === 0) return
    const outcome = outcomeOfStatus(reply.status) ?? "internal"
    const meaning = meaningOfAnswer(outcome)
    if (meaning === "done") {
      rows.done[row]! |= bit
      this.core.wire.noteMutation(row, slot)
    } else if (meaning === "missed" && (reply.replyFlags & REPLY_MISSED) !== 0) {
      rows.missed[row]! |= bit
      this.core.noteError(row, reply)
      this.core.options.events.onCopyMissing()
    } else {
      if (rows.isWaitedFor(row)) rows.owed[row]! |= bit
      this.core.counts.resends++
      if (outcome !== "ok") this.core.options.events.onLegRefused(slot, outcome)
      this.core.retryLater()
      return
    }
    this.settle(row)
  }

  /** W3: may it be acknowledged? */
  private settle(row: number): void {
    const { rows, view } = this.core
    if (this.core.isFrozen || rows.kinds[row] !== KIND_MUTATION || rows.sequences[row] === 0) return
    if (rows.done[row] === view.normal && isSubset(rows.sentTo[row]!, view.normal)) {
      this.core.end(row, STATUS_OK)
      return
    }
    if (!isSubset(view.normal, rows.done[row]! | rows.missed[row]!)) return
    const decision = decideMutation(
      this.progressOf(row),
      view,
      this.core.absentIds.length === 0 ? 0 : 1,
    )
    if (decision.decide === "acknowledge") {
      this.core.end(row, STATUS_OK)
    } else if (decision.decide === "fail-uncertain") {
      if (rows.isTold[row] === 0) this.tell(row, rows.statuses[row] || MEDIA_ERROR)
    } else if (decision.forMarks !== 0) {
      this.core.options.events.onMarksNeeded(row, decision.forMarks)
    }
  }

  /** Some mutation was sent and is not resolved, or was given up (V3). */
  get hasUnresolved(): boolean {
    const { rows } = this.core
    for (let row = 0; row < rows.unitCount; row++) {
      if (rows.kinds[row] === KIND_MUTATION && rows.sequences[row] !== 0) return true
    }
    return false
  }

  /** Mutations that were sent and are not resolved, and those that were given up (V2, W6). */
  unresolvedRanges(): MutationRange[] {
    const ranges: MutationRange[] = []
    const { rows } = this.core
    for (let row = 0; row < rows.unitCount; row++) {
      if (rows.kinds[row] !== KIND_MUTATION || rows.sequences[row] === 0) continue
      ranges.push({
        kind: rows.isTold[row] === 1 ? "uncertain" : "unresolved",
        offset: rows.offsets[row]!,
        length: rows.lengths[row]!,
        unit: row,
        epoch: this.core.view.epoch,
        sequence: rows.sequences[row]!,
      })
    }
    return ranges
  }

  carryOver(
    row: number,
    view: View,
    listed: readonly MutationRange[],
    takenBack: (slot: number, index: number) => boolean,
  ): void {
    const { rows } = this.core
    const sequence = rows.sequences[row]!
    if (sequence === 0) return
    const index = listed.findIndex((range) => range.unit === row && range.sequence === sequence)
    let back = 0
    for (const leg of this.core.legs) {
      if (leg !== undefined && index >= 0 && takenBack(leg.slot, index)) back |= 1 << leg.slot
    }
    const after = progressAfterView(this.progressOf(row), view, index >= 0, back)
    rows.done[row] = after.done
    rows.missed[row] = after.missed
    rows.carriedOut[row] = after.carriedOut
    rows.missedMarked[row] = after.missedMarked
    rows.owed[row]! &= view.normal
  }

  /** The view that lists a mutation as uncertain is effective: it is over (W6). */
  forgetUncertain(listed: readonly MutationRange[]): void {
    const { rows } = this.core
    for (const { kind, unit, sequence } of listed) {
      const isIt = rows.kinds[unit] === KIND_MUTATION && rows.sequences[unit] === sequence
      if (kind === "uncertain" && isIt && rows.isTold[unit] === 1) this.core.end(unit, IO_ERROR)
    }
  }

  /** These legs have marked for the absent what they missed (W3). */
  noteMarked(row: number, sequence: number, slots: number): void {
    if (this.core.rows.kinds[row] !== KIND_MUTATION || this.core.rows.sequences[row] !== sequence)
      return
    this.core.rows.missedMarked[row]! |= slots
    this.settle(row)
  }

  /** Resolved up to here, without a gap (I2). */
  get resolvedThrough(): number {
    const { rows } = this.core
    let through = this.core.lastSequence
    for (let row = 0; row < rows.unitCount; row++) {
      const sequence = rows.sequences[row]!
      if (rows.kinds[row] === KIND_MUTATION && sequence > 0 && sequence <= through) {
        through = sequence - 1
      }
    }
    return through
  }

  /** A mutation has ended; its row has not been taken for another one. */
  unblock(row: number): void {
    const { rows } = this.core
    this.busy.remove(rows.offsets[row]!, rows.lengths[row]!)
    if (rows.blockers[row]! > 0) this.blockedCount--
    if (this.blockedCount === 0) return
    for (let other = 0; other < rows.unitCount; other++) {
      if (rows.kinds[other] !== KIND_MUTATION || rows.blockers[other]! === 0) continue
      const isLater = rows.arrivals[other]! > rows.arrivals[row]!
      if (isLater && rows.overlaps(row, other) && --rows.blockers[other]! === 0) {
        this.blockedCount--
        this.send(other)
      }
    }
  }

  /** The caller hears of an error, though nobody knows yet what became of the mutation (W6). */
  tell(row: number, status: number): void {
    const { rows } = this.core
    rows.isTold[row] = 1
    // Nobody gets it over a session that outlives the giving up (RT-53).
    rows.owed[row] = 0
    this.core.completeFor(row, status)
    this.core.options.events.onUncertain(row)
  }

  private progressOf(row: number): MutationProgress {
    const { rows } = this.core
    return {
      sentTo: rows.sentTo[row]!,
      done: rows.done[row]!,
      missed: rows.missed[row]!,
      carriedOut: rows.carriedOut[row]!,
      missedMarked: rows.missedMarked[row]!,
    }
  }
}
