/**
 * What a lease costs: every payload takes one, so a pair of lease and release must vanish beside
 * the microsecond that an IO may cost in JavaScript.
 *
 * A busy memory is the common case: neighbours are leased, so that little is split and merged. In
 * an empty one every small lease splits a whole arena and every release merges it again.
 */
import { type BuddyMemory, buddyMemory, type Lease, NO_LEASE } from "@rmr/core"
import { allocatedPerOperation, type Bench, keep, millionsPerSecond, times } from "./bench.js"

const PAIRS = 5_000_000
const ARENA_BYTES = 64 * 1024 * 1024
const BLOCK_BYTES = 4096
const CHUNK_BYTES = 128 * 1024
const BUSY_LEASES = 2000
/** Leases that live at the same time, as the payloads of a queue do. */
const WINDOW = 128

function emptyMemory(): BuddyMemory {
  return buddyMemory({ arenas: [ARENA_BYTES], leaseCountMax: 8192 })
}

/** Leases of mixed sizes, every third one given back: holes of all kinds. */
function busyMemory(): BuddyMemory {
  const memory = emptyMemory()
  const leases = Array.from({ length: BUSY_LEASES }, (_, at) =>
    memory.lease(BLOCK_BYTES * (1 + (at % 5))),
  )
  for (let at = 0; at < BUSY_LEASES; at += 3) memory.release(leases[at] as Lease)
  return memory
}

/** Each new lease ends the oldest one of a window. */
function turnOver(memory: BuddyMemory, bytes: number, pairs: number): void {
  const window = new Int32Array(WINDOW).fill(NO_LEASE)
  for (let pair = 0; pair < pairs; pair++) {
    const at = pair % WINDOW
    const oldest = window[at] as Lease
    if (oldest !== NO_LEASE) memory.release(oldest)
    window[at] = memory.lease(bytes)
  }
  for (const lease of window) if (lease !== NO_LEASE) memory.release(lease as Lease)
  keep(memory.stats().leaseCount)
}

function speed(name: string, make: () => BuddyMemory, bytes: number, must?: number): Bench {
  return {
    name,
    unit: "M pairs/s",
    better: "more",
    ...(must === undefined ? {} : { must }),
    run: (scale) => {
      const memory = make()
      const pairs = times(PAIRS, scale)
      return millionsPerSecond(pairs, () => turnOver(memory, bytes, pairs))
    },
  }
}

const garbage: Bench = {
  name: "lease and release: garbage",
  unit: "B/pair",
  better: "less",
  must: 1,
  run: (scale) => {
    const memory = busyMemory()
    return allocatedPerOperation(times(PAIRS, scale / 10), (pairs) =>
      turnOver(memory, BLOCK_BYTES, pairs),
    )
  },
}

export const benches: readonly Bench[] = [
  speed("lease and release: 4 KiB, busy", busyMemory, BLOCK_BYTES, 2),
  speed("lease and release: 128 KiB, busy", busyMemory, CHUNK_BYTES, 2),
  speed("lease and release: 4 KiB, empty", emptyMemory, BLOCK_BYTES),
  garbage,
]
