/**
 * Assembling: who has a pool, as far as anybody says who answers.
 *
 * It begins with the members that the caller names. Their records may name more of them, and those
 * may know a newer record, until nobody new is named.
 */
import type { PoolMetadata } from "@rmr/core"
import { compareViews, RmrError } from "@rmr/core"
import type { Leg } from "./leg.js"
import { legsOf, makeLeg } from "./legs.js"
import { joinLeg, type KnownMember, type PoolContext } from "./pool-context.js"
import { chosenSide, type Witness } from "./sides.js"

/**
 * Joins all legs that answer. Fails with `unreachable` where none does, and `not-found` where none
 * has a record: then the pool does not exist yet.
 */
export async function assemble(
  context: PoolContext,
  members: readonly KnownMember[],
): Promise<{ readonly record: PoolMetadata; readonly legs: readonly (Leg | undefined)[] }> {
  let found = members.map((member, slot) => makeLeg(context, member, slot))
  const { witnesses, errors } = await joinAll(context, found)
  if (witnesses.length === 0) {
    const [error] = errors
    if (errors.length === found.length && error !== undefined) throw error
    const words = `no member that answers has a record of pool ${context.poolName}`
    throw new RmrError("not-found", `${words}; create the pool`)
  }
  let all = witnesses
  for (;;) {
    const record = recordOfSide(context, all)
    const legs = legsOf(context, record, found)
    const others = othersThan(found, legs)
    if (others.length === 0) return { record, legs }
    // Whoever came later is known to the record alone, and may know a newer one.
    const more = await joinAll(context, others)
    found = [...found, ...others]
    all = [...all, ...more.witnesses]
  }
}

/** R7: the newest record of the history that is opened; the table of members is that one's. */
function recordOfSide(context: PoolContext, witnesses: readonly Witness[]): PoolMetadata {
  const { lineage } = chosenSide(context, witnesses)
  return witnesses
    .map(({ record }) => record)
    .filter(({ mapVersion }) => mapVersion.lineage === lineage)
    .reduce(newer)
}

function othersThan(found: readonly Leg[], legs: readonly (Leg | undefined)[]): Leg[] {
  return legs.filter(
    (leg): leg is Leg =>
      leg !== undefined && found.every(({ memberId }) => memberId !== leg.memberId),
  )
}

async function joinAll(
  context: PoolContext,
  legs: readonly Leg[],
): Promise<{ readonly witnesses: readonly Witness[]; readonly errors: readonly RmrError[] }> {
  const witnesses: Witness[] = []
  const errors: RmrError[] = []
  await Promise.all(
    legs.map(async (leg) => {
      try {
        const record = await joinLeg(context, leg)
        if (record !== undefined) witnesses.push({ leg, record })
      } catch (thrown) {
        const error = RmrError.from(thrown)
        errors.push(error)
        leg.move("failed", error.code === "unreachable" ? "unreachable" : "refused", error.message)
      }
    }),
  )
  return { witnesses, errors }
}

export function newer(a: PoolMetadata, b: PoolMetadata): PoolMetadata {
  return compareViews(b.mapVersion, a.mapVersion) > 0 ? b : a
}
