/**
 * FlushFlow: flushes on all members, and the stable number that follows from them (rules I2, I5).
 *
 * A flush is good when it succeeded on every member of the view in force at its end, each in that
 * view; so it begins anew with every view (Q15).
 */
import type { IoReplyRecord } from "@rmr/core"
import { isFlushed, outcomeOfStatus, STATUS_OK } from "@rmr/core"
import { type EngineCore, IO_ERROR } from "./engine-core.js"
import type { MutationFlow } from "./mutation-flow.js"

export class FlushFlow {
  private readonly core: EngineCore
  private readonly mutations: MutationFlow

  constructor(core: EngineCore, mutations: MutationFlow) {
    this.core = core
    this.mutations = mutations
  }

  send(row: number): void {
    const { rows } = this.core
    if (this.core.isFrozen || !this.core.maySendFlush(row)) return
    if (rows.tried[row] === 0) {
      rows.marks[row] = this.mutations.resolvedThrough
      rows.owed[row] = this.core.view.normal
      rows.tried[row] = this.core.view.normal
      rows.sentMs[row] = this.core.options.env.clock.nowMs()
    }
    this.core.wire.payDebt(row, this.core.view.normal)
    // It may have been answered by all while a view change was tried in vain.
    this.judge(row)
  }

  restart(row: number): void {
    const { rows } = this.core
    rows.tried[row] = 0
    rows.owed[row] = 0
    rows.done[row] = 0
    // Answers to what was sent in the view before say nothing about this one (Q15).
    rows.serials[row]!++
  }

  onAnswer(row: number, slot: number, reply: IoReplyRecord): void {
    const { rows } = this.core
    const outcome = outcomeOfStatus(reply.status) ?? "internal"
    if (outcome !== "ok") {
      rows.owed[row]! |= 1 << slot
      this.core.options.events.onLegRefused(slot, outcome)
      this.core.retryLater()
      return
    }
    rows.done[row]! |= 1 << slot
    this.judge(row)
  }

  private judge(row: number): void {
    const { rows } = this.core
    if (this.core.isFrozen || !isFlushed(rows.done[row]!, this.core.view)) return
    const volume = rows.volumes[row]
    if (volume?.hasLostBytes === true) {
      volume.hasLostBytes = false
      this.core.end(row, IO_ERROR)
      return
    }
    this.core.stableEpoch = this.core.view.epoch
    this.core.stableSequence = Math.max(this.core.stableSequence, rows.marks[row]!)
    this.core.wire.setStable(this.core.stableEpoch, this.core.stableSequence)
    if (this.core.flushes === "callers") this.core.noteFlushed(rows.marks[row]!)
    this.core.end(row, STATUS_OK)
  }
}
