/**
 * What plots are made of: a member is put out and let in again, links are slow, all die, and some
 * come up again.
 */
import { VOLUME_BLOCK_BYTES } from "@rmr/core"
import { type SeededRandom, severSession } from "@rmr/testkit"
import type { HuntClient } from "./hunt-load.js"
import type { HuntPool } from "./hunt-pool.js"

export const OUT_MS = 5000
const IN_MS = 8000
export const STEP_MS = 20
/** Longer than the end of a session is on its way. */
const SEVERED_MS = 4
const OPEN_STEP_MS = 150
const WRITE_MS = 1000

export function drawSlot(hunt: HuntPool, random: SeededRandom): number {
  return random.below(hunt.sim.nodes.length)
}

export function nameOf(hunt: HuntPool, slot: number): string {
  return hunt.sim.nodes[slot]!.host.name
}

/** Whether the member came to be in the view, or out of it, within so much time. */
export async function comes(
  hunt: HuntPool,
  slot: number,
  isIn: boolean,
  ms: number,
): Promise<boolean> {
  for (let passed = 0; passed < ms; passed += STEP_MS) {
    if (hunt.client === undefined) return false
    if (hunt.isIn(slot) === isIn) return true
    await hunt.pause(STEP_MS)
  }
  return false
}

/**
 * The client and this member do not reach each other. They notice by silence, or the session ends
 * at once.
 */
export function cutOff(hunt: HuntPool, slot: number, isNoticed: boolean): void {
  const { client } = hunt
  if (client === undefined) return
  const name = client.sim.host.name
  const session = client.sim.pool.legs[slot]?.link.session
  if (session !== undefined) severSession(session)
  const cut = (): void => {
    if (hunt.client === client) hunt.sim.network.cut(name, nameOf(hunt, slot))
  }
  // A cut holds back the word of the end, too.
  if (isNoticed) hunt.later(SEVERED_MS, cut)
  else cut()
}

/** Whether all are up and normal within so much time. */
export async function allIn(hunt: HuntPool, ms: number): Promise<boolean> {
  const all = (1 << hunt.sim.nodes.length) - 1
  for (const slot of hunt.sim.nodes.keys()) hunt.startNode(slot)
  for (let passed = 0; passed < ms; passed += STEP_MS) {
    if (hunt.client !== undefined && hunt.normal === all) return true
    await hunt.pause(STEP_MS)
  }
  return false
}

/** Somebody opens, as soon as those that are named are up. */
export async function openSoon(hunt: HuntPool): Promise<void> {
  for (let attempt = 0; hunt.client === undefined && attempt < 8; attempt++) {
    await hunt.pause(OPEN_STEP_MS)
    await hunt.tryOpen(true)
  }
}

/** A member is put out: its process ends, or it is cut off from the client. */
export async function putOut(hunt: HuntPool, random: SeededRandom, slot: number): Promise<boolean> {
  const name = hunt.client?.sim.host.name
  if (name === undefined) return false
  if (random.chance(0.5)) hunt.endNode(slot, random.chance(0.3) ? "machine" : "process")
  else cutOff(hunt, slot, random.chance(0.5))
  return comes(hunt, slot, false, OUT_MS)
}

/** And comes back, whatever kept it out. */
export async function letIn(hunt: HuntPool, slot: number): Promise<boolean> {
  const name = hunt.client?.sim.host.name
  if (name !== undefined) hunt.sim.network.heal(name, nameOf(hunt, slot))
  hunt.startNode(slot)
  return comes(hunt, slot, true, IN_MS)
}

/** Everything that this member and its peers say to each other comes late, for so long. */
export function slowPeers(hunt: HuntPool, slot: number, slowMsMax: number, ms: number): void {
  const { network, nodes } = hunt.sim
  const name = nameOf(hunt, slot)
  for (const { host } of nodes) {
    if (host.name === name) continue
    network.tuneLink(name, host.name, { slowChance: 1, slowMsMax })
    network.tuneLink(host.name, name, { slowChance: 1, slowMsMax })
  }
  hunt.later(ms, () => network.tune({ slowChance: 0.01, slowMsMax: 20 }))
}

/** All that are named die within a moment, each with its machine or not. */
export function endAll(hunt: HuntPool, random: SeededRandom, slots: Iterable<number>): void {
  const powerChance = random.pick([0, 0.5, 1, 1])
  const withinMs = random.pick([0, 0, 5, 50])
  for (const slot of slots) {
    const kind = random.chance(powerChance) ? "machine" : "process"
    if (withinMs === 0) hunt.endNode(slot, kind)
    else hunt.later(random.between(0, withinMs), () => hunt.endNode(slot, kind))
  }
}

/** Some or all come up again, in any order, and somebody opens. */
export async function startAgain(hunt: HuntPool, random: SeededRandom): Promise<void> {
  await hunt.pause(random.between(60, 300))
  const withinMs = random.pick([0, 300])
  for (const slot of hunt.sim.nodes.keys()) {
    if (random.chance(0.9)) hunt.later(random.between(0, withinMs), () => hunt.startNode(slot))
  }
  await hunt.pause(withinMs)
  if (hunt.client === undefined || random.chance(0.2)) await hunt.tryOpen(true)
}

/** Whether it came to be so within so much time. */
export async function until(hunt: HuntPool, ms: number, isSo: () => boolean): Promise<boolean> {
  for (let passed = 0; passed < ms; passed += STEP_MS) {
    if (isSo()) return true
    await hunt.pause(STEP_MS)
  }
  return false
}

/** Until this member lacks nothing, or the time is over. */
export async function untilWhole(hunt: HuntPool, slot: number, ms: number): Promise<void> {
  const node = hunt.sim.nodes[slot]!
  await until(hunt, ms, () => node.dirtyChunks === 0)
}

/** A few writes that nobody flushes, where most of the load goes. Which blocks these are. */
export async function writeSome(hunt: HuntPool, random: SeededRandom): Promise<number[]> {
  const { client, load } = hunt
  if (client === undefined) return []
  const blocks = Array.from({ length: random.between(1, 4) }, () =>
    load.blockToLookAt(2 * random.below(1000)),
  )
  const writes = blocks.map((block) => load.write(client, block, 1, false))
  await Promise.race([Promise.all(writes), hunt.pause(WRITE_MS)])
  return blocks
}

/** One block in each extent, beginning anywhere. */
export function drawApart(hunt: HuntPool, random: SeededRandom): number[] {
  const { extentBytes, sizeBytes } = hunt.sim
  const perExtent = extentBytes / VOLUME_BLOCK_BYTES
  const count = Math.max(1, Math.floor(sizeBytes / extentBytes))
  const first = random.below(count)
  return Array.from(
    { length: count },
    (_, nth) => ((first + nth) % count) * perExtent + random.below(perExtent),
  )
}

/** One after the other, so that of most of them no unit remembers anything. */
export async function writeEach(
  hunt: HuntPool,
  client: HuntClient,
  blocks: readonly number[],
  ms: number,
): Promise<void> {
  let isOver = false
  const all = (async () => {
    for (const block of blocks) if (!isOver) await hunt.load.write(client, block, 1, false)
  })()
  await Promise.race([all, hunt.pause(ms)])
  isOver = true
}
