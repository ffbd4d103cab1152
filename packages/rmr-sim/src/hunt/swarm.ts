/**
 * The swarm: what a seed makes of a hunt before anything happens in it.
 *
 * Shape, load and faults are drawn anew for every seed, and a part of the faults is switched off
 * altogether: a world in which everything goes wrong all the time rarely comes to the states that
 * one kind of fault alone, again and again, leads to.
 */
import type { SeededRandom } from "@rmr/testkit"
import type { StoreKind } from "../pool/sim-store.js"

export interface HuntShape {
  readonly nodes: number
  readonly sizeBytes: number
  readonly chunkSizeBytes: number
  readonly extentBytes: number
  readonly queueDepth: number
  readonly minNormal?: number
  readonly storeKind: StoreKind
  /** A pool beside the one that the faults aim at, over the same sessions. */
  readonly otherPools: readonly string[]
}

export interface HuntPlan {
  readonly shape: HuntShape
  /** By name; what is not here does not happen. */
  readonly faults: readonly string[]
  readonly rounds: number
}

export const SECOND_POOL = "attic"

export function planOf(random: SeededRandom, allFaults: readonly string[]): HuntPlan {
  const shape = shapeOf(random.fork("shape"))
  const faults = faultsOf(random.fork("faults"), allFaults)
  return { shape, faults, rounds: random.fork("rounds").between(1, 3) }
}

function shapeOf(random: SeededRandom): HuntShape {
  const nodes = random.pick([1, 2, 2, 3, 3, 3, 4, 5])
  const minNormal = random.chance(0.4) ? 1 : undefined
  return {
    nodes,
    sizeBytes: random.pick([1, 1, 2]) * 1024 * 1024,
    chunkSizeBytes: random.pick([4, 8, 16, 64]) * 1024,
    extentBytes: random.pick([64, 256]) * 1024,
    queueDepth: random.pick([2, 4, 16]),
    ...(minNormal === undefined ? {} : { minNormal }),
    storeKind: random.pick(["memory", "file", "file-with-sums"]),
    otherPools: random.chance(0.3) ? [SECOND_POOL] : [],
  }
}

/** Half of the seeds have all of them. */
function faultsOf(random: SeededRandom, all: readonly string[]): readonly string[] {
  if (random.chance(0.5)) return all
  const share = random.pick([0.15, 0.3, 0.6])
  const some = all.filter(() => random.chance(share))
  return some.length > 0 ? some : [random.pick(all)]
}

/** As hunts were drawn before there were swarms: the seeds of regressions tell what they told. */
export function plainPlanOf(random: SeededRandom, allFaults: readonly string[]): HuntPlan {
  const nodes = random.between(2, 4)
  const chunkSizeBytes = random.pick([8, 16, 64]) * 1024
  const isMinimal = random.chance(0.4)
  const shape: HuntShape = {
    nodes,
    sizeBytes: 1024 * 1024,
    chunkSizeBytes,
    extentBytes: random.pick([64, 256]) * 1024,
    queueDepth: random.pick([4, 16]),
    ...(isMinimal ? { minNormal: 1 } : {}),
    storeKind: "memory",
    otherPools: [],
  }
  return { shape, faults: allFaults, rounds: 1 }
}
