/**
 * ClientPool: a pool as its compute client has it (upstream: `rmr_clt_pool`).
 *
 * The engine carries IO, the keeper has the legs, and the loop holds the epoch and the chain of
 * views and mends what is wrong, step by step. Here is how a pool begins, what its user may ask of
 * it, and how it ends.
 */
import type {
  ChunkRange,
  MemberId,
  MemberSet,
  PoolMetadata,
  ViewNumber,
  Volume,
  VolumeOpen,
  VolumeSource,
} from "@rmr/core"
import { RmrError, sizeOf, statusOf } from "@rmr/core"
import type { PoolCounts } from "../io/io-counts.js"
import type { IoEngine } from "../io/io-engine.js"
import type { IoOwner } from "../links/link-registry.js"
import { flushOnce, PoolVolume, type VolumeHost } from "../volume/pool-volume.js"
import { assemble } from "./assembling.js"
import { PoolClosing } from "./closing.js"
import type { ForcedReport } from "./forced-opening.js"
import type { Leg } from "./leg.js"
import { LegKeeper } from "./leg-keeper.js"
import { leaveMembers } from "./legs.js"
import { acceptedChunk } from "./lost-chunks.js"
import {
  extendedPool,
  maintainedMember,
  movedMember,
  poolWithout,
  requiredMembers,
} from "./members.js"
import { grownVolume, replacedStore } from "./membership.js"
import { type Opening, openMembers } from "./opening.js"
import { failureFields, type KnownMember, type PoolContext } from "./pool-context.js"
import { ioOwner, poolEngine } from "./pool-engine.js"
import { PoolHost } from "./pool-host.js"
import { PoolLoop } from "./pool-loop.js"
import type { RejoinProgress } from "./rejoining.js"
import { giveUpHistory } from "./resolving.js"
import { viewText } from "./sides.js"
import { askAllLegs, checkMaps, type MapCheck, type UserAnswer } from "./user-commands.js"

export class ClientPool implements VolumeSource {
  readonly name: string
  readonly context: PoolContext
  private readonly keeper: LegKeeper
  private readonly engine: IoEngine
  private readonly loop: PoolLoop
  private readonly owner: IoOwner
  private readonly host: VolumeHost
  private readonly volumes = new Set<PoolVolume>()
  private readonly joinedRuns = new Set<(memberId: number) => Promise<void>>()
  /** What an admin took upon himself when this client opened the pool by force (F6). */
  readonly forced: ForcedReport | undefined
  private endedBy: RmrError | undefined
  private readonly closing: PoolClosing

  private constructor(context: PoolContext, opening: Opening) {
    const { registry } = context
    this.context = context
    this.name = context.poolName
    this.forced = opening.forced
    this.keeper = new LegKeeper(context, () => this.loop.want())
    this.host = new PoolHost({
      registry,
      record: () => this.record,
      engine: () => this.engine,
      closeMs: context.times.closeMs,
      onGivenUp: (volume) => this.noteGivenUp(volume),
      onClosed: (volume) => this.volumes.delete(volume),
    })
    this.closing = this.makeClosing()
    this.owner = ioOwner(
      () => this.engine,
      () => this.leaveRegistry(),
    )
    this.engine = this.makeEngine(opening.record)
    this.loop = this.makeLoop(opening)
    this.loop.flushThrough(this.host)
  }

  /**
   * Opens the pool that these members have. Fails with `held`, `no-leg`, `not-found`, `split-brain`
   * or `unreachable`, and with `fenced` where another client was quicker.
   */
  static async open(context: PoolContext, members: readonly KnownMember[]): Promise<ClientPool> {
    const { legs } = await assemble(context, members)
    const opening = await openMembers(context, legs)
    const pool = new ClientPool(context, opening)
    try {
      for (const leg of legs) {
        if (leg === undefined) continue
        pool.keeper.adopt(leg)
        pool.engine.core.legs[leg.slot] = leg.io
      }
      await pool.loop.start(opening)
      pool.loop.schedule()
    } catch (thrown) {
      pool.tearDown(RmrError.from(thrown))
      throw thrown
    }
    context.registry.noteOpened(context.poolName)
    if (opening.forced !== undefined) {
      const { missing, chunkSizeBytes: _, ...fields } = opening.forced
      const without = missing.map(({ memberId }) => memberId).join(", ")
      const fork = viewText(fields.fork)
      const told = { pool: context.poolName, without, ...fields, fork }
      context.env.log.write("warn", "pool.forced", told)
    }
    return pool
  }

  get record(): PoolMetadata {
    return this.loop.record
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
    return this.loop.allowed
  }

  /** Why the last step failed that was to mend something; it is tried again. */
  get trouble(): RmrError | undefined {
    return this.loop.trouble
  }

  /** Members that are out of the view, and how far each is on its way back. */
  get returning(): readonly RejoinProgress[] {
    return this.loop.returning
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

  /**
   * G3: an absent member's lost store is given up for the empty one that it has now. Where that may
   * be the end of a chunk's last copy, an admin has to say that it may.
   */
  async replaceStore(memberId: MemberId, acceptsLoss = false): Promise<void> {
    const { context, keeper, loop, record, isFlushable } = this
    const leg = keeper.legs.find((one) => one?.memberId === memberId)
    const edit = await replacedStore(context, leg, memberId, record)
    if (!isFlushable && !acceptsLoss) {
      const words = "some chunk has no clean copy now, and the lost store may have it"
      throw new RmrError("no-clean-copy", `${words}; bring that back, or accept the loss`)
    }
    loop.want()
    await loop.edits.ask(context, { edit })
  }

  /**
   * G1: makes the volume this large. Fails with `no-space` where a member has no room for it, and
   * then nothing is changed but the room that others have made. Handles show the new size at once.
   */
  async grow(sizeBytes: number): Promise<void> {
    const { context, keeper, loop } = this
    const edit = await loop.withWholeView(() =>
      grownVolume(context, keeper.legs, this.record, sizeBytes),
    )
    if (sizeBytes === this.record.mappedSizeBytes) return
    loop.want()
    await loop.edits.ask(context, { edit })
  }

  /** G2: one more member, whose store is empty. It is named in the view, and then it fetches. */
  async extend(member: KnownMember): Promise<void> {
    const { context, loop, record } = this
    const change = await extendedPool(context, record, member)
    loop.want()
    await loop.edits.ask(context, change)
  }

  /** G2: the node of an absent member is found at another address, where it has to answer. */
  async move(member: KnownMember): Promise<void> {
    const { context, loop, record } = this
    const change = await movedMember(context, record, member)
    loop.want()
    await loop.edits.ask(context, change)
  }

  /**
   * G4: this member belongs to the pool no more. Refused where too few would be left, and where it
   * may hold the only clean copy of a chunk, unless an admin says that the loss is accepted.
   */
  async delete(memberId: MemberId, acceptsLoss = false): Promise<void> {
    const { context, keeper, loop, record } = this
    const change = poolWithout(context, keeper.legs, record, memberId, acceptsLoss)
    const leg = keeper.legs.find((one) => one?.memberId === memberId)
    await loop.withWholeView(async () => {
      loop.want()
      await loop.edits.ask(context, change)
    })
    await leaveMembers(context, [leg], this.record.mapVersion, "delete")
  }

  /**
   * G4: a member leaves the view until it is let back, so that its node can be worked on. Refused
   * as a deletion is; in the other direction it returns by itself then, like any that was away.
   */
  async maintain(memberId: MemberId, isOut: boolean): Promise<void> {
    const { context, keeper, loop } = this
    await loop.withWholeView(async () => {
      const change = maintainedMember(context, keeper.legs, this.record, memberId, isOut)
      loop.want()
      await loop.edits.ask(context, change)
    })
  }

  /** V5: so many members have a write before it is acknowledged, and start the pool again. */
  async require(minNormal: number): Promise<void> {
    const { context, loop } = this
    await loop.withWholeView(async () => {
      if (minNormal === this.record.minNormal) return
      const change = requiredMembers(context, this.record, minNormal)
      loop.want()
      await loop.edits.ask(context, change)
    })
  }

  /** Chunks that nobody in the view has good, so that reads of them fail (Q23). */
  get lost(): readonly ChunkRange[] {
    return this.loop.settling.lost
  }

  /**
   * Q23: a lost chunk is what one member has left of it, with zeroes where that cannot be read.
   * Refused where somebody absent may have it, unless an admin says that the loss is accepted.
   */
  async acceptChunk(chunk: number, from?: MemberId, acceptsLoss = false): Promise<void> {
    const { context, keeper, loop } = this
    const change = acceptedChunk({ context, legs: keeper.legs, chunk, from, acceptsLoss })
    await loop.withWholeView(async () => {
      loop.want()
      await loop.edits.ask(context, change)
    })
  }

  /**
   * R7: a member of another history gives that up for this pool's. `keep` is a member of this side,
   * so that nobody gives up the one that he means to keep; `view` is the last one of the other that
   * was seen, so that nothing is given up that came after it.
   */
  async resolve(keep: MemberId, discard: MemberId, view: ViewNumber): Promise<void> {
    const { context, keeper, loop } = this
    const record = (): PoolMetadata => loop.record
    const wantEpoch = (): void => loop.wantEpoch()
    const leg = keeper.legs.find((one) => one?.memberId === discard)
    const seen = this.returning.find(({ memberId }) => memberId === discard)?.split
    await giveUpHistory({ context, record, wantEpoch, keep, leg, discard, view, seen })
    if (leg !== undefined) loop.noteResolved(leg.slot)
  }

  /** A handle on the volume, with tokens and completions of its own. */
  open(options: VolumeOpen): Volume {
    const volume = new PoolVolume(this.name, this.host, options)
    this.volumes.add(volume)
    return volume
  }

  /** Sends a request of the layer above to every leg, or one; an answer or an error from each. */
  user(data: Uint8Array, memberId?: number): Promise<readonly UserAnswer[]> {
    return askAllLegs(this.keeper.legs, this.record, data, this.context.times.commandMs, memberId)
  }

  /** Runs whenever a member has come back into the view; what fails is logged. */
  onJoined(run: (memberId: number) => Promise<void>): () => void {
    this.joinedRuns.add(run)
    return () => this.joinedRuns.delete(run)
  }

  /** What every member says of its own map (upstream: check_map). */
  checkMaps(): Promise<readonly MapCheck[]> {
    return checkMaps(this.keeper.legs, this.record, this.context.times.commandMs)
  }

  /** As many members work as a view needs. */
  get isServing(): boolean {
    const { normal, minNormal } = this.record
    return sizeOf(this.keeper.usable & normal) >= Math.max(1, minNormal)
  }

  /** Nothing is acknowledged any more, and what is on its way is not waited for. */
  giveUp(why: string): void {
    const { registry, nonce } = this.context
    if (!this.tearDown(new RmrError("closed", `pool ${this.name} was given up: ${why}`))) return
    registry.noteGivenUp(this.name, nonce)
  }

  /**
   * Resolves what is in flight, flushes, and leaves the members. What is not over after `withinMs`,
   * by default `closeMs`, ends with `closed`; how many operations that were is the result. It ends
   * at most `commandMs` after that. Idempotent; of several calls the earliest end counts.
   */
  close(withinMs: number = this.context.times.closeMs): Promise<number> {
    return this.closing.close(withinMs)
  }

  private makeClosing(): PoolClosing {
    const { context, volumes } = this
    return new PoolClosing({
      env: context.env,
      poolName: context.poolName,
      volumes,
      flush: () => flushOnce(this.name, this.host),
      isEnded: () => this.endedBy !== undefined,
      end: (error) => this.tearDown(error),
      goodbye: () => {
        const legs = this.keeper.legs.filter((leg) => leg?.io.session !== undefined)
        return () => leaveMembers(context, legs, this.record.mapVersion)
      },
    })
  }

  /** P6: one handle was closed, and the pool goes on. */
  private noteGivenUp({ openCount: operations }: PoolVolume): void {
    this.context.env.log.write("warn", "pool.io-given-up", { pool: this.name, operations })
  }

  /**
   * Nothing is acknowledged, dialed or heard any more, whatever it was that ended the pool. False
   * where something had ended it before.
   */
  private tearDown(error: RmrError): boolean {
    if (this.endedBy !== undefined) return false
    this.endedBy = error
    this.loop.close()
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

  private onFenced(): void {
    const words = `another client has taken pool ${this.name} over`
    if (!this.tearDown(new RmrError("fenced", words))) return
    this.context.env.log.write("error", "pool.fenced", { pool: this.name })
  }

  private noteJoined(memberId: number): void {
    for (const run of this.joinedRuns) {
      run(memberId).catch((thrown: unknown) => {
        const fields = { pool: this.name, memberId, ...failureFields(RmrError.from(thrown)) }
        this.context.env.log.write("warn", "pool.joined-not-told", fields)
      })
    }
  }

  private makeLoop(opening: Opening): PoolLoop {
    const { context, keeper, engine } = this
    const options = {
      context,
      keeper,
      engine,
      isEnded: () => this.endedBy !== undefined,
      onFenced: () => this.onFenced(),
      onJoined: (memberId: number) => this.noteJoined(memberId),
      onBytesLost: () => {
        for (const volume of this.volumes) volume.hasLostBytes = true
      },
    }
    return new PoolLoop(options, opening)
  }

  private makeEngine(record: PoolMetadata): IoEngine {
    const { context } = this
    return poolEngine(context, record, context.registry.addOwner(this.owner), {
      onFenced: () => this.loop.onFenced(this.engine.core.view.epoch),
      onLegRefused: (slot, code) => this.keeper.noteRefused(slot, code),
      onFlushWanted: () => this.loop.side.flushSoon(),
      onMarksNeeded: (row, slots) => void this.loop.side.markMissed(row, slots),
      onVouchNeeded: () => void this.loop.side.vouch(),
      onUncertain: () => this.loop.want(),
      onCopyMissing: () => this.loop.settling.want(),
      onShort: () => context.registry.noteShort(this.owner),
      onEnded: () => undefined,
    })
  }
}
