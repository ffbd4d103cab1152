/**
 * ViewChanger: proposes views until one is effective (rules V1, V3, V5, W6).
 *
 * A proposal goes to everybody that it names; one that lets members join, to them first. Where one
 * of them does not make it durable, the next proposal leaves it out and carries the same ranges;
 * what was proposed is never withdrawn, and nobody is ever put in the place of who is missing.
 */
import type {
  MapAddPurpose,
  MapVersion,
  MemberSet,
  PoolMetadata,
  TakenBack,
  View,
  ViewChain,
} from "@rmr/core"
import {
  advance,
  allowedNormal,
  compareViews,
  decideGrow,
  decideShrink,
  growRecipients,
  lastView,
  propose,
  RmrError,
  sizeOf,
  slotsOf,
  without,
} from "@rmr/core"
import type { Leg } from "./leg.js"
import type { Opening } from "./opening.js"
import type { PoolContext } from "./pool-context.js"

export interface ViewChange {
  readonly purpose: MapAddPurpose
  /** With `grow`: these, beside all that are normal. */
  readonly wanted: MemberSet
  /** For each member to make a proposal durable; default that of any command. */
  readonly withinMs?: number
  /** The record of a proposal, by its number and its normal set. */
  readonly recordOf: (mapVersion: MapVersion, normal: MemberSet) => PoolMetadata
}

export interface EffectiveView {
  readonly record: PoolMetadata
  readonly takenBack: (slot: number, index: number) => boolean
}

interface Asked {
  readonly legs: readonly (Leg | undefined)[]
  readonly record: PoolMetadata
  readonly purpose: MapAddPurpose
  readonly base: View
  readonly withinMs: number
}

interface Answered {
  readonly takenBack: readonly TakenBack[]
  readonly isMore: boolean
}

export class ViewChanger {
  private readonly context: PoolContext
  /** V3, V5: no proposal has fewer members than the view in force asks for, nor than its own. */
  private leastNormal: number
  private chainNow: ViewChain
  /** Whom the last proposal was sent to. */
  private readonly wasAsked = new Set<number>()
  /** Why the last proposal is not durable somewhere. */
  private refusal: string | undefined

  constructor(context: PoolContext, minNormal: number, base: View, limit: MemberSet) {
    this.context = context
    this.leastNormal = minNormal
    this.chainNow = { base, limit, proposals: [] }
  }

  /** Something was proposed and is not effective; it may be durable somewhere. */
  get isPending(): boolean {
    return this.chainNow.proposals.length > 0
  }

  /** Whom a further view may name (V3). */
  get allowed(): MemberSet {
    return allowedNormal(this.chainNow)
  }

  /**
   * Effective when fulfilled. Fails with `fenced`, or with `no-leg` where the members that are
   * allowed and answer are too few; then it may be tried again (W6).
   */
  async change(
    legs: readonly (Leg | undefined)[],
    epoch: number,
    lineage: string,
    { purpose, wanted, recordOf, withinMs = this.context.times.commandMs }: ViewChange,
  ): Promise<EffectiveView> {
    let now: MapAddPurpose = purpose
    let rest = wanted
    for (;;) {
      const normal = now === "grow" ? this.grown(rest) : this.shrunk(rest)
      const version = lastView(this.chainNow).version + 1
      const record = recordOf({ lineage, epoch, version }, normal)
      this.requireLeast(record)
      const { base } = this.chainNow
      this.chainNow = propose(this.chainNow, { epoch, version, normal })
      const asked = { legs, record, purpose: now, base, withinMs }
      const answers = await this.sendInOrder(asked)
      const failed = slotsOf(normal).filter((slot) => answers[slot] === undefined)
      if (failed.length === 0) {
        this.chainNow = advance(this.chainNow)
        this.leastNormal = record.minNormal
        this.refusal = undefined
        return { record, takenBack: takenBackOf(answers) }
      }
      // Those of the base that were not asked yet are not to blame.
      rest = now === "grow" ? base.normal : normal
      for (const slot of failed) if (this.wasAsked.has(slot)) rest &= ~(1 << slot)
      now = now === "grow" ? "change" : now
    }
  }

  private grown(joiners: MemberSet): MemberSet {
    const decision = decideGrow(this.chainNow, joiners, 0)
    if (decision.decide === "propose") return decision.normal
    throw new RmrError("busy", "a view that was proposed is not effective yet")
  }

  private shrunk(wanted: MemberSet): MemberSet {
    const decision = decideShrink(this.chainNow, wanted, this.leastNormal)
    if (decision.decide === "propose") return decision.normal
    throw this.tooFew(decision.missingCount)
  }

  /** What is being changed, every proposal says until one is in force: so both hold till then. */
  private requireLeast({ normal, minNormal }: PoolMetadata): void {
    const missingCount = Math.max(this.leastNormal, minNormal) - sizeOf(normal)
    if (missingCount > 0) throw this.tooFew(missingCount)
  }

  private tooFew(missingCount: number): RmrError {
    const why = this.refusal === undefined ? "" : `; ${this.refusal}`
    return new RmrError("no-leg", `${missingCount} more members must answer${why}`)
  }

  /** V3: a view that lets members join is durable on these before the others hear of it. */
  private async sendInOrder(asked: Asked): Promise<(Answered | undefined)[]> {
    const { record, purpose, base } = asked
    const answers: (Answered | undefined)[] = []
    let durableOn = 0
    this.wasAsked.clear()
    for (;;) {
      const to =
        purpose === "grow"
          ? growRecipients(base.normal, record.normal, durableOn)
          : without(record.normal, durableOn)
      if (to === 0 || slotsOf(to).some((slot) => this.wasAsked.has(slot))) return answers
      for (const slot of slotsOf(to)) this.wasAsked.add(slot)
      await this.sendToAll(asked, to, answers)
      for (const slot of slotsOf(to)) if (answers[slot] !== undefined) durableOn |= 1 << slot
    }
  }

  private async sendToAll(
    { legs, record, purpose, base, withinMs }: Asked,
    to: MemberSet,
    answers: (Answered | undefined)[],
  ): Promise<void> {
    const { mapVersion } = record
    let fenced: RmrError | undefined
    await Promise.all(
      slotsOf(to).map(async (slot) => {
        const leg = legs[slot]
        if (leg === undefined) return
        const number = { epoch: base.epoch, version: base.version }
        const body = { base: number, purpose, missed: [] }
        try {
          const { result } = await leg.ask("map-add", mapVersion, body, record, withinMs)
          if (compareViews(result.durable, mapVersion) !== 0) return
          answers[slot] = { takenBack: result.takenBack, isMore: result.isMoreTakenBack }
        } catch (thrown) {
          const error = RmrError.from(thrown)
          if (error.code === "fenced") fenced = error
          const refusal = `member ${leg.memberId} refuses: ${error.message}`
          if (refusal === this.refusal) return
          this.refusal = refusal
          this.context.env.log.write("warn", "pool.view-not-durable", {
            member: leg.memberId,
            version: mapVersion.version,
            code: error.code,
            detail: error.detail,
          })
        }
      }),
    )
    if (fenced !== undefined) throw fenced
  }
}

/** For the views of an epoch that was just opened (V5). */
export function viewChangerOf(context: PoolContext, { record, decision }: Opening): ViewChanger {
  return new ViewChanger(context, record.minNormal, decision.star, decision.limit)
}

function takenBackOf(
  answers: readonly (Answered | undefined)[],
): (slot: number, index: number) => boolean {
  return (slot, index) => {
    const answer = answers[slot]
    if (answer === undefined) return false
    const last = answer.takenBack.at(-1)
    if (answer.isMore && last !== undefined && index > last.range) return true
    return answer.takenBack.some(({ range }) => range === index)
  }
}
