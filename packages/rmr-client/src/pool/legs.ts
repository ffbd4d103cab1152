/** The legs of a pool: to whom they lead, in what order, and how members are told goodbye. */
import type { MapVersion, PoolMetadata } from "@rmr/core"
import { RmrError, shardOf } from "@rmr/core"
import { Leg } from "./leg.js"
import type { KnownMember, PoolContext } from "./pool-context.js"

export function makeLeg(context: PoolContext, member: KnownMember, slot: number): Leg {
  const { env, registry, groupId } = context
  const { memberId, address } = member
  const link = registry.link(address, shardOf(groupId))
  return new Leg({ env, slot, memberId, address, link, groupId })
}

/**
 * Legs in the order of the record; a member that was not named is reached where the record says.
 */
export function legsOf(
  context: PoolContext,
  record: PoolMetadata,
  found: readonly Leg[],
): (Leg | undefined)[] {
  return record.members.map((entry, slot) => {
    if (entry === undefined) return undefined
    const known = found.find(({ memberId }) => memberId === entry.memberId)
    const address = known?.address ?? entry.address
    const leg = makeLeg(context, { memberId: entry.memberId, address }, slot)
    leg.report = known?.report
    leg.joinedSession = known?.joinedSession
    leg.hasRecord = known?.hasRecord ?? false
    leg.claim = known?.claim
    return leg
  })
}

/** The members forget this client; who does not answer forgets it by himself (F5). */
export async function leaveMembers(
  { env, times }: PoolContext,
  legs: readonly (Leg | undefined)[],
  mapVersion: MapVersion,
  mode: "disassemble" | "delete" = "disassemble",
): Promise<void> {
  await Promise.all(
    legs.map(async (leg) => {
      if (leg === undefined) return
      const body = { mode, memberId: leg.memberId }
      try {
        await leg.ask("leave-pool", mapVersion, body, undefined, times.commandMs)
      } catch (thrown) {
        env.log.write("info", "pool.leave", {
          member: leg.memberId,
          detail: RmrError.from(thrown).message,
        })
      }
    }),
  )
}
