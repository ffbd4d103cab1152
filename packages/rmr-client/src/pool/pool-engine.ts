/** The data path of a pool, made for the record that its opening view has. */
import type { PoolMetadata } from "@rmr/core"
import type { EngineEvents } from "../io/engine-wire.js"
import { IoEngine } from "../io/io-engine.js"
import type { PoolContext } from "./pool-context.js"

/** Reads in flight, at least. */
const READS_MIN = 64

export function poolEngine(
  context: PoolContext,
  record: PoolMetadata,
  tokenBase: number,
  events: EngineEvents,
): IoEngine {
  const { env, groupId, registry, times, readPolicy, checksum } = context
  const { queueDepth, chunkSizeBytes, mappedSizeBytes } = record
  return new IoEngine({
    env,
    memory: registry.memory,
    groupId,
    queueDepth,
    readsMax: Math.max(queueDepth, READS_MIN),
    noLegMs: times.noLegMs,
    readPolicy,
    checksum,
    isChecksumRequired: registry.isChecksumRequired,
    tokenBase,
    chunkSizeBytes,
    mappedSizeBytes,
    events,
  })
}
