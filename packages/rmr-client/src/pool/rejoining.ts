/**
 * Rejoining: members that are out of the view come back, one at a time, by themselves (rules R8,
 * M3, R5).
 *
 * ```
 *   drained, told of the view ─► suspects ─► marks, while IO goes on ─► deltas ─► ready
 *        ▲                                                                          │
 *        └────────────── later, where anything fails or the view changes ◄──── frozen: join
 * ```
 *
 * What takes long happens beside the pool's own steps, so that a leg that fails meanwhile is put
 * out as ever; it belongs to one view, and is over with it. Only the end, the last delta and the
 * growing view, is a step of the pool, with IO standing still (joining.ts). Who fails to return
 * waits longer each time; who was put out soon after it had returned, too.
 */
import type { MemberSet, PoolMetadata } from "@rmr/core"
import { compareViews, has, NO_VIEW, RmrError, slotsOf, ZERO_UUID } from "@rmr/core"
import { yieldRankOfJoiner } from "./joiner-rank.js"
import type { Leg } from "./leg.js"
import type { LegKeeper } from "./leg-keeper.js"
import { MapUpdate } from "./map-update.js"
import { beginEmpty } from "./membership.js"
import { failureFields, type PoolContext } from "./pool-context.js"
import { claimOf } from "./sides.js"
import { type SplitBrain, splitError, splitOf } from "./split-brain.js"

/** Before another try, doubled each time up to the second. */
const AGAIN_MS = 250
const AGAIN_MS_MAX = 15_000
/** Who stays normal for so long may return at once the next time. */
const STEADY_MS = 30_000
/** For all pages of the largest map, and for making them durable. */
const PAGES_MS = 60_000
/** Deltas beside all of this, each shorter than the one before. */
const DELTAS_MAX = 6

/** A member that has been told everything but what was marked a moment ago. */
export interface Joiner {
  readonly leg: Leg
  readonly update: MapUpdate
  readonly record: PoolMetadata
  /** It suspects nothing because its cache was lost (R5). */
  readonly hasYielded: boolean
}

/** How far the return of a member has come, for people. */
export interface RejoinProgress {
  readonly memberId: number
  readonly phase:
    | "held back"
    | "split brain"
    | "draining"
    | "receiving marks"
    | "joining"
    | "waiting"
  /** Why the last try failed, or what it waits for. */
  readonly detail: string
  /** With "split brain": its history and ours (R7). */
  readonly split: SplitBrain | undefined
}

export interface RejoiningOptions {
  readonly context: PoolContext
  readonly keeper: LegKeeper
  /** The view in force. */
  readonly record: () => PoolMetadata
  /** N has a clean copy of every chunk (I5). */
  readonly isFlushable: () => boolean
  /** Nobody of N is still to be elected, and no view change is under way. */
  readonly mayBegin: () => boolean
  /** Why a member that answers too late may not come back yet; undefined where it may (V7). */
  readonly heldBack: (slot: number) => string | undefined
  /** F4: a member has refused what was asked in this epoch. */
  readonly onFenced: (epoch: number) => void
  /** There is a joiner: a step of the pool lets it in. */
  readonly want: () => void
}

interface Standing {
  failures: number
  dueMs: number
  normalSinceMs: number
  detail: string
  split: SplitBrain | undefined
}

export class Rejoining {
  private readonly options: RejoiningOptions
  private readonly standings = new Map<number, Standing>()
  private updates = 0
  private readyNow: Joiner | undefined
  private running: { readonly leg: Leg; phase: RejoinProgress["phase"] } | undefined
  private isClosed = false

  constructor(options: RejoiningOptions) {
    this.options = options
  }

  /** Nobody is asked for anything any more. */
  close(): void {
    this.isClosed = true
  }

  /** Who may join now, in a step of the pool; undefined where its view is over. */
  get ready(): Joiner | undefined {
    const joiner = this.readyNow
    return joiner !== undefined && this.isCurrent(joiner.record) ? joiner : undefined
  }

  /** Members that are out of the view: what becomes of each. */
  get progress(): readonly RejoinProgress[] {
    const { keeper, record } = this.options
    return keeper.legs.flatMap((leg): readonly RejoinProgress[] => {
      if (leg === undefined || has(record().normal, leg.slot)) return []
      const { memberId } = leg
      const held = this.options.heldBack(leg.slot)
      const { detail = "", split } = this.standings.get(leg.slot) ?? {}
      if (split !== undefined) return [{ memberId, phase: "split brain", detail, split }]
      if (held !== undefined) {
        return [{ memberId, phase: "held back", detail: held, split }]
      }
      const phase = this.running?.leg === leg ? this.running.phase : ("waiting" as const)
      return [{ memberId, phase, detail, split }]
    })
  }

  /** Members that answer and may return: what they have may be needed (R6). */
  get hasComing(): boolean {
    const { keeper, record, heldBack } = this.options
    return keeper.legs.some((leg) => {
      if (leg?.isUp !== true || has(record().normal, leg.slot)) return false
      return heldBack(leg.slot) === undefined && this.splitOf(leg.slot) === undefined
    })
  }

  /** What was found of a member of another history, if it is one. */
  splitOf(slot: number): SplitBrain | undefined {
    return this.standings.get(slot)?.split
  }

  /** It has given its history up, and returns like any other. */
  noteResolved(slot: number): void {
    const standing = this.standingOf(slot)
    standing.split = undefined
    standing.detail = ""
    standing.failures = 0
    standing.dueMs = 0
  }

  /** Begins where somebody is back and nothing else is under way. */
  tick(nowMs: number): void {
    if (this.readyNow !== undefined && this.ready === undefined) {
      this.readyNow = undefined
      this.running = undefined
    }
    if (this.running !== undefined || !this.options.mayBegin()) return
    const leg = this.candidate(nowMs)
    if (leg === undefined) return
    const running = { leg, phase: "draining" as RejoinProgress["phase"] }
    this.running = running
    const record = this.options.record()
    void this.prepare(leg, record, running).catch((thrown: unknown) => {
      this.running = undefined
      // Another view: it begins anew, and the member is not to blame.
      if (!this.isCurrent(record) || this.isClosed) return
      const error = RmrError.from(thrown)
      if (error.code === "fenced") this.options.onFenced(record.mapVersion.epoch)
      this.noteFailed(leg.slot, error)
    })
  }

  /** The step is over: the member is normal, or has to begin anew. */
  noteJoined(joiner: Joiner, error: RmrError | undefined): void {
    this.readyNow = undefined
    this.running = undefined
    const { slot } = joiner.leg
    if (error === undefined) {
      const standing = this.standingOf(slot)
      standing.normalSinceMs = this.nowMs
      standing.detail = ""
      return
    }
    this.noteFailed(slot, error)
  }

  /** These were put out of the view: they may return, the later the more often it happens. */
  noteExpelled(slots: MemberSet): void {
    for (const slot of slotsOf(slots)) {
      const standing = this.standingOf(slot)
      if (this.nowMs - standing.normalSinceMs >= STEADY_MS) standing.failures = 0
      this.putOff(standing)
    }
  }

  private get nowMs(): number {
    return this.options.context.env.clock.nowMs()
  }

  private isCurrent({ mapVersion }: PoolMetadata): boolean {
    return compareViews(mapVersion, this.options.record().mapVersion) === 0
  }

  private standingOf(slot: number): Standing {
    const known = this.standings.get(slot)
    if (known !== undefined) return known
    const standing: Standing = {
      failures: 0,
      dueMs: 0,
      normalSinceMs: 0,
      detail: "",
      split: undefined,
    }
    this.standings.set(slot, standing)
    return standing
  }

  private putOff(standing: Standing): void {
    const waitMs = Math.min(AGAIN_MS_MAX, AGAIN_MS * 2 ** Math.min(standing.failures, 10))
    standing.failures++
    standing.dueMs = this.nowMs + waitMs + this.options.context.env.random.below(waitMs)
  }

  private noteFailed(slot: number, error: RmrError): void {
    const standing = this.standingOf(slot)
    const { context, keeper } = this.options
    if (standing.detail !== error.message) {
      const isSplit = standing.split !== undefined
      context.env.log.write(isSplit ? "error" : "warn", "pool.rejoin-failed", {
        pool: context.poolName,
        member: keeper.legs[slot]?.memberId ?? slot,
        ...failureFields(error),
      })
    }
    standing.detail = error.message
    this.putOff(standing)
  }

  private candidate(nowMs: number): Leg | undefined {
    const { keeper, record, heldBack } = this.options
    return keeper.legs
      .filter((leg): leg is Leg => leg?.isUp === true && !has(record().normal, leg.slot))
      .filter((leg) => heldBack(leg.slot) === undefined)
      .filter((leg) => nowMs >= this.standingOf(leg.slot).dueMs)
      .sort((a, b) => this.standingOf(a.slot).failures - this.standingOf(b.slot).failures)[0]
  }

  /** Everything that IO need not stand still for. */
  private async prepare(
    leg: Leg,
    record: PoolMetadata,
    running: { phase: RejoinProgress["phase"] },
  ): Promise<void> {
    const { context, isFlushable, keeper, want } = this.options
    const { mapVersion } = record
    await this.tell(leg, record)
    this.requireGoing()
    const number = ++this.updates
    const { commandMs } = context.times
    await leg.ask("map-ready", mapVersion, { update: number }, undefined, commandMs)
    const hasYielded = isFlushable()
    await yieldRankOfJoiner({ context, keeper, record, leg, isFlushable: hasYielded })
    this.requireGoing()
    running.phase = "receiving marks"
    const update = this.updateOf(leg, record, number)
    await update.pages(PAGES_MS)
    await update.deltas(DELTAS_MAX, PAGES_MS)
    if (!this.isCurrent(record)) throw new RmrError("stale-view", "the view has changed meanwhile")
    running.phase = "joining"
    this.readyNow = { leg, update, record, hasYielded }
    want()
  }

  private requireGoing(): void {
    if (this.isClosed) throw new RmrError("closed", "the pool is closed")
  }

  /** W5, V4: the member is drained, and knows of the view in force. */
  private async tell(leg: Leg, record: PoolMetadata): Promise<void> {
    const { context } = this.options
    const entry = record.members[leg.slot]
    const standing = this.standingOf(leg.slot)
    if (entry?.storeUuid !== leg.report?.storeUuid) {
      // What was found of its store before is not true of this one.
      standing.split = undefined
      const words = `its store is ${leg.report?.storeUuid}, not ${entry?.storeUuid}`
      const help = `if that one is lost: "rmr pool replace ${context.poolName} ${leg.memberId}"`
      throw new RmrError("mismatch", `${words}; ${help}`)
    }
    if (!leg.hasRecord) await beginEmpty(context, leg, record)
    standing.split = await splitOf(context, leg, record)
    if (standing.split !== undefined) {
      throw splitError(context, standing.split, record, leg.memberId)
    }
    leg.io.sessionGeneration++
    const body = {
      nonce: context.nonce,
      abandonedLineage: ZERO_UUID,
      abandonedView: NO_VIEW,
    }
    const { mapVersion } = record
    const { commandMs } = context.times
    const reply = await leg.ask("rejoin-pool", mapVersion, body, record, commandMs)
    const { report } = reply.result
    leg.noteOpened(report)
    leg.claim = claimOf(record, report.seen)
  }

  /** Another source each time: one that fails is not asked again at once. */
  private updateOf(receiver: Leg, { normal, mapVersion }: PoolMetadata, number: number): MapUpdate {
    const { context, keeper } = this.options
    const { clock } = context.env
    const legsOf = (slots: MemberSet): Leg[] =>
      slotsOf(slots).flatMap((slot) => keeper.legs[slot] ?? [])
    const sources = legsOf(normal & keeper.usable)
    const source = sources[number % Math.max(1, sources.length)]
    if (source === undefined) throw new RmrError("no-leg", "no normal member answers")
    const members = legsOf(normal)
    return new MapUpdate({ clock, receiver, source, members, number, mapVersion })
  }
}
