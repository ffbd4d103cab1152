/**
 * The election (rule R6): whose copy is right where nobody of the normal set is clean.
 *
 * The own maps of all normal members decide, and nothing is consumed: asked again, it gives the
 * same or an equally good result. First all of them mark the chunks for the absent, then the
 * elected one clears its own suspicion; beside a clean copy, who lost its cache gives its suspicion
 * up for certainty. What all of them really lack is lost or waits for somebody absent; only where
 * an admin has accepted the loss does what one of them holds count (F6).
 */
import type { ChunkRange, DirtyMap, ElectStep } from "@rmr/core"
import { CHUNK_RANGES_MAX, RmrError, slotsOf } from "@rmr/core"
import { dirtyRuns } from "./dirty-runs.js"
import { ElectionPlan, type ElectionTerms } from "./election-plan.js"
import { type MapReading, readOwnMap } from "./map-reading.js"

export type ElectionResult = Omit<ElectionPlan, "add" | "elected" | "accepted" | "yielding">
export interface Election extends MapReading, ElectionTerms {
  /** Called before somebody is elected who lost his cache, and with it perhaps what there was. */
  readonly onCacheLost: () => void
}

/** Of a volume whose runs are many, so many are looked at before others have their turn. */
const RUNS_PER_TURN = 2048

export async function runElection(election: Election): Promise<ElectionResult> {
  const { clock } = election.context.env
  const maps = await readOwnMaps(election)
  const plan = new ElectionPlan(election)
  let runCount = 0
  for (const run of dirtyRuns(maps)) {
    plan.add(run)
    if (++runCount % RUNS_PER_TURN !== 0) continue
    await new Promise<void>((resolve) => clock.schedule(0, resolve))
  }
  if (plan.cacheLostChunks > 0) election.onCacheLost()
  await elect(election, plan.elected, "clear")
  await elect(election, plan.accepted, "accept")
  for (const [slot, { by, ranges }] of plan.yielding) {
    for (const part of parts(ranges)) await electStep(election, slot, "yield", by, part)
  }
  return plan
}

/** The ranges as commands carry them. */
export function* parts(ranges: readonly ChunkRange[]): Generator<readonly ChunkRange[]> {
  for (let from = 0; from < ranges.length; from += CHUNK_RANGES_MAX) {
    yield ranges.slice(from, from + CHUNK_RANGES_MAX)
  }
}

async function elect(
  election: Election,
  elected: ReadonlyMap<number, readonly ChunkRange[]>,
  how: "clear" | "accept",
): Promise<void> {
  for (const [slot, ranges] of elected) {
    for (const part of parts(ranges)) {
      // All marks before any clear: whoever is absent may hold what is decided against (RT-39).
      await Promise.all(
        slotsOf(election.normal).map((to) => electStep(election, to, "mark", slot, part)),
      )
      await electStep(election, slot, how, slot, part)
    }
  }
}

export async function electStep(
  { context, legs, mapVersion }: MapReading,
  to: number,
  what: ElectStep,
  elected: number,
  ranges: readonly ChunkRange[],
): Promise<void> {
  const leg = legs[to]
  const memberId = legs[elected]?.memberId
  if (leg === undefined || memberId === undefined) throw new RmrError("no-leg", "a leg is gone")
  const body = { step: what, elected: memberId, ranges }
  await leg.ask("elect", mapVersion, body, undefined, context.times.commandMs)
}

/** The own maps of all normal members. */
async function readOwnMaps(election: Election): Promise<(DirtyMap | undefined)[]> {
  const maps: (DirtyMap | undefined)[] = []
  await Promise.all(
    slotsOf(election.normal).map(async (slot) => {
      const map = await readOwnMap(election, slot)
      maps[slot] = map
      const leg = election.legs[slot]
      if (leg !== undefined) leg.io.dirtyHint = map.count
    }),
  )
  return maps
}
