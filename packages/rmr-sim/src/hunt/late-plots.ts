/**
 * Plots about what comes late: messages of a session before this one, answers to what was given up,
 * what is given up before anybody is back, a flush that does not end while the intent log fills
 * (rules W5, W6, W7, R5, I3).
 */
import { VOLUME_BLOCK_BYTES } from "@rmr/core"
import type { HeldMessages, SeededRandom } from "@rmr/testkit"
import { isMessage, type MessageName } from "../scenarios/messages.js"
import type { Fault } from "./hunt-faults.js"
import type { HuntClient } from "./hunt-load.js"
import type { HuntPool } from "./hunt-pool.js"
import { allIn, cutOff, drawSlot, letIn, nameOf, until } from "./plot-steps.js"

const ALL_IN_MS = 3000
const SILENT_MS = 2600
const RETURN_MS = 3000
/** Less than a client waits for an answer. */
const HOLD_MS = 2500
/** A client gives up what nobody answers after five seconds. */
const GIVEN_UP_MS = 7000

/** So many messages, from now on until the caller says that it is enough. */
function hold(
  hunt: HuntPool,
  client: HuntClient,
  slot: number,
  name: MessageName,
): { readonly messages: HeldMessages; readonly noMore: () => void } {
  const isIt = isMessage(name)
  let isOn = true
  const from = client.sim.host.name
  const isMeant = (header: Uint8Array): boolean => isOn && isIt(header)
  const messages = hunt.sim.network.holdMessages(from, nameOf(hunt, slot), isMeant)
  return {
    messages,
    noMore: () => {
      isOn = false
    },
  }
}

/** Different ones, of those that most of the load goes to. */
function drawBlocks(hunt: HuntPool, random: SeededRandom, count: number): number[] {
  const blocks = new Set<number>()
  for (let nth = 0; nth < count; nth++) blocks.add(hunt.load.blockToLookAt(2 * random.below(1000)))
  return [...blocks]
}

/**
 * W5: the client hears nothing of a member any more, and comes again; what it sent on the session
 * before is still on its way, and nobody has told the member that this session is over.
 */
const leftOnTheSessionBefore: Fault = async (hunt, random) => {
  const { client, load } = hunt
  if (client === undefined) return
  const slot = drawSlot(hunt, random)
  const name = client.sim.host.name
  const { network } = hunt.sim
  const writes = hold(hunt, client, slot, "write")
  const { resetChance } = network.optionsOf(name, nameOf(hunt, slot))
  network.tuneLink(name, nameOf(hunt, slot), { resetChance: 0 })
  const leg = client.sim.pool.legs[slot]
  const hasClient = (): boolean => hunt.client === client
  try {
    const blocks = drawBlocks(hunt, random, random.between(2, 6))
    for (const block of blocks) void load.write(client, block, 1, false)
    await hunt.pause(random.between(5, 100))
    writes.noMore()
    network.cutOneWay(nameOf(hunt, slot), name)
    await until(hunt, SILENT_MS, () => !hasClient() || leg?.isUp !== true)
    network.heal(nameOf(hunt, slot), name)
    await until(hunt, RETURN_MS, () => !hasClient() || leg?.io.session !== undefined)
    for (const block of blocks) if (hasClient()) await load.write(client, block, 1, false)
  } finally {
    writes.messages.release()
    network.tuneLink(name, nameOf(hunt, slot), { resetChance })
  }
}

/**
 * R5: the last writes of a client came to one member alone, and who opens next does not reach that
 * one: nobody else knows of them when it is back.
 */
const awayWithTheLastWrite: Fault = async (hunt, random) => {
  const { client, load, sim, oracle } = hunt
  if (client === undefined || client.sim.pool.record.minNormal < 2) return
  if (sim.nodes.length < 3 || !(await allIn(hunt, ALL_IN_MS)) || hunt.client !== client) return
  const kept = drawSlot(hunt, random)
  const slots = [...sim.nodes.keys()]
  const others = slots.filter((slot) => slot !== kept)
  const holds = others.map((other) => hold(hunt, client, other, "write"))
  const taker = sim.newClient()
  try {
    // Nobody writes there soon again.
    for (let nth = 0; nth < 3; nth++) {
      void load.write(client, random.below(oracle.blockCount), 1, false)
    }
    await hunt.pause(random.between(10, 60))
    sim.network.cut(taker.host.name, nameOf(hunt, kept))
    hunt.killClient()
    await hunt.tryOpen(true, { process: taker })
    await hunt.pause(random.between(0, 300))
  } finally {
    for (const { messages } of holds) messages.release()
    sim.network.heal(taker.host.name, nameOf(hunt, kept))
  }
  await letIn(hunt, kept)
}

/** W6: a write has come to one member alone, and is given up before there is any leg again. */
const givenUpHalfWay: Fault = async (hunt, random) => {
  const { client, load, sim } = hunt
  if (client === undefined || sim.nodes.length < 2) return
  if (!(await allIn(hunt, ALL_IN_MS)) || hunt.client !== client) return
  const kept = drawSlot(hunt, random)
  const slots = [...sim.nodes.keys()]
  const name = client.sim.host.name
  const holds = slots
    .filter((slot) => slot !== kept)
    .map((slot) => hold(hunt, client, slot, "write"))
  try {
    load.isResting = true
    let leftCount = 0
    for (const block of drawBlocks(hunt, random, 3)) {
      leftCount++
      void load.write(client, block, 1, false).then(() => leftCount--)
    }
    await hunt.pause(random.between(10, 60))
    for (const slot of slots) cutOff(hunt, slot, random.chance(0.5))
    await until(hunt, GIVEN_UP_MS, () => leftCount === 0 || hunt.client !== client)
  } finally {
    for (const slot of slots) sim.network.heal(name, nameOf(hunt, slot))
    for (const { messages } of holds) messages.release()
    load.isResting = false
  }
  await allIn(hunt, ALL_IN_MS)
}

/** W7: reads are given up, and answered when others have their place. */
const answeredTooLate: Fault = async (hunt, random) => {
  const { client, load } = hunt
  if (client === undefined) return
  const name = client.sim.host.name
  const loads = [load, ...(hunt.second === undefined ? [] : [hunt.second.load])]
  const isOutward = random.chance(0.5)
  try {
    // What changes something ends its session when it is given up.
    for (const one of loads) one.isResting = true
    await hunt.pause(random.between(100, 1000))
    for (const slot of hunt.sim.nodes.keys()) {
      if (isOutward) hunt.sim.network.clog(name, nameOf(hunt, slot))
      else hunt.sim.network.clog(nameOf(hunt, slot), name)
    }
    let leftCount = 4
    const readAll = async (): Promise<void> => {
      const blocks = drawBlocks(hunt, random, 4)
      leftCount = blocks.length
      for (const block of blocks) void load.read(client, block, 1).then(() => leftCount--)
    }
    await readAll()
    await until(hunt, GIVEN_UP_MS, () => leftCount === 0 || hunt.client !== client)
    if (hunt.client === client) await readAll()
    await hunt.pause(random.between(10, 500))
  } finally {
    for (const slot of hunt.sim.nodes.keys()) hunt.sim.network.heal(name, nameOf(hunt, slot))
    await hunt.pause(200)
    for (const one of loads) one.isResting = false
  }
}

/** I3: a flush takes its time, and meanwhile there are writes in all extents. */
const fillTheLog: Fault = async (hunt, random) => {
  const { client, load, sim } = hunt
  if (client === undefined) return
  const flushes = hold(hunt, client, drawSlot(hunt, random), "flush")
  const perExtent = sim.extentBytes / VOLUME_BLOCK_BYTES
  const count = Math.floor(sim.sizeBytes / sim.extentBytes)
  const first = random.below(count)
  hunt.later(HOLD_MS, () => flushes.messages.release())
  const width = random.pick([1, 2, 4])
  let next = 0
  const writeOn = async (): Promise<void> => {
    while (next < count && hunt.client === client) {
      const extent = (first + next++) % count
      await load.write(client, extent * perExtent + random.below(perExtent), 1, false)
    }
  }
  const all = Promise.all(Array.from({ length: width }, writeOn))
  await Promise.race([all, hunt.pause(2 * HOLD_MS)])
  next = count
  flushes.messages.release()
}

export const LATE_PLOTS: Readonly<Record<string, Fault>> = {
  leftOnTheSessionBefore,
  awayWithTheLastWrite,
  givenUpHalfWay,
  answeredTooLate,
  fillTheLog,
}
