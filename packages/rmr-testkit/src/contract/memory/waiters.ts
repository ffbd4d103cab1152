/**
 * - **A5** `whenFree` runs once, inside a later release that left more room than there was at the
 *   asking, in order of asking.
 */
import type { Lease, Memory } from "@rmr/core"
import { NO_LEASE } from "@rmr/core"
import { check, checkEqual, checkList } from "../check.js"
import type { Clause } from "../clause.js"
import type { MemoryHarness } from "./harness.js"
import { fill, leaseOf, PAGE_BYTES } from "./harness.js"

const PAIR = { arenaBytes: [2 * PAGE_BYTES], leaseCountMax: 4 }

/** No clause needs as many attempts; a memory that wakes without end must not hang the suite. */
const ATTEMPTS_MAX = 50

/** Asks for a lease of this size until it has one, as a receiver does. */
function wish(memory: Memory, bytes: number, got: (lease: Lease) => void): void {
  let attemptCount = 0
  const attempt = (): void => {
    check(++attemptCount < ATTEMPTS_MAX, "no wakening without more room")
    const lease = memory.lease(bytes)
    if (lease === NO_LEASE) memory.whenFree(attempt)
    else got(lease)
  }
  attempt()
}

export const waiterClauses: readonly Clause<MemoryHarness>[] = [
  {
    promise: "A5",
    title: "it runs at the release, not at the asking, and once",
    run: ({ create }) => {
      const memory = create(PAIR)
      const [first, second] = fill(memory, PAGE_BYTES)
      let ranCount = 0
      memory.whenFree(() => ranCount++)
      checkEqual(ranCount, 0, "runs before any release")
      memory.release(first!)
      checkEqual(ranCount, 1, "runs after the first release")
      memory.release(second!)
      checkEqual(ranCount, 1, "runs after another release")
    },
  },
  {
    promise: "A5",
    title: "asked while there is room, it waits for a release all the same",
    run: ({ create }) => {
      const memory = create(PAIR)
      const lease = leaseOf(memory, 1)
      let ranCount = 0
      memory.whenFree(() => ranCount++)
      checkEqual(ranCount, 0, "runs at the asking")
      memory.release(lease)
      checkEqual(ranCount, 1, "runs after the release")
    },
  },
  {
    promise: "A5",
    title: "taking away one of two references makes no room",
    run: ({ create }) => {
      const memory = create(PAIR)
      const [lease] = fill(memory, 2 * PAGE_BYTES)
      memory.retain(lease!)
      let ranCount = 0
      memory.whenFree(() => ranCount++)
      memory.release(lease!)
      checkEqual(ranCount, 0, "runs with a reference left")
      memory.release(lease!)
      checkEqual(ranCount, 1, "runs after the last reference")
    },
  },
  {
    promise: "A5",
    title: "who asked first is served first, and memory is there when it runs",
    run: ({ create }) => {
      const memory = create(PAIR)
      const leases = fill(memory, PAGE_BYTES)
      const served: string[] = []
      for (const name of ["a", "b", "c"]) {
        wish(memory, PAGE_BYTES, (lease) => {
          served.push(name)
          leases.push(lease)
        })
      }
      checkList(served, [], "who is served by a full memory")
      memory.release(leases[0]!)
      checkList(served, ["a"], "who is served by one release")
      memory.release(leases[1]!)
      memory.release(leases[2]!)
      checkList(served, ["a", "b", "c"], "who is served by three releases")
    },
  },
  {
    promise: "A5",
    title: "a lease that comes back is room, where leases had run out and not bytes",
    run: ({ create }) => {
      const memory = create({ arenaBytes: [8 * PAGE_BYTES], leaseCountMax: 1 })
      const [first] = fill(memory, PAGE_BYTES)
      let served: Lease = NO_LEASE
      wish(memory, PAGE_BYTES, (lease) => {
        served = lease
      })
      memory.release(first!)
      check(served !== NO_LEASE, "a lease for the one who waited")
    },
  },
  {
    promise: "A5",
    title: "one that found too little and asked again is served once there is enough",
    run: ({ create }) => {
      const memory = create(PAIR)
      const [first, second] = fill(memory, PAGE_BYTES)
      let large: Lease = NO_LEASE
      wish(memory, 2 * PAGE_BYTES, (lease) => {
        large = lease
      })
      memory.release(first!)
      checkEqual(large, NO_LEASE, "the large lease after half the room came back")
      memory.release(second!)
      check(large !== NO_LEASE, "the large lease when all room is back")
    },
  },
  {
    promise: "A5",
    title: "waiters that take, give back and ask again come to rest",
    run: ({ create }) => {
      const memory = create({ arenaBytes: [4 * PAGE_BYTES], leaseCountMax: 8 })
      const leases = fill(memory, PAGE_BYTES)
      let tryCount = 0
      const takeTwoOrNone = (): void => {
        check(++tryCount < ATTEMPTS_MAX, "waiters to come to rest")
        const one = memory.lease(PAGE_BYTES)
        const other = one === NO_LEASE ? NO_LEASE : memory.lease(PAGE_BYTES)
        if (other !== NO_LEASE) return
        if (one !== NO_LEASE) memory.release(one)
        memory.whenFree(takeTwoOrNone)
      }
      takeTwoOrNone()
      takeTwoOrNone()
      for (const lease of leases) memory.release(lease)
      checkEqual(memory.stats().leaseCount, 4, "leases when both waiters have their two")
    },
  },
]
