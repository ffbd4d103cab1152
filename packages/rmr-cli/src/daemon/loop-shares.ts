/**
 * Which of several loops has which pools: all pools of a shard are in one, since a session is for a
 * shard. In the order of the configuration, each new shard goes where the fewest pools are; shards
 * without a pool are spread over all.
 */
import { availableParallelism } from "node:os"
import { groupIdOfName, SHARD_COUNT, shardOf } from "@rmr/core"

export const LOOPS_MAX: number = SHARD_COUNT

/** Half of the processors: the others have their part in every IO, above all the kernel's. */
export function loopsByProcessors(count: number = availableParallelism()): number {
  return Math.min(LOOPS_MAX, Math.max(1, Math.floor(count / 2)))
}

export function loopsUsed(loopOf: readonly number[]): number {
  return 1 + Math.max(...loopOf)
}

/** The loop of each shard. No more loops are used than there are shards with a pool, and one. */
export function loopsOfShards(poolNames: readonly string[], loopCount: number): readonly number[] {
  const shards = poolNames.map((name) => shardOf(groupIdOfName(name)))
  const used = Math.max(1, Math.min(loopCount, new Set(shards).size))
  const poolCounts = new Array<number>(used).fill(0)
  const loops = new Map<number, number>()
  for (const shard of shards) {
    const loop = loops.get(shard) ?? poolCounts.indexOf(Math.min(...poolCounts))
    loops.set(shard, loop)
    poolCounts[loop]!++
  }
  return Array.from({ length: SHARD_COUNT }, (_, shard) => loops.get(shard) ?? shard % used)
}
