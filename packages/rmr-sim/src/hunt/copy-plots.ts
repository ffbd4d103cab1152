/**
 * Plots about copies: one that comes when its view is over, one that holds a write which is not
 * resolved, and one that is older than what waits for it (rules S2, S9, W5).
 */
import { VOLUME_BLOCK_BYTES } from "@rmr/core"
import type { HeldMessages } from "@rmr/testkit"
import { isMessage, type MessageName } from "../scenarios/messages.js"
import type { Fault } from "./hunt-faults.js"
import type { HuntClient } from "./hunt-load.js"
import type { HuntPool } from "./hunt-pool.js"
import {
  allIn,
  comes,
  cutOff,
  drawSlot,
  letIn,
  nameOf,
  openSoon,
  putOut,
  until,
  writeSome,
} from "./plot-steps.js"

const ALL_IN_MS = 3000
const OUT_MS = 4000
/** A source that says nothing for ten seconds is left. */
const COPY_MS = 2000

/** What peers send to this member, or it to them. */
function holdPeers(hunt: HuntPool, slot: number, name: MessageName, isTo: boolean): HeldMessages[] {
  const { network, nodes } = hunt.sim
  const own = nameOf(hunt, slot)
  const isIt = isMessage(name)
  return nodes
    .filter(({ host }) => host.name !== own)
    .map(({ host }) => {
      const ends: [string, string] = isTo ? [host.name, own] : [own, host.name]
      return network.holdMessages(...ends, isIt)
    })
}

function heldCount(holds: readonly HeldMessages[]): number {
  return holds.reduce((sum, { count }) => sum + count, 0)
}

/** S2: a member leaves while copies are on their way to it, and they come when it is back. */
const copiesOfBefore: Fault = async (hunt, random) => {
  if (!(await allIn(hunt, ALL_IN_MS))) return
  const slot = drawSlot(hunt, random)
  let holds: HeldMessages[] = []
  try {
    cutOff(hunt, slot, true)
    if (!(await comes(hunt, slot, false, OUT_MS))) return
    await writeSome(hunt, random)
    holds = holdPeers(hunt, slot, "answer to io", true)
    if (!(await letIn(hunt, slot))) return
    await until(hunt, COPY_MS, () => heldCount(holds) > 0)
    if (random.chance(0.3)) await hunt.tryOpen(true)
    else {
      cutOff(hunt, slot, true)
      if (!(await comes(hunt, slot, false, OUT_MS))) return
      await writeSome(hunt, random)
      if (!(await letIn(hunt, slot))) return
    }
    await writeSome(hunt, random)
  } finally {
    for (const hold of holds) hold.release()
  }
}

/** A write into the chunk of this block; or into its last block, and on into the next chunk. */
function writeNear(hunt: HuntPool, client: HuntClient, block: number, isAcross: boolean): void {
  const { load, oracle, sim } = hunt
  const perChunk = sim.chunkSizeBytes / VOLUME_BLOCK_BYTES
  const last = block - (block % perChunk) + perChunk - 1
  if (isAcross && last + 1 < oracle.blockCount) void load.write(client, last, 2, false)
  else void load.write(client, block ^ 1, 1, false)
}

/**
 * S9: a copy holds a write that has not come to its target: to its source alone, or to all others
 * (RT-77). Whoever wrote it dies.
 */
const copyOfTheUnresolved: Fault = async (hunt, random) => {
  if (hunt.sim.nodes.length < 3 || !(await allIn(hunt, ALL_IN_MS))) return
  const { client, load } = hunt
  if (client === undefined) return
  const slot = drawSlot(hunt, random)
  const others = [...hunt.sim.nodes.keys()].filter((other) => other !== slot)
  const source = random.pick(others)
  const { network } = hunt.sim
  const holds: HeldMessages[] = []
  const cutFrom = others.filter((other) => other !== source)
  try {
    if (!(await putOut(hunt, random, slot))) return
    load.isResting = true
    const blocks = await writeSome(hunt, random)
    holds.push(...holdPeers(hunt, slot, "sync-read", false))
    if (!(await letIn(hunt, slot)) || hunt.client !== client) return
    const isLate = random.chance(0.4)
    for (const other of hunt.sim.nodes.keys()) {
      if (other === source || (isLate && other !== slot)) continue
      const ends: [string, string] = [client.sim.host.name, nameOf(hunt, other)]
      holds.push(network.holdMessages(...ends, isMessage("write")))
    }
    for (const block of blocks) writeNear(hunt, client, block, random.chance(0.5))
    await hunt.pause(random.between(10, 40))
    for (const other of cutFrom) network.cut(nameOf(hunt, slot), nameOf(hunt, other))
    for (const hold of holds.splice(0, others.length)) hold.release()
    const node = hunt.sim.nodes[slot]!
    await until(hunt, COPY_MS, () => node.dirtyChunks === 0)
    hunt.killClient()
    await hunt.pause(random.between(10, 100))
  } finally {
    for (const other of cutFrom) network.heal(nameOf(hunt, slot), nameOf(hunt, other))
    if (hunt.client !== client) await openSoon(hunt)
    for (const hold of holds) hold.release()
    load.isResting = false
  }
}

/**
 * W5: a copy is being written when somebody opens, and what waits for it is newer than it is: all
 * others have done it (RT-79).
 */
const openOverCopies: Fault = async (hunt, random) => {
  const { client, load, sim } = hunt
  if (client === undefined || !(await allIn(hunt, ALL_IN_MS)) || hunt.client !== client) return
  const slot = drawSlot(hunt, random)
  const node = sim.nodes[slot]!
  let holds: HeldMessages[] = []
  const hasCome = (): Promise<boolean> => until(hunt, COPY_MS, () => heldCount(holds) > 0)
  try {
    load.isResting = true
    cutOff(hunt, slot, true)
    if (!(await comes(hunt, slot, false, OUT_MS))) return
    const blocks = await writeSome(hunt, random)
    holds = holdPeers(hunt, slot, "answer to io", true)
    if (!(await letIn(hunt, slot)) || !(await hasCome())) return
    if (random.chance(0.6)) {
      // The first answers were digests; the bytes come next.
      for (const hold of holds) hold.release()
      holds = holdPeers(hunt, slot, "answer to io", true)
      await hasCome()
    }
    node.store.disk?.setTiming({ write: [100, 400] })
    for (const block of blocks) writeNear(hunt, client, block, random.chance(0.2))
    await hunt.pause(random.between(10, 40))
    for (const hold of holds) hold.release()
    await hunt.pause(random.between(0, 60))
    if (random.chance(0.5)) hunt.killClient()
    await openSoon(hunt)
    if (hunt.client === client) await hunt.tryOpen(true)
  } finally {
    for (const hold of holds) hold.release()
    node.calmStores()
    load.isResting = false
  }
}

export const COPY_PLOTS: Readonly<Record<string, Fault>> = {
  copiesOfBefore,
  copyOfTheUnresolved,
  openOverCopies,
}
