/**
 * The swarm: what a seed makes of a hunt before anything happens in it.
 *
 * Shape, load and faults are drawn anew for every seed, and a part of the faults is switched off
 * altogether: a world in which everything goes wrong all the time rarely comes to the states that
 * one kind of fault alone, again and again, leads to. Small volumes, intent logs without room and
 * loads on a few blocks make the same chunks meet everything.
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
  /** The transport finds out by itself what was changed on its way. */
  readonly payloadChecked?: boolean
  /** Hot extents that a store has room for; as few as can be, in some. */
  readonly hotExtentsMax?: number
  /** Most of the load goes to so many blocks, so that the same chunks meet everything. */
  readonly hotBlocks?: number
}

export interface HuntPlan {
  readonly shape: HuntShape
  /** By name; what is not here does not happen. */
  readonly faults: readonly string[]
  readonly rounds: number
}

/** By name. */
export interface FaultKinds {
  readonly faults: readonly string[]
  /** Faults of several steps, on the way to a state that chance hardly comes to. */
  readonly plots: readonly string[]
}

/** Of the shard of the first one: they share sessions. */
export const SECOND_POOL = "pantry"
/** What a store must have room for beside what may be hot: see `hotExtentsOf` of the server. */
const IO_BYTES_MOST = 128 * 1024
const COPIES = 16

export function planOf(random: SeededRandom, kinds: FaultKinds): HuntPlan {
  const shape = shapeOf(random.fork("shape"))
  const faults = faultsOf(random.fork("faults"), kinds)
  return { shape, faults, rounds: random.fork("rounds").between(1, 3) }
}

function shapeOf(random: SeededRandom): HuntShape {
  const nodes = random.pick([1, 2, 2, 3, 3, 3, 4, 5])
  const minNormal = random.chance(0.4) ? 1 : undefined
  const isTight = random.chance(0.5)
  const extentBytes = random.pick(isTight ? [64] : [64, 64, 256]) * 1024
  const queueDepth = random.pick(isTight ? [2, 2, 4, 16] : [2, 4, 16])
  const toSpare = queueDepth * (Math.ceil(IO_BYTES_MOST / extentBytes) + 1) + COPIES
  const hotExtentsMax = toSpare + random.pick([1, 2, 6])
  // A log is full only where the volume has more extents than it has room for.
  const isOverfull = isTight && random.chance(0.5) && hotExtentsMax < 31
  const sizes = isOverfull ? [2048] : [256, 512, 1024, 2048]
  return {
    nodes,
    sizeBytes: random.pick(sizes) * 1024,
    chunkSizeBytes: random.pick([4, 8, 16, 64]) * 1024,
    extentBytes,
    queueDepth,
    ...(minNormal === undefined ? {} : { minNormal }),
    storeKind: random.pick(["memory", "file", "file-with-sums"]),
    otherPools: random.chance(0.3) ? [SECOND_POOL] : [],
    ...(random.chance(0.5) ? { payloadChecked: true } : {}),
    ...(isTight ? { hotExtentsMax } : {}),
    ...(random.chance(0.6) ? { hotBlocks: random.pick([4, 16, 48]) } : {}),
  }
}

/** Of all faults, of a part of them, or of plots with a few others. */
function faultsOf(random: SeededRandom, kinds: FaultKinds): readonly string[] {
  const all = [...kinds.faults, ...kinds.plots]
  const mode = random.below(10)
  if (mode < 3) return all
  if (mode < 6) {
    const share = random.pick([0.15, 0.3, 0.6])
    const some = all.filter(() => random.chance(share))
    return some.length > 0 ? some : [random.pick(all)]
  }
  const plots = kinds.plots.filter(() => random.chance(0.4))
  const beside = kinds.faults.filter(() => random.chance(0.1))
  return plots.length > 0 ? [...plots, ...beside] : [random.pick(kinds.plots)]
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
