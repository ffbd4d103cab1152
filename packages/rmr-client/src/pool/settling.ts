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
import type { ChunkRange, MemberId, MemberSet, PoolMetadata } from "@rmr/core"
import { DirtyMap, RmrError, slotsOf, without } from "@rmr/core"
import type { IoEngine } from "../io/io-engine.js"
import { runElection } from "./election.js"
import type { LegKeeper } from "./leg-keeper.js"
import { type MapReading, readMarks } from "./map-reading.js"
import type { PoolContext } from "./pool-context.js"
import { absentIdsOf, membersOf } from "./view-record.js"

/** Between two elections, where one alone does not settle it. */
const AGAIN_MS = 500
/** And so many times what the last one took, so that a large volume does not get busy with it. */
const AGAIN_TIMES = 25
const AGAIN_MS_MAX = 10_000
/** After one that failed, or when somebody asks for it. */
const SOON_MS = 100

export interface SettlingOptions {
  readonly context: PoolContext
  readonly keeper: LegKeeper
  readonly engine: IoEngine
  /** What was acknowledged and not flushed may be gone (I5). */
  readonly onBytesLost: () => void
}

export class Settling {
  private readonly options: SettlingOptions
  /** Members of the last views that are not in this one, and since when. */
  private missing: MemberSet = 0
  private missingMs = 0
  private dueMs = Number.POSITIVE_INFINITY
  /** Counts what has to be heard anew of absent members, and what was asked for last. */
  private absentTurn = 0
  private absentAsked = -1
  /** In the view in force, everybody was elected who is to be (R6). */
  private isDecidedNow = false
  private lostNow: readonly ChunkRange[] = []
  /** `want` was called since the last election began. */
  private isWantedAgain = false

  constructor(options: SettlingOptions) {
    this.options = options
  }

  /** Chunks of which nobody in the view has anything that is good, as far as was looked. */
  get lost(): readonly ChunkRange[] {
    return this.lostNow
  }

  /** R6 precedes any grow: nobody is still to be elected, as far as was looked. */
  get isDecided(): boolean {
    return this.isDecidedNow
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
    this.absentTurn++
    this.isDecidedNow = false
    this.dueMs = 0
  }

  /** A chunk may have lost its last clean copy. */
  want(): void {
    this.isWantedAgain = true
    this.dueMs = Math.min(this.dueMs, this.nowMs + SOON_MS)
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.dueMs
  }

  /**
   * Elects, and enables who is normal in the view and not in use yet. With `acceptsLoss`, what is
   * lost counts as it is (F6). Returns of how many chunks nobody of N has anything that is good.
   */
  async run(record: PoolMetadata, acceptsLoss = false): Promise<number> {
    const { context, keeper, engine } = this.options
    const { mapVersion, normal, chunkSizeBytes, mappedSizeBytes } = record
    const { noLegMs } = context.times
    const { incomplete } = engine.core
    const chunkCount = Math.ceil(mappedSizeBytes / chunkSizeBytes)
    const reading = { context, legs: keeper.legs, mapVersion, normal, chunkCount }
    const beginMs = this.nowMs
    this.dueMs = beginMs + SOON_MS
    this.isWantedAgain = false
    incomplete.present.ask()
    const result = await runElection({
      ...reading,
      absent: membersOf(record) & ~normal,
      acceptsLoss,
      onCacheLost: () => {
        if (engine.core.hasUnflushed) this.options.onBytesLost()
      },
      mayElectCacheLost: this.missing === 0 || this.nowMs - this.missingMs >= noLegMs,
    })
    incomplete.present.answer(result.dirty)
    this.isDecidedNow = result.undecidedChunks === 0
    this.lostNow = acceptsLoss ? [] : result.lost
    await Promise.all(slotsOf(normal).map((slot) => keeper.enable(slot, record)))
    const isSettled = result.waitingChunks === 0 && result.dirtyChunks === 0
    this.dueMs = isSettled ? Number.POSITIVE_INFINITY : this.againMs(noLegMs, this.nowMs - beginMs)
    // What was said while the maps were on their way may not be in them.
    if (this.isWantedAgain) this.want()
    engine.core.flushes = result.flushes
    engine.core.grantTime(result.held)
    engine.thaw()
    // Before the elected one clears its chunks, all mark them for the absent (RT-39).
    if (result.held.length > 0) this.absentTurn++
    if (this.absentAsked !== this.absentTurn) this.hearOfAbsent(reading, absentIdsOf(record))
    return result.lostChunks
  }

  /** After a while, and not later than what is waited for has been waited for long enough (R6). */
  private againMs(noLegMs: number, tookMs: number): number {
    const { nowMs } = this
    const inMs = Math.max(AGAIN_MS, Math.min(AGAIN_TIMES * tookMs, AGAIN_MS_MAX))
    const overMs = this.missingMs + noLegMs
    const isWaiting = this.missing !== 0 && overMs > nowMs
    return isWaiting ? Math.min(nowMs + inMs, overMs) : nowMs + inMs
  }

  /**
   * Nobody waits for it: users are told of too much until then, IO goes on, and the next view must
   * not be late for it. An answer of before the last turn is not taken.
   */
  private hearOfAbsent(reading: MapReading, absentIds: readonly MemberId[]): void {
    const { context, engine } = this.options
    const { absent } = engine.core.incomplete
    const turn = this.absentTurn
    this.absentAsked = turn
    absent.ask()
    if (absentIds.length === 0) {
      absent.answer(new DirtyMap({ chunkCount: reading.chunkCount }))
      return
    }
    readMarks(reading, absentIds).then(
      (map) => {
        if (turn === this.absentTurn) absent.answer(map)
      },
      (thrown: unknown) => {
        if (turn !== this.absentTurn) return
        this.absentAsked = -1
        this.dueMs = Math.min(this.dueMs, this.nowMs + AGAIN_MS)
        const { code, detail } = RmrError.from(thrown)
        context.env.log.write("warn", "pool.marks-unread", { pool: context.poolName, code, detail })
      },
    )
  }
}
