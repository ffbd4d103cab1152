/**
 * CopyWaits: requests that find a chunk dirty wait here for its copy (rules S1, S3, S8, W2).
 *
 * Nobody holds a chunk lock while he waits for another node: a mutation gives its locks back, and
 * queues at its chunks anew when the copy is there. Where nobody has a clean copy, a read says so;
 * a mutation says that it was missed only if the member's own map is certain that it lacks
 * something, and is held otherwise.
 */
import type { ChunkNumber, TokenBatch } from "@rmr/core"
import {
  answerWithoutCopy,
  NO_CHUNK,
  NO_SYNC,
  RANK_IN_FLIGHT,
  SyncEntries,
  statusOf,
} from "@rmr/core"
import { markOwn } from "../pool/member-volume.js"
import { STAGE_WAITING, WAIT_COPY, WAIT_LOCK } from "./io-table.js"
import type { RequestCore } from "./request-core.js"

const DRAINING = statusOf("draining")
const NO_CLEAN_COPY = statusOf("no-clean-copy")
/** A request that nobody can help waits this long before it looks again (W2). */
const HOLD_MS = 50

export interface CopyWaitsEvents {
  /** The wait is over: look at the chunks again. */
  askAgain(row: number): void
  /** Nobody has a clean copy, and this member is sure that it lacks something. */
  goWithout(row: number): void
  /** After a wait that ended outside of a batch. */
  deliver(): void
}

export class CopyWaits {
  readonly entries: SyncEntries
  private readonly core: RequestCore
  private readonly events: CopyWaitsEvents

  constructor(core: RequestCore, events: CopyWaitsEvents) {
    const { copiesMax, rowsMax } = core.options
    this.core = core
    this.events = events
    this.entries = new SyncEntries({
      entriesMax: copiesMax,
      tokensMax: rowsMax,
      events: { onReady: (batch) => this.onCopied(batch) },
    })
  }

  /** Its chunks are locked. A copy of one of them that took its time does not any more (S11). */
  waitForLock(row: number): void {
    const { table } = this.core
    table.waits[row]! |= WAIT_LOCK
    if (this.entries.count === 0) return
    const first = table.firstChunks[row]!
    const end = first + table.chunkCounts[row]!
    for (let chunk = first as ChunkNumber; chunk < end; chunk++) {
      if (this.entries.stateOf(chunk) === NO_SYNC) continue
      table.beginsMs[row] = Number.NaN
      this.core.options.events.onChunkWanted(chunk)
    }
  }

  waitForCopy(row: number, chunk: ChunkNumber): void {
    const { table, locks } = this.core
    const { entries } = this
    if (this.core.options.admission.isDraining) {
      this.refuse(row)
      return
    }
    if (table.isMutation(row)) locks.release(row)
    table.waits[row]! |= WAIT_COPY
    table.beginsMs[row] = Number.NaN
    this.core.counts.copyWaits++
    this.core.options.events.onChunkWanted(chunk)
    if (entries.stateOf(chunk) !== NO_SYNC) entries.wait(chunk, row)
    else this.lookAgainLater(row)
  }

  /**
   * OPEN, REJOIN, RESUME: nobody waits for another node, and what a mutation leaves undone here is
   * suspected (S2, R4). A copy that is being written now would end such a suspicion, though it is
   * older; so this member does not say either that it has the mutation (RT-79).
   */
  refuse(row: number): void {
    const { table, volume } = this.core
    if (this.entries.isWaiting(row)) this.entries.cancelWait(row)
    if (table.isMutation(row)) {
      markOwn(volume, table.offsets[row]!, table.lengths[row]!, RANK_IN_FLIGHT)
      volume.lastIo.noteUndone({
        unit: table.units[row]!,
        epoch: table.epochs[row]!,
        sequence: table.sequences[row]!,
      })
    }
    this.core.finish(row, DRAINING)
  }

  /** Nobody copies the chunk now: as many are being copied as may be, or nobody has it (W2, S8). */
  private lookAgainLater(row: number): void {
    const session = this.core.table.sessions[row]
    const ticket = this.core.table.tickets[row]!
    this.core.options.env.clock.schedule(HOLD_MS, () => {
      const isSame =
        this.core.table.sessions[row] === session && this.core.table.tickets[row] === ticket
      if (!isSame || session === undefined) return
      if (this.core.table.stages[row] !== STAGE_WAITING || this.entries.isWaiting(row)) return
      if ((this.core.table.waits[row]! & WAIT_COPY) === 0) return
      this.core.table.waits[row]! &= ~WAIT_COPY
      this.events.askAgain(row)
      this.events.deliver()
    })
  }

  private onCopied(batch: TokenBatch): void {
    for (let at = 0; at < batch.count; at++) {
      const row = batch.tokens[at]!
      this.core.table.waits[row]! &= ~WAIT_COPY
      if (batch.statuses[at] === NO_CLEAN_COPY) this.onNoCopy(row)
      else this.events.askAgain(row)
    }
  }

  /** S8: nobody that could be reached had the chunk clean; it may be clean here by now (R6). */
  private onNoCopy(row: number): void {
    const { table } = this.core
    const worst = this.worstOf(row)
    if (worst === "clean") {
      this.events.askAgain(row)
    } else if (!table.isMutation(row)) {
      this.core.finish(row, NO_CLEAN_COPY)
    } else if (worst === "real") {
      this.events.goWithout(row)
    } else {
      table.waits[row]! |= WAIT_COPY
      this.lookAgainLater(row)
    }
  }

  /** What is to be said of a request's chunks: all are clean, what is dirty is real, or suspect. */
  private worstOf(row: number): "clean" | "real" | "suspect" {
    const own = this.core.volume.maps.own
    const first = this.core.table.firstChunks[row]!
    const end = first + this.core.table.chunkCounts[row]!
    let chunk = own.nextDirty(first, end)
    if (chunk === NO_CHUNK) return "clean"
    for (; chunk !== NO_CHUNK; chunk = own.nextDirty(chunk + 1, end)) {
      if (answerWithoutCopy(own.byteOf(chunk)) === "hold") return "suspect"
    }
    return "real"
  }
}
