import fc from "fast-check"
import { AssertionError } from "../assert.js"
import type { Lease } from "../brand.js"
import { leaseBytes, NO_LEASE } from "../ports/memory.js"
import type { BuddyMemory } from "./buddy-memory.js"
import { buddyMemory, POISON_BYTE } from "./buddy-memory.js"

const PAGE = 4096

type Step =
  | { readonly do: "lease"; readonly bytes: number }
  | { readonly do: "retain" | "release"; readonly which: number }

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("lease" as const), bytes: fc.integer({ min: 1, max: 16 * PAGE }) }),
    fc.record({
      do: fc.constantFrom("retain" as const, "release" as const, "release" as const),
      which: fc.nat(1000),
    }),
  ),
  { minLength: 20, maxLength: 300 },
)

/** The largest free, aligned run in units of pages, found by looking at every page. */
function largestFreePages(isTaken: readonly boolean[][]): number {
  let largest = 0
  for (const arena of isTaken) {
    for (let size = 1; size <= arena.length; size *= 2) {
      for (let start = 0; start < arena.length; start += size) {
        if (!arena.slice(start, start + size).includes(true)) largest = Math.max(largest, size)
      }
    }
  }
  return largest
}

/** What is true of a memory at this moment, told by nothing but the leases that live. */
class Oracle {
  readonly referencesByLease = new Map<Lease, number>()
  private readonly memory: BuddyMemory

  constructor(memory: BuddyMemory) {
    this.memory = memory
  }

  takenPages(): boolean[][] {
    const taken = this.memory.arenas.map((arena) =>
      new Array<boolean>(arena.bytes.length / PAGE).fill(false),
    )
    for (const lease of this.referencesByLease.keys()) {
      const pages = taken[this.memory.arenaOf(lease).index]!
      const first = this.memory.offsetOf(lease) / PAGE
      const count = this.memory.capacityOf(lease) / PAGE
      for (let page = first; page < first + count; page++) {
        if (pages[page] !== false) throw new Error(`page ${page} is leased twice, or nowhere`)
        pages[page] = true
      }
    }
    return taken
  }

  lease(bytes: number): void {
    const room = this.referencesByLease.size < LEASES ? largestFreePages(this.takenPages()) : 0
    const needed = 2 ** Math.ceil(Math.log2(Math.ceil(bytes / PAGE)))
    const lease = this.memory.lease(bytes)
    expect(lease !== NO_LEASE).toBe(needed <= room)
    if (lease === NO_LEASE) return
    expect(this.memory.capacityOf(lease)).toBe(needed * PAGE)
    this.referencesByLease.set(lease, 1)
  }

  change(by: 1 | -1, which: number): void {
    const leases = [...this.referencesByLease.keys()]
    const lease = leases[which % leases.length]
    if (lease === undefined) return
    if (by > 0) this.memory.retain(lease)
    else this.memory.release(lease)
    const references = this.referencesByLease.get(lease)! + by
    if (references > 0) this.referencesByLease.set(lease, references)
    else this.referencesByLease.delete(lease)
  }

  agrees(): void {
    const taken = this.takenPages().flat()
    const leasedBytes = taken.filter((isTaken) => isTaken).length * PAGE
    const leaseCount = this.referencesByLease.size
    expect(this.memory.stats()).toEqual({
      arenaBytes: taken.length * PAGE,
      leasedBytes,
      leaseCount,
    })
  }
}

const LEASES = 12

describe("buddyMemory", () => {
  it("A4 finds room exactly when an aligned run is free, after any history", () => {
    fc.assert(
      fc.property(steps, (history) => {
        const memory = buddyMemory({
          arenas: [8 * PAGE, PAGE, 16 * PAGE],
          leaseCountMax: LEASES,
          poison: true,
        })
        const oracle = new Oracle(memory)
        for (const step of history) {
          if (step.do === "lease") oracle.lease(step.bytes)
          else oracle.change(step.do === "retain" ? 1 : -1, step.which)
          oracle.agrees()
        }
        for (const [lease, references] of oracle.referencesByLease) {
          for (let at = 0; at < references; at++) memory.release(lease)
        }
        memory.assertNoLeases()
        expect(memory.lease(memory.leaseBytesMax)).not.toBe(NO_LEASE)
      }),
      { numRuns: 150 },
    )
  })

  it("notices at the next lease that released memory was written to", () => {
    const memory = buddyMemory({ arenas: [4 * PAGE], leaseCountMax: 4, poison: true })
    const lease = memory.lease(PAGE)
    const late = leaseBytes(memory, lease, 0, PAGE)
    memory.release(lease)
    expect(late[7]).toBe(POISON_BYTE)
    late[7] = 1
    expect(() => memory.lease(PAGE)).toThrow("released memory was written to: arena 0 at 7")
  })

  it("names the live leases where none should be", () => {
    const memory = buddyMemory({ arenas: [4 * PAGE, 8 * PAGE], leaseCountMax: 4 })
    const lease = memory.lease(8 * PAGE)
    memory.retain(lease)
    expect(() => memory.assertNoLeases()).toThrow(
      `1 leases are live and 0 wait for room: lease ${lease} (arena 1, 0+32768, 2 references)`,
    )
    memory.release(lease)
    memory.release(lease)
    memory.assertNoLeases()
  })

  it("names those who still wait for room", () => {
    const memory = buddyMemory({ arenas: [PAGE], leaseCountMax: 1 })
    memory.whenFree(() => undefined)
    expect(() => memory.assertNoLeases()).toThrow("0 leases are live and 1 wait for room")
  })

  it("leases from memory that was handed in, where that memory is", () => {
    const owned = new Uint8Array(12 * PAGE).subarray(4 * PAGE)
    const memory = buddyMemory({ arenas: [owned], leaseCountMax: 2 })
    const lease = memory.lease(PAGE)
    leaseBytes(memory, lease, 0, 1)[0] = 77
    expect(owned[memory.offsetOf(lease)]).toBe(77)
    expect(memory.arenaOf(lease).view.getUint8(memory.offsetOf(lease))).toBe(77)
  })

  it("A3 never repeats a handle before all handle values were used", () => {
    const memory = buddyMemory({ arenas: [PAGE], leaseCountMax: 3 })
    const seen = new Set<Lease>()
    for (let round = 0; round < 20_000; round++) {
      const lease = memory.lease(1)
      expect(lease).toBeGreaterThanOrEqual(0)
      seen.add(lease)
      memory.release(lease)
    }
    expect(seen.size).toBe(20_000)
  })

  it("refuses arenas that are no power of two, and lease counts it cannot number", () => {
    const make = (arenas: number[], leaseCountMax: number) => () =>
      buddyMemory({ arenas, leaseCountMax })
    expect(make([3 * PAGE], 1)).toThrow(AssertionError)
    expect(make([2048], 1)).toThrow(AssertionError)
    expect(make([], 1)).toThrow(AssertionError)
    expect(make([PAGE], 0)).toThrow(AssertionError)
    expect(make([PAGE], 2 ** 20 + 1)).toThrow(AssertionError)
    expect(make([PAGE], 2 ** 20)).not.toThrow()
  })
})
