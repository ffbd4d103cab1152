/** A few hunts, and that a hunt notices what it is for. `pnpm sim` runs as many as one likes. */

import { groupIdOfName, shardOf } from "@rmr/core"
import { seededRandom } from "@rmr/testkit"
import { POOL_SHARD } from "../pool/sim-pool.js"
import { breachOf, exitStatusOf } from "./breach.js"
import { FAULT_KINDS, FAULT_NAMES, hunt } from "./hunt.js"
import { HuntTally } from "./hunt-report.js"
import { planOf, SECOND_POOL } from "./swarm.js"

jest.setTimeout(60_000)

describe("a hunt", () => {
  // Each of these broke a promise once.
  it.each([2, 9, 41, 49, 84, 88, 91, 208, 1121])(
    "P1 to P7: finds nothing broken (seed %i)",
    async (seed) => {
      const { breach, operationCount, faults } = await hunt(seed, { rounds: 1, isPlain: true })
      expect({ breach, faults }).toEqual({ breach: undefined, faults })
      expect(operationCount).toBeGreaterThan(20)
    },
  )

  it("P1 to P7: is the same for the same seed, be it a number or a text", async () => {
    const first = await hunt("c74a7e0", { rounds: 1 })
    const second = await hunt("c74a7e0", { rounds: 1 })
    const other = await hunt("c74a7e1", { rounds: 1 })
    const digestOf = ({ pool }: typeof first): string => pool.sim.world.digest()
    expect(first.breach).toBeUndefined()
    expect(digestOf(second)).toBe(digestOf(first))
    expect(digestOf(other)).not.toBe(digestOf(first))
  })
})

describe("the swarm", () => {
  it("P1 to P7: draws every shape there is, and leaves some faults out", () => {
    const plans = Array.from({ length: 200 }, (_, seed) =>
      planOf(seededRandom(`plan-${seed}`), FAULT_KINDS),
    )
    const shapes = plans.map(({ shape }) => shape)
    expect(new Set(shapes.map(({ nodes }) => nodes))).toEqual(new Set([1, 2, 3, 4, 5]))
    expect(new Set(shapes.map(({ storeKind }) => storeKind)).size).toBe(3)
    expect(new Set(shapes.map(({ otherPools }) => otherPools.length))).toEqual(new Set([0, 1]))
    // Pools of one shard are over one session.
    expect(shardOf(groupIdOfName(SECOND_POOL))).toBe(POOL_SHARD)
    expect(plans.some(({ faults }) => faults.length === FAULT_NAMES.length)).toBe(true)
    expect(plans.some(({ faults }) => faults.length < FAULT_NAMES.length / 3)).toBe(true)
    expect(plans.every(({ faults }) => faults.length > 0)).toBe(true)
  })
})

describe("what a hunt finds", () => {
  it("P1 to P7: is told apart by its first word, and the worst decides the status", () => {
    expect(breachOf("P2: a read of blocks 1+1").kind).toBe("correctness")
    expect(breachOf("P6: a flush has no end").kind).toBe("liveness")
    expect(breachOf("AssertionError: leases").kind).toBe("crash")
    expect(exitStatusOf([])).toBe(0)
    expect(exitStatusOf(["liveness", "correctness", "crash"])).toBe(10)
    expect(exitStatusOf(["liveness", "crash"])).toBe(11)
    expect(exitStatusOf(["liveness"])).toBe(12)
  })

  it("P1 to P7: is a failure, too, where a seed comes to two ends", () => {
    const tally = new HuntTally()
    const report = {
      seed: 7,
      breach: undefined,
      virtualMs: 3_600_000,
      operationCount: 10,
      digest: "a",
      faultCounts: { killNode: 2 },
      story: [],
    }
    expect(tally.add(report).breach).toBeUndefined()
    expect(tally.add(report).breach).toBeUndefined()
    expect(tally.add({ ...report, digest: "b" }).breach?.kind).toBe("crash")
    expect(tally.exitStatus).toBe(11)
    expect(tally.summary()).toEqual([
      "3.0 virtual hours, 30 operations",
      "faults: killNode 6",
      "replay: pnpm sim 7",
      "2 passed, 1 failed",
    ])
  })
})
