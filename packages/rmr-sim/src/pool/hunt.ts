/**
 * A hunt: a real pool under random load and random faults, and whether it keeps its promises.
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
import { type MemberSet, type RmrError, VOLUME_BLOCK_BYTES } from "@rmr/core"
import type { SeededRandom, World } from "@rmr/testkit"
import { nodeWorld } from "@rmr/testkit/node"
import { ADMIN_WORK, FAULTS } from "./hunt-faults.js"
import { limit, OVER } from "./hunt-load.js"
import { HuntPool } from "./hunt-pool.js"
import { SimPool } from "./sim-pool.js"

export interface HuntResult {
  readonly seed: number
  /** The promise that was broken. */
  readonly broken: string | undefined
  readonly operationCount: number
  readonly virtualMs: number
  /** What went wrong, in order. */
  readonly faults: readonly string[]
  /** The world as it was left, to be looked at. */
  readonly pool: HuntPool
}

export interface HuntOptions {
  /** Only these faults; default all. */
  readonly faults?: readonly string[]
  readonly rounds?: number
}

const STORY_MS = 1_200_000
const CALM_MS = 40_000

export async function hunt(seed: number, options: HuntOptions = {}): Promise<HuntResult> {
  const world = nodeWorld({ seed: `hunt-${seed}`, logRecordsMax: 4000 })
  const random = world.random.fork("hunt")
  const faults: string[] = []
  let fail: (what: string) => void = () => undefined
  const broken = new Promise<string>((resolve) => {
    fail = resolve
  })
  const sim = new SimPool({ world, ...shapeOf(random) })
  const pool = new HuntPool(sim, random.fork("pool"), (what) => fail(what))
  const story = tell(pool, random, faults, options)
  let words: string | undefined
  try {
    words = await world.settled(Promise.race([story, broken]), `the hunt of seed ${seed}`, STORY_MS)
  } catch (thrown) {
    words = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  }
  words ??= assertionIn(world)
  const { operationCount } = pool.load
  return { seed, broken: words, operationCount, virtualMs: world.nowMs, faults, pool }
}

function shapeOf(random: SeededRandom): {
  readonly nodes: number
  readonly sizeBytes: number
  readonly chunkSizeBytes: number
  readonly extentBytes: number
  readonly queueDepth: number
  readonly minNormal?: number
} {
  const nodes = random.between(2, 4)
  const chunkSizeBytes = random.pick([8, 16, 64]) * 1024
  const isMinimal = random.chance(0.4)
  return {
    nodes,
    sizeBytes: 1024 * 1024,
    chunkSizeBytes,
    extentBytes: random.pick([64, 256]) * 1024,
    queueDepth: random.pick([4, 16]),
    ...(isMinimal ? { minNormal: 1 } : {}),
  }
}

/** Undefined when all went well. */
async function tell(
  pool: HuntPool,
  random: SeededRandom,
  faults: string[],
  { faults: only, rounds }: HuntOptions,
): Promise<undefined> {
  await pool.create()
  pool.load.start(random.between(2, 8), random.pick([20, 100]))
  const names = only ?? Object.keys(FAULTS)
  const admin = random.fork("admin")
  const roundCount = rounds ?? random.between(1, 3)
  for (let round = 0; round < roundCount; round++) {
    const count = random.between(1, 4)
    for (let nth = 0; nth < count; nth++) {
      await pool.pause(random.pick([20, 200, 2000]) * random.unit())
      const name = random.pick(names)
      faults.push(`${Math.round(pool.sim.world.nowMs)} ${name}`)
      pool.sim.world.log.write("info", "hunt.fault", { name })
      await FAULTS[name]?.(pool, random)
      if (only === undefined && admin.chance(0.15)) await administer(pool, admin, faults)
    }
    await pool.pause(random.between(0, 6000))
    faults.push(`${Math.round(pool.sim.world.nowMs)} calm`)
    pool.sim.world.log.write("info", "hunt.calm", { round })
    await pool.restoreNodes()
    await bringBack(pool, random)
    await requireWhole(pool, random)
  }
  await pool.load.stop()
  return undefined
}

async function administer(pool: HuntPool, random: SeededRandom, faults: string[]): Promise<void> {
  const name = random.pick(Object.keys(ADMIN_WORK))
  faults.push(`${Math.round(pool.sim.world.nowMs)} ${name}`)
  await ADMIN_WORK[name]?.(pool, random)
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

/** Within a while, writes, reads and flushes succeed. */
async function works(pool: HuntPool, random: SeededRandom): Promise<boolean> {
  const clock = limit(pool.sim, CALM_MS)
  let isOver = false
  void clock.over.then(() => {
    isOver = true
  })
  while (!isOver) {
    const { client } = pool
    if (client === undefined || client.sim.pool.ended !== undefined) break
    const block = soundBlock(pool, random)
    const isGood =
      block === undefined ||
      ((await pool.load.write(client, block, 1, false)) &&
        (await pool.load.read(client, block, 1)) !== undefined &&
        (pool.bad.length > 0 || (await pool.load.flush(client))))
    if (isGood) {
      clock.cancel()
      return true
    }
    await pool.pause(200)
  }
  clock.cancel()
  return false
}

function soundBlock(pool: HuntPool, random: SeededRandom): number | undefined {
  for (let attempt = 0; attempt < 50; attempt++) {
    const block = random.below(pool.oracle.blockCount)
    if (!pool.mayFail(block * VOLUME_BLOCK_BYTES, VOLUME_BLOCK_BYTES)) return block
  }
  return undefined
}

/** P2, P3, P4: with nothing wrong any more, all succeeds and all members become equal. */
async function requireWhole(pool: HuntPool, random: SeededRandom): Promise<void> {
  pool.load.isCalm = true
  for (let nth = 0; nth < 20; nth++) {
    const { client } = pool
    if (client === undefined || client.sim.pool.ended !== undefined) return
    await pool.load.once(client, random)
  }
  await requireAllNormal(pool)
  await requireClean(pool)
  pool.load.isResting = true
  await pool.load.rest()
  const { client } = pool
  if (client === undefined) return
  if (pool.bad.length === 0) await pool.load.flush(client)
  await requireEqual(pool, client.sim.pool.record.normal)
  await readAll(pool)
  pool.load.isResting = false
  pool.load.isCalm = false
}

/** Everybody who was put out is back. */
async function requireAllNormal(pool: HuntPool): Promise<void> {
  const clock = limit(pool.sim, CALM_MS)
  const all = (1 << pool.sim.nodes.length) - 1
  while (pool.normal !== all) {
    await pool.replaceDisks()
    const outcome = await Promise.race([pool.pause(100), clock.over])
    if (outcome === OVER) {
      const { returning = [], trouble } = pool.client?.sim.pool ?? {}
      const why = returning.map(({ memberId, phase, detail }) => `${memberId} ${phase}: ${detail}`)
      const words = [...why, trouble?.message ?? ""].join("; ")
      pool.onBroken(`P3: members ${pool.normal} are normal, not ${all}: ${words}`)
      return
    }
  }
  clock.cancel()
}

/** Members of the view lack nothing, except on a bad medium. */
async function requireClean(pool: HuntPool): Promise<void> {
  const clock = limit(pool.sim, CALM_MS)
  for (;;) {
    const dirty = dirtyOf(pool, pool.normal)
    if (dirty === "") break
    const outcome = await Promise.race([pool.pause(100), clock.over])
    if (outcome === OVER) {
      pool.onBroken(`P3: members do not become clean: ${dirty}`)
      return
    }
  }
  clock.cancel()
}

function dirtyOf(pool: HuntPool, normal: MemberSet): string {
  const words: string[] = []
  const { chunkSizeBytes, nodes } = pool.sim
  for (const [slot, node] of nodes.entries()) {
    if ((normal & (1 << slot)) === 0) continue
    const own = node.pool?.member.volume?.maps.own
    if (own === undefined) {
      words.push(`member ${slot} has no volume`)
      continue
    }
    for (let chunk = 0; chunk < own.chunkCount; chunk++) {
      const byte = own.byteOf(chunk as never)
      if (byte === 0 || pool.mayFail(chunk * chunkSizeBytes, chunkSizeBytes)) continue
      words.push(`member ${slot} chunk ${chunk} is ${byte}`)
    }
  }
  return words.slice(0, 6).join(", ")
}

async function requireEqual(pool: HuntPool, normal: MemberSet): Promise<void> {
  const { nodes, chunkSizeBytes } = pool.sim
  const sizeBytes = pool.client?.sim.pool.record.mappedSizeBytes
  let first: Uint8Array | undefined
  for (const [slot, node] of nodes.entries()) {
    if ((normal & (1 << slot)) === 0) continue
    const content = await node.content((offset) => pool.mayFail(offset, VOLUME_BLOCK_BYTES))
    first ??= content
    for (let at = 0; at < (sizeBytes ?? content.length); at++) {
      if (content[at] === first[at]) continue
      const chunk = Math.floor(at / chunkSizeBytes)
      if (pool.mayFail(chunk * chunkSizeBytes, chunkSizeBytes)) continue
      pool.onBroken(`P4: member ${slot} differs in block ${Math.floor(at / 4096)}`)
      return
    }
  }
}

/** Every block is read, twice, and from then on it is what it was read as. */
async function readAll(pool: HuntPool): Promise<void> {
  const step = 32
  for (let round = 0; round < 2; round++) {
    for (let block = 0; block < pool.oracle.blockCount; block += step) {
      const { client } = pool
      if (client === undefined) return
      const bytes = await pool.load.read(client, block, step)
      if (bytes === undefined) continue
      for (let nth = 0; nth < step; nth++) {
        const at = nth * VOLUME_BLOCK_BYTES
        pool.oracle.settle(block + nth, bytes.subarray(at, at + VOLUME_BLOCK_BYTES))
      }
    }
  }
}

/** Our own mistakes that somebody caught and logged. */
function assertionIn(world: World): string | undefined {
  for (const { event, fields } of world.log.records) {
    const isInternal = fields["code"] === "internal" || event === "node.command-failed"
    if (isInternal) return `${event}: ${String(fields["detail"])}`
  }
  return undefined
}
