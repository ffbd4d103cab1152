/**
 * What becomes of a joiner's lost cache before it joins (rules R5, R6; RT-45).
 *
 * A member that lost its cache suspects chunks with rank 2: its bytes may lack what was flushed.
 * Beside a clean copy that suspicion yields to certainty. Where nobody of the view has a clean copy
 * it may be the best there is, unless somebody absent was normal later: that one comes first.
 */
import type { ChunkRange, PoolMetadata } from "@rmr/core"
import {
  CHUNK_CLEAN,
  type ChunkNumber,
  compareViews,
  type DirtyMap,
  decideRankOfJoiner,
  has,
  NO_CHUNK,
  RmrError,
  slotsOf,
} from "@rmr/core"
import { parts } from "./election.js"
import { appendTo } from "./election-plan.js"
import type { Leg } from "./leg.js"
import type { LegKeeper } from "./leg-keeper.js"
import { readOwnMap } from "./map-reading.js"
import type { PoolContext } from "./pool-context.js"

/** Absent members that were normal later than this one; ids. */
function joinerWaitsFor({ members, normal }: PoolMetadata, joiner: number): number[] {
  const own = members[joiner]
  if (own === undefined) return []
  return members.flatMap((entry, slot) => {
    if (entry === undefined || slot === joiner || has(normal, slot)) return []
    return compareViews(entry.normalThrough, own.normalThrough) > 0 ? [entry.memberId] : []
  })
}

export interface JoinerRank {
  readonly context: PoolContext
  readonly keeper: LegKeeper
  readonly record: PoolMetadata
  readonly leg: Leg
  /** Every chunk has a clean copy in N. */
  readonly isFlushable: boolean
}

/** Fails with `no-clean-copy` where somebody else has to come first. */
export async function yieldRankOfJoiner(joiner: JoinerRank): Promise<void> {
  const { context, record, leg, isFlushable } = joiner
  const { mapVersion, mappedSizeBytes, chunkSizeBytes, members, normal } = record
  const chunkCount = Math.ceil(mappedSizeBytes / chunkSizeBytes)
  const ranges = isFlushable
    ? [{ firstChunk: 0, chunkCount }]
    : await rangesThatYield(joiner, chunkCount)
  for (const part of parts(ranges)) {
    const elected = members[slotsOf(normal)[0] ?? 0]?.memberId ?? leg.memberId
    const body = { step: "yield" as const, elected, ranges: part }
    await leg.ask("elect", mapVersion, body, undefined, context.times.commandMs)
  }
}

async function rangesThatYield(joiner: JoinerRank, chunkCount: number): Promise<ChunkRange[]> {
  const { context, keeper, record, leg } = joiner
  const waitsFor = joinerWaitsFor(record, leg.slot)
  const { mapVersion, normal } = record
  const reading = { context, legs: keeper.legs, mapVersion, normal, chunkCount }
  const own = await readOwnMap(reading, leg.slot)
  const others = await Promise.all(slotsOf(normal).map((slot) => readOwnMap(reading, slot)))
  const ranges: ChunkRange[] = []
  for (let chunk = own.nextDirty(0); chunk !== NO_CHUNK; chunk = nextDirty(own, chunk)) {
    const isClean = others.some((map) => map.byteOf(chunk) === CHUNK_CLEAN)
    const decision = decideRankOfJoiner(own.byteOf(chunk), isClean, waitsFor.length > 0)
    if (decision === "yield") appendTo(ranges, { firstChunk: chunk, chunkCount: 1 })
    if (decision !== "wait") continue
    const words = `it may lack what member ${waitsFor.join(", ")} has of chunk ${chunk}`
    throw new RmrError("no-clean-copy", `${words}, which comes first`)
  }
  return ranges
}

function nextDirty(map: DirtyMap, after: ChunkNumber): ChunkNumber {
  return after + 1 < map.chunkCount ? map.nextDirty(after + 1) : NO_CHUNK
}
