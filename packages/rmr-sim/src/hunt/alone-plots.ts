/**
 * Plots about who is left alone: of what a member has, the others had more until a moment ago, and
 * what it says of itself is all that there is (rules S4, I4, R5, R6).
 */
import { VOLUME_BLOCK_BYTES } from "@rmr/core"
import type { HeldMessages } from "@rmr/testkit"
import { isMessage } from "../scenarios/messages.js"
import type { Fault } from "./hunt-faults.js"
import type { HuntPool } from "./hunt-pool.js"
import {
  allIn,
  comes,
  cutOff,
  drawApart,
  drawSlot,
  letIn,
  nameOf,
  openSoon,
  STEP_MS,
  untilWhole,
  writeEach,
  writeSome,
} from "./plot-steps.js"

const ALL_IN_MS = 3000
const ALONE_MS = 4000
const FETCH_MS = 3000
const WRITE_MS = 400

/** All others leave, and the view is this member's alone. */
async function leaveAlone(hunt: HuntPool, slot: number): Promise<boolean> {
  for (const other of hunt.sim.nodes.keys()) if (other !== slot) hunt.endNode(other, "process")
  for (let passed = 0; passed < ALONE_MS; passed += STEP_MS) {
    if (hunt.client === undefined) return false
    if (hunt.normal === 1 << slot) return true
    await hunt.pause(STEP_MS)
  }
  return false
}

/**
 * S4: who has just come back is left alone, and loses power. What others flushed while it was away
 * it must have made durable itself before it called it clean.
 */
const aloneWithoutPower: Fault = async (hunt, random) => {
  const slot = drawSlot(hunt, random)
  const { client, load } = hunt
  if (client === undefined || client.sim.pool.record.minNormal > 1) return
  if (!(await allIn(hunt, ALL_IN_MS))) return
  const isQuiet = random.chance(0.6)
  try {
    load.isResting = isQuiet
    cutOff(hunt, slot, true)
    if (!(await comes(hunt, slot, false, ALONE_MS))) return
    await writeSome(hunt, random)
    if (hunt.client === client) await load.flush(client)
    if (!(await letIn(hunt, slot))) return
    await untilWhole(hunt, slot, random.pick([0, FETCH_MS, FETCH_MS]))
    if (!(await leaveAlone(hunt, slot))) return
    if (random.chance(0.5)) hunt.killClient()
    hunt.endNode(slot, "machine")
    await hunt.pause(random.between(60, 300))
    hunt.startNode(slot)
    await openSoon(hunt)
    load.isResting = false
    await hunt.pause(random.between(500, 3000))
  } finally {
    load.isResting = false
    for (const other of hunt.sim.nodes.keys()) hunt.startNode(other)
  }
}

/** Some of the same extent, apart as far as that goes. */
function nextTo({ sim }: HuntPool, block: number): number[] {
  const perExtent = sim.extentBytes / VOLUME_BLOCK_BYTES
  const first = block - (block % perExtent)
  return Array.from({ length: 6 }, (_, nth) => first + ((block + 3 * nth) % perExtent))
}

/**
 * I4: who has just come back loses power. It was away when others flushed what it had written with
 * them, and lets its extents cool, since they say that all of it is stable.
 */
const powerAfterReturn: Fault = async (hunt, random) => {
  const { client, load, sim } = hunt
  if (client === undefined || !(await allIn(hunt, ALL_IN_MS)) || hunt.client !== client) return
  const slot = drawSlot(hunt, random)
  const own = nameOf(hunt, slot)
  const blocks = drawApart(hunt, random)
  const { name } = client.sim.host
  const peers = sim.nodes.filter((_, other) => other !== slot).map(({ host }) => host.name)
  const holds: HeldMessages[] = []
  try {
    load.isResting = true
    await hunt.pause(random.between(20, 200))
    await load.flush(client)
    // A flush that a full log asks for would make them durable everywhere.
    holds.push(sim.network.holdMessages(name, own, isMessage("flush")))
    await writeEach(hunt, client, nextTo(hunt, blocks[0]!), WRITE_MS)
    cutOff(hunt, slot, true)
    if (!(await comes(hunt, slot, false, ALONE_MS)) || hunt.client !== client) return
    if (!(await load.flush(client))) return
    for (const peer of peers)
      holds.push(sim.network.holdMessages(own, peer, isMessage("sync-read")))
    if (!(await letIn(hunt, slot))) return
    await writeEach(hunt, client, blocks.slice(1, 16), WRITE_MS)
    hunt.endNode(slot, "machine")
    if (random.chance(0.3)) hunt.killClient()
  } finally {
    for (const hold of holds) hold.release()
    load.isResting = false
  }
  await hunt.pause(random.between(60, 500))
  hunt.startNode(slot)
  await openSoon(hunt)
}

export const ALONE_PLOTS: Readonly<Record<string, Fault>> = { aloneWithoutPower, powerAfterReturn }
