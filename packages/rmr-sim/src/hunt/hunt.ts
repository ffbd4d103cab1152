/**
 * A hunt: real pools under random load and random faults, and whether they keep their promises.
 *
 * ```
 *   create ─► load, a few faults ─► all resolved ─► calm: everything succeeds, all members equal
 *                     ▲                                       │
 *                     └──────────────── again ────────────────┘
 * ```
 *
 * A seed decides everything, so a seed that fails is a story that can be told again. Bytes that
 * nobody may read, an operation without an end, a living client that does not go on although
 * enough of its members are there, an opening that fails with everybody present, members that stay
 * dirty or differ, and assertions anywhere are broken promises. What a fault legally costs is in
 * the oracle.
 */
import type { RmrError } from "@rmr/core"
import type { SeededRandom } from "@rmr/testkit"
import { nodeWorld } from "@rmr/testkit/node"
import { SimPool } from "../pool/sim-pool.js"
import { type Breach, breachOf } from "./breach.js"
import { requireWhole, works } from "./hunt-checks.js"
import { ADMIN_WORK, FAULTS, type Fault, LATER_FAULTS } from "./hunt-faults.js"
import { PLOTS } from "./hunt-plots.js"
import { HuntPool } from "./hunt-pool.js"
import { ORDER_FAULTS } from "./order-faults.js"
import { type FaultKinds, type HuntPlan, plainPlanOf, planOf } from "./swarm.js"
import { Watch } from "./watch.js"

export interface HuntResult {
  readonly seed: Seed
  readonly plan: HuntPlan
  /** The promise that was broken. */
  readonly breach: Breach | undefined
  readonly operationCount: number
  readonly virtualMs: number
  /** What went wrong, in order, and when. */
  readonly faults: readonly HuntFault[]
  /** The world as it was left, to be looked at. */
  readonly pool: HuntPool
}

/** A number, or any text: a commit's hash is a seed too. */
export type Seed = number | string

export interface HuntFault {
  readonly atMs: number
  readonly name: string
}

export interface HuntOptions {
  /** Only these faults, and no work of an admin; default what the seed draws. */
  readonly faults?: readonly string[] | undefined
  readonly rounds?: number | undefined
  /** As hunts were drawn before there were swarms. */
  readonly isPlain?: boolean
  /** Log records that are kept; default 4000. */
  readonly logRecordsMax?: number
}

/** Stands among the faults where they end. */
export const CALM = "calm"
const STORY_MS = 1_200_000
/** As pools have it. */
const READ_RUN_BYTES = 64 * 1024
const SINGLE_FAULTS = { ...FAULTS, ...LATER_FAULTS, ...ORDER_FAULTS }
const ALL_FAULTS: Readonly<Record<string, Fault>> = { ...SINGLE_FAULTS, ...PLOTS }
export const FAULT_NAMES: readonly string[] = Object.keys(ALL_FAULTS)
export const FAULT_KINDS: FaultKinds = {
  faults: Object.keys(SINGLE_FAULTS),
  plots: Object.keys(PLOTS),
}

export async function hunt(seed: Seed, options: HuntOptions = {}): Promise<HuntResult> {
  const { logRecordsMax = 4000, isPlain = false } = options
  const world = nodeWorld({ seed: `hunt-${seed}`, logRecordsMax })
  const random = world.random.fork("hunt")
  const drawn = isPlain ? plainPlanOf(random, Object.keys(FAULTS)) : planOf(random, FAULT_KINDS)
  const plan = { ...drawn, ...given(options) }
  const faults: HuntFault[] = []
  const readRunBytes = random.fork("runs").chance(0.5) ? READ_RUN_BYTES : 0
  const sim = new SimPool({ world, readRunBytes, ...plan.shape })
  const pool = new HuntPool(sim, random.fork("pool"), plan.shape.hotBlocks)
  const teller = new Teller(pool, random, plan, faults, options.faults === undefined)
  const watch = new Watch(pool)
  let isOver = false
  let thrown: string | undefined
  const story = teller.tell().then(
    () => undefined,
    (error: unknown) => {
      thrown = error instanceof Error ? (error.stack ?? error.message) : String(error)
    },
  )
  void story.then(() => {
    isOver = true
  })
  const isSettled = (): boolean => {
    watch.look()
    return isOver || pool.broken !== undefined
  }
  const end = await world.run({ until: isSettled, forMs: STORY_MS }).catch((error: unknown) => {
    thrown ??= error instanceof Error ? (error.stack ?? error.message) : String(error)
    return "met" as const
  })
  const endless = end === "met" ? undefined : `P6: the hunt comes to no end: ${end}`
  const words = pool.broken ?? thrown ?? watch.ownMistake() ?? endless
  const breach = words === undefined ? undefined : breachOf(words)
  const { operationCount } = pool.load
  return { seed, plan, breach, operationCount, virtualMs: world.nowMs, faults, pool }
}

function given({ faults, rounds }: HuntOptions): Partial<HuntPlan> {
  return {
    ...(faults === undefined ? {} : { faults }),
    ...(rounds === undefined ? {} : { rounds }),
  }
}

class Teller {
  private readonly pool: HuntPool
  private readonly random: SeededRandom
  private readonly admin: SeededRandom
  private readonly plan: HuntPlan
  private readonly faults: HuntFault[]
  private readonly isAdministered: boolean

  constructor(
    pool: HuntPool,
    random: SeededRandom,
    plan: HuntPlan,
    faults: HuntFault[],
    isAdministered: boolean,
  ) {
    this.pool = pool
    this.random = random
    this.admin = random.fork("admin")
    this.plan = plan
    this.faults = faults
    this.isAdministered = isAdministered
  }

  async tell(): Promise<void> {
    const { pool, random, plan } = this
    await pool.create()
    pool.startLoad(random.between(2, 8), random.pick([20, 100]))
    for (let round = 0; round < plan.rounds; round++) {
      pool.takeBackup(this.admin.below(pool.sim.nodes.length))
      await this.disturb()
      await pool.pause(random.between(0, 6000))
      this.note(CALM)
      await pool.restoreNodes()
      await bringBack(pool, random)
      await requireWhole(pool, random)
      await this.requireSecondWhole()
      await pool.requireAllKnow()
      pool.noteWhole()
    }
    await pool.stopLoad()
  }

  private async disturb(): Promise<void> {
    const { pool, random, plan, admin } = this
    const count = random.between(1, 4)
    for (let nth = 0; nth < count; nth++) {
      await pool.pause(random.pick([20, 200, 2000]) * random.unit())
      const name = random.pick(plan.faults)
      this.note(name)
      await ALL_FAULTS[name]?.(pool, random)
      if (!this.isAdministered || !admin.chance(0.15)) continue
      const work = admin.pick(Object.keys(ADMIN_WORK))
      this.note(work)
      await ADMIN_WORK[work]?.(pool, admin)
    }
  }

  /** The pool beside it had the same nodes under it, and its client the same process. */
  private async requireSecondWhole(): Promise<void> {
    const { pool, random } = this
    const { second } = pool
    if (second === undefined) return
    const error = await pool.bringSecondBack()
    if (error !== undefined) {
      second.onBroken(`V5: nobody can open the other pool: ${error.message}`)
    } else if (await works(second, random)) await requireWhole(second, random)
    else second.onBroken("P6: the other pool does not work")
  }

  private note(name: string): void {
    const { world } = this.pool.sim
    this.faults.push({ atMs: world.nowMs, name })
    world.log.write("info", "hunt.fault", { name })
  }
}

/** A client has the pool and everything succeeds, or there is a good reason to open it anew. */
async function bringBack(pool: HuntPool, random: SeededRandom): Promise<void> {
  if (await works(pool, random)) return
  const { client } = pool
  if (client !== undefined && client.sim.pool.ended === undefined) {
    const { host, pool: open } = client.sim
    const why = `${open.trouble?.message ?? "nothing is in its way"}, allowed ${open.allowed}`
    pool.onBroken(`P10: ${host.name} does not go on, with everybody there: ${why}`)
    return
  }
  pool.killClient()
  // Members that nobody has opened since count as anew, so that none is in a state of before.
  let error: RmrError | undefined
  for (let attempt = 0; attempt < 40; attempt++) {
    error = await pool.tryOpen(true)
    if (error === undefined) break
    await pool.pause(500)
  }
  if (error !== undefined) {
    pool.onBroken(`V5: nobody can open the pool, with everybody there: ${error.message}`)
    return
  }
  if (!(await works(pool, random))) pool.onBroken("P6: a pool that was opened does not work")
}
