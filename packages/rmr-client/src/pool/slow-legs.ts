/**
 * SlowLegs: members that were put out of the view because they answer too late, and when they may
 * come back (rule V7, promises P6 and P11).
 *
 * A member that answers in its own time is not lost: it could return at once, and would be put out
 * again, each time for the price of a stall, a map update and a sync. So it is *held back*: asked
 * for a light sign of its store (STORE_CHECK), once in a while, until that has come in time for
 * long enough without a break. How long doubles each time that it is put out, and halves again with
 * each long while in which it was good. Who was late once may come back with its first good sign:
 * a pause is no habit.
 *
 * Redundancy counts for more than time: where somebody else has left the view meanwhile, whoever
 * answers at all may come back. And nobody stays out for ever for a bar that may be wrong for its
 * disk: after hours, half the IO deadline is fast enough.
 */
import type { MemberSet, PoolMetadata } from "@rmr/core"
import { has, RmrError, sizeOf, slotsOf } from "@rmr/core"
import type { IoEngine } from "../io/io-engine.js"
import type { Leg } from "./leg.js"
import type { LegKeeper } from "./leg-keeper.js"
import type { PoolContext } from "./pool-context.js"
import { SlowDetector } from "./slow-detector.js"

/** Between two signs: a tenth of the time for which they have to be good, within these. */
const PROBE_MS_MIN = 100
const PROBE_MS_MAX = 1000
/** A sync whose counts stand still for so long waits for something, and slows nobody down. */
const SYNC_STILL_MS = 30_000
/** Times the longest hold-off; after that, any answer well inside the deadline is good. */
const PATIENCE = 6

export interface SlowLegsOptions {
  readonly context: PoolContext
  readonly keeper: LegKeeper
  readonly engine: IoEngine
  /** The view in force. */
  readonly record: () => PoolMetadata
  /** R6: nobody of N is still to be elected. */
  readonly isDecided: () => boolean
}

/** Why a member was put out, until it may come back. */
interface Held {
  readonly why: string
  readonly sinceMs: number
  readonly holdMs: number
  readonly barMs: number
  /** How many members the view had without it. */
  readonly restCount: number
  dueMs: number
  isAsking: boolean
  fastSinceMs: number | undefined
  /** What the last sign was like. */
  last: string
}

interface Standing {
  /** Times that it was put out, less one for each long while in which it was good. */
  level: number
  goodSinceMs: number
  /** A view that is on its way leaves it out for this. */
  leaving: { readonly isSlow: boolean; readonly why: string; readonly barMs: number } | undefined
  held: Held | undefined
}

export class SlowLegs {
  private readonly options: SlowLegsOptions
  private readonly detector: SlowDetector
  private readonly standings = new Map<number, Standing>()
  private dirtyChunks = 0
  private dirtyChangedMs = 0

  constructor(options: SlowLegsOptions) {
    const { slowFloorMs, slowFactor, slowAfterMs } = options.context.times
    this.options = options
    this.detector = new SlowDetector({
      floorMs: slowFloorMs,
      factor: slowFactor,
      afterMs: slowAfterMs,
    })
  }

  /** Members of the view that are slow, the slowest first. */
  get slow(): readonly number[] {
    return this.detector.slowOf(this.options.record().normal)
  }

  tick(nowMs: number): void {
    const { engine, record } = this.options
    const { core } = engine
    const view = record()
    const ageMsOf = (slot: number): number => core.wire.mutationAgeMs(slot, nowMs)
    const mayJudge = this.mayJudge(view, nowMs)
    this.detector.tick(core.legs, view.normal, ageMsOf, mayJudge, nowMs)
    for (const [slot, standing] of this.standings) {
      if (has(view.normal, slot)) this.forgive(slot, standing, nowMs)
      else if (standing.held !== undefined) this.tend(slot, standing, standing.held, nowMs)
    }
  }

  /** These are about to be put out: why, of those that answer. */
  noteLeaving(slots: MemberSet): void {
    const { keeper, context } = this.options
    const { slow } = this
    const { ioDeadlineMs, slowFloorMs, slowFactor } = context.times
    for (const leg of keeper.legs) {
      if (leg === undefined) continue
      const { slot } = leg
      const standing = this.standingOf(slot)
      standing.leaving = undefined
      keeper.noteSlow(slot, undefined)
      if (!has(slots, slot) || !keeper.isOnlyLate(slot)) continue
      const isSlow = slow.includes(slot)
      const peersMs = this.detector.peersMs(slot)
      const own = msText(this.detector.currentMs(slot))
      const why = isSlow
        ? `slow: ${own} against ${msText(peersMs)} of its peers`
        : `late: it owed an answer for ${msText(ioDeadlineMs)}`
      const barMs = isSlow ? Math.max(slowFloorMs, slowFactor * peersMs) : ioDeadlineMs / 2
      standing.leaving = { isSlow, why, barMs }
      keeper.noteSlow(slot, why)
    }
  }

  /** A view without these is in force. */
  noteExpelled(slots: MemberSet): void {
    const { engine, record, context } = this.options
    const nowMs = context.env.clock.nowMs()
    for (const slot of slotsOf(slots)) {
      const standing = this.standingOf(slot)
      const { leaving } = standing
      standing.leaving = undefined
      this.detector.forget(slot)
      if (leaving === undefined) continue
      standing.level++
      const holdMs = this.holdMs(standing.level - (leaving.isSlow ? 1 : 2))
      standing.held = {
        why: leaving.why,
        sinceMs: nowMs,
        holdMs,
        barMs: leaving.barMs,
        restCount: sizeOf(record().normal),
        dueMs: nowMs,
        isAsking: false,
        fastSinceMs: undefined,
        last: "",
      }
      engine.core.counts.slowLegs++
      this.log("warn", "pool.leg-held-back", slot, { why: leaving.why, holdMs })
    }
  }

  /** Why a member may not come back yet, for people; undefined where it may. */
  heldBack(slot: number): string | undefined {
    const held = this.standings.get(slot)?.held
    if (held === undefined) return undefined
    const { why, holdMs, fastSinceMs, last } = held
    const nowMs = this.options.context.env.clock.nowMs()
    const until = holdMs === 0 ? "answers in time" : `has been fast for ${secondsText(holdMs)}`
    const since = fastSinceMs === undefined ? last : `so far ${secondsText(nowMs - fastSinceMs)}`
    return `${why}; back when it ${until}${since === "" ? "" : `, ${since}`}`
  }

  private standingOf(slot: number): Standing {
    const known = this.standings.get(slot)
    if (known !== undefined) return known
    const standing = { level: 0, goodSinceMs: 0, leaving: undefined, held: undefined }
    this.standings.set(slot, standing)
    return standing
  }

  private holdMs(doublings: number): number {
    const { slowHoldMs, slowHoldMsMax } = this.options.context.times
    return doublings < 0 ? 0 : Math.min(slowHoldMsMax, slowHoldMs * 2 ** Math.min(doublings, 30))
  }

  /** All of the view works, and nothing of our own makes one member slower than another. */
  private mayJudge({ normal }: PoolMetadata, nowMs: number): boolean {
    const { engine, keeper, isDecided } = this.options
    const { isFrozen, isFlushable } = engine.core
    const isSyncing = this.isSyncing(normal, nowMs)
    return !isSyncing && !isFrozen && isFlushable && isDecided() && keeper.usable === normal
  }

  /** S: some member of the view fetches what it lacks, from others who serve that beside IO. */
  private isSyncing(normal: MemberSet, nowMs: number): boolean {
    let dirtyChunks = 0
    for (const leg of this.options.keeper.legs) {
      if (leg !== undefined && has(normal, leg.slot)) dirtyChunks += leg.io.dirtyHint
    }
    if (dirtyChunks !== this.dirtyChunks) this.dirtyChangedMs = nowMs
    this.dirtyChunks = dirtyChunks
    return dirtyChunks > 0 && nowMs - this.dirtyChangedMs < SYNC_STILL_MS
  }

  /** It is normal; what it was put out for is forgotten bit by bit. */
  private forgive(slot: number, standing: Standing, nowMs: number): void {
    standing.held = undefined
    if (standing.level === 0 || !this.detector.isGood(slot)) standing.goodSinceMs = nowMs
    if (nowMs - standing.goodSinceMs < this.options.context.times.slowHoldMsMax) return
    standing.level--
    standing.goodSinceMs = nowMs
  }

  private tend(slot: number, standing: Standing, held: Held, nowMs: number): void {
    standing.goodSinceMs = nowMs
    const leg = this.options.keeper.legs[slot]
    if (leg?.isUp !== true) {
      held.fastSinceMs = undefined
      held.last = "its node cannot be reached now"
      return
    }
    if (held.isAsking || nowMs < held.dueMs) return
    held.isAsking = true
    void this.probe(leg, standing, held, nowMs).finally(() => {
      held.isAsking = false
    })
  }

  private async probe(leg: Leg, standing: Standing, held: Held, sinceMs: number): Promise<void> {
    const { context, record } = this.options
    const { commandMs, ioDeadlineMs, slowHoldMsMax } = context.times
    const { clock } = context.env
    let tookMs = Number.POSITIVE_INFINITY
    try {
      const { mapVersion } = record()
      const { result } = await leg.ask("store-check", mapVersion, {}, undefined, commandMs)
      if (result.lastStatus === 0) tookMs = clock.nowMs() - sinceMs
      held.last = result.lastStatus === 0 ? `now ${msText(tookMs)}` : "its store has failed"
    } catch (thrown) {
      held.last = RmrError.from(thrown).message
    }
    const nowMs = clock.nowMs()
    const everyMs = Math.min(PROBE_MS_MAX, Math.max(PROBE_MS_MIN, held.holdMs / 10))
    held.dueMs = nowMs + everyMs
    const isPatient = nowMs - held.sinceMs < PATIENCE * slowHoldMsMax
    const isFast = tookMs <= (isPatient ? held.barMs : Math.max(held.barMs, ioDeadlineMs / 2))
    const isMissed = sizeOf(record().normal) < held.restCount && tookMs <= ioDeadlineMs / 2
    if (!isFast) held.fastSinceMs = undefined
    else held.fastSinceMs ??= sinceMs
    const isLongFast = held.fastSinceMs !== undefined && nowMs - held.fastSinceMs >= held.holdMs
    if (!(isLongFast || isMissed) || standing.held !== held) return
    standing.held = undefined
    this.log("info", "pool.leg-let-back", leg.slot, { tookMs: Math.round(tookMs) })
  }

  private log(
    level: "info" | "warn",
    event: string,
    slot: number,
    fields: Readonly<Record<string, string | number>>,
  ): void {
    const { context, keeper } = this.options
    const member = keeper.legs[slot]?.memberId ?? 0
    context.env.log.write(level, event, { pool: context.poolName, member, ...fields })
  }
}

function msText(ms: number): string {
  return ms < 10 ? `${Math.round(ms * 10) / 10} ms` : `${Math.round(ms)} ms`
}

function secondsText(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms / 100) / 10} s` : `${Math.round(ms / 1000)} s`
}
