/**
 * Plots: faults of several steps, each on the way to a state that faults drawn one by one hardly
 * come to: a member that is normal and still lacks chunks while all lose power, an opening that is
 * given up half-way, a write that one member alone has seen, a store of two lives ago.
 *
 * They do nothing that faults could not do; they only wait for the moment. What they leave behind
 * (nodes that are down, links that are slow) the hunt resolves before it looks whether all is well.
 */
import { ALONE_PLOTS } from "./alone-plots.js"
import { COPY_PLOTS } from "./copy-plots.js"
import { FORK_PLOTS } from "./fork-plots.js"
import type { Fault } from "./hunt-faults.js"
import { LATE_PLOTS } from "./late-plots.js"
import {
  comes,
  drawApart,
  drawSlot,
  endAll,
  letIn,
  nameOf,
  OUT_MS,
  putOut,
  slowPeers,
  startAgain,
  until,
  writeEach,
} from "./plot-steps.js"
import { RETURN_PLOTS } from "./return-plots.js"

const WRITE_MS = 600
const WHOLE_MS = 2000

/** R3, R6, S4: everybody dies while one of the view still lacks chunks and fetches them. */
const dieWhileSyncing: Fault = async (hunt, random) => {
  const slot = drawSlot(hunt, random)
  if (!(await putOut(hunt, random, slot))) return
  await hunt.pause(random.between(50, 1500))
  slowPeers(hunt, slot, random.pick([20, 100, 400]), 6000)
  if (!(await letIn(hunt, slot))) return
  await hunt.pause(random.pick([0, 50, 500]) * random.unit())
  const others = [...hunt.sim.nodes.keys()].filter((other) => other !== slot)
  if (random.chance(0.7)) hunt.killClient()
  endAll(hunt, random, random.chance(0.7) ? hunt.sim.nodes.keys() : others)
  await startAgain(hunt, random)
}

/** S2, S3, S9: members come and go around one that fetches what it lacks. */
const changeWhileSyncing: Fault = async (hunt, random) => {
  const slot = drawSlot(hunt, random)
  if (!(await putOut(hunt, random, slot))) return
  await hunt.pause(random.between(50, 1500))
  slowPeers(hunt, slot, random.pick([20, 100, 400]), 6000)
  if (!(await letIn(hunt, slot))) return
  for (let nth = random.between(1, 3); nth > 0; nth--) {
    const other = drawSlot(hunt, random)
    await putOut(hunt, random, other)
    await hunt.pause(random.between(0, 300))
    await letIn(hunt, other)
  }
}

/** I4, I5, S9: a flush is good, and at that moment all lose power. */
const dieAfterFlush: Fault = async (hunt, random) => {
  const slot = drawSlot(hunt, random)
  if (random.chance(0.5)) {
    if (!(await putOut(hunt, random, slot))) return
    await hunt.pause(random.between(0, 500))
    if (!(await letIn(hunt, slot))) return
  } else {
    const ms = random.pick([20, 100, 400])
    hunt.sim.nodes[slot]!.store.disk?.setTiming({ flush: [ms, 4 * ms] })
    await hunt.pause(random.between(50, 500))
  }
  const { client, load } = hunt
  if (client === undefined) return
  await load.flush(client)
  hunt.killClient()
  for (const other of hunt.sim.nodes.keys()) hunt.endNode(other, "machine")
  for (const node of hunt.sim.nodes) node.calmStores()
  await startAgain(hunt, random)
}

/** R4, R5: what the client wrote last has come to one member alone, and that one may be gone. */
const dieAfterReachingOne: Fault = async (hunt, random) => {
  const name = hunt.client?.sim.host.name
  if (name === undefined) return
  const { network, nodes } = hunt.sim
  const kept = drawSlot(hunt, random)
  const others = [...nodes.keys()].filter((other) => other !== kept)
  for (const other of others) network.cutOneWay(name, nameOf(hunt, other))
  await hunt.pause(random.between(1, 80))
  hunt.killClient()
  for (const other of others) network.heal(name, nameOf(hunt, other))
  if (random.chance(0.7)) {
    hunt.endNode(kept, random.chance(0.3) ? "machine" : "process")
    hunt.later(random.between(300, 6000), () => hunt.startNode(kept))
  }
  await hunt.pause(random.between(0, 300))
  await hunt.tryOpen(true)
}

/** F1, F3: somebody takes over while what the holder asked for is still being done. */
const takeOverUnderFire: Fault = async (hunt, random) => {
  for (const node of hunt.sim.nodes) {
    if (random.chance(0.3)) continue
    const ms = random.pick([5, 20, 100])
    node.store.disk?.setTiming({ write: [ms, 4 * ms] })
    hunt.later(random.between(200, 4000), () => node.calmStores())
  }
  const host = hunt.client?.sim.host
  await hunt.pause(random.between(10, 200))
  if (host !== undefined && random.chance(0.3)) await hunt.pauseHost(host, random)
  await hunt.tryOpen(true)
}

/** F1, F2: an opening is given up half-way, and who answered it may be gone as well. */
const abandonOpening: Fault = async (hunt, random) => {
  const { sim } = hunt
  const taker = sim.newClient()
  const opening = sim.open(true, taker).catch(() => undefined)
  await hunt.pause(random.pick([4, 12, 40, 400]) * random.unit())
  sim.network.crash(taker.host.name, "process")
  void opening
  if (random.chance(0.6)) endAll(hunt, random, sim.nodes.keys())
  if (random.chance(0.3)) hunt.killClient()
  await startAgain(hunt, random)
}

/** R3, V2: one is out, and then all others die in the middle of what they do. */
const dieWithoutTheAbsent: Fault = async (hunt, random) => {
  const absent = drawSlot(hunt, random)
  if (!(await putOut(hunt, random, absent))) return
  await hunt.pause(random.between(0, 1500))
  const others = [...hunt.sim.nodes.keys()].filter((other) => other !== absent)
  if (others.length === 0) return
  if (random.chance(0.8)) hunt.killClient()
  // Where one of them lives on, nobody has to be elected.
  endAll(hunt, random, random.chance(0.5) ? others : [random.pick(others)])
  await hunt.pause(random.between(60, 300))
  for (const other of others) hunt.startNode(other)
  if (hunt.client === undefined) await hunt.tryOpen(true)
  await hunt.pause(random.between(0, 500))
  await letIn(hunt, absent)
}

/** V4b: a store is set back to a life or an absence before this one. */
const setBack: Fault = async (hunt, random) => {
  const slot = drawSlot(hunt, random)
  hunt.takeBackup(slot)
  await hunt.pause(random.between(0, 500))
  for (let lives = random.between(1, 2); lives > 0; lives--) {
    hunt.endNode(slot, "process")
    if (!(await comes(hunt, slot, false, OUT_MS))) break
    await hunt.pause(random.between(0, 500))
    if (!(await letIn(hunt, slot))) break
    // What was hot when it was copied is suspected anyway.
    const { client } = hunt
    if (client !== undefined) await writeEach(hunt, client, drawApart(hunt, random), WRITE_MS)
  }
  await until(hunt, WHOLE_MS, () => hunt.sim.nodes.every(({ dirtyChunks }) => dirtyChunks === 0))
  await hunt.restoreBackup()
}

/** M2: a member is out twice, and what was noted of it the first time is over. */
const leaveTwice: Fault = async (hunt, random) => {
  const slot = drawSlot(hunt, random)
  for (let nth = 0; nth < 2; nth++) {
    if (!(await putOut(hunt, random, slot))) return
    await hunt.pause(random.between(0, 800))
    if (random.chance(0.4)) {
      const other = drawSlot(hunt, random)
      hunt.endNode(other, random.chance(0.5) ? "machine" : "process")
      hunt.later(random.between(50, 500), () => hunt.startNode(other))
    }
    if (!(await letIn(hunt, slot))) return
    await hunt.pause(random.between(0, 400))
  }
}

export const PLOTS: Readonly<Record<string, Fault>> = {
  dieWhileSyncing,
  changeWhileSyncing,
  dieAfterFlush,
  dieAfterReachingOne,
  takeOverUnderFire,
  abandonOpening,
  dieWithoutTheAbsent,
  setBack,
  leaveTwice,
  ...ALONE_PLOTS,
  ...FORK_PLOTS,
  ...COPY_PLOTS,
  ...LATE_PLOTS,
  ...RETURN_PLOTS,
}
