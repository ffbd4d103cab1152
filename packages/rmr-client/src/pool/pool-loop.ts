/**
 * PoolLoop: what keeps a pool going: one step at a time mends what is wrong (rules R8, V3, V7).
 *
 * Whatever changes the view or a leg's standing is a step, started by a timer or by something that
 * happened: open anew, go on with a view that was proposed, let blinked legs go on, put late or
 * lost ones out, elect, let a member join. A step may be interrupted anywhere, and the next one
 * begins from what is true then.
 */
import type { ErrorCode, MemberSet, PoolMetadata, Timer } from "@rmr/core"
import { losesUnflushed, RmrError, sizeOf, slotsOf, without } from "@rmr/core"
import type { IoEngine } from "../io/io-engine.js"
import type { VolumeHost } from "../volume/pool-volume.js"
import { PoolVolume } from "../volume/pool-volume.js"
import { changeView, leaveLegs, type ViewParts } from "./changing.js"
import { ForcedLoss } from "./forced-loss.js"
import { letJoin, requireQuiet } from "./joining.js"
import type { LegKeeper } from "./leg-keeper.js"
import { inMaintenance } from "./members.js"
import { type RecordChange, type RecordEdit, RecordEdits } from "./membership.js"
import type { Opening } from "./opening.js"
import { failureFields, type PoolContext } from "./pool-context.js"
import { type Joiner, Rejoining, type RejoinProgress } from "./rejoining.js"
import { Reopening } from "./reopening.js"
import { Settling } from "./settling.js"
import { SideWork } from "./side-work.js"
import { SlowLegs } from "./slow-legs.js"
import { type EffectiveView, type ViewChanger, viewChangerOf } from "./view-changer.js"
import { absentIdsOf } from "./view-record.js"

const TICK_MS = 100
/** Of what an admin asks of all members; in between, who is gone leaves the view. */
const TRIES_MAX = 3
/** What a member that is gone answers, or somebody in its place. */
const GONE: ReadonlySet<ErrorCode> = new Set(["link-lost", "deadline", "not-found", "bad-message"])

export interface PoolLoopOptions {
  readonly context: PoolContext
  readonly keeper: LegKeeper
  readonly engine: IoEngine
  readonly isEnded: () => boolean
  /** A member has refused what was asked in the newest epoch of this client (F4). */
  readonly onFenced: () => void
  /** A member is back in the view. */
  readonly onJoined: (memberId: number) => void
  /** Bytes that were acknowledged and not flushed may be gone (RT-54). */
  readonly onBytesLost: () => void
}

export class PoolLoop {
  readonly side: SideWork
  readonly edits: RecordEdits = new RecordEdits()
  readonly settling: Settling
  private readonly options: PoolLoopOptions
  private readonly context: PoolContext
  private readonly keeper: LegKeeper
  private readonly engine: IoEngine
  private readonly rejoining: Rejoining
  private readonly reopening: Reopening
  private readonly slowLegs: SlowLegs
  private readonly forcedLoss: ForcedLoss
  private changer: ViewChanger
  private recordNow: PoolMetadata
  private epoch = 0
  private timer: Timer | undefined
  private isTending = false
  private isWanted = false
  /** Since when a proposed view waits for members to return. */
  private heldMs: number | undefined
  /** What the views that are proposed say differently, until one of them is in force. */
  private editNow: RecordEdit | undefined
  private troubleNow: RmrError | undefined

  constructor(options: PoolLoopOptions, opening: Opening) {
    const { context, keeper, engine, onBytesLost } = options
    this.options = options
    this.context = context
    this.keeper = keeper
    this.engine = engine
    this.recordNow = opening.record
    this.changer = viewChangerOf(context, opening)
    this.settling = new Settling({ context, keeper, engine, onBytesLost })
    this.reopening = new Reopening({ context, keeper, engine })
    const record = (): PoolMetadata => this.recordNow
    const isDecided = (): boolean => this.settling.isDecided
    this.slowLegs = new SlowLegs({ context, keeper, engine, record, isDecided })
    this.rejoining = new Rejoining({
      context,
      keeper,
      record,
      isFlushable: () => engine.core.isFlushable,
      mayBegin: () => this.mayGrow,
      heldBack: (slot) =>
        inMaintenance(context.poolName, this.recordNow, slot) ?? this.slowLegs.heldBack(slot),
      onFenced: (epoch) => this.onFenced(epoch),
      want: () => this.want(),
    })
    this.forcedLoss = new ForcedLoss({
      context,
      record,
      hasComing: () => this.rejoining.hasComing,
      elect: (acceptsLoss) => this.settling.run(this.recordNow, acceptsLoss),
      change: (change) => this.edit(change),
    })
    const onFenced = (epoch: number): void => this.onFenced(epoch)
    this.side = new SideWork({ context, keeper, engine, record, onFenced })
  }

  get record(): PoolMetadata {
    return this.recordNow
  }

  /** Whom a further view may name (V3). */
  get allowed(): MemberSet {
    return this.changer.allowed
  }

  /** Why the last step failed; it is tried again. */
  get trouble(): RmrError | undefined {
    return this.troubleNow
  }

  get returning(): readonly RejoinProgress[] {
    return this.rejoining.progress
  }

  /** A member has given its own history up for this one, and may return (R7). */
  noteResolved(slot: number): void {
    this.rejoining.noteResolved(slot)
  }

  /** The next step opens the pool anew, above all epochs that members know. */
  wantEpoch(): void {
    this.reopening.want()
  }

  /** The pool's own flushes go through a handle of their own. */
  flushThrough(host: VolumeHost): void {
    const events = { onCompletions: (): void => this.side.onFlushed() }
    this.side.volume = new PoolVolume(this.context.poolName, host, {
      events,
      inFlightMax: 1,
    })
    this.side.volume.isPoolsOwn = true
  }

  /** No step begins any more. */
  close(): void {
    this.timer?.cancel()
    this.rejoining.close()
  }

  /** F4. An epoch of before may be refused because of what this client asks for now (R8). */
  onFenced(epoch: number): void {
    if (epoch >= this.reopening.askedEpoch) this.options.onFenced()
  }

  /** The opening view is proposed, settled and made known to the data path. */
  async start(opening: Opening): Promise<void> {
    const { engine } = this
    const { record, decision, restarts } = opening
    const { lineage } = record.mapVersion
    this.epoch = opening.epoch
    this.editNow = undefined
    this.changer = viewChangerOf(this.context, opening)
    engine.core.wire.setLineage(lineage)
    const effective = await this.changer.change(this.keeper.legs, this.epoch, lineage, {
      purpose: "open",
      wanted: decision.normal,
      recordOf: (mapVersion, normal) => ({ ...record, mapVersion, normal }),
    })
    if (engine.core.hasUnflushed && losesUnflushed(restarts)) this.options.onBytesLost()
    engine.renumber()
    this.enter(effective, decision.star.normal)
    this.heldMs = undefined
    this.reopening.noteOpened(this.recordNow.mapVersion)
    await this.settling.run(this.recordNow)
  }

  /** A view is effective: the data path follows it (V2, W3). */
  private enter({ record, takenBack }: EffectiveView, before: MemberSet): void {
    const last = this.recordNow
    this.recordNow = record
    const { epoch, version } = record.mapVersion
    const view = { epoch, version, normal: record.normal }
    this.engine.core.flushes = "nobody"
    this.engine.core.minNormal = record.minNormal
    this.settling.enter(before, record)
    this.engine.core.growTo(record.mappedSizeBytes)
    this.engine.enterView(view, absentIdsOf(record), record.ranges, takenBack)
    this.engine.forgetUncertain(record.ranges)
    this.keeper.follow(record, last)
    const { legs } = this.keeper
    for (let slot = 0; slot < legs.length; slot++) this.engine.core.legs[slot] = legs[slot]?.io
    for (const leg of legs) {
      if (leg === undefined || (record.normal & leg.bit) !== 0) continue
      leg.io.session = undefined
    }
  }

  /**
   * What an admin asks of all members is asked of a view whose members are all there: who is gone
   * has left it first. Where it cannot do without, it is tried all the same, and says why not.
   */
  async withWholeView<T>(ask: () => Promise<T>): Promise<T> {
    for (let triesLeft = TRIES_MAX; ; triesLeft--) {
      await this.untilWhole()
      const asked = this.recordNow
      try {
        return await ask()
      } catch (thrown) {
        const error = RmrError.from(thrown)
        if (!GONE.has(error.code) || triesLeft <= 1 || this.options.isEnded()) throw error
        // Whoever it was is found out by this, or gives a sign and had a reason of its own.
        const hasAll = (await this.side.askAll()) || (await this.side.askAll())
        if (hasAll && this.isWhole && this.recordNow === asked) throw error
      }
    }
  }

  /** At most as long as IO would be held. */
  private async untilWhole(): Promise<void> {
    const { clock } = this.context.env
    const endMs = clock.nowMs() + this.context.times.noLegMs
    while (!this.isWhole && !this.options.isEnded() && clock.nowMs() < endMs) {
      await new Promise<void>((resolve) => {
        clock.schedule(TICK_MS, resolve)
      })
    }
  }

  private get isWhole(): boolean {
    const { keeper, changer, engine, recordNow } = this
    if (keeper.usable !== recordNow.normal || changer.isPending || keeper.hasTrouble) return false
    return !keeper.isAnyLate(recordNow, engine.core.wire, this.context.env.clock.nowMs())
  }

  /** From now on it looks by itself, every so often. */
  schedule(): void {
    if (this.options.isEnded()) return
    this.timer?.cancel()
    this.timer = this.context.env.clock.schedule(TICK_MS, () => {
      this.tick()
      this.schedule()
    })
  }

  private tick(): void {
    const { times, env } = this.context
    const nowMs = env.clock.nowMs()
    const toEnd = this.engine.expire(nowMs - times.noLegMs, this.hasLegs(nowMs))
    for (const slot of slotsOf(toEnd)) void this.keeper.legs[slot]?.link.dropSession()
    this.keeper.dialMissing()
    this.side.tick(nowMs)
    this.slowLegs.tick(nowMs)
    this.rejoining.tick(nowMs)
    if (this.isTending) this.hurry(nowMs)
    else if (this.isWanted || this.needsTending(nowMs)) void this.tend()
  }

  /**
   * P6: the step that is under way may wait for a member that is late, for as long as any command
   * may take; and meanwhile nobody is put out. Without a session there is nothing to wait for.
   */
  private hurry(nowMs: number): void {
    const { keeper, engine, recordNow, changer } = this
    const late = keeper.whomToExpel(recordNow, engine.core.wire, [], nowMs) & keeper.usable
    const rest = without(changer.allowed & keeper.usable, late)
    if (late === 0 || sizeOf(rest) < Math.max(1, recordNow.minNormal)) return
    keeper.condemn(late)
    engine.giveUpQuiet()
  }

  /** W6: enough members carry out what they are asked; or a view change is just on its way. */
  private hasLegs(nowMs: number): boolean {
    const { keeper, engine, recordNow, heldMs } = this
    const { regroupMs } = this.context.times
    if (heldMs !== undefined && nowMs - heldMs >= regroupMs) return false
    const serving = keeper.serving(recordNow, engine.core.wire, nowMs)
    return sizeOf(serving & this.changer.allowed) >= Math.max(1, recordNow.minNormal)
  }

  private needsTending(nowMs: number): boolean {
    if (this.settling.isDue(nowMs) || this.changer.isPending || this.keeper.hasTrouble) return true
    if (this.rejoining.ready !== undefined || this.edits.isWanted) return true
    if (this.mustReopen(nowMs) || this.slowLegs.slow.length > 0) return true
    if (this.forcedLoss.isDue(nowMs)) return true
    return this.keeper.isAnyLate(this.recordNow, this.engine.core.wire, nowMs)
  }

  /** Something happened that a step may mend. */
  want(): void {
    this.isWanted = true
  }

  /** One step at a time; what fails is tried again by a later tick. */
  private async tend(): Promise<void> {
    if (this.isTending || this.options.isEnded()) return
    this.isTending = true
    this.isWanted = false
    const before = this.troubleNow
    try {
      await this.step()
      this.troubleNow = undefined
    } catch (thrown) {
      const error = RmrError.from(thrown)
      this.troubleNow = error
      if (error.code === "fenced") this.options.onFenced()
      if (error.message === before?.message) return
      const event = "pool.step-failed"
      const { context } = this
      context.env.log.write("warn", event, { pool: context.poolName, ...failureFields(error) })
    } finally {
      this.isTending = false
    }
  }

  private async step(): Promise<void> {
    const nowMs = this.context.env.clock.nowMs()
    if (this.mustReopen(nowMs)) {
      await this.start(await this.reopening.open(this.recordNow))
      return
    }
    if (this.changer.isPending) {
      await this.goOnChanging(nowMs)
      return
    }
    const { normal } = this.recordNow
    const { keeper } = this
    if (!keeper.hasCondemned && (await keeper.resumeBlinked(this.recordNow))) {
      this.engine.legUp()
      // What it drained may have left chunks in doubt (W5, R6).
      this.settling.want()
    }
    const { slow } = this.slowLegs
    const expelled = keeper.whomToExpel(this.recordNow, this.engine.core.wire, slow, nowMs)
    if (expelled !== 0) {
      this.slowLegs.noteLeaving(expelled)
      await this.change("shrink", without(normal, expelled))
      return
    }
    keeper.pardon()
    if (keeper.usable !== normal) return
    if (this.edits.isWanted) await this.edits.run((change) => this.edit(change))
    else if (this.hasUncertain) await this.change("change", normal)
    else if (this.settling.isDue(nowMs)) await this.settling.run(this.recordNow)
    else if (this.forcedLoss.isDue(nowMs) && this.mayGrow) await this.forcedLoss.settle()
    const joiner = this.rejoining.ready
    if (joiner !== undefined && this.mayGrow) await this.join(joiner)
  }

  private mustReopen(nowMs: number): boolean {
    return this.reopening.isDue(nowMs, this.recordNow, this.changer)
  }

  /** V3, R6: the view in force is settled, and all of it works. */
  private get mayGrow(): boolean {
    const isWhole = this.keeper.usable === this.recordNow.normal && !this.hasUncertain
    return isWhole && !this.changer.isPending && this.settling.isDecided && !this.options.isEnded()
  }

  private async join(joiner: Joiner): Promise<void> {
    try {
      const heldMs = await letJoin(this.parts, joiner)
      this.rejoining.noteJoined(joiner, undefined)
      this.options.onJoined(joiner.leg.memberId)
      this.logJoined(joiner, heldMs)
    } catch (thrown) {
      const error = RmrError.from(thrown)
      this.rejoining.noteJoined(joiner, error)
      if (error.code === "fenced" || this.changer.isPending) throw error
    }
    if (this.recordNow !== joiner.record) await this.followView(joiner.record.normal)
  }

  private logJoined({ leg }: Joiner, heldMs: number): void {
    const { env, poolName } = this.context
    env.log.write("info", "pool.member-joined", {
      pool: poolName,
      member: leg.memberId,
      heldMs: Math.round(heldMs * 1000) / 1000,
      dirtyChunks: leg.io.dirtyHint,
    })
  }

  private get hasUncertain(): boolean {
    return this.engine.unresolvedRanges().some(({ kind }) => kind === "uncertain")
  }

  /**
   * A view was proposed and is not effective: only a later one ends that (V3). All whom it may name
   * are given time to return before it goes on without them (V6).
   */
  private async goOnChanging(nowMs: number): Promise<void> {
    const { allowed } = this.changer
    const here = allowed & this.keeper.up
    this.heldMs ??= nowMs
    if (here !== allowed && nowMs - this.heldMs < this.context.times.regroupMs) return
    await this.change("shrink", here)
  }

  private async change(purpose: "shrink" | "change", wanted: MemberSet): Promise<void> {
    const before = this.recordNow.normal
    await changeView(this.parts, purpose, wanted, this.editNow)
    await this.followView(before)
  }

  /** Whoever has persisted a view with the edit must not see a later one without it. */
  private async edit({ edit, leaving = 0, check }: RecordChange): Promise<void> {
    const { engine, recordNow } = this
    if (check !== undefined) {
      await requireQuiet(engine)
      try {
        await check(recordNow)
      } catch (thrown) {
        engine.thaw()
        throw thrown
      }
    }
    this.editNow = edit
    const { normal } = recordNow
    try {
      if ((leaving & normal) === 0) await this.change("change", normal)
      else await this.change("shrink", without(normal, leaving))
    } finally {
      if (!this.changer.isPending) this.editNow = undefined
    }
  }

  /** IO goes on in another view; the rest follows. */
  private async followView(before: MemberSet): Promise<void> {
    const left = without(before, this.recordNow.normal)
    this.rejoining.noteExpelled(left)
    this.slowLegs.noteExpelled(left)
    await leaveLegs(this.keeper, left)
    await this.settling.run(this.recordNow)
  }

  private get parts(): ViewParts {
    const { context, engine, keeper, changer, epoch, recordNow: base } = this
    const enter = (effective: EffectiveView, before: MemberSet): void => {
      this.heldMs = undefined
      this.editNow = undefined
      this.enter(effective, before)
    }
    return { context, engine, keeper, changer, epoch, base, enter }
  }
}
