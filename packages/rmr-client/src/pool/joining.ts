/**
 * Letting a member join: the end of its map update, with IO standing still (rules V3, M3, I4).
 *
 * First come deltas while IO goes on, so that the last one is short. Then mutations in flight come
 * to their end, and new ones wait. What is done in that time is the same for every volume: the last
 * delta, the grown view on the joiner and then on the others, and the word that it is in force.
 * Where the joiner fails after it was proposed, the next view takes its place, without it: IO never
 * stands for longer than a few short deadlines.
 */

import { has, isSubset, RmrError } from "@rmr/core"
import type { IoEngine } from "../io/io-engine.js"
import type { ViewParts } from "./changing.js"
import type { Joiner } from "./rejoining.js"
import type { EffectiveView } from "./view-changer.js"
import { nextRecord } from "./view-record.js"

/** Before the freeze: what was marked since the member was ready is little. */
const DELTAS_MAX = 4
/** For mutations in flight to be over, before the freeze is given up. */
const QUIET_MS = 1000
/** For each step of the freeze; in good times all of them together take a few milliseconds. */
const FREEZE_MS = 1000

/**
 * Fails where the member is not in the view that is in force afterwards. Returns for how long new
 * mutations had to wait.
 */
export async function letJoin(parts: ViewParts, joiner: Joiner): Promise<number> {
  const { context, engine, keeper, changer, enter } = parts
  const { leg, record } = joiner
  const { clock } = context.env
  await joiner.update.deltas(DELTAS_MAX, FREEZE_MS)
  const sinceMs = clock.nowMs()
  await requireQuiet(engine)
  const wasFlushable = joiner.hasYielded && engine.core.isFlushable
  let effective: EffectiveView
  try {
    effective = await grow(parts, joiner)
  } catch (thrown) {
    if (!changer.isPending) engine.thaw()
    throw thrown
  }
  enter(effective, record.normal)
  const hasJoined = has(effective.record.normal, leg.slot)
  // Every chunk had a clean copy in N, and still has: flushes need not wait for an election (I5).
  const isNobodyLost = isSubset(record.normal, effective.record.normal)
  engine.core.flushes = wasFlushable && isNobodyLost ? "callers" : "nobody"
  try {
    if (hasJoined) await keeper.enable(leg.slot, effective.record, "rejoin", FREEZE_MS)
  } finally {
    engine.thaw()
  }
  if (!hasJoined) throw new RmrError("link-lost", "it failed while the view was about to grow")
  return clock.nowMs() - sinceMs
}

/** V3: nothing is in flight, and nothing begins until the engine thaws. */
export async function requireQuiet(engine: IoEngine): Promise<void> {
  if (await engine.freezeWhenQuiet(QUIET_MS)) return
  throw new RmrError("busy", "what was in flight did not end in time; it is tried again")
}

async function grow(
  { keeper, changer, epoch }: ViewParts,
  { leg, update, record }: Joiner,
): Promise<EffectiveView> {
  const { mapVersion } = record
  const { legs } = keeper
  await update.lastDelta(FREEZE_MS)
  return changer.change(legs, epoch, mapVersion.lineage, {
    purpose: "grow",
    wanted: leg.bit,
    withinMs: FREEZE_MS,
    recordOf: (version, normal) => nextRecord(record, version, normal, [], legs),
  })
}
