/** Verbs of stories about forced starts and split brain, beside those of every scenario. */
import type { MemberId, PoolMetadata, ViewNumber } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { SimClient } from "../pool/sim-pool.js"
import type { Letter, Party, Scenario } from "./verbs.js"

const TRIES = 20
const AGAIN_MS = 500

export function idOf(letter: Letter): MemberId {
  return ("ABCD".indexOf(letter) + 1) as MemberId
}

/** An admin starts the pool by force; the party has it from now on. */
export async function force(pool: Scenario): Promise<Party> {
  return pool.adopt(await openSoonAs(pool, { isForced: true }))
}

/** An admin starts the history that this member has. */
export async function startSide(pool: Scenario, letter: Letter): Promise<Party> {
  return pool.adopt(await openSoonAs(pool, { side: idOf(letter) }))
}

type Said = Parameters<Scenario["sim"]["openAs"]>[0]

/** Tries until the members answer that are there. */
async function openSoonAs(pool: Scenario, said: Said): Promise<SimClient> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await pool.sim.openAs(said)
    } catch (thrown) {
      if (attempt === TRIES) throw thrown
      await pool.pause(AGAIN_MS)
    }
  }
}

/** Why it cannot be started so. */
export async function refusalAs(pool: Scenario, said: Said): Promise<string> {
  try {
    await pool.sim.openAs(said)
  } catch (thrown) {
    return RmrError.from(thrown).message
  }
  return "none: it was opened"
}

/** What the pool says of a member that is out of the view. */
export function phaseOf(pool: Scenario, letter: Letter, party: Party = pool.party): string {
  const { returning } = party.client.pool
  return returning.find(({ memberId }) => memberId === idOf(letter))?.phase ?? "in the view"
}

export function untilSplit(
  pool: Scenario,
  letter: Letter,
  party: Party = pool.party,
): Promise<void> {
  return pool.until(`${letter} is split`, () => phaseOf(pool, letter, party) === "split brain")
}

/** The last view of the other history that the pool shows. */
export function shownView(pool: Scenario, letter: Letter): ViewNumber {
  const { returning } = pool.party.client.pool
  const shown = returning.find(({ memberId }) => memberId === idOf(letter))?.split
  return shown?.there.seen ?? { epoch: 1, version: 1 }
}

/** `ok`, or why not. */
export async function resolve(
  pool: Scenario,
  keep: Letter,
  discard: Letter,
  view: ViewNumber = shownView(pool, discard),
): Promise<string> {
  try {
    await pool.party.client.pool.resolve(idOf(keep), idOf(discard), view)
  } catch (thrown) {
    return RmrError.from(thrown).message
  }
  return "ok"
}

/** The record on the disk of a member. */
export function recordOf(pool: Scenario, letter: Letter): PoolMetadata {
  const record = pool.node(letter).pool?.record
  if (record === undefined) throw new Error(`${letter} has no record`)
  return record
}

export function lineageOf(pool: Scenario, letter: Letter): string {
  return recordOf(pool, letter).mapVersion.lineage
}

/** Everything of the newest forced start is counted. */
export function untilSettled(pool: Scenario): Promise<void> {
  const { pool: client } = pool.party.client
  return pool.until("it is settled", () => client.record.history[0]?.isSettled === true)
}
