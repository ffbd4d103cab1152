/**
 * ClientPool: a pool as its compute client has it (upstream: `rmr_clt_pool`).
 *
 * It holds the epoch, the chain of views and the legs; the engine carries IO. Whatever changes the
 * view or a leg's standing is one step of one loop at a time (`tend`), started by a timer or by
 * something that happened: put late or lost legs out, let blinked ones go on, elect, flush. A step
 * may be interrupted anywhere, and the next one begins from what is true then (R8).
 */
import type {
  MemberId,
  MemberSet,
  PoolMetadata,
  Timer,
  Volume,
  VolumeOpen,
  VolumeSource,
} from "@rmr/core"
import { losesUnflushed, RmrError, sizeOf, slotsOf, statusOf, without } from "@rmr/core"
import type { PoolCounts } from "../io/io-counts.js"
import type { IoEngine } from "../io/io-engine.js"
import type { IoOwner } from "../links/link-registry.js"
import { flushOnce, PoolVolume, type VolumeHost } from "../volume/pool-volume.js"
import { changeView, leaveLegs, type ViewParts } from "./changing.js"
import { letJoin } from "./joining.js"
import type { Leg } from "./leg.js"
import { LegKeeper } from "./leg-keeper.js"
import { leaveMembers, legsOf, makeLeg } from "./legs.js"
import { assemble, type Opening, openMembers } from "./opening.js"
import { failureFields, type KnownMember, type PoolContext } from "./pool-context.js"
import { ioOwner, poolEngine } from "./pool-engine.js"
import { poolHost } from "./pool-host.js"
import { type Joiner, Rejoining, type RejoinProgress } from "./rejoining.js"
import { Reopening } from "./reopening.js"
import { Settling } from "./settling.js"
import { SideWork } from "./side-work.js"
import { askAllLegs, checkMaps, type MapCheck, type UserAnswer } from "./user-commands.js"
import { type EffectiveView, type ViewChanger, viewChangerOf } from "./view-changer.js"
import { absentIdsOf } from "./view-record.js"

const TICK_MS = 100

export class ClientPool implements VolumeSource {
  readonly name: string
  readonly context: PoolContext
  private readonly keeper: LegKeeper
  private readonly engine: IoEngine
  private readonly side: SideWork
  private readonly settling: Settling
  private readonly rejoining: Rejoining
  private readonly owner: IoOwner
  private readonly host: VolumeHost
  private readonly volumes = new Set<PoolVolume>()
  private readonly reopening: Reopening
  private changer: ViewChanger
  private recordNow: PoolMetadata
  private epoch = 0
  private timer: Timer | undefined
  private isTending = false
  private isWanted = false
  /** Since when a proposed view waits for members to return. */
  private heldMs: number | undefined
  private endedBy: RmrError | undefined
  private closing: Promise<void> | undefined
  private troubleNow: RmrError | undefined

  private constructor(context: PoolContext, record: PoolMetadata, opening: Opening) {
    this.context = context
    this.name = context.poolName
    this.recordNow = record
    this.changer = viewChangerOf(context, opening)
    this.keeper = new LegKeeper(context, () => this.want())
    this.host = poolHost({
      registry: context.registry,
      record: () => this.recordNow,
      engine: () => this.engine,
      onClosed: (volume) => this.volumes.delete(volume),
    })
    this.owner = ioOwner(
      () => this.engine,
      () => this.leaveRegistry(),
    )
    this.engine = this.makeEngine(record)
    const { keeper, engine } = this
    this.settling = new Settling({ context, keeper, engine })
    this.reopening = new Reopening({ context, keeper, engine: () => this.engine })
    this.rejoining = new Rejoining({
      context,
      keeper,
      record: () => this.recordNow,
      isFlushable: () => engine.core.isFlushable,
      mayBegin: () => this.mayGrow,
      onFenced: () => this.onFenced(this.epoch),
      want: () => this.want(),
    })
    this.side = new SideWork({
      context,
      keeper,
      engine,
      record: () => this.recordNow,
      onFenced: (epoch) => this.onFenced(epoch),
    })
    this.side.volume = new PoolVolume(this.name, this.host, {
      events: { onCompletions: () => this.side.onFlushed() },
      inFlightMax: 1,
    })
  }

  /**
   * Opens the pool that these members have. Fails with `held`, `no-leg`, `not-found`, `split-brain`
   * or `unreachable`, and with `fenced` where another client was quicker.
   */
  static async open(context: PoolContext, members: readonly KnownMember[]): Promise<ClientPool> {
    const found = members.map((member, slot) => makeLeg(context, member, slot))
    const record = await assemble(context, found)
    const legs = legsOf(context, record, found)
    const opening = await openMembers(context, legs)
    const pool = new ClientPool(context, opening.record, opening)
    try {
      for (const leg of legs) {
        pool.keeper.adopt(leg)
        if (leg !== undefined) pool.engine.core.legs[leg.slot] = leg.io
      }
      await pool.start(opening)
      pool.schedule()
    } catch (thrown) {
      pool.tearDown(RmrError.from(thrown))
      throw thrown
    }
    context.registry.noteOpened(context.poolName)
    return pool
  }

  get record(): PoolMetadata {
    return this.recordNow
  }

  get legs(): readonly (Leg | undefined)[] {
    return this.keeper.legs
  }

  /** Why nothing works any more: `fenced`, or `closed`. */
  get ended(): RmrError | undefined {
    return this.endedBy
  }

  /** Whom a further view may name (V3): all that a held pool waits for. */
  get allowed(): MemberSet {
    return this.changer.allowed
  }

  /** Why the last step failed that was to mend something; it is tried again. */
  get trouble(): RmrError | undefined {
    return this.troubleNow
  }

  /** Members that are out of the view, and how far each is on its way back. */
  get returning(): readonly RejoinProgress[] {
    return this.rejoining.progress
  }

  /** Whether a flush can succeed now (I5). */
  get isFlushable(): boolean {
    return this.engine.core.isFlushable
  }

  /** What was done since the pool was opened. */
  get counts(): PoolCounts {
    return this.engine.core.counts
  }

  /** Leaves the session to a member, and the others that use it with it; it is dialed anew. */
  reconnect(memberId: MemberId): Promise<void> {
    return this.keeper.reconnect(memberId)
  }

  /** A handle on the volume, with tokens and completions of its own. */
  open(options: VolumeOpen): Volume {
    const volume = new PoolVolume(this.name, this.host, options)
    this.volumes.add(volume)
    return volume
  }

  /** Sends a request of the layer above to every leg; an answer or an error from each. */
  user(data: Uint8Array): Promise<readonly UserAnswer[]> {
    return askAllLegs(this.keeper.legs, this.recordNow, data, this.context.times.commandMs)
  }

  /** What every member says of its own map (upstream: check_map). */
  checkMaps(): Promise<readonly MapCheck[]> {
    return checkMaps(this.keeper.legs, this.recordNow, this.context.times.commandMs)
  }

  /** Resolves what is in flight, flushes, and leaves the members. Idempotent. */
  close(): Promise<void> {
    this.closing ??= this.closeOnce()
    return this.closing
  }

  private async closeOnce(): Promise<void> {
    for (const volume of [...this.volumes]) await volume.close()
    if (this.endedBy !== undefined) return
    await flushOnce(this.name, this.host)
    const legs = this.keeper.legs.filter((leg) => leg?.io.session !== undefined)
    if (!this.tearDown(new RmrError("closed", `pool ${this.name} was closed`))) return
    await leaveMembers(this.context, legs, this.recordNow.mapVersion)
  }

  /**
   * Nothing is acknowledged, dialed or heard any more, whatever it was that ended the pool. False
   * where something had ended it before.
   */
  private tearDown(error: RmrError): boolean {
    if (this.endedBy !== undefined) return false
    this.endedBy = error
    this.timer?.cancel()
    this.rejoining.close()
    for (const leg of this.keeper.legs) {
      if (leg === undefined) continue
      leg.io.session = undefined
      leg.move("removing", "closed")
    }
    this.keeper.close()
    this.engine.endAll(statusOf(error.code))
    this.leaveRegistry()
    return true
  }

  /**
   * The answers to what is on its way would be taken for answers to the next pool that has the same
   * tokens: they are waited for (W7).
   */
  private leaveRegistry(): void {
    if (this.endedBy === undefined || this.engine.core.wire.submissions.hasLive) return
    this.context.registry.removeOwner(this.owner)
  }

  /** The opening view is proposed, settled and made known to the data path. */
  private async start(opening: Opening): Promise<void> {
    const { engine } = this
    const { record, decision, restarts } = opening
    const { lineage } = record.mapVersion
    this.epoch = opening.epoch
    this.changer = viewChangerOf(this.context, opening)
    engine.core.wire.setLineage(lineage)
    engine.core.minNormal = record.minNormal
    const effective = await this.changer.change(this.keeper.legs, this.epoch, lineage, {
      purpose: "open",
      wanted: decision.normal,
      recordOf: (mapVersion, normal) => ({ ...record, mapVersion, normal }),
    })
    const hasUnflushed = engine.core.lastSequence !== engine.core.stableSequence
    if (hasUnflushed && losesUnflushed(restarts)) {
      for (const volume of this.volumes) volume.hasLostBytes = true
    }
    engine.renumber()
    this.enter(effective, decision.star.normal)
    this.heldMs = undefined
    this.reopening.noteOpened(this.recordNow.mapVersion)
    await this.settling.run(this.recordNow)
  }

  /** A view is effective: the data path follows it (V2, W3). */
  private enter({ record, takenBack }: EffectiveView, before: MemberSet): void {
    this.recordNow = record
    const { epoch, version } = record.mapVersion
    const view = { epoch, version, normal: record.normal }
    this.engine.core.isFlushable = false
    this.settling.enter(before, record)
    this.engine.enterView(view, absentIdsOf(record), record.ranges, takenBack)
    this.engine.forgetUncertain(record.ranges)
    for (const leg of this.keeper.legs) {
      if (leg === undefined || (record.normal & leg.bit) !== 0) continue
      leg.io.session = undefined
    }
  }

  private schedule(): void {
    if (this.endedBy !== undefined) return
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
    this.rejoining.tick(nowMs)
    if (this.isWanted || this.needsTending(nowMs)) void this.tend()
  }

  /** W6: enough members carry out what they are asked; or a view change is just on its way. */
  private hasLegs(nowMs: number): boolean {
    const { keeper, engine, recordNow, heldMs } = this
    const { regroupMs } = this.context.times
    if (heldMs !== undefined && nowMs - heldMs >= regroupMs) return false
    const serving = keeper.serving(recordNow, engine.core.wire, nowMs)
    return sizeOf(serving & this.allowed) >= Math.max(1, recordNow.minNormal)
  }

  private needsTending(nowMs: number): boolean {
    if (this.settling.isDue(nowMs) || this.changer.isPending || this.keeper.hasTrouble) return true
    if (this.rejoining.ready !== undefined || this.mustReopen(nowMs)) return true
    return this.keeper.isAnyLate(this.recordNow, this.engine.core.wire, nowMs)
  }

  /** Something happened that a step may mend. */
  private want(): void {
    this.isWanted = true
  }

  /** One step at a time; what fails is tried again by a later tick. */
  private async tend(): Promise<void> {
    if (this.isTending || this.endedBy !== undefined) return
    this.isTending = true
    this.isWanted = false
    const before = this.troubleNow
    try {
      await this.step()
      this.troubleNow = undefined
    } catch (thrown) {
      const error = RmrError.from(thrown)
      this.troubleNow = error
      if (error.code === "fenced") this.onFenced(this.reopening.askedEpoch)
      if (error.message === before?.message) return
      const event = "pool.step-failed"
      this.context.env.log.write("warn", event, { pool: this.name, ...failureFields(error) })
    } finally {
      this.isTending = false
    }
  }

  private async step(): Promise<void> {
    const nowMs = this.context.env.clock.nowMs()
    if (this.mustReopen(nowMs)) {
      await this.start(await this.reopening.open())
      return
    }
    if (this.changer.isPending) {
      await this.goOnChanging(nowMs)
      return
    }
    const { normal } = this.recordNow
    if (await this.keeper.resumeBlinked(this.recordNow)) {
      this.engine.legUp()
      // What it drained may have left chunks in doubt (W5, R6).
      this.settling.want()
    }
    const expelled = this.keeper.whomToExpel(this.recordNow, this.engine.core.wire, nowMs)
    if (expelled !== 0) {
      await this.change("shrink", without(normal, expelled))
      return
    }
    if (this.keeper.usable !== normal) return
    if (this.hasUncertain) await this.change("change", normal)
    else if (this.settling.isDue(nowMs)) await this.settling.run(this.recordNow)
    const joiner = this.rejoining.ready
    if (joiner !== undefined && this.mayGrow) await this.join(joiner)
  }

  private mustReopen(nowMs: number): boolean {
    return this.reopening.isDue(nowMs, this.recordNow, this.changer)
  }

  /** V3, R6: the view in force is settled, and all of it works. */
  private get mayGrow(): boolean {
    const isWhole = this.keeper.usable === this.recordNow.normal && !this.hasUncertain
    return (
      isWhole && !this.changer.isPending && this.settling.isDecided && this.endedBy === undefined
    )
  }

  private async join(joiner: Joiner): Promise<void> {
    try {
      await letJoin(this.parts, joiner)
      this.rejoining.noteJoined(joiner, undefined)
    } catch (thrown) {
      const error = RmrError.from(thrown)
      this.rejoining.noteJoined(joiner, error)
      if (error.code === "fenced" || this.changer.isPending) throw error
    }
    if (this.recordNow !== joiner.record) await this.followView(joiner.record.normal)
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
    await changeView(this.parts, purpose, wanted)
    await this.followView(before)
  }

  /** IO goes on in another view; the rest follows. */
  private async followView(before: MemberSet): Promise<void> {
    const left = without(before, this.recordNow.normal)
    this.rejoining.noteExpelled(left)
    await leaveLegs(this.keeper, left)
    await this.settling.run(this.recordNow)
  }

  private get parts(): ViewParts {
    const { context, engine, keeper, changer, epoch, recordNow: base } = this
    const enter = (effective: EffectiveView, before: MemberSet): void => {
      this.heldMs = undefined
      this.enter(effective, before)
    }
    return { context, engine, keeper, changer, epoch, base, enter }
  }

  /** F4. An epoch of before may be refused because of what this client asks for now (R8). */
  private onFenced(epoch: number): void {
    if (epoch < this.reopening.askedEpoch) return
    const words = `another client has taken pool ${this.name} over`
    if (!this.tearDown(new RmrError("fenced", words))) return
    this.context.env.log.write("error", "pool.fenced", { pool: this.name })
  }

  private makeEngine(record: PoolMetadata): IoEngine {
    const { context } = this
    return poolEngine(context, record, context.registry.addOwner(this.owner), {
      onFenced: () => this.onFenced(this.engine.core.view.epoch),
      onLegRefused: (slot, code) => this.keeper.noteRefused(slot, code),
      onFlushWanted: () => this.side.flushSoon(),
      onMarksNeeded: (row, slots) => void this.side.markMissed(row, slots),
      onVouchNeeded: () => void this.side.vouch(),
      onUncertain: () => this.want(),
      onCopyMissing: () => this.settling.want(),
      onEnded: () => undefined,
    })
  }
}
