import { groupIdOfName, SHARD_COUNT, shardOf } from "@rmr/core"
import fc from "fast-check"
import { LOOPS_MAX, loopsByProcessors, loopsOfShards, loopsUsed } from "./loop-shares.js"

const names = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), { maxLength: 60 })
const count = fc.integer({ min: 1, max: LOOPS_MAX })

function shardIs(name: string, shard: number): boolean {
  return shardOf(groupIdOfName(name)) === shard
}

function countsOf(loopOf: readonly number[], poolNames: readonly string[]): number[] {
  const counts = new Array<number>(loopsUsed(loopOf)).fill(0)
  for (const name of poolNames) counts[loopOf[shardOf(groupIdOfName(name))]!]!++
  return counts
}

describe("the loops of a daemon", () => {
  it("are one on two processors, and half of them on more", () => {
    expect([1, 2, 3, 4, 8, 128].map((processors) => loopsByProcessors(processors))).toEqual([
      1, 1, 1, 2, 4, 16,
    ])
    expect(loopsByProcessors()).toBeGreaterThanOrEqual(1)
  })

  it("are never more than were said, and none is without a pool", () => {
    fc.assert(
      fc.property(names, count, (poolNames, loopCount) => {
        const loopOf = loopsOfShards(poolNames, loopCount)
        const counts = countsOf(loopOf, poolNames)
        const isIdle = poolNames.length > 0 && counts.includes(0)
        return loopOf.length === SHARD_COUNT && counts.length <= loopCount && !isIdle
      }),
    )
  })

  it("have pools of one shard together, and spread the shards", () => {
    const loopOf = loopsOfShards(["a", "b", "c", "d"], 2)
    expect(countsOf(loopOf, ["a", "b", "c", "d"])).toEqual([2, 2])
    const namesOfOne = [...Array(400).keys()].map(String).filter((name) => shardIs(name, 7))
    expect(namesOfOne.length).toBeGreaterThan(1)
    expect(loopsUsed(loopsOfShards(namesOfOne, 8))).toBe(1)
    expect(countsOf(loopsOfShards(["a"], 8), ["a"])).toEqual([1])
    expect(countsOf(loopsOfShards([], 8), [])).toEqual([0])
  })
})
