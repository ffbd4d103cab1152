/**
 * Mutations: writes, zeroes and discards, from admission to answer (rules W2, S3, S4, I1).
 *
 * ```
 *   admit: last io, extents hot, chunk locks ─► dirty chunks? ─► store ─► clears durable ─► answer
 *                      ▲                            │
 *                      └──────── copy, if partial ──┘
 * ```
 */
import type { ChunkNumber, IoRecord } from "@rmr/core"
import {
  assert,
  LOCK_MUTATION,
  NO_CHUNK,
  RANK_REAL,
  REPLY_MISSED,
  RmrError,
  STATUS_OK,
  statusOf,
} from "@rmr/core"
import { markOwn } from "../pool/member-volume.js"
import { Clears } from "./clears.js"
import type { CopyWaits } from "./copy-waits.js"
import { STAGE_CLEARING, STAGE_MISSING, WAIT_HEAT, WAIT_LOCK } from "./io-table.js"
import type { RequestCore } from "./request-core.js"

const BAD_MESSAGE = statusOf("bad-message")
const IO_ERROR = statusOf("io-error")

export class Mutations {
  readonly clears: Clears
  private readonly core: RequestCore
  private readonly waits: CopyWaits
  private readonly deliver: () => void
  private readonly onCopyCleared: (copy: number, error: RmrError | undefined) => void
  private readonly coldExtents: number[] = []

  constructor(
    core: RequestCore,
    waits: CopyWaits,
    deliver: () => void,
    onCopyCleared: (copy: number, error: RmrError | undefined) => void,
  ) {
    this.core = core
    this.waits = waits
    this.deliver = deliver
    this.onCopyCleared = onCopyCleared
    this.clears = new Clears(core.options.member, {
      onCleared: (token, error) => this.onCleared(token, error),
      onRoundEnd: deliver,
    })
  }

  admit(row: number, io: IoRecord): void {
    const { volume, table, locks } = this.core
    if (!volume.lastIo.admit(io)) {
      this.core.finish(row, BAD_MESSAGE)
      return
    }
    this.core.noteView(io.unit, io.epoch, io.viewVersion)
    this.heat(row, io)
    const first = io.firstChunk as ChunkNumber
    if (!locks.acquire(row, LOCK_MUTATION, first, io.chunkCount)) table.waits[row]! |= WAIT_LOCK
    if (table.waits[row] === 0) this.proceed(row)
  }

  /** I1: asks for the extents of a mutation that the store has not said to be hot. */
  private heat(row: number, io: IoRecord): void {
    const { geometry, hot } = this.core.volume
    const first = geometry.extentOf(io.offset)
    const end = first + geometry.extentSpan(io.offset, io.length)
    const cold = this.coldExtents
    if (cold.length > 0) cold.length = 0
    for (let extent = first; extent < end; extent++) {
      const hasRoom = hot.note(extent, io.epoch, io.sequence)
      assert(hasRoom, "the intent log has a spare slot for every mutation in flight (I3)")
      if (!hot.isHot(extent)) cold.push(extent)
    }
    if (cold.length === 0) return
    this.core.table.waits[row]! |= WAIT_HEAT
    void this.heatNow(row, [...cold])
  }

  private async heatNow(row: number, extents: readonly number[]): Promise<void> {
    try {
      await this.core.options.member.jobs.heat(extents)
      for (const extent of extents) this.core.volume.hot.noteDurable(extent)
    } catch (thrown) {
      this.core.options.events.onStoreFailed(RmrError.from(thrown))
      this.core.finish(row, IO_ERROR)
      return
    }
    this.core.table.waits[row]! &= ~WAIT_HEAT
    if (this.core.table.waits[row] === 0) this.proceed(row)
    this.deliver()
  }

  /** The mutation has its extents and its chunks; what is dirty there comes first (S3). */
  proceed(row: number): void {
    const { geometry, maps } = this.core.volume
    const { table } = this.core
    const { entries } = this.waits
    const own = maps.own
    const first = table.firstChunks[row]!
    const end = first + table.chunkCounts[row]!
    if (own.isEmpty || own.nextDirty(first, end) === NO_CHUNK) {
      this.core.submit(row)
      return
    }
    const offset = table.offsets[row]!
    const length = table.lengths[row]!
    let chunk = own.nextDirty(first, end)
    for (; chunk !== NO_CHUNK; chunk = own.nextDirty(chunk + 1, end)) {
      if (!geometry.covers(offset, length, chunk)) {
        this.waits.waitForCopy(row, chunk)
        return
      }
    }
    chunk = own.nextDirty(first, end)
    for (; chunk !== NO_CHUNK; chunk = own.nextDirty(chunk + 1, end)) {
      if (entries.supersede(chunk)) continue
      this.endSuperseded(first, chunk)
      this.waits.waitForCopy(row, chunk)
      return
    }
    this.core.submit(row)
  }

  /** The mutation over these chunks is over, well or not: no older copy is written (S3). */
  private endSuperseded(first: number, end: number): void {
    const own = this.core.volume.maps.own
    if (own.isEmpty && this.waits.entries.count === 0) return
    for (let chunk = first; chunk < end; chunk++)
      this.waits.entries.overwritten(chunk as ChunkNumber)
  }

  /** The bytes are in the store; where they made a dirty chunk whole, that becomes durable (S4). */
  onApplied(row: number): void {
    const { geometry, maps } = this.core.volume
    const offset = this.core.table.offsets[row]!
    const count = geometry.coveredSpan(offset, this.core.table.lengths[row]!)
    const first = geometry.firstCovered(offset)
    if (maps.own.isEmpty || count === 0 || maps.own.nextDirty(first, first + count) === NO_CHUNK) {
      this.core.finish(row, STATUS_OK)
      return
    }
    this.core.table.stages[row] = STAGE_CLEARING
    this.clears.add(row, first, count)
  }

  private onCleared(token: number, error: RmrError | undefined): void {
    const { rowsMax } = this.core.table
    if (token >= rowsMax) {
      this.onCopyCleared(token - rowsMax, error)
      return
    }
    const first = this.core.table.firstChunks[token]!
    this.endSuperseded(first, first + this.core.table.chunkCounts[token]!)
    if (error === undefined) {
      this.core.finish(token, STATUS_OK)
      return
    }
    this.core.options.events.onStoreFailed(error)
    this.core.finish(token, IO_ERROR)
  }

  /** W2: the mutation was not applied; the own chunks become real, durably, before it is said. */
  async miss(row: number, status: number): Promise<void> {
    const { table, volume } = this.core
    table.stages[row] = STAGE_MISSING
    markOwn(volume, table.offsets[row]!, table.lengths[row]!, RANK_REAL)
    const first = table.firstChunks[row]!
    const end = first + table.chunkCounts[row]!
    for (let chunk = first; chunk < end; chunk++) {
      // A copy that is under way may be older than what was missed just now (S3).
      if (this.waits.entries.supersede(chunk as ChunkNumber)) {
        this.waits.entries.overwritten(chunk as ChunkNumber)
      }
    }
    try {
      await this.core.options.member.saveMaps()
      this.core.finish(row, status, REPLY_MISSED)
    } catch (thrown) {
      this.core.options.events.onStoreFailed(RmrError.from(thrown))
      this.core.finish(row, IO_ERROR)
    }
    this.deliver()
  }
}
