/**
 * - **A4** Memory is bounded: `lease` answers `NO_LEASE` when there is no room and changes nothing.
 *   What is released can be leased again, up to `leaseBytesMax`; asking for more is refused by
 *   assertion.
 */
import type { Lease } from "@rmr/core"
import { NO_LEASE } from "@rmr/core"
import { check, checkAsserts, checkEqual } from "../check.js"
import type { Clause } from "../clause.js"
import type { MemoryHarness } from "./harness.js"
import { bytesOf, fill, holdsOnly, leaseOf, PAGE_BYTES, SMALL_SHAPE } from "./harness.js"

export const roomClauses: readonly Clause<MemoryHarness>[] = [
  {
    promise: "A4",
    title: "a full memory says so, and nothing changes however often it is asked",
    run: ({ create }) => {
      const memory = create(SMALL_SHAPE)
      const leases = fill(memory, PAGE_BYTES)
      for (const [at, lease] of leases.entries()) bytesOf(memory, lease).fill(at)
      const before = JSON.stringify(memory.stats())
      for (let asked = 0; asked < 100; asked++) {
        checkEqual(memory.lease(1), NO_LEASE, "the answer of a full memory")
        checkEqual(memory.lease(memory.leaseBytesMax), NO_LEASE, "the answer to a large wish")
      }
      checkEqual(JSON.stringify(memory.stats()), before, "the statistics")
      for (const [at, lease] of leases.entries()) {
        check(holdsOnly(memory, lease, at), "content as before")
      }
      for (const lease of leases) memory.release(lease)
      checkEqual(fill(memory, PAGE_BYTES).length, leases.length, "the leases of a second filling")
    },
  },
  {
    promise: "A4",
    title: "no more leases than it was made for, though bytes are left",
    run: ({ create }) => {
      const memory = create({ arenaBytes: [64 * PAGE_BYTES], leaseCountMax: 8 })
      const leases = fill(memory, 1)
      checkEqual(leases.length, 8, "the count of leases")
      const { leasedBytes, arenaBytes } = memory.stats()
      check(leasedBytes < arenaBytes, "bytes that are not leased")
      memory.release(leases[3]!)
      leaseOf(memory, 1)
      checkEqual(memory.lease(1), NO_LEASE, "the answer after one came back and one went")
    },
  },
  {
    promise: "A4",
    title: "the largest lease is there again, in whatever order the small ones came back",
    run: ({ create }) => {
      const orders: ((leases: Lease[]) => Lease[])[] = [
        (leases) => leases,
        (leases) => [...leases].reverse(),
        (leases) => [
          ...leases.filter((_, at) => at % 2 === 0),
          ...leases.filter((_, at) => at % 2 === 1),
        ],
        (leases) => [...leases.slice(7), ...leases.slice(0, 7)],
      ]
      const memory = create(SMALL_SHAPE)
      for (const order of orders) {
        for (const lease of order(fill(memory, PAGE_BYTES))) memory.release(lease)
        const largest = leaseOf(memory, memory.leaseBytesMax)
        check(memory.capacityOf(largest) >= memory.leaseBytesMax, "room in the largest lease")
        memory.release(largest)
      }
    },
  },
  {
    promise: "A4",
    title: "a size that can never be had is refused by assertion, not by waiting for ever",
    run: ({ create }) => {
      const memory = create(SMALL_SHAPE)
      memory.release(leaseOf(memory, memory.leaseBytesMax))
      for (const bytes of [memory.leaseBytesMax + 1, 0, -1, 1.5, Number.NaN]) {
        checkAsserts(() => memory.lease(bytes), `a lease of ${bytes} bytes`)
      }
      checkEqual(memory.stats().leaseCount, 0, "the count of leases")
    },
  },
]
