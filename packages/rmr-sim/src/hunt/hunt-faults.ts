/**
 * What can go wrong in a hunt, by name: each fault begins now and mostly ends by itself a little
 * later. What has to be resolved (processes that are down, stores that failed) the hunt resolves
 * before it looks whether all is well.
 */
import { type LinkOptions, type SeededRandom, severSession } from "@rmr/testkit"
import type { SimNode } from "../pool/sim-pool.js"
import type { HuntPool } from "./hunt-pool.js"

export type Fault = (hunt: HuntPool, random: SeededRandom) => void | Promise<void>

/** A cut that nobody notices, one that loses the session, and one beyond every deadline. */
function aWhile(random: SeededRandom): number {
  return random.pick([random.between(50, 1500), random.between(1500, 4000), 8000])
}

function anyNode(hunt: HuntPool, random: SeededRandom): SimNode {
  return random.pick(hunt.sim.nodes)
}

const cutLeg: Fault = (hunt, random) => {
  const name = hunt.client?.sim.host.name
  if (name === undefined) return
  const node = anyNode(hunt, random)
  hunt.sim.network.cut(name, node.host.name)
  hunt.healLater(name, node.host.name, aWhile(random))
}

const cutOneWay: Fault = (hunt, random) => {
  const name = hunt.client?.sim.host.name
  if (name === undefined) return
  const node = anyNode(hunt, random)
  const ends: [string, string] = [name, node.host.name]
  if (random.chance(0.5)) ends.reverse()
  hunt.sim.network.cutOneWay(...ends)
  hunt.healLater(name, node.host.name, aWhile(random))
}

const cutSomeLegs: Fault = (hunt, random) => {
  const name = hunt.client?.sim.host.name
  if (name === undefined) return
  const ms = aWhile(random)
  for (const node of hunt.sim.nodes) {
    if (random.chance(0.6)) continue
    hunt.sim.network.cut(name, node.host.name)
    hunt.healLater(name, node.host.name, ms + random.between(0, 300))
  }
}

const cutAllLegs: Fault = (hunt, random) => {
  const name = hunt.client?.sim.host.name
  if (name === undefined) return
  const ms = aWhile(random)
  for (const node of hunt.sim.nodes) {
    hunt.sim.network.cut(name, node.host.name)
    hunt.healLater(name, node.host.name, ms + random.between(0, 300))
  }
}

const cutPeers: Fault = (hunt, random) => {
  const one = anyNode(hunt, random)
  const other = anyNode(hunt, random)
  if (one === other) return
  hunt.sim.network.cut(one.host.name, other.host.name)
  hunt.healLater(one.host.name, other.host.name, aWhile(random))
}

const clogLeg: Fault = (hunt, random) => {
  const name = hunt.client?.sim.host.name
  if (name === undefined) return
  const node = anyNode(hunt, random)
  if (random.chance(0.5)) hunt.sim.network.clog(name, node.host.name)
  else hunt.sim.network.clog(node.host.name, name)
  hunt.healLater(name, node.host.name, aWhile(random))
}

const severLeg: Fault = (hunt, random) => {
  const leg = hunt.client?.sim.pool.legs[random.below(hunt.sim.nodes.length)]
  const session = leg?.link.session
  if (session !== undefined) severSession(session)
}

const severAllLegs: Fault = (hunt) => {
  for (const leg of hunt.client?.sim.pool.legs ?? []) {
    const session = leg?.link.session
    if (session !== undefined) severSession(session)
  }
}

const LOSSY: Partial<LinkOptions> = { sessionLossChance: 0.03 }

const loseSessions: Fault = (hunt, random) => {
  hunt.sim.network.tune(LOSSY)
  hunt.later(random.between(100, 2000), () => hunt.sim.network.tune({ sessionLossChance: 0 }))
}

const CALM: Partial<LinkOptions> = { slowChance: 0.01, slowMsMax: 20 }

const slowLinks: Fault = (hunt, random) => {
  hunt.sim.network.tune({ slowChance: 0.2, slowMsMax: 400, overtakeChance: 0.9 })
  hunt.later(random.between(500, 3000), () =>
    hunt.sim.network.tune({ ...CALM, overtakeChance: 0.5 }),
  )
}

const corruptBytes: Fault = (hunt, random) => {
  hunt.sim.network.tune({ corruptChance: 0.01 })
  hunt.later(random.between(100, 1500), () => hunt.sim.network.tune({ corruptChance: 0 }))
}

const pauseNode: Fault = (hunt, random) => hunt.pauseHost(anyNode(hunt, random).host, random)

const pauseClient: Fault = (hunt, random) => {
  const host = hunt.client?.sim.host
  if (host !== undefined) hunt.pauseHost(host, random)
}

const killNode: Fault = (hunt, random) => {
  const slot = random.below(hunt.sim.nodes.length)
  hunt.endNode(slot, "process")
  if (random.chance(0.7)) hunt.later(random.between(10, 3000), () => hunt.startNode(slot))
}

const cutPowerOfNode: Fault = (hunt, random) => {
  const slot = random.below(hunt.sim.nodes.length)
  hunt.endNode(slot, "machine")
  if (random.chance(0.7)) hunt.later(random.between(10, 3000), () => hunt.startNode(slot))
}

const killClient: Fault = async (hunt, random) => {
  hunt.killClient()
  await hunt.pause(random.between(0, 500))
  await hunt.tryOpen(true)
}

const takeOver: Fault = (hunt) => hunt.takeOver()

const intrude: Fault = (hunt) => hunt.intrude()

/** All processes die; each with its machine, or not. */
const killAll: Fault = async (hunt, random) => {
  const powerChance = random.pick([0, 0.5, 1])
  if (random.chance(0.8)) hunt.killClient()
  for (const slot of hunt.sim.nodes.keys()) {
    hunt.endNode(slot, random.chance(powerChance) ? "machine" : "process")
    if (random.chance(0.3)) await hunt.pause(random.between(0, 50))
  }
  hunt.killClient()
  for (const slot of hunt.sim.nodes.keys()) {
    if (random.chance(0.85)) hunt.startNode(slot)
    if (random.chance(0.3)) await hunt.pause(random.between(0, 300))
  }
  await hunt.tryOpen(true)
}

const loseNodeAndClient: Fault = async (hunt, random) => {
  const slot = random.below(hunt.sim.nodes.length)
  hunt.killClient()
  hunt.endNode(slot, random.chance(0.5) ? "machine" : "process")
  hunt.later(random.between(0, 4000), () => hunt.startNode(slot))
  await hunt.pause(random.between(0, 300))
  await hunt.tryOpen(true)
}

const failRead: Fault = (hunt, random) => {
  const slot = random.below(hunt.sim.nodes.length)
  hunt.failMedium(slot, random, "reads")
}

const failWrite: Fault = (hunt, random) => {
  const slot = random.below(hunt.sim.nodes.length)
  hunt.failMedium(slot, random, "writes")
}

const failFlush: Fault = (hunt, random) => hunt.failFlush(random.below(hunt.sim.nodes.length))

const failCommit: Fault = (hunt, random) => anyNode(hunt, random).store.failNextCommit()

export const FAULTS: Readonly<Record<string, Fault>> = {
  cutLeg,
  cutOneWay,
  cutSomeLegs,
  cutAllLegs,
  cutPeers,
  clogLeg,
  severLeg,
  severAllLegs,
  loseSessions,
  slowLinks,
  corruptBytes,
  pauseNode,
  pauseClient,
  killNode,
  cutPowerOfNode,
  killClient,
  takeOver,
  intrude,
  killAll,
  loseNodeAndClient,
  failRead,
  failWrite,
  failFlush,
  failCommit,
}

/** A disk that answers nothing for a while, and then everything. */
const stickDisk: Fault = (hunt, random) => {
  const { disk } = anyNode(hunt, random).store
  if (disk === undefined) return
  disk.stick()
  hunt.later(aWhile(random), () => disk.release())
}

const slowDisk: Fault = (hunt, random) => {
  const node = anyNode(hunt, random)
  const ms = random.pick([20, 100, 400])
  node.store.disk?.setTiming({ read: [1, ms], write: [1, ms], flush: [ms, 4 * ms] })
  hunt.later(random.between(500, 6000), () => node.calmStores())
}

/** The client and some of the nodes do not reach the others, nor they them. */
const partition: Fault = (hunt, random) => {
  const name = hunt.client?.sim.host.name
  const here = name === undefined ? [] : [name]
  const there: string[] = []
  for (const { host } of hunt.sim.nodes) (random.chance(0.5) ? here : there).push(host.name)
  hunt.sim.network.partition(here, there)
  const ms = aWhile(random)
  for (const one of here) for (const other of there) hunt.healLater(one, other, ms)
}

/** Every message to one node and from it is late; it answers all the same. */
const slowLeg: Fault = (hunt, random) => {
  const name = hunt.client?.sim.host.name
  if (name === undefined) return
  const node = anyNode(hunt, random).host.name
  const slow = { slowChance: 1, slowMsMax: random.pick([30, 300, 2000]) }
  const { network } = hunt.sim
  network.tuneLink(name, node, slow)
  network.tuneLink(node, name, slow)
  hunt.later(random.between(1000, 8000), () => {
    network.tuneLink(name, node, CALM)
    network.tuneLink(node, name, CALM)
  })
}

/** A clock that gains or loses, and a calendar that is wrong. */
const skewClock: Fault = (hunt, random) => {
  const { host } = anyNode(hunt, random)
  if (!host.isAlive) return
  host.setClockRate(random.pick([0.95, 0.999, 1.001, 1.05]))
  host.skewWall(random.pick([-1, 1]) * random.between(1000, 86_400_000))
}

/** V5: who was put out first comes back first, and alone: it knows the least. */
const returnOfTheStale: Fault = async (hunt, random) => {
  const slot = random.below(hunt.sim.nodes.length)
  const others = [...hunt.sim.nodes.keys()].filter((other) => other !== slot)
  hunt.endNode(slot, random.chance(0.5) ? "machine" : "process")
  await hunt.pause(random.between(1000, 6000))
  const kind = random.chance(0.3) ? "machine" : "process"
  for (const other of others) hunt.endNode(other, kind)
  hunt.killClient()
  hunt.startNode(slot)
  await hunt.pause(random.between(100, 1000))
  await hunt.tryOpen(true)
  for (const other of others) if (random.chance(0.7)) hunt.startNode(other)
  await hunt.pause(random.between(100, 1000))
  if (hunt.client === undefined) await hunt.tryOpen(true)
}

/** F1: a node, or the client that opens, dies somewhere in the middle of an opening. */
const dieWhileOpening: Fault = async (hunt, random) => {
  const slot = random.below(hunt.sim.nodes.length)
  const kind = random.chance(0.5) ? "machine" : "process"
  if (random.chance(0.5)) hunt.killClient()
  hunt.later(random.between(0, 40), () => hunt.endNode(slot, kind))
  hunt.later(random.between(100, 3000), () => hunt.startNode(slot))
  await hunt.tryOpen(true)
}

/** Drawn by swarms alone: the seeds of before there were any know nothing of these. */
export const LATER_FAULTS: Readonly<Record<string, Fault>> = {
  stickDisk,
  slowDisk,
  partition,
  slowLeg,
  skewClock,
  returnOfTheStale,
  dieWhileOpening,
}

/** What an admin does meanwhile; drawn apart, so that faults stay those of their seed. */
export const ADMIN_WORK: Readonly<Record<string, Fault>> = {
  grow: (hunt, random) => hunt.grow(random),
  replaceDisk: (hunt, random) => hunt.loseDisk(random.below(hunt.sim.nodes.length)),
  restoreBackup: (hunt) => hunt.restoreBackup(),
  deleteMember: (hunt, random) => hunt.deleteMember(random.below(hunt.sim.nodes.length)),
}
