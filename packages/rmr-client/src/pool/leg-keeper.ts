/**
 * LegKeeper: the legs of a pool, and what each is good for now (rules V7, Q9, W5).
 *
 * It dials who is not there, lets those go on that only blinked, and says who has to leave the
 * view: who is late, who has been gone for too long, and who answers but cannot be worked with. The
 * view itself is not its business.
 */
import type { ErrorCode, LegDeadline, MemberId, MemberSet, PoolMetadata } from "@rmr/core"
import { decideExpulsion, RmrError, sizeOf, slotsOf, without } from "@rmr/core"
import type { Leg } from "./leg.js"
import { makeLeg } from "./legs.js"
import { joinLeg, type PoolContext } from "./pool-context.js"
import { membersOf } from "./view-record.js"

const REDIAL_MS = 250
/** Refusals of the moment: of a member between two states, or of bytes hurt on the way. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["draining", "busy", "bad-message"])

/** A leg that owes nothing is late when so many signs of life, in a row, did not come. */
const SILENT_MAX = 2

const ENABLED_BY = { start: "started", resume: "resumed", rejoin: "rejoined" } as const

/** Since when a leg owes an answer; undefined where it owes none. */
export interface Owed {
  oldestMs(slot: number): number | undefined
}

export class LegKeeper {
  readonly legs: (Leg | undefined)[] = []
  private readonly context: PoolContext
  /** Something happened that a step of the pool may mend. */
  private readonly want: () => void
  private readonly refused = new Map<number, ErrorCode>()
  /** Found late while a step of the pool waited for them: they leave before they may resume. */
  private readonly condemned = new Set<number>()
  /** In words, of members that are put out because they answer too late. */
  private readonly slow = new Map<number, string>()
  private readonly lostMs = new Map<number, number>()
  private readonly dialing = new Set<number>()
  private readonly subscriptions = new Map<Leg, () => void>()
  private isClosed = false

  constructor(context: PoolContext, want: () => void) {
    this.context = context
    this.want = want
  }

  adopt(leg: Leg): void {
    this.legs[leg.slot] = leg
    this.subscriptions.set(
      leg,
      leg.link.onDown((cause) => this.onLinkDown(leg, cause)),
    )
    if (leg.isUp) leg.move("reconnecting", "answered")
  }

  /**
   * G2, G4: a leg for each member of the record in force, whoever waited for that view or did not.
   * One that is new is dialed like any that is missing, and so is one whose node has moved. Where a
   * client was told of another address than the record has, that counts until the record changes.
   */
  follow({ members }: PoolMetadata, before: PoolMetadata): void {
    for (const leg of [...this.legs]) {
      if (leg === undefined) continue
      const entry = members[leg.slot]
      const isMoved = entry?.address !== before.members[leg.slot]?.address
      if (entry?.memberId !== leg.memberId || (isMoved && leg.address !== entry.address)) {
        this.leave(leg)
      }
    }
    for (const [slot, entry] of members.entries()) {
      if (entry === undefined || this.legs[slot] !== undefined) continue
      this.adopt(makeLeg(this.context, entry, slot))
    }
  }

  private leave(leg: Leg): void {
    this.subscriptions.get(leg)?.()
    this.subscriptions.delete(leg)
    this.legs[leg.slot] = undefined
    // Another member may have its place: nothing is held against that one.
    this.takeReason(leg.slot)
    leg.io.session = undefined
    leg.move("removing", "removed")
  }

  /** Nothing is dialed and nobody is listened to any more. */
  close(): void {
    this.isClosed = true
    for (const end of this.subscriptions.values()) end()
  }

  /** Legs that can be submitted to. */
  get usable(): MemberSet {
    let usable = 0
    for (const leg of this.legs) if (leg?.io.session !== undefined) usable |= leg.bit
    return usable
  }

  /** Legs whose member answers, and has not restarted since it was opened. */
  get up(): MemberSet {
    let up = 0
    for (const leg of this.legs) if (leg?.isUp && leg.isAsOpened) up |= leg.bit
    return up
  }

  /** Members that answer at all. */
  get reachable(): MemberSet {
    let reachable = 0
    for (const leg of this.legs) if (leg?.isUp === true) reachable |= leg.bit
    return reachable
  }

  /** The pool is opened anew: nobody takes IO until the opening view is in force (R8). */
  beginAnew(): void {
    for (const leg of this.legs) {
      if (leg === undefined) continue
      leg.wasEnabled = false
      leg.io.session = undefined
      if (leg.state.state === "normal") leg.move("reconnecting", "reopening")
    }
    this.lostMs.clear()
    this.refused.clear()
    this.condemned.clear()
  }

  /** Somebody is lost, or answers what a normal member does not. */
  get hasTrouble(): boolean {
    return this.refused.size > 0 || this.lostMs.size > 0 || this.condemned.size > 0
  }

  /** What passes is asked for again; if it does not pass, the leg is late with it (V7). */
  noteRefused(slot: number, code: ErrorCode): void {
    if (PASSING.has(code)) return
    this.refused.set(slot, code)
    this.want()
  }

  /** It answers, and as a normal member does; what may be wrong with it is how late. */
  isOnlyLate(slot: number): boolean {
    if (this.condemned.has(slot)) return true
    return this.legs[slot]?.io.session !== undefined && !this.refused.has(slot)
  }

  get hasCondemned(): boolean {
    return this.condemned.size > 0
  }

  /** P6: a step waits for these, and they are late. It ends with their sessions. */
  condemn(slots: MemberSet): void {
    for (const slot of slotsOf(slots)) {
      this.condemned.add(slot)
      void this.legs[slot]?.link.dropSession()
    }
  }

  /** The view cannot do without those that were late: they may resume. */
  pardon(): void {
    this.condemned.clear()
  }

  /** If the member leaves now, it is for this. */
  noteSlow(slot: number, why: string | undefined): void {
    if (why === undefined) this.slow.delete(slot)
    else this.slow.set(slot, why)
  }

  /** Why the member has to leave; it is forgotten with that. */
  takeReason(slot: number): string {
    const leg = this.legs[slot]
    const whyUp = leg?.isAsOpened === true ? "deadline" : "restarted"
    const late = this.slow.get(slot)
    const why = this.refused.get(slot) ?? late ?? (leg?.isUp === true ? whyUp : "link-lost")
    this.slow.delete(slot)
    this.condemned.delete(slot)
    this.refused.delete(slot)
    this.lostMs.delete(slot)
    return why
  }

  async reconnect(memberId: MemberId): Promise<void> {
    const leg = this.legs.find((one) => one?.memberId === memberId)
    if (leg !== undefined) return leg.link.dropSession()
    throw new RmrError("not-found", `pool ${this.context.poolName} has no member ${memberId}`)
  }

  dialMissing(): void {
    for (const leg of this.legs) if (leg !== undefined && !leg.isUp) this.dial(leg)
  }

  /**
   * Lets a member of the view take IO. One that took some before drains first (W5), unless it has
   * just joined.
   */
  async enable(
    slot: number,
    record: PoolMetadata,
    how?: "rejoin",
    withinMs: number = this.context.times.commandMs,
  ): Promise<void> {
    const leg = this.legs[slot]
    if (leg === undefined || leg.io.session !== undefined) return
    const mode = how ?? (leg.wasEnabled ? ("resume" as const) : ("start" as const))
    leg.wasEnabled = true
    const { mapVersion } = record
    const { epoch, version } = mapVersion
    const body = { mode, joinedView: { epoch, version } }
    const reply = await leg.ask("enable-pool", mapVersion, body, undefined, withinMs)
    leg.report = reply.result.report
    leg.io.session = leg.link.session
    leg.io.lastAnswerMs = this.context.env.clock.nowMs()
    leg.io.enabledMs = leg.io.lastAnswerMs
    leg.io.silentCount = 0
    this.lostMs.delete(slot)
    this.refused.delete(slot)
    this.condemned.delete(slot)
    leg.move("normal", ENABLED_BY[mode])
  }

  /** Q9: a member of the view is back, and its process is the one that we opened. */
  async resumeBlinked(record: PoolMetadata): Promise<boolean> {
    let isAny = false
    for (const slot of slotsOf(record.normal)) {
      const leg = this.legs[slot]
      if (leg === undefined || leg.io.session !== undefined || !leg.isUp) continue
      if (!leg.isAsOpened || this.refused.get(slot) === "not-open") continue
      try {
        await this.enable(slot, record)
        isAny = true
      } catch (thrown) {
        const error = RmrError.from(thrown)
        if (error.code === "fenced") throw error
        // Who does not answer is lost, and has its own time for that.
        const isSilent = error.code === "link-lost" || error.code === "deadline"
        if (!isSilent) this.noteRefused(slot, error.code)
      }
    }
    return isAny
  }

  /**
   * V7: late and lost legs go together, and never all of them. With them go `slow` ones, the first
   * ones first, where enough others stay for that, and one that lacks nothing.
   */
  whomToExpel(record: PoolMetadata, owed: Owed, slow: readonly number[], nowMs: number): MemberSet {
    const { normal } = record
    const leastCount = Math.max(1, record.minNormal)
    // A leg that is gone is late no later than one that is there.
    const blinkMs = Math.min(this.context.times.blinkMs, this.context.times.ioDeadlineMs)
    let gone = 0
    for (const slot of slotsOf(normal)) {
      const leg = this.legs[slot]
      const lostMs = this.lostMs.get(slot)
      // Another process comes back by a map update only, so there is nothing to wait for (V6, W5).
      const isOver =
        lostMs === undefined || nowMs - lostMs > blinkMs || (leg?.isUp && !leg.isAsOpened)
      const isLost = leg?.io.session === undefined && isOver
      const isUnfit = this.refused.has(slot) || this.condemned.has(slot)
      if (isLost || isUnfit) gone |= 1 << slot
    }
    const late = decideExpulsion(this.deadlines(record, owed, nowMs))
    const all = gone | late
    const rest = normal & this.usable & ~all
    if (sizeOf(rest) < leastCount) return 0
    // Being slow is worth no second copy: only a pool of two is left with one for it.
    const memberCount = sizeOf(membersOf(record))
    const slowLeastCount = Math.max(leastCount, memberCount > 2 ? 2 : 1)
    let stay = rest
    for (const slot of slow) {
      const others = without(stay, 1 << slot)
      if (sizeOf(others) >= slowLeastCount && this.isCleanSomewhere(others)) stay = others
    }
    return all | without(rest, stay)
  }

  /** One of these is known to lack nothing. */
  private isCleanSomewhere(slots: MemberSet): boolean {
    return slotsOf(slots).some((slot) => this.legs[slot]?.io.dirtyHint === 0)
  }

  /** Members of the view that carry out what they are asked, in time. */
  serving(record: PoolMetadata, owed: Owed, nowMs: number): MemberSet {
    let serving = 0
    for (const { slot, isLate } of this.deadlines(record, owed, nowMs)) {
      if (!isLate && !this.refused.has(slot)) serving |= 1 << slot
    }
    return serving
  }

  isAnyLate(record: PoolMetadata, owed: Owed, nowMs: number): boolean {
    return this.deadlines(record, owed, nowMs).some(({ isLate }) => isLate)
  }

  private deadlines(record: PoolMetadata, owed: Owed, nowMs: number): LegDeadline[] {
    const { ioDeadlineMs } = this.context.times
    const deadlines: LegDeadline[] = []
    for (const slot of slotsOf(record.normal)) {
      const leg = this.legs[slot]
      if (leg?.io.session === undefined) continue
      const sentMs = owed.oldestMs(slot)
      const oldestMs = sentMs === undefined ? 0 : nowMs - sentMs
      const isSilent = leg.io.silentCount >= SILENT_MAX
      const isOverdue = oldestMs > ioDeadlineMs
      const isHeard = !isOverdue || nowMs - leg.io.lastAnswerMs <= ioDeadlineMs
      deadlines.push({
        slot,
        memberId: leg.memberId,
        isLate: isOverdue || isSilent,
        isAnswering: isHeard && !isSilent,
        oldestMs,
      })
    }
    return deadlines
  }

  private onLinkDown(leg: Leg, cause: RmrError): void {
    const wasInUse = leg.io.session !== undefined
    leg.io.session = undefined
    if (wasInUse) {
      this.lostMs.set(leg.slot, this.context.env.clock.nowMs())
      // Whatever is said next ends the sessions before it at the node (W5, RT-34, RT-53).
      leg.io.sessionGeneration++
    }
    leg.move("failed", "link-lost", cause.message)
    this.want()
  }

  private dial(leg: Leg): void {
    if (this.dialing.has(leg.slot) || this.isClosed) return
    this.dialing.add(leg.slot)
    const { env } = this.context
    joinLeg(this.context, leg)
      .then(
        () => {
          if (leg.state.state !== "normal") leg.move("reconnecting", "answered")
          this.want()
        },
        (thrown: unknown) => {
          const error = RmrError.from(thrown)
          const event = error.code === "unreachable" ? "unreachable" : "link-lost"
          if (leg.state.state === "created") leg.move("failed", event, error.message)
        },
      )
      .finally(() => {
        const delayMs = REDIAL_MS + env.random.below(REDIAL_MS)
        env.clock.schedule(delayMs, () => this.dialing.delete(leg.slot))
      })
  }
}
