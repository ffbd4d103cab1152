/**
 * - **A1** Live leases never overlap; each starts on a 4 KiB boundary of its arena.
 * - **A2** A lease is free exactly when as many `release` as `lease` + `retain` were called on it.
 */
import type { Lease, Memory } from "@rmr/core"
import { check, checkEqual } from "../check.js"
import type { Clause } from "../clause.js"
import type { MemoryHarness } from "./harness.js"
import { bytesOf, fill, holdsOnly, leaseOf, PAGE_BYTES, SMALL_SHAPE } from "./harness.js"

const SIZES = [1, PAGE_BYTES, PAGE_BYTES + 1, 3 * PAGE_BYTES, 1, 8 * PAGE_BYTES, 2 * PAGE_BYTES]

function checkEachHas(memory: Memory, leases: readonly Lease[]): void {
  for (const [at, lease] of leases.entries()) {
    const isWhole = holdsOnly(memory, lease, at + 1)
    check(isWhole, `lease ${at} to hold what was written to it, and nothing else's`)
  }
}

export const leaseClauses: readonly Clause<MemoryHarness>[] = [
  {
    promise: "A1",
    title: "leases of all sizes at once share no byte",
    run: ({ create }) => {
      const memory = create(SMALL_SHAPE)
      const leases = SIZES.map((bytes) => leaseOf(memory, bytes))
      for (const [at, lease] of leases.entries()) bytesOf(memory, lease).fill(at + 1)
      checkEachHas(memory, leases)
    },
  },
  {
    promise: "A1",
    title: "a lease that takes the place of a released one leaves its neighbours alone",
    run: ({ create }) => {
      const memory = create(SMALL_SHAPE)
      const leases = fill(memory, PAGE_BYTES)
      for (const [at, lease] of leases.entries()) bytesOf(memory, lease).fill(at + 1)
      for (let at = 0; at < leases.length; at += 2) {
        memory.release(leases[at]!)
        leases[at] = leaseOf(memory, PAGE_BYTES)
        bytesOf(memory, leases[at]!).fill(at + 1)
      }
      checkEachHas(memory, leases)
    },
  },
  {
    promise: "A1",
    title: "each starts on a 4 KiB boundary and lies in its arena with all it was asked for",
    run: ({ create }) => {
      const memory = create(SMALL_SHAPE)
      for (const bytes of SIZES) {
        const lease = leaseOf(memory, bytes)
        const offset = memory.offsetOf(lease)
        const capacity = memory.capacityOf(lease)
        checkEqual(offset % PAGE_BYTES, 0, "the offset past a 4 KiB boundary")
        check(capacity >= bytes, `a capacity of at least ${bytes} bytes, not ${capacity}`)
        const arena = memory.arenaOf(lease)
        check(offset >= 0 && offset + capacity <= arena.bytes.length, "the lease inside its arena")
        check(memory.arenas[arena.index] === arena, "the arena at its index")
      }
    },
  },
  {
    promise: "A1",
    title: "arenas are where they were, and bytes and view of one are the same memory",
    run: ({ create }) => {
      const memory = create(SMALL_SHAPE)
      const arenas = [...memory.arenas]
      for (const lease of fill(memory, PAGE_BYTES)) memory.release(lease)
      const lease = leaseOf(memory, PAGE_BYTES)
      const arena = memory.arenaOf(lease)
      check(arenas[arena.index] === arena, "arenas that never move")
      bytesOf(memory, lease)[5] = 99
      checkEqual(arena.view.getUint8(memory.offsetOf(lease) + 5), 99, "the byte in the view")
    },
  },
  {
    promise: "A2",
    title: "a lease with three references is there until the third release",
    run: ({ create }) => {
      const memory = create({ arenaBytes: [PAGE_BYTES], leaseCountMax: 4 })
      const lease = leaseOf(memory, PAGE_BYTES)
      memory.retain(lease)
      memory.retain(lease)
      bytesOf(memory, lease).fill(7)
      for (let released = 1; released < 3; released++) {
        memory.release(lease)
        check(memory.lease(1) < 0, `no room after ${released} of 3 releases`)
        checkEqual(memory.stats().leaseCount, 1, "the count of leases")
        checkEqual(bytesOf(memory, lease)[0], 7, "the first byte")
      }
      memory.release(lease)
      checkEqual(memory.stats().leaseCount, 0, "the count of leases at the end")
      leaseOf(memory, PAGE_BYTES)
    },
  },
  {
    promise: "A2",
    title: "references of one lease do not keep another",
    run: ({ create }) => {
      const memory = create(SMALL_SHAPE)
      const kept = leaseOf(memory, PAGE_BYTES)
      const other = leaseOf(memory, PAGE_BYTES)
      memory.retain(kept)
      memory.release(other)
      checkEqual(memory.stats().leaseCount, 1, "the count of leases")
      memory.release(kept)
      checkEqual(memory.stats().leaseCount, 1, "the count with one reference left")
      memory.release(kept)
      checkEqual(memory.stats().leasedBytes, 0, "bytes under leases at the end")
    },
  },
  {
    promise: "A2",
    title: "the statistics count what leases occupy, no more and no less",
    run: ({ create }) => {
      const memory = create(SMALL_SHAPE)
      const arenaBytes = SMALL_SHAPE.arenaBytes.reduce((sum, bytes) => sum + bytes, 0)
      checkEqual(memory.stats().arenaBytes, arenaBytes, "bytes of all arenas")
      const leases = SIZES.map((bytes) => leaseOf(memory, bytes))
      const occupied = leases.reduce((sum, lease) => sum + memory.capacityOf(lease), 0)
      checkEqual(memory.stats().leaseCount, leases.length, "the count of leases")
      checkEqual(memory.stats().leasedBytes, occupied, "bytes under leases")
    },
  },
]
