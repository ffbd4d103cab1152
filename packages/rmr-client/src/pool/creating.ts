/** Creating a pool (rule G1): one record that names all members, kept by each of them. */
import type { MemberEntry, MemberId, PoolMetadata } from "@rmr/core"
import {
  CHUNK_BYTES_DEFAULT,
  defaultMinNormal,
  MEMBERS_MAX,
  NO_VIEW,
  poolNameProblem,
  QUEUE_DEPTH_DEFAULT,
  RmrError,
  randomUuid,
  shardOf,
  ZERO_UUID,
} from "@rmr/core"
import { Leg } from "./leg.js"
import { joinBody, joinLeg, type KnownMember, type PoolContext } from "./pool-context.js"

export interface CreateOptions {
  readonly members: readonly KnownMember[]
  /** A multiple of 4096. */
  readonly sizeBytes: number
  /** Default 128 KiB; fixed for the life of the pool. */
  readonly chunkSizeBytes?: number
  /** Io units; default 128, fixed for the life of the pool. */
  readonly queueDepth?: number
  /** No view has fewer normal members; default half of them, rounded up. */
  readonly minNormal?: number
}

/**
 * Makes every member one of a new pool. It may be said again after an error: members that have the
 * pool's record already keep it. Fails with `exists` where one has another record.
 */
export async function createMembers(context: PoolContext, options: CreateOptions): Promise<void> {
  const legs = legsOf(context, options.members)
  const records = await Promise.all(legs.map((leg) => joinLeg(context, leg)))
  const known = records.find((record) => record !== undefined)
  if (known !== undefined && records.every((record) => record !== undefined)) {
    throw new RmrError("exists", `pool ${context.poolName} exists; open it`)
  }
  const record = known ?? firstRecord(context, legs, options)
  requireSame(record, options)
  await Promise.all(
    legs.map(async (leg, nth) => {
      if (records[nth] !== undefined) return
      const storeUuid = leg.report?.storeUuid ?? ZERO_UUID
      const { poolUuid } = record
      const words = { mode: "create" as const, says: record, poolUuid, storeUuid }
      const body = joinBody(context, leg.memberId, words)
      const { commandMs } = context.times
      await leg.ask("join-pool", record.mapVersion, body, record, commandMs)
    }),
  )
}

function legsOf(context: PoolContext, members: readonly KnownMember[]): Leg[] {
  const problem = poolNameProblem(context.poolName)
  if (problem !== undefined) throw new RmrError("invalid-argument", problem)
  if (members.length === 0 || members.length > MEMBERS_MAX) {
    throw new RmrError("invalid-argument", `a pool has 1 to ${MEMBERS_MAX} members`)
  }
  if (new Set(members.map(({ memberId }) => memberId)).size !== members.length) {
    throw new RmrError("invalid-argument", "each member of a pool has an id of its own")
  }
  const { env, registry, groupId } = context
  return members.map(({ memberId, address }, slot) => {
    const link = registry.link(address, shardOf(groupId))
    return new Leg({ env, slot, memberId, address, link, groupId })
  })
}

function firstRecord(
  context: PoolContext,
  legs: readonly Leg[],
  options: CreateOptions,
): PoolMetadata {
  const { env, poolName, groupId } = context
  const members = legs.map(entryOf)
  return {
    poolName,
    groupId,
    poolUuid: randomUuid(env),
    chunkSizeBytes: options.chunkSizeBytes ?? CHUNK_BYTES_DEFAULT,
    mappedSizeBytes: options.sizeBytes,
    queueDepth: options.queueDepth ?? QUEUE_DEPTH_DEFAULT,
    minNormal: options.minNormal ?? defaultMinNormal(legs.length),
    mapVersion: { lineage: randomUuid(env), epoch: 1, version: 1 },
    history: [],
    members,
    normal: (1 << legs.length) - 1,
    ranges: [],
  }
}

function entryOf(leg: Leg): MemberEntry {
  const { report, memberId, address } = leg
  if (report === undefined || report.storeUuid === ZERO_UUID) {
    throw new RmrError("not-found", `member ${memberId} at ${address} has no store; add one`)
  }
  return {
    memberId: memberId as MemberId,
    storeUuid: report.storeUuid,
    address,
    role: "data",
    normalThrough: NO_VIEW,
    reported: NO_VIEW,
    incarnation: report.incarnation,
  }
}

function requireSame(record: PoolMetadata, { sizeBytes }: CreateOptions): void {
  if (record.mappedSizeBytes === sizeBytes) return
  const words = `the pool was begun with ${record.mappedSizeBytes} bytes, not ${sizeBytes}`
  throw new RmrError("mismatch", words)
}
