/** What `status` says of a client's pools: view, legs, histories, and what is waited for. */
import type { Device } from "@rmr/brmr-client"
import type { ClientPool, Leg, RejoinProgress } from "@rmr/client"
import { type Env, explain, type RmrError } from "@rmr/core"
import type { ClientPoolConfig } from "../config/config.js"
import {
  type ClientPoolStatus,
  type LegStatus,
  shownClaim,
  shownForks,
  shownView,
} from "../control/status.js"

const LOST_RANGES_MAX = 20

/** A pool of the configuration, and how far it is. */
export interface PoolEntry {
  readonly config: ClientPoolConfig
  readonly pool: ClientPool | undefined
  readonly device: Device | undefined
  readonly error: RmrError | undefined
  /** Until an admin unmaps it: it is opened as soon as it can be. */
  readonly isWanted: boolean
}

export function poolStatus(
  env: Env,
  { config, pool, device, error, isWanted }: PoolEntry,
): ClientPoolStatus {
  const record = pool?.record
  const why = pool?.ended ?? pool?.trouble ?? error
  const closed = isWanted ? "waiting" : "unmapped"
  return {
    name: config.name,
    state: pool === undefined ? closed : (pool.ended?.code ?? "open"),
    why: why?.message ?? null,
    device: device === undefined ? null : { name: device.name, ...device.parameters },
    view: record === undefined ? null : shownView(record.mapVersion),
    lineage: record?.mapVersion.lineage ?? null,
    forks: record === undefined ? [] : shownForks(record),
    sizeBytes: record?.mappedSizeBytes ?? null,
    isFlushable: pool?.isFlushable ?? false,
    lost: (pool?.lost ?? [])
      .slice(0, LOST_RANGES_MAX)
      .map(({ firstChunk: first, chunkCount: count }) => ({ first, count })),
    legs: (pool?.legs ?? []).flatMap((leg) =>
      leg === undefined ? [] : [legStatus(env, leg, pool?.returning ?? [])],
    ),
  }
}

function legStatus(env: Env, leg: Leg, returning: readonly RejoinProgress[]): LegStatus {
  const progress = returning.find(({ memberId: id }) => id === leg.memberId)
  return {
    member: leg.memberId,
    address: leg.address,
    ...explain(leg.state),
    sinceMs: Math.round(env.clock.nowMs() - leg.state.sinceMs),
    inFlight: leg.io.inFlight,
    latencyMs: Math.round(leg.io.latencyMs * 1000) / 1000,
    dirtyChunks: leg.io.dirtyHint,
    returning: progress === undefined ? null : returningOf(progress),
  }
}

function returningOf({ phase, detail, split }: RejoinProgress): LegStatus["returning"] {
  if (split === undefined) return { phase, detail, split: null }
  const { here, there } = split
  return { phase, detail, split: { here: shownClaim(here), there: shownClaim(there) } }
}
