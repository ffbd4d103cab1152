/** What the parts of a client pool share: who it is, how long it waits, and its legs. */
import type {
  Checksum,
  Env,
  GroupId,
  JoinPoolBody,
  LogFields,
  MapVersion,
  MemberId,
  PoolMetadata,
  RmrError,
  Uuid,
} from "@rmr/core"
import { CLOSE_MS_DEFAULT, ZERO_UUID } from "@rmr/core"
import type { ReadPolicy } from "../io/engine-leg.js"
import type { LinkRegistry } from "../links/link-registry.js"
import type { Leg } from "./leg.js"
import { claimOf } from "./sides.js"

export interface PoolTimes {
  /** A leg that owes an answer for longer is put out of the view (V7). */
  readonly ioDeadlineMs: number
  /**
   * A leg whose session is gone is dialed for so long before it is put out; at once where another
   * process answers.
   */
  readonly blinkMs: number
  /** With no usable leg, IO is held for so long before it fails (W6). */
  readonly noLegMs: number
  /** Time between flushes that only move the stable number on (I3). */
  readonly flushMs: number
  /** With no leg left, all are given so long to come back together (V6). */
  readonly regroupMs: number
  /** For one command, and for one attempt to reach a member. */
  readonly commandMs: number
  /**
   * A close waits so long for what is in flight, and for its flush; the rest ends with `closed`.
   * Members are told goodbye for at most `commandMs` more.
   */
  readonly closeMs: number
  /**
   * A leg is put out for being slow when its mutations take longer than this and than `slowFactor`
   * times the median of its peers, for `slowAfterMs` (V7). With 0 there nobody ever is.
   */
  readonly slowFloorMs: number
  readonly slowFactor: number
  readonly slowAfterMs: number
  /** It returns when it was fast for so long; doubled each time, up to the second. */
  readonly slowHoldMs: number
  readonly slowHoldMsMax: number
}

export const TIMES_DEFAULT: PoolTimes = {
  ioDeadlineMs: 3000,
  blinkMs: 1000,
  noLegMs: 30_000,
  flushMs: 5000,
  regroupMs: 1000,
  commandMs: 3000,
  closeMs: CLOSE_MS_DEFAULT,
  slowFloorMs: 250,
  slowFactor: 20,
  slowAfterMs: 10_000,
  slowHoldMs: 10_000,
  slowHoldMsMax: 600_000,
}

export interface KnownMember {
  readonly memberId: MemberId
  readonly address: string
}

export interface PoolContext {
  readonly env: Env
  readonly registry: LinkRegistry
  readonly poolName: string
  readonly groupId: GroupId
  /** Random for this process (F1). */
  readonly nonce: Uuid
  readonly times: PoolTimes
  readonly readPolicy: ReadPolicy
  readonly readRunBytes: number
  readonly checksum: Checksum
  readonly isTakeover: boolean
  /** An admin said so: where V5 does not hold, go on in a history of its own (F6). */
  readonly isForced: boolean
  /** Whose history is opened, where members have gone on apart (R7). */
  readonly side: MemberId | undefined
}

export const NO_MAP_VERSION: MapVersion = { lineage: ZERO_UUID, epoch: 0, version: 0 }

/** How a member is joined, beside what every JOIN_POOL says. */
export interface JoinWords {
  readonly mode: JoinPoolBody["mode"]
  /** The parameters of the pool, for the member to compare; without them it takes its own. */
  readonly says?: PoolMetadata
  readonly poolUuid?: Uuid
  readonly storeUuid?: Uuid
  readonly startsDirty?: boolean
}

export function joinBody(
  { poolName, nonce }: PoolContext,
  memberId: MemberId,
  { mode, says, poolUuid = ZERO_UUID, storeUuid = ZERO_UUID, startsDirty = false }: JoinWords,
): JoinPoolBody {
  return {
    mode,
    startsDirty,
    memberId,
    minNormal: says?.minNormal ?? 0,
    chunkSizeBytes: says?.chunkSizeBytes ?? 0,
    queueDepth: says?.queueDepth ?? 0,
    mappedSizeBytes: says?.mappedSizeBytes ?? 0,
    poolUuid,
    storeUuid,
    nonce,
    poolName,
  }
}

/** JOIN_POOL with assemble: ties the session to the pool. Returns the member's record, if any. */
export async function joinLeg(context: PoolContext, leg: Leg): Promise<PoolMetadata | undefined> {
  const { times } = context
  const body = joinBody(context, leg.memberId, { mode: "assemble" })
  await leg.link.connect(times.commandMs)
  const { session } = leg.link
  const reply = await leg.ask(
    "join-pool",
    NO_MAP_VERSION,
    body,
    undefined,
    times.commandMs,
    RECORD_ROOM,
  )
  leg.report = reply.result.report
  leg.joinedSession = session
  leg.hasRecord = reply.payload !== undefined
  leg.claim = reply.payload === undefined ? undefined : claimOf(reply.payload, leg.report.seen)
  return reply.payload
}

/** Room for a view record of any pool that lists an ordinary number of ranges. */
export const RECORD_ROOM: number = 192 * 1024

/** What went wrong, for a log; of our own mistakes also where. */
export function failureFields({ code, detail, stack }: RmrError): LogFields {
  return { code, detail: code === "internal" ? (stack ?? detail) : detail }
}
