/**
 * Plots about who has just come back: what it fetched, and what is noted of it from when it was
 * away (rules S4, M2).
 */
import { VOLUME_BLOCK_BYTES } from "@rmr/core"
import type { HeldMessages, SeededRandom } from "@rmr/testkit"
import { isMessage } from "../scenarios/messages.js"
import type { Fault } from "./hunt-faults.js"
import type { HuntClient } from "./hunt-load.js"
import type { HuntPool } from "./hunt-pool.js"
import {
  allIn,
  comes,
  cutOff,
  drawSlot,
  endAll,
  letIn,
  nameOf,
  startAgain,
  untilWhole,
  writeEach,
} from "./plot-steps.js"

const ALL_IN_MS = 3000
const OUT_MS = 4000
const WRITE_MS = 400
/** Less than a client waits for a flush. */
const FETCH_MS = 2500

/** One block in some of the volume's chunks, and one beside it in the same extent, if there is. */
function drawPairs(
  { sim }: HuntPool,
  random: SeededRandom,
): { readonly blocks: number[]; readonly beside: number[] } {
  const perChunk = sim.chunkSizeBytes / VOLUME_BLOCK_BYTES
  const perExtent = sim.extentBytes / VOLUME_BLOCK_BYTES
  const first = random.below(sim.sizeBytes / sim.extentBytes) * perExtent
  const chunks = Math.max(1, perExtent / perChunk)
  const blocks = [first + random.below(perChunk)]
  const beside = [first + (chunks - 1) * perChunk]
  if (chunks > 2) blocks.push(first + perChunk)
  return { blocks, beside }
}

/**
 * S4: power fails everywhere behind a copy that was made beside foreground IO. Who wrote it down
 * has said that it is clean; what it is in is hot at everybody, so that all are as good as it is.
 */
const powerBehindCopies: Fault = async (hunt, random) => {
  const { client, load, sim } = hunt
  if (client === undefined || !(await allIn(hunt, ALL_IN_MS)) || hunt.client !== client) return
  // Where all are as good, the lowest is elected.
  const slot = random.chance(0.7) ? 0 : drawSlot(hunt, random)
  const { blocks, beside } = drawPairs(hunt, random)
  let flushes: HeldMessages | undefined
  try {
    load.isResting = true
    cutOff(hunt, slot, true)
    if (!(await comes(hunt, slot, false, OUT_MS)) || hunt.client !== client) return
    await writeEach(hunt, client, blocks, WRITE_MS)
    if (!(await load.flush(client))) return
    const own = nameOf(hunt, slot)
    flushes = sim.network.holdMessages(client.sim.host.name, own, isMessage("flush"))
    const node = sim.nodes[slot]!
    const isOn = (): boolean => hunt.client === client && hunt.isIn(slot) && node.dirtyChunks > 0
    if (!(await letIn(hunt, slot))) return
    await Promise.race([writeWhile(hunt, client, beside, isOn), hunt.pause(FETCH_MS)])
    if (hunt.client !== client) return
    hunt.killClient()
    for (const other of sim.nodes.keys()) hunt.endNode(other, "machine")
  } finally {
    flushes?.release()
    load.isResting = false
  }
  await startAgain(hunt, random)
}

async function writeWhile(
  hunt: HuntPool,
  client: HuntClient,
  blocks: readonly number[],
  isOn: () => boolean,
): Promise<void> {
  while (isOn()) {
    for (const block of blocks) await hunt.load.write(client, block, 1, false)
    await hunt.pause(1)
  }
}

/**
 * M2: two are away in turn, and miss the same. The second one is back and has not fetched it when
 * the first one leaves again: what it noted of the first one's earlier absence is over. Nor may a
 * flush succeed then, which says that what only the first one has is stable (I5, RT-44).
 */
const awayInTurn: Fault = async (hunt, random) => {
  const { client, load, sim } = hunt
  if (client === undefined || client.sim.pool.record.minNormal > 1 || sim.nodes.length < 2) return
  if (!(await allIn(hunt, ALL_IN_MS)) || hunt.client !== client) return
  const first = drawSlot(hunt, random)
  const others = [...sim.nodes.keys()].filter((slot) => slot !== first)
  const second = random.pick(others)
  const { blocks } = drawPairs(hunt, random)
  let reads: HeldMessages | undefined
  try {
    load.isResting = true
    endAll(
      hunt,
      random,
      others.filter((slot) => slot !== second),
    )
    for (const slot of others) if (slot !== second) await comes(hunt, slot, false, OUT_MS)
    for (const slot of [first, second]) {
      cutOff(hunt, slot, true)
      if (!(await comes(hunt, slot, false, OUT_MS)) || hunt.client !== client) return
      await writeEach(hunt, client, blocks, WRITE_MS)
      if (slot === second) {
        const isRead = isMessage("sync-read")
        reads = sim.network.holdMessages(nameOf(hunt, second), nameOf(hunt, first), isRead)
      }
      if (!(await letIn(hunt, slot))) return
      if (slot === first) await untilWhole(hunt, slot, FETCH_MS)
    }
    if (random.chance(0.6)) hunt.endNode(first, random.pick(["process", "machine"]))
    else cutOff(hunt, first, true)
    await comes(hunt, first, false, OUT_MS)
    if (hunt.client === client && random.chance(0.5)) {
      await Promise.race([load.flush(client), hunt.pause(FETCH_MS)])
    } else await hunt.pause(random.between(0, 300))
  } finally {
    reads?.release()
    load.isResting = false
    for (const slot of others) hunt.startNode(slot)
  }
  await letIn(hunt, first)
}

export const RETURN_PLOTS: Readonly<Record<string, Fault>> = { powerBehindCopies, awayInTurn }
