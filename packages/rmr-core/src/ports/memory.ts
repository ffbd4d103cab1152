/**
 * The memory port: payload bytes as leases on arenas.
 *
 * A lease is (arena, offset, capacity) behind one small number. An NBD write is received into a
 * lease, the same lease is sent to every leg, a storage node receives into a lease and writes its
 * file from it. Nothing copies a payload on the way, and nothing creates an object for it:
 * JavaScript passes the number along and touches the bytes only where somebody asks for them.
 *
 * Leases are counted, not owned. Whoever hands a lease to a transport or a store keeps its own
 * reference and may drop it at once: the transport or store holds one until it is done with the
 * memory on every leg. This is how a late reply of an expelled leg can never land in memory that
 * already serves another IO (rule W7), without anybody having to remember it.
 *
 * Arenas are few, large and never move: an RDMA transport registers them with its device, a native
 * engine pins them, a simulated world uses plain arrays.
 *
 * Promises (every implementation; tests cite them):
 * - **A1** Live leases never overlap; each starts on a 4 KiB boundary of its arena.
 * - **A2** A lease is free exactly when as many `release` as `lease` + `retain` were called on it.
 * - **A3** A handle that was freed is refused by assertion, also after its memory serves another
 *   lease.
 * - **A4** Memory is bounded: `lease` answers `NO_LEASE` when there is no room and changes nothing.
 *   What is released can be leased again, up to `leaseBytesMax`; asking for more is refused by
 *   assertion.
 * - **A5** `whenFree` runs once, inside a later release that left more room than there was at the
 *   asking, in order of asking.
 */
import type { Lease } from "../brand.js"

/** The answer of `lease` when there is no room. */
export const NO_LEASE: Lease = -1 as Lease

export interface Arena {
  /** Position in `Memory.arenas`. */
  readonly index: number
  readonly bytes: Uint8Array
  readonly view: DataView
}

export interface MemoryStats {
  readonly arenaBytes: number
  /** Bytes under live leases, rounded up to what each really occupies. */
  readonly leasedBytes: number
  readonly leaseCount: number
}

export interface Memory {
  readonly arenas: readonly Arena[]
  /** The largest lease that can ever be had. */
  readonly leaseBytesMax: number
  /** A lease of at least `bytes` with one reference, or `NO_LEASE`. */
  lease(bytes: number): Lease
  retain(lease: Lease): void
  release(lease: Lease): void
  arenaOf(lease: Lease): Arena
  /** Where the lease starts in its arena. */
  offsetOf(lease: Lease): number
  /** How many bytes it has room for; at least what was asked. */
  capacityOf(lease: Lease): number
  /** Runs `run` once when a release has made room. */
  whenFree(run: () => void): void
  stats(): MemoryStats
}

/** A view of a part of a lease. It allocates: for edges and tests, not for the data path. */
export function leaseBytes(memory: Memory, lease: Lease, at: number, bytes: number): Uint8Array {
  const start = memory.offsetOf(lease) + at
  return memory.arenaOf(lease).bytes.subarray(start, start + bytes)
}
