/**
 * Recovery: who suspects itself, and whose copy is right (rules R2–R6).
 *
 * Nobody ever accuses another member. A member that may differ marks *its own* chunks, with a rank
 * that says why; that is a fact it knows, it is durable, and it survives whoever asked for it. Then
 * the question "whose copy?" has an answer that any client derives at any time, again and again,
 * from the marks alone: clean beats suspect; where nobody is clean, the least suspect is elected
 * and clears its own mark. Nothing is consumed, so an interrupted recovery is simply done again.
 */
import { assert } from "../assert.js"
import type { RestartClass } from "../ports/store.js"
import { has, type MemberSet, slotsOf } from "./member-set.js"
import { compareViews, type ViewNumber } from "./pool-metadata.js"
import {
  CHUNK_CLEAN,
  CHUNK_REAL,
  CHUNK_SUSPECT_CACHE_LOST,
  CHUNK_SUSPECT_IN_FLIGHT,
  RANK_CACHE_LOST,
  rankOfByte,
  strongerByte,
} from "./rank.js"

/** What a store finds out about its last life when it is opened. */
export interface LastLife {
  readonly closedCleanly: boolean
  /** The machine has not booted since. */
  readonly sameBoot: boolean
  /** A write-back or flush had failed: what the cache held is not known any more (I5). */
  readonly flushFailed: boolean
}

/**
 * R2 (Q5): a clean close says everything is on the medium; the same boot, that the cache was kept.
 */
export function restartClassOf(life: LastLife): RestartClass {
  if (life.flushFailed) return "cache-lost"
  if (life.closedCleanly) return "none"
  return life.sameBoot ? "process" : "cache-lost"
}

/**
 * R3(b): what an unclean open makes of the member's own byte for a chunk of a hot extent. (R3(a)
 * marks the chunk for every absent member too: the marks of the last moments may have been in
 * memory only.)
 */
export function ownByteAfterRestart(byte: number, restart: RestartClass): number {
  if (restart === "none") return byte
  const suspicion = restart === "process" ? CHUNK_SUSPECT_IN_FLIGHT : CHUNK_SUSPECT_CACHE_LOST
  return strongerByte(byte, suspicion)
}

/** The newest mutation that a member recorded for one io unit. Ordered by epoch, then sequence. */
export interface UnitRecord {
  readonly epoch: number
  readonly sequence: number
  /** The member may lack it, or a part: it came with a copy, or was refused (RT-77, RT-79). */
  readonly isPartial?: boolean
}

export function compareUnitRecords(a: UnitRecord, b: UnitRecord): number {
  return a.epoch - b.epoch || a.sequence - b.sequence
}

export interface UnitDecision {
  /** The newest record of the unit anywhere in the opening normal set, if any. */
  readonly newest: UnitRecord | undefined
  /** Members of the opening normal set that suspect its range, rank 1. */
  readonly suspects: MemberSet
  /** The opening view lists the range: its normal members mark it for every absent member (V2). */
  readonly isListed: boolean
}

/**
 * R4: what the last client left behind in one io unit. Recorded by all: everybody has it, unless
 * one of them may lack it, or a part of it (RT-77, RT-79). By some:
 * those suspect themselves, and the others' clean copies decide; a mutation that not all recorded
 * was never acknowledged. `records[slot]` is undefined where the member recorded nothing or
 * restarted (then R3 has spoken for it).
 *
 * With anybody absent the range is listed also where all agree. A view that put the absent member
 * out may have reached only some of them, so that one member has the mark and another does not
 * (RT-35); whoever lets the absent one join later may be the one without.
 */
export function decideUnit(
  records: readonly (UnitRecord | undefined)[],
  normal: MemberSet,
  absent: MemberSet,
): UnitDecision {
  let newest: UnitRecord | undefined
  for (const slot of slotsOf(normal)) {
    const record = records[slot]
    if (record === undefined) continue
    if (newest === undefined || compareUnitRecords(record, newest) > 0) newest = record
  }
  if (newest === undefined) return { newest, suspects: 0, isListed: false }
  let recordedBy = 0
  let wholeAt = 0
  for (const slot of slotsOf(normal)) {
    const record = records[slot]
    if (record === undefined || compareUnitRecords(record, newest) !== 0) continue
    recordedBy |= 1 << slot
    if (record.isPartial !== true) wholeAt |= 1 << slot
  }
  const suspects = wholeAt === normal ? 0 : recordedBy
  return { newest, suspects, isListed: suspects !== 0 || absent !== 0 }
}

/**
 * V2, R4: the byte with which a member marks a listed range for an absent member. Listing says "the
 * absent one may lack this mutation", and only who has applied it on a clean chunk knows that it
 * exists to be lacked. A real mark of a marker that never gets the mutation would leave nobody to
 * elect, although the absent one holds the best copy (RT-29). Applying the mutation makes the mark
 * real, and nothing is acknowledged before every member of the view has applied it.
 */
export function markByteWhenListed(ownByteOfMarker: number, hasApplied: boolean): number {
  return ownByteOfMarker === CHUNK_CLEAN && hasApplied ? CHUNK_REAL : CHUNK_SUSPECT_IN_FLIGHT
}

/**
 * R3(a): the byte with which an unclean open marks a chunk of a hot extent for each absent member:
 * its last marks may have been in memory only. Not where the own chunk is real: then nothing was
 * applied there since, and the marks went to disk in the step that made it real.
 */
export function markByteAfterRestart(ownByteBefore: number): number {
  return ownByteBefore === CHUNK_REAL ? CHUNK_CLEAN : CHUNK_REAL
}

/**
 * R5: what a joiner's own byte becomes: its last io makes it suspect, a valid mark speaks for
 * itself.
 */
export function ownByteOfJoiner(byte: number, isInLastIo: boolean, markByte: number): number {
  const suspected = isInLastIo ? strongerByte(byte, CHUNK_SUSPECT_IN_FLIGHT) : byte
  return strongerByte(suspected, markByte)
}

export type ElectionDecision =
  /** These have the chunk clean; whoever is dirty fetches it. */
  | { readonly decide: "fetch"; readonly from: MemberSet }
  /** Nobody is clean: this member durably clears its own bit, the others fetch. */
  | { readonly decide: "elect"; readonly slot: number; readonly rank: 1 | 2 }
  /** Only real ones: a holder is missing, or the chunk is lost (S8, Q23). */
  | { readonly decide: "wait" }

/**
 * R6: whose copy of a chunk is right inside the normal set. `bytes[slot]` is the member's own byte,
 * durable, after R3 and R4. Lowest rank, then lowest member id (slots are handed in in that order).
 * A rank 2 election is carried out only after waiting for missing members of the base view.
 */
export function decideElection(bytes: readonly number[], normal: MemberSet): ElectionDecision {
  let clean = 0
  let elected = -1
  let electedRank = RANK_CACHE_LOST + 1
  for (const slot of slotsOf(normal)) {
    const byte = bytes[slot]
    assert(byte !== undefined, "a member of the normal set has answered with its byte")
    if (byte === CHUNK_CLEAN) {
      clean |= 1 << slot
    } else if (byte !== CHUNK_REAL && rankOfByte(byte) < electedRank) {
      elected = slot
      electedRank = rankOfByte(byte)
    }
  }
  if (clean !== 0) return { decide: "fetch", from: clean }
  if (elected < 0) return { decide: "wait" }
  assert(has(normal, elected), "the elected member is normal")
  return { decide: "elect", slot: elected, rank: electedRank as 1 | 2 }
}

/**
 * R6: who gives a suspicion of rank 2 up for certainty, because a member of N has the chunk clean.
 * What lost its cache may lack bytes that the clean one has flushed since; were it still only
 * suspect when the clean one leaves, it would be elected without them (RT-45).
 */
export function decideYield(bytes: readonly number[], normal: MemberSet): MemberSet {
  let yielding = 0
  let isClean = false
  for (const slot of slotsOf(normal)) {
    if (bytes[slot] === CHUNK_CLEAN) isClean = true
    if (bytes[slot] === CHUNK_SUSPECT_CACHE_LOST) yielding |= 1 << slot
  }
  return isClean ? yielding : 0
}

/** What a flush may be sent for, as far as one chunk goes. */
export type FlushScope =
  /** Whoever asks for it: it says of everything that was acknowledged that it is durable. */
  | "callers"
  /** The pool alone: it moves the stable number on, and tells no caller anything (RT-62). */
  | "pool"
  | "nobody"

/**
 * I5: what a flush may say while a chunk has these bytes in N. Of a chunk that some member of N has
 * clean, it makes the bytes durable there (RT-44); while somebody in N is suspect with rank 2,
 * nobody flushes (RT-45). Where all of N really lack it, somebody absent may hold acknowledged
 * bytes that are durable nowhere, so no caller is told that they are. With nobody absent the chunk
 * is lost, whatever is flushed. Either way the others' bytes, and the marks that say who lacks
 * what, become durable with a flush: what they keep hot may cool (I2).
 */
export function decideFlush(
  bytes: readonly number[],
  normal: MemberSet,
  absent: MemberSet,
): FlushScope {
  let isClean = false
  let isReal = true
  for (const slot of slotsOf(normal)) {
    if (bytes[slot] === CHUNK_SUSPECT_CACHE_LOST) return "nobody"
    if (bytes[slot] === CHUNK_CLEAN) isClean = true
    if (bytes[slot] !== CHUNK_REAL) isReal = false
  }
  if (isClean) return "callers"
  if (!isReal) return "nobody"
  return absent === 0 ? "callers" : "pool"
}

/**
 * R5: what becomes of a joiner's suspicion of rank 2 (RT-45). Beside a clean copy it yields. Where
 * all of N are real it may be the best there is, unless somebody absent was normal later: that one
 * may have flushed what the joiner lost, so it comes first. `isAnybodyLater`: the record in force
 * shows an absent member with a later `normalThrough` than the joiner's.
 */
export function decideRankOfJoiner(
  byte: number,
  isCleanInNormal: boolean,
  isAnybodyLater: boolean,
): "keep" | "yield" | "wait" {
  if (byte !== CHUNK_SUSPECT_CACHE_LOST) return "keep"
  if (isCleanInNormal) return "yield"
  return isAnybodyLater ? "wait" : "keep"
}

/**
 * S10: may a copy be taken from this source? `missed` is what the target has recorded for the
 * unit, unless that still waits to be applied there after the copy; the source must have recorded
 * that, or something newer in its unit (RT-41). A source that became normal after the mutation's
 * view is trusted without: a grow waits for every mutation in flight, so the mutation was
 * resolved before, and whoever is clean has it (RT-47).
 */
export function holdsWhatWasMissed(
  missed: UnitRecord | undefined,
  source: UnitRecord | undefined,
  mutationView: ViewNumber,
  sourceJoinedView: ViewNumber,
): boolean {
  if (missed === undefined) return true
  if (compareViews(sourceJoinedView, mutationView) > 0) return true
  if (source === undefined) return false
  const order = compareUnitRecords(source, missed)
  return order > 0 || (order === 0 && source.isPartial !== true)
}

/**
 * I5, R8: must a living client that opened the pool anew fail its next flush? Yes, when what it had
 * acknowledged and not flushed may be gone: no member of the opening view kept its cache (RT-54).
 * It fails once, as a disk's flush does after a write-back error.
 */
export function losesUnflushed(restarts: readonly RestartClass[]): boolean {
  return restarts.length > 0 && restarts.every((restart) => restart === "cache-lost")
}
