/** Rules R1 to R6, M2, M4 and V4b. */
import fc from "fast-check"
import { decideMarksAtViewChange, honoursMapClear, isMarkValid, isRolledBack } from "./marks.js"
import { setOf } from "./member-set.js"
import {
  CHUNK_CLEAN,
  CHUNK_REAL,
  CHUNK_SUSPECT_CACHE_LOST,
  CHUNK_SUSPECT_IN_FLIGHT,
  chunkByte,
  isChunkByte,
  rankOfByte,
  strongerByte,
} from "./rank.js"
import {
  decideElection,
  decideFlush,
  decideRankOfJoiner,
  decideUnit,
  decideYield,
  holdsWhatWasMissed,
  losesUnflushed,
  markByteAfterRestart,
  markByteWhenListed,
  ownByteAfterRestart,
  ownByteOfJoiner,
  restartClassOf,
} from "./recovery.js"

const BYTES = [CHUNK_CLEAN, CHUNK_SUSPECT_IN_FLIGHT, CHUNK_SUSPECT_CACHE_LOST, CHUNK_REAL]
const at = (version: number) => ({ epoch: 2, version })

describe("facts about a chunk", () => {
  it("R1 the stronger of two facts is kept: real > suspect 2 > suspect 1 > clean", () => {
    for (const [i, weaker] of BYTES.entries()) {
      for (const stronger of BYTES.slice(i)) {
        expect(strongerByte(weaker, stronger)).toBe(stronger)
        expect(strongerByte(stronger, weaker)).toBe(stronger)
      }
    }
  })

  it("R1 a byte says dirty in bit 0 and the rank in bits 1 and 2; others are refused", () => {
    for (const rank of [0, 1, 2] as const) expect(rankOfByte(chunkByte(rank))).toBe(rank)
    const legal = Array.from({ length: 256 }, (_, byte) => byte).filter(isChunkByte)
    expect(legal).toEqual([0, 1, 3, 5])
  })
})

describe("restarts", () => {
  it("R2 only a clean close says nothing, only the same boot keeps the cache", () => {
    const life = { closedCleanly: true, sameBoot: true, flushFailed: false }
    expect(restartClassOf(life)).toBe("none")
    expect(restartClassOf({ ...life, sameBoot: false })).toBe("none")
    expect(restartClassOf({ ...life, closedCleanly: false })).toBe("process")
    expect(restartClassOf({ ...life, closedCleanly: false, sameBoot: false })).toBe("cache-lost")
    expect(restartClassOf({ ...life, flushFailed: true })).toBe("cache-lost")
  })

  it("R3 a member suspects itself, and never less than before (RT-6)", () => {
    expect(ownByteAfterRestart(CHUNK_CLEAN, "none")).toBe(CHUNK_CLEAN)
    expect(ownByteAfterRestart(CHUNK_CLEAN, "process")).toBe(CHUNK_SUSPECT_IN_FLIGHT)
    expect(ownByteAfterRestart(CHUNK_CLEAN, "cache-lost")).toBe(CHUNK_SUSPECT_CACHE_LOST)
    expect(ownByteAfterRestart(CHUNK_SUSPECT_CACHE_LOST, "process")).toBe(CHUNK_SUSPECT_CACHE_LOST)
    expect(ownByteAfterRestart(CHUNK_REAL, "cache-lost")).toBe(CHUNK_REAL)
  })

  it("R3 marks are made again, except where the own chunk is real already (RT-36)", () => {
    expect(markByteAfterRestart(CHUNK_CLEAN)).toBe(CHUNK_REAL)
    expect(markByteAfterRestart(CHUNK_SUSPECT_IN_FLIGHT)).toBe(CHUNK_REAL)
    expect(markByteAfterRestart(CHUNK_REAL)).toBe(CHUNK_CLEAN)
  })
})

describe("what the last client left in an io unit", () => {
  const record = (epoch: number, sequence: number) => ({ epoch, sequence })

  it("R4 recorded by all is suspected by nobody; by some, by exactly those", () => {
    const all = decideUnit([record(1, 5), record(1, 5)], setOf(0, 1), 0)
    expect(all).toMatchObject({ suspects: 0, isListed: false })
    const some = decideUnit([record(1, 5), record(1, 4), undefined], setOf(0, 1, 2), 0)
    expect(some).toMatchObject({ suspects: setOf(0), isListed: true, newest: record(1, 5) })
  })

  it("R4 who recorded it of a copy may have a part of it only (RT-77)", () => {
    const ofCopy = { ...record(1, 5), isPartial: true }
    const decision = decideUnit([record(1, 5), ofCopy, record(1, 5)], setOf(0, 1, 2), 0)
    expect(decision).toMatchObject({ suspects: setOf(0, 1, 2), isListed: true })
  })

  it("R4 a higher epoch is newer, whatever its sequence", () => {
    const decision = decideUnit([record(2, 1), record(1, 9)], setOf(0, 1), 0)
    expect(decision).toMatchObject({ newest: record(2, 1), suspects: setOf(0) })
  })

  it("R4 what all recorded is listed all the same when somebody is absent (RT-35)", () => {
    const decision = decideUnit([record(1, 5), record(1, 5)], setOf(0, 1), setOf(2))
    expect(decision).toMatchObject({ suspects: 0, isListed: true })
  })

  it("R4 records of members outside the opening view do not count", () => {
    expect(decideUnit([undefined, record(1, 5)], setOf(0), setOf(1)).newest).toBeUndefined()
  })
})

describe("marks about absent members", () => {
  it("M2 marks end with the view up to which the record shows their member normal (RT-1)", () => {
    expect(isMarkValid(at(6), at(5))).toBe(true)
    expect(isMarkValid(at(6), at(6))).toBe(false)
    expect(isMarkValid({ epoch: 1, version: 9 }, at(1))).toBe(false)
  })

  it("M1 a new absence begins with an empty map, a continued one keeps its marks", () => {
    expect(decideMarksAtViewChange(undefined, at(5))).toBe("rebirth")
    expect(decideMarksAtViewChange(at(4), at(5))).toBe("rebirth")
    expect(decideMarksAtViewChange(at(6), at(5))).toBe("keep")
  })

  it("V2 a listed range is a real mark only of who has applied it on a clean chunk (RT-29)", () => {
    expect(markByteWhenListed(CHUNK_CLEAN, true)).toBe(CHUNK_REAL)
    expect(markByteWhenListed(CHUNK_CLEAN, false)).toBe(CHUNK_SUSPECT_IN_FLIGHT)
    expect(markByteWhenListed(CHUNK_REAL, true)).toBe(CHUNK_SUSPECT_IN_FLIGHT)
  })

  it("V4b a claim older than what the store had reported is a rolled-back store (RT-19)", () => {
    const entry = { reported: at(8), incarnation: 4 }
    const claim = (version: number, incarnation: number) => ({
      normalThrough: at(version),
      incarnation,
    })
    expect(isRolledBack(claim(8, 4), entry)).toBe(false)
    expect(isRolledBack(claim(9, 5), entry)).toBe(false)
    expect(isRolledBack(claim(7, 5), entry)).toBe(true)
    expect(isRolledBack(claim(8, 3), entry)).toBe(true)
  })

  it("V4b who never persisted the view that an opening wrote down for it is whole (RT-50)", () => {
    const entry = { normalThrough: at(9), reported: at(7), incarnation: 4 }
    expect(isRolledBack({ normalThrough: at(7), incarnation: 5 }, entry)).toBe(false)
  })

  it("M4 a clear of an earlier joining is ignored", () => {
    expect(honoursMapClear(true, at(5), at(5))).toBe(true)
    expect(honoursMapClear(true, at(7), at(5))).toBe(false)
    expect(honoursMapClear(false, at(5), at(5))).toBe(false)
  })

  it("R5 a joiner suspects its last io, and believes a valid mark", () => {
    expect(ownByteOfJoiner(CHUNK_CLEAN, false, CHUNK_CLEAN)).toBe(CHUNK_CLEAN)
    expect(ownByteOfJoiner(CHUNK_CLEAN, true, CHUNK_CLEAN)).toBe(CHUNK_SUSPECT_IN_FLIGHT)
    expect(ownByteOfJoiner(CHUNK_CLEAN, true, CHUNK_REAL)).toBe(CHUNK_REAL)
  })
})

describe("the election", () => {
  it("R6 clean beats suspect; rank 1 beats rank 2; a tie goes to the lowest slot", () => {
    const elect = (...bytes: number[]) => decideElection(bytes, setOf(...bytes.keys()))
    expect(elect(3, 0, 5)).toEqual({ decide: "fetch", from: setOf(1) })
    expect(elect(5, 3, 1)).toEqual({ decide: "elect", slot: 1, rank: 1 })
    expect(elect(1, 5, 5)).toEqual({ decide: "elect", slot: 1, rank: 2 })
  })

  it("R6 real is never elected: without a holder the chunk waits", () => {
    expect(decideElection([1, 1], setOf(0, 1))).toEqual({ decide: "wait" })
  })

  it("R6 the choice never depends on members outside the view", () => {
    const bytes = fc.array(fc.constantFrom(...BYTES), { minLength: 3, maxLength: 3 })
    fc.assert(
      fc.property(bytes, fc.constantFrom(...BYTES), (own, other) => {
        const changed = [own[0] as number, own[1] as number, other]
        expect(decideElection(changed, setOf(0, 1))).toEqual(decideElection(own, setOf(0, 1)))
      }),
    )
  })
})

describe("who lost its cache", () => {
  it("R6 yields beside a clean copy, not to be elected when that one leaves (RT-45)", () => {
    expect(decideYield([0, 5, 3], setOf(0, 1, 2))).toBe(setOf(1))
    expect(decideYield([1, 5, 3], setOf(0, 1, 2))).toBe(0)
    expect(decideYield([0, 5], setOf(1))).toBe(0)
  })

  it("R5 joins as real beside a clean copy, and not before who was normal later", () => {
    expect(decideRankOfJoiner(CHUNK_SUSPECT_CACHE_LOST, true, true)).toBe("yield")
    expect(decideRankOfJoiner(CHUNK_SUSPECT_CACHE_LOST, false, true)).toBe("wait")
    expect(decideRankOfJoiner(CHUNK_SUSPECT_CACHE_LOST, false, false)).toBe("keep")
    expect(decideRankOfJoiner(CHUNK_SUSPECT_IN_FLIGHT, true, true)).toBe("keep")
  })

  it("I5 holds a flush up until it has yielded, and while nobody is clean (RT-44)", () => {
    expect(decideFlush([0, 1, 3], setOf(0, 1, 2), 0)).toBe("callers")
    expect(decideFlush([0, 5], setOf(0, 1), 0)).toBe("nobody")
    expect(decideFlush([0, 1, 3], setOf(1, 2), setOf(0))).toBe("nobody")
  })

  it("I5 goes on for the pool alone while only somebody absent can have a chunk (RT-62)", () => {
    expect(decideFlush([0, 1], setOf(1), setOf(0))).toBe("pool")
    expect(decideFlush([1, 1], setOf(0, 1), 0)).toBe("callers")
    expect(decideFlush([1, 1, 5], setOf(0, 1, 2), 0)).toBe("nobody")
  })

  it("I5 a living client learns by a failed flush that all caches were lost (RT-54)", () => {
    expect(losesUnflushed(["cache-lost", "cache-lost"])).toBe(true)
    expect(losesUnflushed(["cache-lost", "process"])).toBe(false)
    expect(losesUnflushed([])).toBe(false)
  })
})

describe("a copy for who missed a mutation", () => {
  const missed = { epoch: 2, sequence: 5 }
  const old = { epoch: 2, sequence: 4 }

  it("S10 comes only from a source that has recorded the mutation, or a newer one (RT-41)", () => {
    expect(holdsWhatWasMissed(missed, missed, at(6), at(3))).toBe(true)
    expect(holdsWhatWasMissed(missed, old, at(6), at(6))).toBe(false)
    expect(holdsWhatWasMissed(missed, undefined, at(6), at(3))).toBe(false)
    expect(holdsWhatWasMissed(undefined, undefined, at(6), at(3))).toBe(true)
  })

  it("S10 comes from nobody who may have a part of it only (RT-77)", () => {
    expect(holdsWhatWasMissed(missed, { ...missed, isPartial: true }, at(6), at(3))).toBe(false)
    const later = { ...missed, sequence: missed.sequence + 1, isPartial: true }
    expect(holdsWhatWasMissed(missed, later, at(6), at(3))).toBe(true)
  })

  it("S10 may come from a source that joined when the mutation was resolved (RT-47)", () => {
    expect(holdsWhatWasMissed(missed, undefined, at(6), at(7))).toBe(true)
  })
})
