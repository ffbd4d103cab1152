/**
 * What is asked of a pool when nothing is wrong any more (P2, P3, P4, P6): within a while all
 * succeeds, everybody is normal and lacks nothing, and all members hold the same bytes.
 */
import { type MemberSet, VOLUME_BLOCK_BYTES } from "@rmr/core"
import type { SeededRandom } from "@rmr/testkit"
import { limit, OVER } from "./hunt-load.js"
import type { HuntVolume } from "./hunt-volume.js"

const CALM_MS = 40_000

/** Within a while, writes, reads and flushes succeed; an admin does what only an admin can. */
export async function works(pool: HuntVolume, random: SeededRandom): Promise<boolean> {
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
        (pool.bad.length > 0 ? !isSomeLost(pool) : await pool.load.flush(client)))
    if (isGood) {
      clock.cancel()
      return true
    }
    await pool.mend()
    await pool.pause(200)
  }
  clock.cancel()
  return false
}

/** Nobody in the view has some chunk, though its medium is good: somebody is to bring it back. */
function isSomeLost(pool: HuntVolume): boolean {
  const { chunkSizeBytes } = pool.sim
  const lost = pool.client?.sim.pool.lost ?? []
  return lost.some(({ firstChunk, chunkCount }) => {
    for (let chunk: number = firstChunk; chunk < firstChunk + chunkCount; chunk++) {
      if (!pool.mayFail(chunk * chunkSizeBytes, chunkSizeBytes)) return true
    }
    return false
  })
}

function soundBlock(pool: HuntVolume, random: SeededRandom): number | undefined {
  for (let attempt = 0; attempt < 50; attempt++) {
    const block = random.below(pool.oracle.blockCount)
    if (!pool.mayFail(block * VOLUME_BLOCK_BYTES, VOLUME_BLOCK_BYTES)) return block
  }
  return undefined
}

/** P2, P3, P4: with nothing wrong any more, all succeeds and all members become equal. */
export async function requireWhole(pool: HuntVolume, random: SeededRandom): Promise<void> {
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
  if (pool.bad.length === 0 && !(await pool.load.flush(client))) await pool.load.flush(client)
  requireEqual(pool, client.sim.pool.record.normal)
  await readAll(pool)
  pool.load.isResting = false
  pool.load.isCalm = false
}

/** Everybody who was put out is back. */
async function requireAllNormal(pool: HuntVolume): Promise<void> {
  const clock = limit(pool.sim, CALM_MS)
  const all = (1 << pool.sim.nodes.length) - 1
  while (pool.normal !== all) {
    await pool.mend()
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
async function requireClean(pool: HuntVolume): Promise<void> {
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

function dirtyOf(pool: HuntVolume, normal: MemberSet): string {
  const words: string[] = []
  const { chunkSizeBytes } = pool.sim
  for (const [slot, part] of pool.parts.entries()) {
    if ((normal & (1 << slot)) === 0) continue
    const own = part.pool?.member.volume?.maps.own
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

/** Looked at in the stores themselves. */
function requireEqual(pool: HuntVolume, normal: MemberSet): void {
  const { chunkSizeBytes } = pool.sim
  const sizeBytes = pool.client?.sim.pool.record.mappedSizeBytes ?? pool.sim.sizeBytes
  const stores = pool.parts.filter((_, slot) => (normal & (1 << slot)) !== 0)
  for (let offset = 0; offset < sizeBytes; offset += chunkSizeBytes) {
    const bytes = Math.min(chunkSizeBytes, sizeBytes - offset)
    if (pool.mayFail(offset, bytes)) continue
    const [first, ...others] = stores.map(({ store }) => store.peek(offset, bytes))
    const different = others.find((one) => first !== undefined && !isSame(one, first))
    if (different === undefined) continue
    const { name } = stores[1 + others.indexOf(different)]!.store
    pool.onBroken(`P4: ${name} differs in chunk ${offset / chunkSizeBytes}`)
    return
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false
  return true
}

/** Every block is read, twice, and from then on it is what it was read as. */
async function readAll(pool: HuntVolume): Promise<void> {
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
