/**
 * Plots about members that go on apart: an admin starts the pool by force without those that may
 * know more, which come back later (rules F6, R7).
 *
 * What a start by force costs is not told here by the block, as stories do: of what was written
 * since all members were equal, anything may be there. From then on the history that was opened
 * keeps all promises, whoever opens it next, and in the end all members are of one.
 */
import type { SeededRandom } from "@rmr/testkit"
import type { Fault } from "./hunt-faults.js"
import type { HuntPool } from "./hunt-pool.js"
import { allIn, endAll, putOut, writeSome } from "./plot-steps.js"

const ALL_IN_MS = 3000
/** Longer than a member that was told to die takes for it. */
const DEAD_MS = 60
/** Nobody is heard of any more that had the pool (F5). */
const SILENT_MS = 3500

interface Sides {
  readonly left: readonly number[]
  readonly gone: readonly number[]
}

function drawSides({ sim }: HuntPool, random: SeededRandom): Sides {
  const slots = [...sim.nodes.keys()]
  const first = random.pick(slots)
  const left = slots.filter((slot) => slot === first || random.chance(0.3))
  const gone = slots.filter((slot) => !left.includes(slot))
  return gone.length > 0
    ? { left, gone }
    : { left: [first], gone: slots.filter((s) => s !== first) }
}

/** A client has the history of these members; nobody else is up. */
async function goOnWith(
  hunt: HuntPool,
  random: SeededRandom,
  slots: readonly number[],
  isForced: boolean,
): Promise<void> {
  hunt.killClient()
  for (const slot of hunt.sim.nodes.keys()) {
    if (!slots.includes(slot)) hunt.endNode(slot, random.chance(0.3) ? "machine" : "process")
  }
  for (const slot of slots) hunt.startNode(slot)
  await hunt.pause(random.pick([DEAD_MS, 500, SILENT_MS]))
  hunt.mayFork ||= isForced
  if (random.chance(0.2)) {
    const slot = random.pick(slots)
    hunt.later(random.between(0, 60), () => hunt.endNode(slot, "process"))
    hunt.later(random.between(100, 1000), () => hunt.startNode(slot))
  }
  const error = await hunt.tryOpen(true, { isForced })
  if (error !== undefined) await hunt.tryOpen(true, { isForced })
}

/** F6, R7: those that may know more are gone, and the others go on; then all are there again. */
const goOnWithout: Fault = async (hunt, random) => {
  const { client, sim, second } = hunt
  if (client === undefined || sim.nodes.length < 2 || second !== undefined) return
  if (hunt.bad.length > 0 || !(await allIn(hunt, ALL_IN_MS)) || hunt.client !== client) return
  const { left, gone } = drawSides(hunt, random)
  // Those that stay may have missed what the others know.
  if (random.chance(0.6)) for (const slot of left) await putOut(hunt, random, slot)
  if (random.chance(0.7)) await writeSome(hunt, random)
  if (random.chance(0.5)) endAll(hunt, random, gone)
  hunt.side = sim.nodes[random.pick(left)]!.memberId
  await goOnWith(hunt, random, left, true)
  if (random.chance(0.5)) await writeSome(hunt, random)
  await hunt.pause(random.between(0, 2000))
  // The other history goes on too, without knowing of this one; or by force as well.
  if (random.chance(0.3)) {
    await goOnWith(hunt, random, gone, random.chance(0.3))
    await writeSome(hunt, random)
  }
  for (const slot of sim.nodes.keys()) hunt.startNode(slot)
  await hunt.pause(random.between(0, 3000))
  if (hunt.client === undefined || random.chance(0.2)) await hunt.tryOpen(true)
  if (random.chance(0.5)) await hunt.mend()
}

export const FORK_PLOTS: Readonly<Record<string, Fault>> = { goOnWithout }
