/**
 * SideWork: what a pool asks of its members beside IO: marks for what they missed (W3), a sign that
 * they know this client (F7), and flushes that move the stable number on (I3).
 */
import type { ErrorCode, MemberSet, PoolMetadata } from "@rmr/core"
import { compareViews, RmrError, slotsOf } from "@rmr/core"
import type { IoEngine } from "../io/io-engine.js"
import type { PoolVolume } from "../volume/pool-volume.js"
import type { Leg } from "./leg.js"
import type { LegKeeper } from "./leg-keeper.js"
import type { PoolContext } from "./pool-context.js"

/** With too few members to ask, a sign of life is asked for again after this long. */
const RETRY_MS = 50
/** No sign of life came; one alone may be bytes that were hurt on the way, or a pause. */
const NO_SIGN: ReadonlySet<ErrorCode> = new Set(["deadline", "bad-message"])

export interface SideWorkOptions {
  readonly context: PoolContext
  readonly keeper: LegKeeper
  readonly engine: IoEngine
  /** The view in force. */
  readonly record: () => PoolMetadata
  /** A member refused what was asked in this epoch. */
  readonly onFenced: (epoch: number) => void
}

export class SideWork {
  private readonly options: SideWorkOptions
  private readonly marking = new Set<number>()
  /** Members whose sign is on its way. */
  private readonly asking = new Set<number>()
  private isVouching = false
  private isFlushing = false
  private flushedMs: number
  /** A handle of the pool's own, for one flush at a time. */
  volume: PoolVolume | undefined

  constructor(options: SideWorkOptions) {
    this.options = options
    this.flushedMs = options.context.env.clock.nowMs()
  }

  /** The flush of the pool's own has ended. */
  onFlushed(): void {
    this.isFlushing = false
  }

  /** I3, F5: once in a while, whether or not anybody asked. */
  tick(nowMs: number): void {
    if (nowMs - this.flushedMs >= this.options.context.times.flushMs) this.flushSoon()
  }

  /** I3: a flush that moves the stable number on. */
  flushSoon(): void {
    if (this.isFlushing) return
    this.flushedMs = this.options.context.env.clock.nowMs()
    const { lastSequence, stableSequence } = this.options.engine.core
    const isIdle = lastSequence === stableSequence
    if (isIdle) {
      void this.vouch()
      return
    }
    this.isFlushing = true
    this.volume?.flush(0)
  }

  /**
   * W3: members that missed what others have done mark it before it is acknowledged. An answer that
   * comes in a later view does not count there: more may be absent, whom nobody has marked it for.
   */
  async markMissed(row: number, slots: MemberSet): Promise<void> {
    if (this.marking.has(row)) return
    this.marking.add(row)
    const { context, engine, keeper } = this.options
    const { rows } = engine.core
    const sequence = rows.sequences[row]!
    const range = { sequence, offset: rows.offsets[row]!, length: rows.lengths[row]! }
    const { mapVersion } = this.options.record()
    const isCurrent = (): boolean =>
      compareViews(this.options.record().mapVersion, mapVersion) === 0
    const body = { base: { epoch: 0, version: 0 }, purpose: "missed" as const, missed: [range] }
    try {
      await Promise.all(
        slotsOf(slots).map(async (slot) => {
          const leg = keeper.legs[slot]
          if (leg === undefined) return
          const { commandMs } = context.times
          await leg.ask("map-add", mapVersion, body, undefined, commandMs)
          if (isCurrent()) engine.noteMarked(row, sequence, leg.bit)
        }),
      )
    } catch (thrown) {
      context.env.log.write("warn", "pool.marks-failed", {
        detail: RmrError.from(thrown).message,
      })
    } finally {
      this.marking.delete(row)
      // It is asked for again, where it is still needed (RT-52).
      if (!isCurrent()) engine.noteMarked(row, sequence, 0)
    }
  }

  /**
   * F7: asks members for a sign that they know this client. Over when enough have given one, or
   * when nobody is left to. Who refuses, or gives none time after time, is not fit for the view,
   * also where nothing else is asked of it (V7).
   */
  async vouch(): Promise<void> {
    if (this.isVouching) return
    this.isVouching = true
    const { context, keeper, engine } = this.options
    const { mapVersion } = this.options.record()
    const asked = keeper.legs.flatMap((leg) => {
      const isFree = leg?.io.session !== undefined && !this.asking.has(leg.slot)
      return isFree ? [this.askSign(leg, mapVersion)] : []
    })
    const isEnough = await enoughOf(asked, engine.core.minNormal)
    const goOn = (): void => {
      this.isVouching = false
      engine.onBatchEnd()
    }
    // Too few know this client now: whoever waits asks again, but not at once and for ever.
    if (isEnough) goOn()
    else context.env.clock.schedule(RETRY_MS, goOn)
  }

  /** Asks everybody for a sign, and says whether all have given one. */
  async askAll(): Promise<boolean> {
    const { keeper } = this.options
    const { mapVersion } = this.options.record()
    const signs = await Promise.all(
      keeper.legs.map((leg) =>
        leg?.io.session === undefined ? true : this.askSign(leg, mapVersion),
      ),
    )
    return !signs.includes(false)
  }

  /** Whether it came. */
  private async askSign(leg: Leg, mapVersion: PoolMetadata["mapVersion"]): Promise<boolean> {
    const { context, keeper, engine, onFenced } = this.options
    const { stableEpoch, stableSequence, wire } = engine.core
    const { session } = leg.io
    const number = wire.submissions.takeNumber()
    this.asking.add(leg.slot)
    try {
      const body = { stableEpoch, stableSequence }
      await leg.ask("hold", mapVersion, body, undefined, context.times.commandMs)
      leg.io.answeredNumber = Math.max(leg.io.answeredNumber, number)
      leg.io.silentCount = 0
      return true
    } catch (thrown) {
      const { code } = RmrError.from(thrown)
      if (code === "fenced") onFenced(mapVersion.epoch)
      // What is said of another session says nothing about this one.
      else if (session !== leg.io.session || code === "link-lost") return false
      else if (NO_SIGN.has(code)) leg.io.silentCount++
      else keeper.noteRefused(leg.slot, code)
      return false
    } finally {
      this.asking.delete(leg.slot)
    }
  }
}

/** Fulfilled as soon as so many are true, or when too few can be. */
function enoughOf(asked: readonly Promise<boolean>[], count: number): Promise<boolean> {
  return new Promise((resolve) => {
    let good = 0
    let left = asked.length
    if (left === 0) resolve(false)
    for (const one of asked) {
      void one.then((isGood) => {
        left--
        if (isGood) good++
        if (good >= count) resolve(true)
        else if (left === 0) resolve(false)
      })
    }
  })
}
