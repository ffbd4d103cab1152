/** Members that answer when a pool is opened, and what they say for V5. */
import type { OpenAnswer, PoolMetadata, View, ViewNumber } from "@rmr/core"
import { compareViews, MEMBERS_MAX, NO_VIEW } from "@rmr/core"
import type { Leg } from "./leg.js"
import type { Witness } from "./sides.js"

/** One member that answers, with what it says before it is opened. */
export interface Present extends Witness {
  /** The host of a client that has the pool and that the member has heard, if any (F5). */
  readonly heldBy: string | undefined
  /** The highest epoch that it has opened. */
  readonly openEpoch: number
}

/** As the newest record says; those of an earlier history are older. */
export function minNormalOf(present: readonly Present[]): number {
  let newest: PoolMetadata | undefined
  for (const { record } of present) {
    if (newest === undefined || compareViews(record.mapVersion, newest.mapVersion) > 0) {
      newest = record
    }
  }
  return newest?.minNormal ?? 1
}

export function answerOf(leg: Leg, record: PoolMetadata): OpenAnswer {
  const view: View = { ...numberOf(record.mapVersion), normal: record.normal }
  const { report } = leg
  const isAhead = report !== undefined && compareViews(report.seen, view) > 0
  const seen: View = isAhead ? { ...numberOf(report.seen), normal: report.seenNormal } : view
  const normalThrough = Array.from(
    { length: MEMBERS_MAX },
    (_, slot) => record.members[slot]?.normalThrough ?? NO_VIEW,
  )
  return { slot: leg.slot, view, seen, normalThrough }
}

export function numberOf({ epoch, version }: ViewNumber): ViewNumber {
  return { epoch, version }
}
