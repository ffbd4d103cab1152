/**
 * What an admin does in good order: a node or the client is closed, the minimum is changed.
 *
 * None of it may cost anything, so the oracles are told of nothing. A close ends within its bound,
 * whatever is in flight (P6); what a node wrote down when it was closed is what it starts from
 * (R2, Q6); and a client that said goodbye is not taken for one that may be alive (F5).
 */
import type { Fault } from "./hunt-faults.js"
import { limit, OVER } from "./hunt-load.js"
import type { HuntPool } from "./hunt-pool.js"

/** More than a node may take for it; it is killed then, as a service manager would. */
const STOP_MS = 15_000
/** Longer than any bound of a close, with the process stopped for a while in it. */
const CLOSE_MS = 40_000

/** Its process ends as on SIGTERM. Where a store has failed it is not closed cleanly. */
async function stop(hunt: HuntPool, slot: number): Promise<void> {
  const node = hunt.sim.nodes[slot]
  if (node === undefined || !node.host.isAlive || hunt.isStarting(slot)) return
  const stopped = node.stop().catch(() => undefined)
  await Promise.race([stopped, hunt.pause(STOP_MS)])
  hunt.endNode(slot, "process")
}

/** All pools of the client's process are closed, and then it ends. */
async function close(hunt: HuntPool): Promise<void> {
  const client = hunt.forget()
  const beside = hunt.second?.forget()
  if (client === undefined) return
  const pools = [client, ...(beside === undefined ? [] : [beside])].map(({ sim }) => sim.pool)
  const clock = limit(hunt.sim, CLOSE_MS)
  const closed = Promise.all(pools.map((pool) => pool.close()))
  if ((await Promise.race([closed, clock.over])) === OVER && client.sim.host.isAlive) {
    hunt.onBroken(`P6: ${client.sim.host.name} does not end`)
  }
  clock.cancel()
  hunt.sim.killClient(client.sim)
  client.die()
  beside?.die()
}

const stopNode: Fault = async (hunt, random) => {
  const slot = random.below(hunt.sim.nodes.length)
  await stop(hunt, slot)
  if (random.chance(0.8)) hunt.later(random.between(0, 3000), () => hunt.startNode(slot))
}

const closeClient: Fault = async (hunt, random) => {
  await close(hunt)
  await hunt.pause(random.between(0, 500))
  await hunt.tryOpen(random.chance(0.5))
}

/** The whole pool is shut down and started again; the client first, or the nodes. */
const stopAll: Fault = async (hunt, random) => {
  const slots = [...hunt.sim.nodes.keys()]
  if (random.chance(0.5)) await close(hunt)
  await Promise.all(slots.map((slot) => stop(hunt, slot)))
  await close(hunt)
  await hunt.pause(random.between(0, 500))
  for (const slot of slots) if (random.chance(0.9)) hunt.startNode(slot)
  await hunt.pause(random.between(100, 1000))
  await hunt.tryOpen(random.chance(0.5))
}

/** V5: more members, or fewer, have to have a write; where it cannot be so now, it is refused. */
const changeMinimum: Fault = (hunt, random) => {
  const count = random.between(1, hunt.sim.nodes.length)
  hunt.client?.sim.pool.require(count).catch(() => undefined)
}

export const ORDER_FAULTS: Readonly<Record<string, Fault>> = {
  stopNode,
  closeClient,
  stopAll,
  changeMinimum,
}
