/**
 * Members that come and members that go for good (rules G2, G4, G5).
 *
 * A new member is named by a view as an absent one whose store is empty; then it returns like any
 * other that lacks everything. Who is deleted leaves the record with one view change, and that is
 * decided while IO stands still: the others are enough, and no chunk is clean at him alone.
 */
import {
  type ChunkNumber,
  has,
  MEMBERS_MAX,
  type MemberEntry,
  type MemberId,
  type MemberSet,
  NO_CHUNK,
  NO_VIEW,
  type PoolMetadata,
  RmrError,
  sizeOf,
  slotsOf,
} from "@rmr/core"
import type { Leg } from "./leg.js"
import { makeLeg } from "./legs.js"
import { readOwnMap } from "./map-reading.js"
import { type RecordChange, requireEmpty } from "./membership.js"
import { joinLeg, type KnownMember, type PoolContext } from "./pool-context.js"

/** G2: one more member, at the first free place of the table. */
export async function extendedPool(
  context: PoolContext,
  record: PoolMetadata,
  { memberId, address }: KnownMember,
): Promise<RecordChange> {
  const { poolName } = context
  if (record.members.some((entry) => entry?.memberId === memberId)) {
    throw new RmrError("exists", `pool ${poolName} has a member ${memberId} already`)
  }
  const slot = freeSlot(record)
  if (slot < 0) {
    const words = `pool ${poolName} has ${MEMBERS_MAX} members, and no more are possible`
    throw new RmrError("invalid-argument", words)
  }
  const leg = makeLeg(context, { memberId, address }, slot)
  await joinLeg(context, leg)
  const { storeUuid, incarnation } = await requireEmpty(context, leg, record)
  const entry: MemberEntry = {
    memberId,
    storeUuid,
    address,
    role: "data",
    normalThrough: NO_VIEW,
    reported: NO_VIEW,
    incarnation,
  }
  const edit = (next: PoolMetadata): PoolMetadata => ({
    ...next,
    members: withMember(next, slot, entry),
  })
  return { edit }
}

/**
 * G2: a member's node is found at another address from now on. It has to answer there with the
 * store that the record names, and not be in the view: what is under way to it would be cut off.
 */
export async function movedMember(
  context: PoolContext,
  record: PoolMetadata,
  { memberId, address }: KnownMember,
): Promise<RecordChange> {
  const { poolName } = context
  const slot = slotOf(context, record, memberId)
  const entry = record.members[slot]
  if (record.members.some((one) => one?.address === address)) {
    throw new RmrError("exists", `pool ${poolName} has a member at ${address} already`)
  }
  const requireOut = ({ normal }: PoolMetadata): void => {
    if (!has(normal, slot)) return
    const words = `member ${memberId} is in use at ${entry?.address}`
    throw new RmrError("busy", `${words}; "rmr pool disable ${poolName} ${memberId}" first`)
  }
  requireOut(record)
  const leg = makeLeg(context, { memberId, address }, slot)
  await joinLeg(context, leg)
  if (leg.report?.storeUuid !== entry?.storeUuid) {
    const words = `the store at ${address} is ${leg.report?.storeUuid}`
    throw new RmrError("mismatch", `${words}; that of member ${memberId} is ${entry?.storeUuid}`)
  }
  const edit = (next: PoolMetadata): PoolMetadata => {
    const now = next.members[slot]
    if (now?.memberId !== memberId) return next
    return { ...next, members: withMember(next, slot, { ...now, address }) }
  }
  return { edit, check: async (now) => requireOut(now) }
}

/**
 * G4: without this member. Fails with `no-leg` where too few would be left, and with
 * `no-clean-copy`, which says of how many chunks, where it may hold the only clean copies.
 */
export function poolWithout(
  context: PoolContext,
  legs: readonly (Leg | undefined)[],
  record: PoolMetadata,
  memberId: MemberId,
  acceptsLoss: boolean,
): RecordChange {
  const slot = slotOf(context, record, memberId)
  const edit = (next: PoolMetadata): PoolMetadata => ({
    ...next,
    members: withMember(next, slot, undefined),
  })
  return { edit, ...withoutLoss(context, legs, slot, acceptsLoss) }
}

/**
 * G4: a member is kept out of the view, or may return. Its store belongs to the pool all the same,
 * and whoever opens the pool next keeps to that.
 */
export function maintainedMember(
  context: PoolContext,
  legs: readonly (Leg | undefined)[],
  record: PoolMetadata,
  memberId: MemberId,
  isOut: boolean,
): RecordChange {
  const slot = slotOf(context, record, memberId)
  const role = isOut ? ("maintenance" as const) : ("data" as const)
  const edit = (next: PoolMetadata): PoolMetadata => {
    const entry = next.members[slot]
    if (entry === undefined) return next
    return { ...next, members: withMember(next, slot, { ...entry, role }) }
  }
  return isOut ? { edit, ...withoutLoss(context, legs, slot, false) } : { edit }
}

/**
 * How many members have to have a write, and be there for a start, from now on (V5). All that the
 * pool has at most, and no more than are normal now.
 */
export function requiredMembers(
  { poolName }: PoolContext,
  record: PoolMetadata,
  minNormal: number,
): RecordChange {
  const count = record.members.filter((entry) => entry !== undefined).length
  if (!Number.isInteger(minNormal) || minNormal < 1 || minNormal > count) {
    throw new RmrError("invalid-argument", `pool ${poolName} can require 1 to ${count} members`)
  }
  const check = async ({ normal }: PoolMetadata): Promise<void> => {
    if (sizeOf(normal) >= minNormal) return
    const words = `${sizeOf(normal)} members are normal now`
    throw new RmrError("no-leg", `${words}; let others return before ${minNormal} are required`)
  }
  return { edit: (next) => ({ ...next, minNormal }), check }
}

/** Why a member of the table does not return by itself, if that is so. */
export function inMaintenance(
  poolName: string,
  { members }: PoolMetadata,
  slot: number,
): string | undefined {
  const entry = members[slot]
  if (entry?.role !== "maintenance") return undefined
  return `in maintenance; "rmr pool enable ${poolName} ${entry.memberId}" lets it return`
}

function slotOf({ poolName }: PoolContext, record: PoolMetadata, memberId: MemberId): number {
  const slot = record.members.findIndex((entry) => entry?.memberId === memberId)
  if (slot >= 0) return slot
  throw new RmrError("not-found", `pool ${poolName} has no member ${memberId}`)
}

/** Enough members are left without this one, and no chunk is clean at it alone. */
function withoutLoss(
  context: PoolContext,
  legs: readonly (Leg | undefined)[],
  slot: number,
  acceptsLoss: boolean,
): Required<Pick<RecordChange, "leaving" | "check">> {
  const check = async (now: PoolMetadata): Promise<void> => {
    const rest = now.normal & ~(1 << slot)
    const count = sizeOf(rest)
    if (count < Math.max(1, now.minNormal)) {
      const memberId = now.members[slot]?.memberId ?? slot
      const words = `without member ${memberId} ${count} normal members are left`
      throw new RmrError("no-leg", `${words}, and the pool needs ${Math.max(1, now.minNormal)}`)
    }
    if (acceptsLoss) return
    const alone = await chunksWithoutCopy(context, legs, now, rest, slot)
    if (alone === 0) return
    const memberId = now.members[slot]?.memberId ?? slot
    const words = `${alone} chunks have no clean copy but perhaps at member ${memberId}`
    const help = `let the others fetch them, or say that their loss is accepted`
    throw new RmrError("no-clean-copy", `${words}; ${help}`)
  }
  return { leaving: 1 << slot, check }
}

function freeSlot({ members }: PoolMetadata): number {
  for (let slot = 0; slot < MEMBERS_MAX; slot++) if (members[slot] === undefined) return slot
  return -1
}

/** A table has no place behind its last member. */
function withMember(
  { members }: PoolMetadata,
  slot: number,
  entry: MemberEntry | undefined,
): readonly (MemberEntry | undefined)[] {
  const all = Array.from({ length: Math.max(members.length, slot + 1) }, (_, at) =>
    at === slot ? entry : members[at],
  )
  while (all.length > 0 && all[all.length - 1] === undefined) all.pop()
  return all
}

/** Chunks that none of these has clean, and the one who leaves does, or may. */
async function chunksWithoutCopy(
  context: PoolContext,
  legs: readonly (Leg | undefined)[],
  { mapVersion, normal, chunkSizeBytes, mappedSizeBytes }: PoolMetadata,
  rest: MemberSet,
  leaving: number,
): Promise<number> {
  const chunkCount = Math.ceil(mappedSizeBytes / chunkSizeBytes)
  const reading = { context, legs, mapVersion, normal, chunkCount }
  const maps = await Promise.all(slotsOf(rest).map((slot) => readOwnMap(reading, slot)))
  const [first, ...others] = maps
  if (first === undefined || first.isEmpty) return 0
  const own = has(normal, leaving) ? await readOwnMap(reading, leaving) : undefined
  let count = 0
  let chunk = first.nextDirty(0)
  while (chunk !== NO_CHUNK) {
    const isNowhere = others.every((map) => map.isDirty(chunk as ChunkNumber))
    if (isNowhere && own?.isDirty(chunk) !== true) count++
    chunk = chunk + 1 < chunkCount ? first.nextDirty(chunk + 1) : NO_CHUNK
  }
  return count
}
