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
  /** Chunks that some member lacked. */
  dirtyChunks = 0
  /** Chunks that some member lacks still. */
  readonly dirty: DirtyMap
  /** Chunks on which mutations were held: elected now, or to be elected after a while (W2). */
  readonly held: ChunkRange[] = []
  /** By slot. */
  readonly elected: Map<number, ChunkRange[]> = new Map()
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
    if (verdict.isUndecided) this.undecidedChunks += chunkCount
    if (verdict.elected !== undefined) {
      const ranges = this.elected.get(verdict.elected) ?? []
      this.elected.set(verdict.elected, ranges)
      appendTo(ranges, run)
    }
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

function decide({ normal, absent, mayElectCacheLost }: ElectionTerms, said: readonly number[]) {
  const bytes = [...said]
  const decision = decideElection(bytes, normal)
  const isHeld = decision.decide === "elect"
  if (isHeld && decision.rank === RANK_CACHE_LOST && !mayElectCacheLost) {
    const nothing = { elected: undefined, yielding: 0, clean: undefined }
    const waits = { isHeld, isWaiting: true, isUndecided: true, isDirty: true }
    return { ...nothing, ...waits, flushes: "nobody" } satisfies Verdict
  }
  if (isHeld) bytes[decision.slot] = 0
  const yielding = decideYield(bytes, normal)
  const clean = slotsOf(normal).find((slot) => bytes[slot] === 0)
  for (const slot of slotsOf(yielding)) bytes[slot] = 1
  return {
    elected: isHeld ? decision.slot : undefined,
    isHeld,
    isWaiting: decision.decide === "wait",
    isUndecided: false,
    yielding,
    clean,
    flushes: decideFlush(bytes, normal, absent),
    isDirty: bytes.some((byte, slot) => has(normal, slot) && byte !== 0),
  } satisfies Verdict
}

/** A flush is about all chunks: the one that allows the least decides. */
function narrower(one: FlushScope, other: FlushScope): FlushScope {
  if (one === "nobody" || other === "nobody") return "nobody"
  return one === "pool" ? one : other
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
