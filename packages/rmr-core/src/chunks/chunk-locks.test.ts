import fc from "fast-check"
import type { ChunkNumber } from "../brand.js"
import { STATUS_OK } from "../errors.js"
import {
  ChunkLocks,
  LOCK_MUTATION,
  LOCK_SOURCE_READ,
  LOCK_SYNC_WRITE,
  type LockMode,
} from "./chunk-locks.js"

const TOKENS = 12
const chunk = (value: number): ChunkNumber => value as ChunkNumber

interface Rig {
  readonly locks: ChunkLocks
  /** Tokens in the order in which they were told that they hold their chunks. */
  readonly told: number[]
}

function rig(tokensMax: number = TOKENS): Rig {
  const told: number[] = []
  const events = {
    onReady: ({
      count,
      tokens,
      statuses,
    }: {
      count: number
      tokens: Int32Array
      statuses: Int32Array
    }): void => {
      told.push(...tokens.subarray(0, count))
      expect(statuses.subarray(0, count).every((status) => status === STATUS_OK)).toBe(true)
    },
  }
  return { locks: new ChunkLocks({ tokensMax, events }), told }
}

describe("ChunkLocks", () => {
  it("S1: source reads go together, and mutations go together, but a copy is written alone", () => {
    const { locks } = rig()
    expect(locks.acquire(0, LOCK_SOURCE_READ, chunk(5), 1)).toBe(true)
    expect(locks.acquire(1, LOCK_SOURCE_READ, chunk(5), 1)).toBe(true)
    expect(locks.acquire(2, LOCK_MUTATION, chunk(6), 1)).toBe(true)
    expect(locks.acquire(3, LOCK_MUTATION, chunk(6), 1)).toBe(true)
    expect(locks.acquire(4, LOCK_SYNC_WRITE, chunk(7), 1)).toBe(true)
    expect(locks.acquire(5, LOCK_SYNC_WRITE, chunk(7), 1)).toBe(false)
    expect(locks.acquire(6, LOCK_MUTATION, chunk(5), 1)).toBe(false)
    expect(locks.acquire(7, LOCK_SOURCE_READ, chunk(6), 1)).toBe(false)
    expect([locks.heldCount, locks.waitingCount]).toEqual([5, 3])
  })

  it("S1: a stream of source reads does not starve a mutation behind the first of them", () => {
    const { locks, told } = rig()
    locks.acquire(0, LOCK_SOURCE_READ, chunk(5), 1)
    expect(locks.acquire(1, LOCK_MUTATION, chunk(5), 1)).toBe(false)
    expect(locks.acquire(2, LOCK_SOURCE_READ, chunk(5), 1)).toBe(false)
    locks.release(0)
    locks.deliver()
    expect(told).toEqual([1])
    locks.release(1)
    locks.deliver()
    expect(told).toEqual([1, 2])
  })

  it("S1: two mutations that want each other's chunks in opposite order do not deadlock", () => {
    const { locks, told } = rig()
    locks.acquire(0, LOCK_SYNC_WRITE, chunk(1), 1)
    locks.acquire(1, LOCK_SYNC_WRITE, chunk(2), 1)
    locks.acquire(2, LOCK_MUTATION, chunk(1), 2)
    locks.acquire(3, LOCK_SYNC_WRITE, chunk(1), 2)
    locks.release(1)
    locks.release(0)
    locks.deliver()
    expect([told, locks.isWaiting(3)]).toEqual([[2], true])
    locks.release(2)
    locks.deliver()
    expect(told).toEqual([2, 3])
  })

  it("P6: who gives up waiting blocks nobody any more, and is not told", () => {
    const { locks, told } = rig()
    locks.acquire(0, LOCK_SOURCE_READ, chunk(5), 1)
    locks.acquire(1, LOCK_SYNC_WRITE, chunk(5), 1)
    locks.acquire(2, LOCK_SOURCE_READ, chunk(5), 1)
    locks.release(1)
    locks.deliver()
    expect(told).toEqual([2])
    locks.acquire(1, LOCK_SYNC_WRITE, chunk(5), 1)
    locks.release(0)
    locks.release(2)
    expect(locks.holds(1)).toBe(true)
    locks.release(1) // granted, but given up before it was told
    locks.deliver()
    expect([told, locks.heldCount]).toEqual([[2], 0])
  })

  it("chunks that agree in their lower 32 bits have different locks", () => {
    const { locks } = rig()
    locks.acquire(0, LOCK_SYNC_WRITE, chunk(7), 1)
    expect(locks.acquire(1, LOCK_SYNC_WRITE, chunk(2 ** 32 + 7), 1)).toBe(true)
    expect(locks.acquire(2, LOCK_SYNC_WRITE, chunk(2 ** 36), 2 ** 36)).toBe(true)
  })

  it("a chunk that was locked 65,536 times before can be locked no less", () => {
    const { locks } = rig()
    for (let times = 0; times < 65_535; times++) {
      locks.acquire(0, LOCK_SYNC_WRITE, chunk(5), 1)
      locks.release(0)
    }
    expect(locks.acquire(0, LOCK_SYNC_WRITE, chunk(5), 1)).toBe(true)
    expect(locks.acquire(1, LOCK_SYNC_WRITE, chunk(5), 1)).toBe(false)
  })

  it("what is released during a delivery waits for its own batch, and disturbs none", () => {
    const batches: number[][] = []
    const locks: ChunkLocks = new ChunkLocks({
      tokensMax: 4,
      events: {
        onReady: (batch) => {
          const seen: number[] = []
          batches.push(seen)
          for (let at = 0; at < batch.count; at++) {
            seen.push(batch.tokens[at]!)
            locks.release(batch.tokens[at]!)
            locks.deliver()
          }
        },
      },
    })
    locks.acquire(0, LOCK_SYNC_WRITE, chunk(8), 2)
    for (const [token, at] of [
      [1, 8],
      [2, 9],
      [3, 8],
    ] as const) {
      locks.acquire(token, LOCK_SYNC_WRITE, chunk(at), 1)
    }
    locks.release(0)
    locks.deliver()
    expect(batches).toEqual([[1, 2], [3]])
  })

  it("asserts that a token asks once, for something, and releases what it asked for", () => {
    const { locks } = rig()
    locks.acquire(0, LOCK_SYNC_WRITE, chunk(1), 1)
    expect(() => locks.acquire(0, LOCK_SYNC_WRITE, chunk(2), 1)).toThrow("one range of chunks")
    expect(() => locks.acquire(1, LOCK_SYNC_WRITE, chunk(2), 0)).toThrow("at least one chunk")
    expect(() => locks.release(3)).toThrow("has asked for them")
    expect(() => locks.release(TOKENS)).toThrow("has asked for them")
    expect(() => locks.acquire(TOKENS, LOCK_SYNC_WRITE, chunk(2), 1)).toThrow("one range of chunks")
  })
})

/** A request in the order of arrival, and nothing else: the oracle of the random schedules. */
interface Request {
  readonly token: number
  readonly mode: LockMode
  readonly first: number
  readonly end: number
}

function conflict(a: Request, b: Request): boolean {
  const goTogether = a.mode === b.mode && a.mode !== LOCK_SYNC_WRITE
  return a.first < b.end && b.first < a.end && !goTogether
}

/** Whoever conflicts with nobody before him holds his chunks. */
function holdersOf(arrived: readonly Request[]): Request[] {
  return arrived.filter(
    (request, at) => !arrived.slice(0, at).some((other) => conflict(request, other)),
  )
}

const requests = fc.record({
  token: fc.nat(TOKENS - 1),
  mode: fc.constantFrom<LockMode>(LOCK_SOURCE_READ, LOCK_MUTATION, LOCK_SYNC_WRITE),
  first: fc.nat(6),
  count: fc.integer({ min: 1, max: 7 }), // more than 4 are a wide request for the filter
})

describe("ChunkLocks against an oracle", () => {
  it("S1: no two that conflict hold at once, first come is first served, all are served", () => {
    const property = fc.property(fc.array(requests, { maxLength: 80, size: "max" }), (schedule) => {
      const { locks, told } = rig()
      let arrived: Request[] = []
      const toldBefore = new Set<number>()
      const check = (): void => {
        locks.deliver()
        const holders = holdersOf(arrived)
        const held = arrived.filter(({ token }) => locks.holds(token))
        expect(held).toEqual(holders)
        expect([locks.heldCount, locks.waitingCount]).toEqual([
          held.length,
          arrived.length - held.length,
        ])
        for (const [at, holder] of held.entries()) {
          expect(held.slice(0, at).filter((other) => conflict(holder, other))).toEqual([])
        }
        for (const { token } of arrived) {
          expect(locks.isWaiting(token)).toBe(!locks.holds(token))
        }
      }
      for (const { token, mode, first, count } of schedule) {
        if (arrived.some((request) => request.token === token)) {
          locks.release(token) // whether it holds or waits
          arrived = arrived.filter((request) => request.token !== token)
        } else {
          const request = { token, mode, first, end: first + count }
          const isFree = !arrived.some((other) => conflict(request, other))
          arrived.push(request)
          expect(locks.acquire(token, mode, chunk(first), count)).toBe(isFree)
          if (isFree) toldBefore.add(token)
        }
        check()
      }
      while (arrived.length > 0) {
        const [holder] = holdersOf(arrived)
        locks.release(holder!.token)
        arrived = arrived.filter((request) => request !== holder)
        check()
      }
      expect([locks.heldCount, locks.waitingCount]).toEqual([0, 0])
      expect(told.length).toBeLessThanOrEqual(schedule.length)
    })
    fc.assert(property, { numRuns: 100 })
  })
})
