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
  MutationRange,
  PoolMetadata,
  Timer,
  Volume,
  VolumeOpen,
  VolumeSource,
} from "@rmr/core"
import { OP_FLUSH, RmrError, sizeOf, slotsOf, statusOf, without } from "@rmr/core"
import type { PoolCounts } from "../io/io-counts.js"
import { IoEngine } from "../io/io-engine.js"
import type { IoOwner } from "../links/link-registry.js"
import { PoolVolume, type VolumeHost } from "../volume/pool-volume.js"
import type { Leg } from "./leg.js"
import { LegKeeper } from "./leg-keeper.js"
import { leaveMembers, legsOf, makeLeg } from "./legs.js"
import { assemble, type Opening, openMembers } from "./opening.js"
import type { KnownMember, PoolContext } from "./pool-context.js"
import { poolHost } from "./pool-host.js"
import { Settling } from "./settling.js"
import { SideWork } from "./side-work.js"
import { askAllLegs, checkMaps, type MapCheck, type UserAnswer } from "./user-commands.js"
import { type EffectiveView, ViewChanger } from "./view-changer.js"
import { absentIdsOf, nextRecord } from "./view-record.js"

const TICK_MS = 100

export class ClientPool implements VolumeSource {
  readonly name: string
  readonly context: PoolContext
  private readonly keeper: LegKeeper
  private readonly engine: IoEngine
  private readonly side: SideWork
  private readonly settling: Settling
  private readonly owner: IoOwner
  private readonly host: VolumeHost
  private readonly volumes = new Set<PoolVolume>()
  private readonly changer: ViewChanger
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
    const { star, limit } = opening.decision
    this.changer = new ViewChanger(context, record.minNormal, star, limit)
    this.keeper = new LegKeeper(context, () => this.want())
    this.host = poolHost({
      registry: context.registry,
      record: () => this.recordNow,
      engine: () => this.engine,
      onClosed: (volume) => this.volumes.delete(volume),
    })
    this.owner = {
      onCompletion: (token, status, headers, at, bytes, payloadBytes) =>
        this.engine.onCompletion(token, status, headers, at, bytes, payloadBytes),
      onBatchEnd: () => {
        this.engine.onBatchEnd()
        this.leaveRegistry()
      },
      onRoom: () => this.engine.onRoom(),
    }
    this.engine = this.makeEngine(record)
    const { keeper, engine } = this
    this.settling = new Settling({ context, keeper, engine })
    this.side = new SideWork({
      context,
      keeper,
      engine,
      record: () => this.recordNow,
      onFenced: () => this.onFenced(),
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
    const opening = await openMembers(context, legs, [])
    const pool = new ClientPool(context, opening.record, opening)
    try {
      for (const leg of legs) {
        pool.keeper.adopt(leg)
        if (leg !== undefined) pool.engine.core.legs[leg.slot] = leg.io
      }
      await pool.start(opening)
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

  /** Whether a flush can succeed now (I5). */
  get isFlushable(): boolean {
    return this.engine.core.isFlushable
  }

  /** What was done since the pool was opened. */
  get counts(): PoolCounts {
    return this.engine.core.counts
  }

  /** Leaves the session to a member, and the others that use it with it; it is dialed anew. */
  async reconnect(memberId: MemberId): Promise<void> {
    const leg = this.keeper.legs.find((one) => one?.memberId === memberId)
    if (leg === undefined) {
      throw new RmrError("not-found", `pool ${this.name} has no member ${memberId}`)
    }
    await leg.link.dropSession()
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
    await this.flushOnce()
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
    this.epoch = opening.epoch
    this.engine.core.wire.setLineage(opening.record.mapVersion.lineage)
    this.engine.core.minNormal = opening.record.minNormal
    const effective = await this.changer.change(
      this.keeper.legs,
      this.epoch,
      opening.record.mapVersion.lineage,
      {
        purpose: "open",
        wanted: opening.decision.normal,
        recordOf: (mapVersion, normal) => ({ ...opening.record, mapVersion, normal }),
      },
    )
    this.enter(effective, opening.decision.star.normal)
    await this.settling.run(this.recordNow)
    this.schedule()
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
    if (this.isWanted || this.needsTending(nowMs)) void this.tend()
  }

  /** W6: enough members carry out what they are asked; or a view change is just on its way. */
  private hasLegs(nowMs: number): boolean {
    const { keeper, engine, recordNow } = this
    const { regroupMs } = this.context.times
    if (this.heldMs !== undefined && nowMs - this.heldMs >= regroupMs) return false
    const serving = keeper.serving(recordNow, engine.core.wire, nowMs)
    return sizeOf(serving & this.allowed) >= Math.max(1, recordNow.minNormal)
  }

  private needsTending(nowMs: number): boolean {
    if (this.settling.isDue(nowMs) || this.changer.isPending || this.keeper.hasTrouble) return true
    const { wire } = this.engine.core
    return this.keeper.deadlines(this.recordNow, wire, nowMs).some(({ isLate }) => isLate)
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
      if (error.code === "fenced") this.onFenced()
      if (error.message === before?.message) return
      this.context.env.log.write("warn", "pool.step-failed", {
        pool: this.name,
        code: error.code,
        detail: error.code === "internal" ? (error.stack ?? error.detail) : error.detail,
      })
    } finally {
      this.isTending = false
    }
  }

  private async step(): Promise<void> {
    const nowMs = this.context.env.clock.nowMs()
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

  /**
   * Freezes, lists what is unresolved, and changes the view (V2). Where it fails before anything
   * was proposed, the view in force is still the last one and IO goes on; else the next step tries
   * again.
   */
  private async change(purpose: "shrink" | "change", wanted: MemberSet): Promise<void> {
    const { engine } = this
    const base = this.recordNow
    engine.core.isFrozen = true
    engine.core.leaving = without(base.normal, wanted)
    const ranges: readonly MutationRange[] = engine.unresolvedRanges()
    const { legs } = this.keeper
    const { lineage } = base.mapVersion
    try {
      const effective = await this.changer.change(legs, this.epoch, lineage, {
        purpose,
        wanted,
        recordOf: (mapVersion, normal) => nextRecord(base, mapVersion, normal, ranges, legs),
      })
      this.heldMs = undefined
      this.enter(effective, base.normal)
    } catch (thrown) {
      engine.core.leaving = without(base.normal, this.changer.allowed)
      if (!this.changer.isPending) engine.thaw()
      throw thrown
    }
    engine.thaw()
    for (const slot of slotsOf(without(base.normal, this.recordNow.normal))) {
      const leg = legs[slot]
      leg?.move("failed", "expelled", this.keeper.takeReason(slot))
      // Ends what is under way there, so that its memory is free again (W7).
      await leg?.link.dropSession()
    }
    await this.settling.run(this.recordNow)
  }

  private onFenced(): void {
    const words = `another client has taken pool ${this.name} over`
    if (!this.tearDown(new RmrError("fenced", words))) return
    this.context.env.log.write("error", "pool.fenced", { pool: this.name })
  }

  private flushOnce(): Promise<void> {
    return new Promise((resolve) => {
      const volume = new PoolVolume(this.name, this.host, {
        events: { onCompletions: () => resolve() },
        inFlightMax: 1,
      })
      volume.flush(OP_FLUSH)
    })
  }

  private makeEngine(record: PoolMetadata): IoEngine {
    const { context } = this
    const { registry } = context
    const tokenBase = registry.addOwner(this.owner)
    return new IoEngine({
      env: context.env,
      memory: registry.memory,
      groupId: context.groupId,
      queueDepth: record.queueDepth,
      readsMax: Math.max(record.queueDepth, 64),
      noLegMs: context.times.noLegMs,
      readPolicy: context.readPolicy,
      checksum: context.checksum,
      isChecksumRequired: registry.isChecksumRequired,
      tokenBase,
      chunkSizeBytes: record.chunkSizeBytes,
      mappedSizeBytes: record.mappedSizeBytes,
      events: {
        onFenced: () => this.onFenced(),
        onLegRefused: (slot, code) => {
          this.keeper.noteRefused(slot, code)
        },
        onFlushWanted: () => this.side.flushSoon(),
        onMarksNeeded: (row, slots) => void this.side.markMissed(row, slots),
        onVouchNeeded: () => void this.side.vouch(),
        onUncertain: () => this.want(),
        onCopyMissing: () => this.settling.want(),
        onEnded: () => undefined,
      },
    })
  }
}
