/**
 * - **A3** A handle that was freed is refused by assertion, also after its memory serves another
 *   lease.
 */
import type { Lease, Memory } from "@rmr/core"
import { NO_LEASE } from "@rmr/core"
import { checkAsserts, checkEqual } from "../check.js"
import type { Clause } from "../clause.js"
import type { MemoryHarness } from "./harness.js"
import { bytesOf, leaseOf, PAGE_BYTES } from "./harness.js"

/** More than a small number of generation bits can tell apart by wrapping early. */
const STALE_COUNT = 1000

function checkRefused(memory: Memory, lease: Lease, what: string): void {
  checkAsserts(() => memory.retain(lease), `retaining ${what}`)
  checkAsserts(() => memory.release(lease), `releasing ${what}`)
  checkAsserts(() => memory.arenaOf(lease), `the arena of ${what}`)
  checkAsserts(() => memory.offsetOf(lease), `the offset of ${what}`)
  checkAsserts(() => memory.capacityOf(lease), `the capacity of ${what}`)
}

export const handleClauses: readonly Clause<MemoryHarness>[] = [
  {
    promise: "A3",
    title: "every call refuses a released handle",
    run: ({ create }) => {
      const memory = create({ arenaBytes: [4 * PAGE_BYTES], leaseCountMax: 4 })
      const lease = leaseOf(memory, PAGE_BYTES)
      memory.release(lease)
      checkRefused(memory, lease, "a released handle")
    },
  },
  {
    promise: "A3",
    title: "a released handle is refused though its memory serves another lease, which is unharmed",
    run: ({ create }) => {
      const memory = create({ arenaBytes: [PAGE_BYTES], leaseCountMax: 1 })
      const stale = leaseOf(memory, PAGE_BYTES)
      memory.release(stale)
      const current = leaseOf(memory, PAGE_BYTES)
      bytesOf(memory, current).fill(5)
      checkRefused(memory, stale, "a stale handle")
      checkEqual(memory.stats().leaseCount, 1, "the count of leases")
      checkEqual(bytesOf(memory, current)[0], 5, "the first byte of the lease that is live")
      memory.release(current)
    },
  },
  {
    promise: "A3",
    title: "a thousand handles of one place are all refused, not only the latest",
    run: ({ create }) => {
      const memory = create({ arenaBytes: [PAGE_BYTES], leaseCountMax: 1 })
      const stale: Lease[] = []
      for (let round = 0; round < STALE_COUNT; round++) {
        const lease = leaseOf(memory, 1)
        memory.release(lease)
        stale.push(lease)
      }
      leaseOf(memory, 1)
      for (const lease of stale) checkAsserts(() => memory.release(lease), `handle ${lease}`)
      checkEqual(memory.stats().leaseCount, 1, "the count of leases")
    },
  },
  {
    promise: "A3",
    title: "a handle that was never given is refused",
    run: ({ create }) => {
      const memory = create({ arenaBytes: [4 * PAGE_BYTES], leaseCountMax: 3 })
      checkRefused(memory, NO_LEASE, "NO_LEASE")
      for (const value of [0, 1, 3, 4, 2 ** 31 - 1, -(2 ** 31)]) {
        checkRefused(memory, value as Lease, `the number ${value}`)
      }
    },
  },
]
