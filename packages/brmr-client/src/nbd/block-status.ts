/**
 * Answers of BLOCK_STATUS, written into a lease: for each context its id and its extents.
 *
 * `base:allocation` says "data" of everything: what a volume would read as zeroes, only its members
 * know. `rmr:dirty` says which parts some member lacks; flag 1 is dirty.
 */
import type { Lease, Memory, Volume } from "@rmr/core"
import { CONTEXT_ALLOCATION, CONTEXT_DIRTY } from "./export-facts.js"

/** Where the second context starts; each has half of the lease. */
export const STATUS_HALF_BYTES = 2048
export const STATUS_LEASE_BYTES: number = 2 * STATUS_HALF_BYTES
const ID_BYTES = 4
const EXTENT_BYTES = 8
const EXTENTS_MAX = Math.floor((STATUS_HALF_BYTES - ID_BYTES) / EXTENT_BYTES)

/** Answers how many bytes were written from the start of the lease on. */
export function putAllocation(memory: Memory, lease: Lease, bytes: number): number {
  const { view } = memory.arenaOf(lease)
  const at = memory.offsetOf(lease)
  view.setUint32(at, CONTEXT_ALLOCATION)
  view.setUint32(at + ID_BYTES, bytes)
  view.setUint32(at + ID_BYTES + 4, 0)
  return ID_BYTES + EXTENT_BYTES
}

/** Answers how many bytes were written from the middle of the lease on. */
export function putDirty(
  memory: Memory,
  lease: Lease,
  volume: Volume,
  offset: number,
  bytes: number,
  isOne: boolean,
): number {
  const { view } = memory.arenaOf(lease)
  const start = memory.offsetOf(lease) + STATUS_HALF_BYTES
  view.setUint32(start, CONTEXT_DIRTY)
  let at = start + ID_BYTES
  for (const range of volume.ranges(offset, bytes, isOne ? 1 : EXTENTS_MAX)) {
    view.setUint32(at, range.bytes)
    view.setUint32(at + 4, range.isDirty ? 1 : 0)
    at += EXTENT_BYTES
  }
  return at - start
}
