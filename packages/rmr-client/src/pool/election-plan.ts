/**
 * What an election comes to, from the own maps of all normal members (rules R6, I5).
 *
 * A plan is made run by run. Chunks about which the members say the same have the same verdict, and
 * there are few combinations of what members say: each is decided once.
 */
import type { ChunkRange, FlushScope, MemberSet } from "@rmr/core"
import {
  DirtyMap,
  decideElection,
  decideFlush,
  decideYield,
  has,
  RANK_CACHE_LOST,
  RANK_REAL,
  slotsOf,
} from "@rmr/core"
import type { DirtyRun } from "./dirty-runs.js"

export interface ElectionTerms {
  readonly normal: MemberSet
  readonly absent: MemberSet
  /** Nobody of the base view is missing, or was waited for long enough. */
  readonly mayElectCacheLost: boolean
  /** F6: what is lost counts as it is. */
  readonly acceptsLoss: boolean
  readonly chunkCount: number
}

/** Who gives up which chunks, and one who has them clean. */
export interface Yielding {
  readonly by: number
  readonly ranges: ChunkRange[]
}

/** About chunks of which all members say the same. */
interface Verdict {
  /** Whose copy is right from now on; none where that needs no decision. */
  readonly elected: number | undefined
  /** Who has them as they are, though all really lack them (F6). */
  readonly accepted: number | undefined
  readonly isLost: boolean
  /** Elected is who lost its cache. */
  readonly isCacheLost: boolean
  /** Mutations were held for them. */
  readonly isHeld: boolean
  readonly isWaiting: boolean
  readonly isUndecided: boolean
  readonly yielding: MemberSet
  /** One who is clean then; none where nobody is. */
  readonly clean: number | undefined
  readonly flushes: FlushScope
  /** Somebody lacks them still. */
  readonly isDirty: boolean
}

export class ElectionPlan {
  /** I5: for whom a flush may be sent. */
  flushes: FlushScope = "callers"
  /** Chunks that wait for an absent member, or for the time after which rank 2 is elected. */
  waitingChunks = 0
  /** Of these, chunks of which somebody is to be elected: before that, nobody joins (R6). */
  undecidedChunks = 0
  /** Chunks of which somebody is elected who lost his cache, since nobody kept it. */
  cacheLostChunks = 0
  /** Chunks that all members really lack; where that was accepted, they lacked them. */
  lostChunks = 0
  readonly lost: ChunkRange[] = []
  /** Chunks that some member lacked. */
  dirtyChunks = 0
  /** Chunks that some member lacks still. */
  readonly dirty: DirtyMap
  /** Chunks on which mutations were held: elected now, or to be elected after a while (W2). */
  readonly held: ChunkRange[] = []
  /** By slot. */
  readonly elected: Map<number, ChunkRange[]> = new Map()
  readonly accepted: Map<number, ChunkRange[]> = new Map()
  readonly yielding: Map<number, Yielding> = new Map()
  private readonly terms: ElectionTerms
  private readonly verdicts = new Map<number, Verdict>()

  constructor(terms: ElectionTerms) {
    this.terms = terms
    this.dirty = new DirtyMap({ chunkCount: terms.chunkCount })
  }

  add(run: DirtyRun): void {
    const verdict = this.verdictOf(run.bytes)
    const { chunkCount } = run
    this.dirtyChunks += chunkCount
    if (verdict.isHeld) appendTo(this.held, run)
    if (verdict.isWaiting) this.waitingChunks += chunkCount
    if (verdict.isCacheLost) this.cacheLostChunks += chunkCount
    if (verdict.isUndecided) this.undecidedChunks += chunkCount
    if (verdict.isLost) {
      this.lostChunks += chunkCount
      appendTo(this.lost, run)
    }
    if (verdict.elected !== undefined) appendOf(this.elected, verdict.elected, run)
    if (verdict.accepted !== undefined) appendOf(this.accepted, verdict.accepted, run)
    for (const slot of slotsOf(verdict.yielding)) {
      const entry = this.yielding.get(slot) ?? { by: verdict.clean ?? slot, ranges: [] }
      this.yielding.set(slot, entry)
      appendTo(entry.ranges, run)
    }
    this.flushes = narrower(this.flushes, verdict.flushes)
    if (verdict.isDirty) this.dirty.markRange(run.firstChunk as never, chunkCount, RANK_REAL)
  }

  private verdictOf(bytes: readonly number[]): Verdict {
    let key = 0
    for (const byte of bytes) key = key * 8 + byte
    const known = this.verdicts.get(key)
    if (known !== undefined) return known
    const verdict = decide(this.terms, bytes)
    this.verdicts.set(key, verdict)
    return verdict
  }
}

function decide(terms: ElectionTerms, said: readonly number[]): Verdict {
  const { normal, absent, mayElectCacheLost, acceptsLoss } = terms
  const bytes = [...said]
  const decision = decideElection(bytes, normal)
  const isElected = decision.decide === "elect"
  const isCacheLost = isElected && decision.rank === RANK_CACHE_LOST
  if (isCacheLost && !mayElectCacheLost) {
    const nobody = { elected: undefined, accepted: undefined, clean: undefined, yielding: 0 }
    const waits = { isHeld: true, isWaiting: true, isUndecided: true, isDirty: true }
    return { ...nobody, ...waits, isLost: false, isCacheLost: false, flushes: "nobody" }
  }
  const isLost = decision.decide === "wait"
  const elected = isElected ? decision.slot : undefined
  const accepted = isLost && acceptsLoss ? slotsOf(normal)[0] : undefined
  const chosen = elected ?? accepted
  if (chosen !== undefined) bytes[chosen] = 0
  const yielding = decideYield(bytes, normal)
  const clean = slotsOf(normal).find((slot) => bytes[slot] === 0)
  for (const slot of slotsOf(yielding)) bytes[slot] = 1
  return {
    elected,
    accepted,
    isLost,
    isCacheLost,
    isHeld: chosen !== undefined,
    isWaiting: isLost && accepted === undefined,
    isUndecided: false,
    yielding,
    clean,
    flushes: decideFlush(bytes, normal, absent),
    isDirty: bytes.some((byte, slot) => has(normal, slot) && byte !== 0),
  }
}

/** A flush is about all chunks: the one that allows the least decides. */
function narrower(one: FlushScope, other: FlushScope): FlushScope {
  if (one === "nobody" || other === "nobody") return "nobody"
  return one === "pool" ? one : other
}

function appendOf(into: Map<number, ChunkRange[]>, slot: number, range: ChunkRange): void {
  const ranges = into.get(slot) ?? []
  into.set(slot, ranges)
  appendTo(ranges, range)
}

/** Ranges of neighbours become one. */
export function appendTo(ranges: ChunkRange[], { firstChunk, chunkCount }: ChunkRange): void {
  const last = ranges.at(-1)
  if (last !== undefined && last.firstChunk + last.chunkCount === firstChunk) {
    ranges[ranges.length - 1] = { ...last, chunkCount: last.chunkCount + chunkCount }
  } else {
    ranges.push({ firstChunk, chunkCount })
  }
}
