/**
 * What the memory suite asks of an implementation, and the few verbs its clauses share.
 */
import type { Lease, Memory } from "@rmr/core"
import { leaseBytes, NO_LEASE } from "@rmr/core"
import { check } from "../check.js"

export interface MemoryShape {
  /** One arena per entry, each a power of two of at least 4 KiB. */
  readonly arenaBytes: readonly number[]
  /** Live leases at most. */
  readonly leaseCountMax: number
}

export interface MemoryHarness {
  /** A fresh memory of this shape, with nothing leased. */
  create(shape: MemoryShape): Memory
}

export const PAGE_BYTES = 4096

/** Small enough to fill, in arenas of different sizes. */
export const SMALL_SHAPE: MemoryShape = {
  arenaBytes: [16 * PAGE_BYTES, 4 * PAGE_BYTES, 32 * PAGE_BYTES],
  leaseCountMax: 64,
}

/** A lease that must be there. */
export function leaseOf(memory: Memory, bytes: number): Lease {
  const lease = memory.lease(bytes)
  check(lease !== NO_LEASE, `room for a lease of ${bytes} bytes`)
  return lease
}

/** Leases of this size until there is no room. */
export function fill(memory: Memory, bytes: number): Lease[] {
  const leases: Lease[] = []
  const end = memory.stats().arenaBytes / PAGE_BYTES + 1
  for (let lease = memory.lease(bytes); lease !== NO_LEASE; lease = memory.lease(bytes)) {
    leases.push(lease)
    check(leases.length < end, "memory to have an end")
  }
  check(leases.length > 0, `room for at least one lease of ${bytes} bytes`)
  return leases
}

/** Everything that the lease covers. */
export function bytesOf(memory: Memory, lease: Lease): Uint8Array {
  return leaseBytes(memory, lease, 0, memory.capacityOf(lease))
}

/** Whether every byte that the lease covers has this value. */
export function holdsOnly(memory: Memory, lease: Lease, value: number): boolean {
  const bytes = bytesOf(memory, lease)
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== value) return false
  return true
}
