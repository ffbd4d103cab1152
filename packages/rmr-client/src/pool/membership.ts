/**
 * Who belongs to a pool: changes of the record that an admin asks for (rules G1, G2, G3).
 *
 * Each is a view change that the epoch holder makes as a step of the pool. A member that is absent
 * learns of it when it comes back.
 */
import type { MemberId, MemberSet, PoolMetadata } from "@rmr/core"
import {
  has,
  NO_VIEW,
  RmrError,
  slotsOf,
  VOLUME_BLOCK_BYTES,
  VOLUME_BYTES_MAX,
  ZERO_UUID,
} from "@rmr/core"
import type { Leg } from "./leg.js"
import { joinBody, NO_MAP_VERSION, type PoolContext, RECORD_ROOM } from "./pool-context.js"

/** What a view that is proposed says differently. */
export type RecordEdit = (record: PoolMetadata) => PoolMetadata

/** A view change that an admin asks for. */
export interface RecordChange {
  readonly edit: RecordEdit
  /** These leave the view with it. */
  readonly leaving?: MemberSet
  /** Asked while IO stands still, of the view in force; where it fails nothing is changed. */
  readonly check?: (record: PoolMetadata) => Promise<void>
}

/** A step of the pool makes them, one at a time. */
export class RecordEdits {
  private readonly waiting: {
    readonly change: RecordChange
    readonly settle: (error: RmrError | undefined) => void
  }[] = []

  get isWanted(): boolean {
    return this.waiting.length > 0
  }

  /** Fulfilled when a view with the edit is in force; fails with `deadline` where none came. */
  ask({ env, times }: PoolContext, change: RecordChange): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error: RmrError | undefined): void => {
        timer.cancel()
        if (error === undefined) resolve()
        else reject(error)
      }
      const timer = env.clock.schedule(times.noLegMs, () => {
        const at = this.waiting.findIndex((one) => one.change === change)
        if (at >= 0) this.waiting.splice(at, 1)
        settle(new RmrError("deadline", "the view could not be changed in time; see the status"))
      })
      this.waiting.push({ change, settle })
    })
  }

  /** Runs the next one. Whether it fails or not, it is not asked for again. */
  async run(make: (change: RecordChange) => Promise<void>): Promise<void> {
    const next = this.waiting.shift()
    if (next === undefined) return
    try {
      await make(next.change)
      next.settle(undefined)
    } catch (thrown) {
      next.settle(RmrError.from(thrown))
      throw thrown
    }
  }
}

/**
 * G3: the empty store that the member has now takes the place of the one that it had, which is
 * refused for ever. Fails where it is not empty, not there, or made for another pool, and while the
 * member is normal; then nothing has changed.
 */
export async function replacedStore(
  context: PoolContext,
  leg: Leg | undefined,
  memberId: MemberId,
  record: PoolMetadata,
): Promise<RecordEdit> {
  const { poolName } = context
  if (leg === undefined) {
    throw new RmrError("not-found", `pool ${poolName} has no member ${memberId}`)
  }
  if (has(record.normal, leg.slot)) {
    const words = `member ${memberId} works with the store that it has; take it out first`
    throw new RmrError("busy", words)
  }
  const { storeUuid, incarnation } = await requireEmpty(context, leg, record)
  return (next) => {
    const members = next.members.map((entry, slot) =>
      entry === undefined || slot !== leg.slot
        ? entry
        : { ...entry, storeUuid, incarnation, normalThrough: NO_VIEW, reported: NO_VIEW },
    )
    return { ...next, members }
  }
}

/**
 * G1: every member makes room, and then a view says that the volume has it. Fails with `no-space`
 * where one cannot, and with `invalid-argument` for a size that no volume has, or a smaller one;
 * then the volume is what it was.
 */
export async function grownVolume(
  { times }: PoolContext,
  legs: readonly (Leg | undefined)[],
  record: PoolMetadata,
  sizeBytes: number,
): Promise<RecordEdit> {
  const isSize = Number.isSafeInteger(sizeBytes) && sizeBytes % VOLUME_BLOCK_BYTES === 0
  if (!isSize || sizeBytes > VOLUME_BYTES_MAX) {
    const words = `a volume has a multiple of ${VOLUME_BLOCK_BYTES} bytes`
    throw new RmrError("invalid-argument", `${words}, up to ${VOLUME_BYTES_MAX}`)
  }
  if (sizeBytes < record.mappedSizeBytes) {
    const words = `the volume has ${record.mappedSizeBytes} bytes already; it never shrinks`
    throw new RmrError("invalid-argument", words)
  }
  const { mapVersion } = record
  const mappedSizeBytes = sizeBytes
  for (const slot of slotsOf(record.normal)) {
    const leg = legs[slot]
    if (leg !== undefined) await makeRoom(leg, { mapVersion, mappedSizeBytes }, times.noLegMs)
  }
  return (next) => ({ ...next, mappedSizeBytes: Math.max(next.mappedSizeBytes, sizeBytes) })
}

async function makeRoom(
  leg: Leg,
  { mapVersion, mappedSizeBytes }: Pick<PoolMetadata, "mapVersion" | "mappedSizeBytes">,
  withinMs: number,
): Promise<void> {
  try {
    const body = { sizeBytes: mappedSizeBytes }
    await leg.ask("grow-store", mapVersion, body, undefined, withinMs)
  } catch (thrown) {
    const { code, detail } = RmrError.from(thrown)
    throw new RmrError(code, `member ${leg.memberId}: ${detail}`, { cause: thrown })
  }
}

/** Joins it anew with all parameters, so that the member compares them with those of its store. */
export async function requireEmpty(
  context: PoolContext,
  leg: Leg,
  record: PoolMetadata,
): Promise<{ readonly storeUuid: string; readonly incarnation: number }> {
  const { poolName, times } = context
  const body = joinBody(context, leg.memberId, { mode: "assemble", says: record })
  const { commandMs } = times
  const reply = await leg.ask("join-pool", NO_MAP_VERSION, body, undefined, commandMs, RECORD_ROOM)
  const { report } = reply.result
  const words = `member ${leg.memberId} has store ${report.storeUuid}`
  if (record.members[leg.slot]?.storeUuid === report.storeUuid) {
    throw new RmrError("exists", `${words}, which is its own; it comes back by itself`)
  }
  if (reply.payload !== undefined) {
    throw new RmrError(
      "exists",
      `${words}, which has a record of ${poolName}; give it an empty one`,
    )
  }
  if (report.sizeBytes < record.mappedSizeBytes) await makeRoom(leg, record, times.noLegMs)
  leg.report = report
  return { storeUuid: report.storeUuid, incarnation: report.incarnation }
}

/**
 * G3: an empty store that the record names begins as one that lacks everything. The volume may have
 * grown since the store was found large enough (G1).
 */
export async function beginEmpty(
  context: PoolContext,
  leg: Leg,
  record: PoolMetadata,
): Promise<void> {
  const { mapVersion, poolUuid, members } = record
  const storeUuid = members[leg.slot]?.storeUuid ?? ZERO_UUID
  const words = { mode: "create" as const, says: record, poolUuid, storeUuid, startsDirty: true }
  const body = joinBody(context, leg.memberId, words)
  await makeRoom(leg, record, context.times.noLegMs)
  await leg.ask("join-pool", mapVersion, body, record, context.times.commandMs)
  leg.hasRecord = true
}
