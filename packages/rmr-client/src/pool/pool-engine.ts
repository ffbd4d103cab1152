/** The data path of a pool, made for the record that its opening view has, and its completions. */
import type { PoolMetadata } from "@rmr/core"
import type { EngineEvents } from "../io/engine-wire.js"
import { IoEngine } from "../io/io-engine.js"
import type { IoOwner } from "../links/link-registry.js"
import type { PoolContext } from "./pool-context.js"

/** Reads in flight, at least. */
const READS_MIN = 64

export function poolEngine(
  context: PoolContext,
  record: PoolMetadata,
  tokenBase: number,
  events: EngineEvents,
): IoEngine {
  const { env, groupId, registry, times, readPolicy, readRunBytes, checksum } = context
  const { queueDepth, chunkSizeBytes, mappedSizeBytes } = record
  return new IoEngine({
    env,
    memory: registry.memory,
    groupId,
    queueDepth,
    readsMax: Math.max(queueDepth, READS_MIN),
    noLegMs: times.noLegMs,
    readPolicy,
    readRunBytes,
    checksum,
    isChecksumRequired: registry.isChecksumRequired,
    tokenBase,
    chunkSizeBytes,
    mappedSizeBytes,
    events,
  })
}

/** Whoever has the pool's tokens; `onBatchEnd` runs after the engine has decided. */
export function ioOwner(engine: () => IoEngine, onBatchEnd: () => void): IoOwner {
  return {
    onCompletion: (token, status, headers, at, bytes, payloadBytes) =>
      engine().onCompletion(token, status, headers, at, bytes, payloadBytes),
    onBatchEnd: () => {
      engine().onBatchEnd()
      onBatchEnd()
    },
    onRoom: () => engine().onRoom(),
    wantsRoom: () => engine().wantsRoom,
  }
}
