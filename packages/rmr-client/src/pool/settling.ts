/**
 * Settling: when the election runs, and what the data path learns from it (rules R6, I5, S8).
 *
 * It runs after every view, and again for as long as a member lacks something, since a chunk may
 * lose its last clean copy without a view change: to a bad sector, or to a drain that left a
 * mutation undone. An answer that says so makes it run soon. Who lost its cache is elected only
 * when the members that left with the last views have had their time to return.
 *
 * With it comes what users see of all this: which chunks are not complete everywhere. For those
 * that are absent, the members of a view are asked once in it, since from then on their marks grow
 * only by what the data path sees too.
 */
import type { MemberSet, PoolMetadata } from "@rmr/core"
import { DirtyMap, RmrError, slotsOf, without } from "@rmr/core"
import type { IoEngine } from "../io/io-engine.js"
import { runElection } from "./election.js"
import type { LegKeeper } from "./leg-keeper.js"
import { type MapReading, readMarks } from "./map-reading.js"
import type { PoolContext } from "./pool-context.js"
import { absentIdsOf } from "./view-record.js"

/** Between two elections, where one alone does not settle it. */
const AGAIN_MS = 500
/** After one that failed, or when somebody asks for it. */
const SOON_MS = 100

export interface SettlingOptions {
  readonly context: PoolContext
  readonly keeper: LegKeeper
  readonly engine: IoEngine
}

export class Settling {
  private readonly options: SettlingOptions
  /** Members of the last views that are not in this one, and since when. */
  private missing: MemberSet = 0
  private missingMs = 0
  private dueMs = Number.POSITIVE_INFINITY
  /** What absent members lack was heard in this view. */
  private isAbsentHeard = false

  constructor(options: SettlingOptions) {
    this.options = options
  }

  private get nowMs(): number {
    return this.options.context.env.clock.nowMs()
  }

  /** A view is in force, after one with these members. */
  enter(before: MemberSet, { normal }: PoolMetadata): void {
    const left = without(before, normal)
    if (left !== 0) {
      this.missing |= left
      this.missingMs = this.nowMs
    }
    this.missing = without(this.missing, normal)
    this.isAbsentHeard = false
    this.dueMs = 0
  }

  /** A chunk may have lost its last clean copy. */
  want(): void {
    this.dueMs = Math.min(this.dueMs, this.nowMs + SOON_MS)
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.dueMs
  }

  /** Elects, and enables who is normal in the view and not in use yet. */
  async run(record: PoolMetadata): Promise<void> {
    const { context, keeper, engine } = this.options
    const { mapVersion, normal, chunkSizeBytes, mappedSizeBytes } = record
    const { noLegMs } = context.times
    const { incomplete } = engine.core
    const chunkCount = Math.ceil(mappedSizeBytes / chunkSizeBytes)
    const reading = { context, legs: keeper.legs, mapVersion, normal, chunkCount }
    this.dueMs = this.nowMs + SOON_MS
    incomplete.present.ask()
    const result = await runElection({
      ...reading,
      mayElectCacheLost: this.missing === 0 || this.nowMs - this.missingMs >= noLegMs,
    })
    incomplete.present.answer(result.dirty)
    await Promise.all(slotsOf(normal).map((slot) => keeper.enable(slot, record)))
    const isSettled = result.waitingChunks === 0 && result.dirtyChunks === 0
    this.dueMs = isSettled ? Number.POSITIVE_INFINITY : this.nowMs + AGAIN_MS
    engine.core.isFlushable = result.isFlushable
    engine.core.grantTime(result.held)
    engine.thaw()
    // Before the elected one clears its chunks, all mark them for the absent (RT-39).
    if (result.held.length > 0) this.isAbsentHeard = false
    if (!this.isAbsentHeard) await this.hearOfAbsent(reading, record)
  }

  private async hearOfAbsent(reading: MapReading, record: PoolMetadata): Promise<void> {
    const { context, engine } = this.options
    const { absent } = engine.core.incomplete
    const absentIds = absentIdsOf(record)
    absent.ask()
    try {
      const isNobody = absentIds.length === 0
      const { chunkCount } = reading
      absent.answer(isNobody ? new DirtyMap({ chunkCount }) : await readMarks(reading, absentIds))
      this.isAbsentHeard = true
    } catch (thrown) {
      const error = RmrError.from(thrown)
      if (error.code === "fenced") throw error
      // Users are told of too much until then, and IO goes on.
      this.dueMs = Math.min(this.dueMs, this.nowMs + AGAIN_MS)
      context.env.log.write("warn", "pool.marks-unread", {
        pool: context.poolName,
        code: error.code,
        detail: error.detail,
      })
    }
  }
}
