/**
 * ViewChanger: proposes views until one is effective (rules V1, V3, V5, W6).
 *
 * A proposal goes to everybody that it names. Where one of them does not make it durable, the next
 * proposal leaves it out and carries the same ranges; what was proposed is never withdrawn, and
 * nobody is ever put in the place of who is missing.
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
  decideShrink,
  lastView,
  propose,
  RmrError,
  slotsOf,
} from "@rmr/core"
import type { Leg } from "./leg.js"
import type { PoolContext } from "./pool-context.js"

export interface ViewChange {
  readonly purpose: MapAddPurpose
  readonly wanted: MemberSet
  /** The record of a proposal, by its number and its normal set. */
  readonly recordOf: (mapVersion: MapVersion, normal: MemberSet) => PoolMetadata
}

export interface EffectiveView {
  readonly record: PoolMetadata
  readonly takenBack: (slot: number, index: number) => boolean
}

interface Answered {
  readonly takenBack: readonly TakenBack[]
  readonly isMore: boolean
}

export class ViewChanger {
  private readonly context: PoolContext
  private readonly minNormal: number
  private chainNow: ViewChain
  /** Why the last proposal is not durable somewhere. */
  private refusal: string | undefined

  constructor(context: PoolContext, minNormal: number, base: View, limit: MemberSet) {
    this.context = context
    this.minNormal = minNormal
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
    { purpose, wanted, recordOf }: ViewChange,
  ): Promise<EffectiveView> {
    let rest = wanted
    for (;;) {
      const decision = decideShrink(this.chainNow, rest, this.minNormal)
      if (decision.decide === "hold") {
        const why = this.refusal === undefined ? "" : `; ${this.refusal}`
        throw new RmrError("no-leg", `${decision.missingCount} more members must answer${why}`)
      }
      const version = lastView(this.chainNow).version + 1
      const mapVersion = { lineage, epoch, version }
      const record = recordOf(mapVersion, decision.normal)
      const { base } = this.chainNow
      this.chainNow = propose(this.chainNow, { epoch, version, normal: decision.normal })
      const answers = await this.sendToAll(legs, record, purpose, base)
      const failed = slotsOf(decision.normal).filter((slot) => answers[slot] === undefined)
      if (failed.length === 0) {
        this.chainNow = advance(this.chainNow)
        this.refusal = undefined
        return { record, takenBack: takenBackOf(answers) }
      }
      rest = decision.normal
      for (const slot of failed) rest &= ~(1 << slot)
    }
  }

  private async sendToAll(
    legs: readonly (Leg | undefined)[],
    record: PoolMetadata,
    purpose: MapAddPurpose,
    base: View,
  ): Promise<(Answered | undefined)[]> {
    const answers: (Answered | undefined)[] = []
    const { mapVersion } = record
    let fenced: RmrError | undefined
    await Promise.all(
      slotsOf(record.normal).map(async (slot) => {
        const leg = legs[slot]
        if (leg === undefined) return
        const number = { epoch: base.epoch, version: base.version }
        const body = { base: number, purpose, missed: [] }
        try {
          const { commandMs } = this.context.times
          const { result } = await leg.ask("map-add", mapVersion, body, record, commandMs)
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
    return answers
  }
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
