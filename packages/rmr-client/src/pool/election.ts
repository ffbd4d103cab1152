/**
 * The election (rule R6): whose copy is right where nobody of the normal set is clean.
 *
 * The own maps of all normal members decide, and nothing is consumed: asked again, it gives the
 * same or an equally good result. First all of them mark the chunks for the absent, then the
 * elected one clears its own suspicion; beside a clean copy, who lost its cache gives its suspicion
 * up for certainty.
 */
import type { ChunkNumber, ChunkRange, ElectStep, FlushScope, MemberSet } from "@rmr/core"
import {
  CHUNK_RANGES_MAX,
  DirtyMap,
  decideElection,
  decideFlush,
  decideYield,
  NO_CHUNK,
  RANK_REAL,
  RmrError,
  slotsOf,
} from "@rmr/core"
import { type MapReading, readOwnMap } from "./map-reading.js"

export interface ElectionResult {
  /** I5: for whom a flush may be sent. */
  readonly flushes: FlushScope
  /** Chunks that wait for an absent member, or for the time after which rank 2 is elected. */
  readonly waitingChunks: number
  /** Of these, chunks of which somebody is to be elected: before that, nobody joins (R6). */
  readonly undecidedChunks: number
  /** Chunks that some member lacked. */
  readonly dirtyChunks: number
  /** Chunks that some member lacks still. */
  readonly dirty: DirtyMap
  /** Chunks on which mutations were held: elected now, or to be elected after a while (W2). */
  readonly held: readonly ChunkRange[]
}

export interface Election extends MapReading {
  readonly absent: MemberSet
  /** Nobody of the base view is missing, or was waited for long enough. */
  readonly mayElectCacheLost: boolean
}

export async function runElection(election: Election): Promise<ElectionResult> {
  const maps = await readOwnMaps(election)
  const elected = new Map<number, ChunkRange[]>()
  const yielding = new Map<number, { by: number; ranges: ChunkRange[] }>()
  const held: ChunkRange[] = []
  let waitingChunks = 0
  let undecidedChunks = 0
  let dirtyChunks = 0
  let flushes: FlushScope = "callers"
  const bytes: number[] = []
  const dirty = new DirtyMap({ chunkCount: election.chunkCount })
  for (const chunk of chunksDirtyAnywhere(maps)) {
    for (const slot of slotsOf(election.normal)) bytes[slot] = maps[slot]?.byteOf(chunk) ?? 0
    const decision = decideElection(bytes, election.normal)
    dirtyChunks++
    if (decision.decide === "elect") {
      appendTo(held, chunk)
      if (decision.rank === 2 && !election.mayElectCacheLost) {
        waitingChunks++
        undecidedChunks++
        flushes = "nobody"
        dirty.mark(chunk, RANK_REAL)
        continue
      }
      append(elected, decision.slot, chunk)
      bytes[decision.slot] = 0
    }
    for (const slot of slotsOf(decideYield(bytes, election.normal))) {
      const by = slotsOf(election.normal).find((one) => bytes[one] === 0) ?? slot
      const entry = yielding.get(slot) ?? { by, ranges: [] }
      yielding.set(slot, entry)
      appendTo(entry.ranges, chunk)
      bytes[slot] = 1
    }
    if (decision.decide === "wait") waitingChunks++
    flushes = narrower(flushes, decideFlush(bytes, election.normal, election.absent))
    if (slotsOf(election.normal).some((slot) => bytes[slot] !== 0)) dirty.mark(chunk, RANK_REAL)
  }
  await carryOut(election, elected, yielding)
  return { flushes, waitingChunks, undecidedChunks, dirtyChunks, dirty, held }
}

/** A flush is about all chunks: the one that allows the least decides. */
function narrower(one: FlushScope, other: FlushScope): FlushScope {
  if (one === "nobody" || other === "nobody") return "nobody"
  return one === "pool" ? one : other
}

/** The ranges as commands carry them. */
export function* parts(ranges: readonly ChunkRange[]): Generator<readonly ChunkRange[]> {
  for (let from = 0; from < ranges.length; from += CHUNK_RANGES_MAX) {
    yield ranges.slice(from, from + CHUNK_RANGES_MAX)
  }
}

/** Ranges of neighbours become one. */
export function appendTo(ranges: ChunkRange[], chunk: number): void {
  const last = ranges.at(-1)
  if (last !== undefined && last.firstChunk + last.chunkCount === chunk) {
    ranges[ranges.length - 1] = { ...last, chunkCount: last.chunkCount + 1 }
  } else {
    ranges.push({ firstChunk: chunk, chunkCount: 1 })
  }
}

async function carryOut(
  election: Election,
  elected: ReadonlyMap<number, readonly ChunkRange[]>,
  yielding: ReadonlyMap<number, { readonly by: number; readonly ranges: readonly ChunkRange[] }>,
): Promise<void> {
  for (const [slot, ranges] of elected) {
    for (const part of parts(ranges)) {
      // All marks before any clear: whoever is absent may hold what is decided against (RT-39).
      await Promise.all(
        slotsOf(election.normal).map((to) => step(election, to, "mark", slot, part)),
      )
      await step(election, slot, "clear", slot, part)
    }
  }
  for (const [slot, { by, ranges }] of yielding) {
    for (const part of parts(ranges)) await step(election, slot, "yield", by, part)
  }
}

async function step(
  { context, legs, mapVersion }: Election,
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

/** Every chunk that is dirty anywhere, ascending. */
function* chunksDirtyAnywhere(maps: readonly (DirtyMap | undefined)[]): Generator<ChunkNumber> {
  for (let from = 0; ; ) {
    let next: ChunkNumber = NO_CHUNK
    for (const map of maps) {
      if (map === undefined || from >= map.chunkCount) continue
      const chunk = map.nextDirty(from)
      if (chunk !== NO_CHUNK && (next === NO_CHUNK || chunk < next)) next = chunk
    }
    if (next === NO_CHUNK) return
    yield next
    from = next + 1
  }
}

function append(into: Map<number, ChunkRange[]>, slot: number, chunk: number): void {
  const ranges = into.get(slot) ?? []
  into.set(slot, ranges)
  appendTo(ranges, chunk)
}
