/**
 * Changing the view: members leave, or what was given up is listed (rules V2, V3, V7, W6).
 *
 * The engine is frozen, what is unresolved is listed, and the view is proposed until one is
 * effective. Where that fails before anything was proposed, the view in force is still the last one
 * and IO goes on; else the next step of the pool tries again.
 */
import type { MemberSet, PoolMetadata } from "@rmr/core"
import { RmrError, slotsOf, without } from "@rmr/core"
import type { IoEngine } from "../io/io-engine.js"
import type { LegKeeper } from "./leg-keeper.js"
import type { RecordEdit } from "./membership.js"
import type { PoolContext } from "./pool-context.js"
import type { EffectiveView, ViewChanger } from "./view-changer.js"
import { nextRecord } from "./view-record.js"

/** What of a pool takes part when its view changes. */
export interface ViewParts {
  readonly context: PoolContext
  readonly engine: IoEngine
  readonly keeper: LegKeeper
  readonly changer: ViewChanger
  readonly epoch: number
  /** The view in force. */
  readonly base: PoolMetadata
  /** Another one is, and the data path is to follow it. */
  readonly enter: (effective: EffectiveView, before: MemberSet) => void
}

const asIs: RecordEdit = (record) => record

export async function changeView(
  { engine, keeper, changer, epoch, base, enter }: ViewParts,
  purpose: "shrink" | "change",
  wanted: MemberSet,
  edit: RecordEdit = asIs,
): Promise<void> {
  engine.core.isFrozen = true
  // F7: as strict as the stricter one, until a view says which of them it is.
  engine.core.minNormal = Math.max(engine.core.minNormal, edit(base).minNormal)
  engine.core.leaving = without(base.normal, wanted)
  const ranges = engine.unresolvedRanges()
  const { legs } = keeper
  const { lineage } = base.mapVersion
  try {
    const effective = await changer.change(legs, epoch, lineage, {
      purpose,
      wanted,
      recordOf: (mapVersion, normal) => edit(nextRecord(base, mapVersion, normal, ranges, legs)),
    })
    enter(effective, base.normal)
  } catch (thrown) {
    engine.core.leaving = without(base.normal, changer.allowed)
    // Whoever asked for an edit has to know that it may come true, with a later view.
    if (changer.isPending) throw edit === asIs ? thrown : proposed(thrown)
    engine.core.minNormal = base.minNormal
    engine.thaw()
    throw thrown
  }
  engine.thaw()
}

function proposed(thrown: unknown): RmrError {
  const { code, detail } = RmrError.from(thrown)
  const words = `${detail}; what was asked is proposed, and may come into force all the same`
  return new RmrError(code, words, { cause: thrown })
}

/** The legs of members that are not normal any more, and what is under way there, are over (W7). */
export async function leaveLegs(keeper: LegKeeper, left: MemberSet): Promise<void> {
  for (const slot of slotsOf(left)) {
    const leg = keeper.legs[slot]
    leg?.move("failed", "expelled", keeper.takeReason(slot))
    await leg?.link.dropSession()
  }
}
