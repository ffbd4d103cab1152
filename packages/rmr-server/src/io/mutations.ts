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
  CHUNK_REAL,
  LOCK_MUTATION,
  NO_CHUNK,
  RANK_REAL,
  REPLY_MISSED,
  RmrError,
  STATUS_OK,
  statusOf,
} from "@rmr/core"
import { Clears } from "./clears.js"
import type { CopyWaits } from "./copy-waits.js"
import { STAGE_CLEARING, STAGE_MISSING, WAIT_HEAT } from "./io-table.js"
import type { RequestCore } from "./request-core.js"

const BAD_MESSAGE = statusOf("bad-message")
const BUSY = statusOf("busy")
const IO_ERROR = statusOf("io-error")
const NO_CLEAN_COPY = statusOf("no-clean-copy")

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
    this.clears = new Clears(core.options.env.clock, core.options.member, {
      onCleared: (token, error) => this.onCleared(token, error),
      onRoundEnd: deliver,
    })
  }

  admit(row: number, io: IoRecord): void {
    const { volume, table, locks } = this.core
    if (!this.hasRoom(io)) {
      this.core.finish(row, BUSY)
      return
    }
    if (!volume.lastIo.admit(io)) {
      this.core.finish(row, BAD_MESSAGE)
      return
    }
    this.core.noteView(io.unit, io.epoch, io.viewVersion)
    this.heat(row, io)
    const first = io.firstChunk as ChunkNumber
    if (!locks.acquire(row, LOCK_MUTATION, first, io.chunkCount)) this.waits.waitForLock(row)
    if (table.waits[row] === 0) this.proceed(row)
  }

  /** I3: what is newer than the fence is asked for again when extents have cooled. */
  private hasRoom({ epoch, sequence, offset, length }: IoRecord): boolean {
    const { hot, geometry } = this.core.volume
    const first = geometry.extentOf(offset)
    const count = geometry.extentSpan(offset, length)
    if (hot.admits(epoch, sequence, first, count)) return true
    this.core.options.events.onCoolingDue()
    return hot.admits(epoch, sequence, first, count)
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
    let isWithout = false
    let chunk = own.nextDirty(first, end)
    for (; chunk !== NO_CHUNK; chunk = own.nextDirty(chunk + 1, end)) {
      if (geometry.covers(offset, length, chunk)) continue
      if (table.goesWithout[row] === 0 || own.byteOf(chunk) !== CHUNK_REAL) {
        table.goesWithout[row] = 0
        this.waits.waitForCopy(row, chunk)
        return
      }
      isWithout = true
    }
    chunk = own.nextDirty(first, end)
    for (; chunk !== NO_CHUNK; chunk = own.nextDirty(chunk + 1, end)) {
      if (entries.supersede(chunk)) continue
      this.endSuperseded(first, chunk)
      this.waits.waitForCopy(row, chunk)
      return
    }
    if (isWithout) void this.applyByChunk(row, NO_CLEAN_COPY)
    else this.core.submit(row)
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
    const { firstChunks, chunkCounts } = this.core.table
    if (maps.own.isEmpty || count === 0 || maps.own.nextDirty(first, first + count) === NO_CHUNK) {
      // An election may have cleared what this mutation was about to make whole.
      this.endSuperseded(firstChunks[row]!, firstChunks[row]! + chunkCounts[row]!)
      this.core.finish(row, STATUS_OK)
      return
    }
    this.core.table.stages[row] = STAGE_CLEARING
    this.clears.add(row, first, count, false)
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

  /**
   * W2: some chunk of the mutation cannot be had, or its medium refuses it. The others get their
   * part all the same: were they given up with it, their only clean copy could be lost. The chunks
   * are locked.
   */
  async applyByChunk(row: number, status: number): Promise<void> {
    const { table, volume, options } = this.core
    const { member, events } = options
    table.stages[row] = STAGE_MISSING
    const first = table.firstChunks[row]!
    const end = first + table.chunkCounts[row]!
    const whole: ChunkNumber[] = []
    let isMissed = false
    try {
      for (let chunk = first as ChunkNumber; chunk < end; chunk++) {
        const isGood = await this.applyToChunk(row, chunk)
        if (isGood && volume.maps.own.isDirty(chunk)) whole.push(chunk)
        if (!isGood) isMissed = true
      }
      if (whole.length > 0) {
        await member.jobs.flush()
        await member.clearDurably(whole)
      }
      await member.saveMaps()
      // No copy is written any more that is older than what was missed, or applied, here (S3).
      this.endSuperseded(first, end)
      if (isMissed) this.core.finish(row, status, REPLY_MISSED)
      else this.core.finish(row, STATUS_OK)
    } catch (thrown) {
      events.onStoreFailed(RmrError.from(thrown))
      this.endSuperseded(first, end)
      this.core.finish(row, IO_ERROR)
    }
    this.deliver()
  }

  /** The part of a mutation in one chunk. False where it is missed: the chunk is real then. */
  private async applyToChunk(row: number, chunk: ChunkNumber): Promise<boolean> {
    const { table, volume, options } = this.core
    const { geometry, maps } = volume
    const offset = table.offsets[row]!
    const length = table.lengths[row]!
    this.waits.entries.supersede(chunk)
    if (maps.own.isDirty(chunk) && !geometry.covers(offset, length, chunk)) {
      maps.markOwn(chunk, 1, RANK_REAL)
      return false
    }
    const from = Math.max(offset, geometry.offsetOf(chunk))
    const until = Math.min(offset + length, geometry.offsetOf(chunk) + geometry.sizeOf(chunk))
    const status = await options.member.jobs.ask((token) =>
      this.core.submitPart(row, token, from, until - from),
    )
    if (status === STATUS_OK) {
      maps.markFor(options.member.markedFor, chunk, 1, RANK_REAL)
      return true
    }
    maps.markOwn(chunk, 1, RANK_REAL)
    return false
  }
}
