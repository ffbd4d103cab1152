/**
 * The memory of production and of simulation: leases by a buddy system over large arenas.
 *
 * Three parts, one idea each: buddy-pages.ts knows which pages are free, lease-table.ts which
 * handles are live, room-waiters.ts who waits. Leasing and releasing allocate nothing, take O(log
 * pages), and give the same answers in the same order wherever they run.
 *
 * Arenas are handed in where somebody else must own them (pinned by an engine, registered with a
 * device, received from another process), or made here by size.
 */
import { AssertionError, assert } from "../assert.js"
import type { Lease } from "../brand.js"
import type { Arena, Memory, MemoryStats } from "../ports/memory.js"
import { NO_LEASE } from "../ports/memory.js"
import { BuddyPages, NO_PAGE, PAGE_BYTES } from "./buddy-pages.js"
import { LeaseTable } from "./lease-table.js"
import type { Room } from "./room-waiters.js"
import { RoomWaiters } from "./room-waiters.js"

export interface BuddyMemoryOptions {
  /** Sizes, or the memory itself. Each a power of two of at least 4 KiB. */
  readonly arenas: readonly (number | Uint8Array)[]
  /** Live leases at most: 1…2²⁰. */
  readonly leaseCountMax: number
  /**
   * Fills free memory with a pattern and asserts at the next lease that it is still there, so that
   * a write into released memory is noticed. Costs a pass over the bytes at each end; default off.
   */
  readonly poison?: boolean
}

/** What a live lease holds, for reports. */
export interface LiveLease {
  readonly lease: Lease
  readonly arenaIndex: number
  readonly offset: number
  readonly capacity: number
  readonly references: number
}

export interface BuddyMemory extends Memory {
  /** Everything that is leased now. Allocates. */
  liveLeases(): LiveLease[]
  /** Fails, naming the live leases and how many wait for room, unless there are none of either. */
  assertNoLeases(): void
}

/** What free memory holds where `poison` is on; as an offset or a count it is absurd. */
export const POISON_BYTE = 0xdb
/** Eight of them: a number like any other, that equals only itself. */
const POISON_NUMBER: number = new Float64Array(new Uint8Array(8).fill(POISON_BYTE).buffer)[0]!
const ARENA_COUNT_MAX = 256
const REPORTED_LEASES_MAX = 8

export function buddyMemory(options: BuddyMemoryOptions): BuddyMemory {
  return new ArenaMemory(options)
}

class ArenaMemory implements BuddyMemory, Room {
  readonly arenas: readonly Arena[]
  readonly leaseBytesMax: number
  private readonly pages: BuddyPages
  private readonly table: LeaseTable
  private readonly waiters = new RoomWaiters()
  private readonly isPoisoned: boolean

  constructor(options: BuddyMemoryOptions) {
    const count = options.arenas.length
    assert(
      count >= 1 && count <= ARENA_COUNT_MAX,
      `${count} arenas are not in 1…${ARENA_COUNT_MAX}`,
    )
    this.arenas = options.arenas.map(arenaOf)
    const orders = this.arenas.map((arena) => orderFor(arena.bytes.length))
    this.leaseBytesMax = PAGE_BYTES * 2 ** Math.max(...orders)
    this.pages = new BuddyPages(orders)
    this.table = new LeaseTable(options.leaseCountMax)
    this.isPoisoned = options.poison ?? false
    if (this.isPoisoned) for (const arena of this.arenas) arena.bytes.fill(POISON_BYTE)
  }

  get freePageCount(): number {
    return this.table.isFull ? -1 : this.pages.freePageCount
  }

  get largestFreeOrder(): number {
    return this.table.isFull ? -1 : this.pages.largestFreeOrder
  }

  lease(bytes: number): Lease {
    assert(Number.isInteger(bytes) && bytes >= 1, "a lease has room for at least one byte")
    assert(bytes <= this.leaseBytesMax, "a lease of more than leaseBytesMax can never be had")
    if (this.table.isFull) return NO_LEASE
    const order = orderFor(bytes)
    const page = this.pages.take(order)
    if (page === NO_PAGE) return NO_LEASE
    const lease = this.table.open(page, order)
    if (this.isPoisoned) this.assertPoison(lease)
    return lease
  }

  retain(lease: Lease): void {
    this.table.retain(lease)
  }

  release(lease: Lease): void {
    if (!this.table.drop(lease)) return
    if (this.isPoisoned) this.blockOf(lease).fill(POISON_BYTE)
    this.pages.give(this.table.pageOf(lease), this.table.orderOf(lease))
    this.table.close(lease)
    this.waiters.wake(this)
  }

  arenaOf(lease: Lease): Arena {
    return this.arenas[this.pages.arenaOf(this.table.pageOf(lease))]!
  }

  offsetOf(lease: Lease): number {
    return this.pages.offsetOf(this.table.pageOf(lease))
  }

  capacityOf(lease: Lease): number {
    return PAGE_BYTES * (1 << this.table.orderOf(lease))
  }

  whenFree(run: () => void): void {
    this.waiters.add(this, run)
  }

  stats(): MemoryStats {
    const { pageCount, freePageCount } = this.pages
    return {
      arenaBytes: pageCount * PAGE_BYTES,
      leasedBytes: (pageCount - freePageCount) * PAGE_BYTES,
      leaseCount: this.table.liveCount,
    }
  }

  liveLeases(): LiveLease[] {
    return this.table.live().map((lease) => ({
      lease,
      arenaIndex: this.arenaOf(lease).index,
      offset: this.offsetOf(lease),
      capacity: this.capacityOf(lease),
      references: this.table.referencesOf(lease),
    }))
  }

  assertNoLeases(): void {
    const live = this.liveLeases()
    if (live.length === 0 && this.waiters.count === 0) return
    const named = live.slice(0, REPORTED_LEASES_MAX).map(describe)
    if (live.length > named.length) named.push(`${live.length - named.length} more`)
    throw new AssertionError(
      `${live.length} leases are live and ${this.waiters.count} wait for room: ${named.join("; ")}`,
    )
  }

  private blockOf(lease: Lease): Uint8Array {
    const start = this.offsetOf(lease)
    return this.arenaOf(lease).bytes.subarray(start, start + this.capacityOf(lease))
  }

  /** Word by word: a block is of whole pages. */
  private assertPoison(lease: Lease): void {
    const { bytes, index, view } = this.arenaOf(lease)
    const start = this.offsetOf(lease)
    const end = start + this.capacityOf(lease)
    for (let at = start; at < end; at += 8) {
      if (view.getFloat64(at, true) === POISON_NUMBER) continue
      const byte = bytes.subarray(at, end).findIndex((one) => one !== POISON_BYTE)
      throw new AssertionError(`released memory was written to: arena ${index} at ${at + byte}`)
    }
  }
}

function arenaOf(given: number | Uint8Array, index: number): Arena {
  const bytes = typeof given === "number" ? new Uint8Array(given) : given
  const size = bytes.length
  const isPowerOfTwo = size === PAGE_BYTES * 2 ** orderFor(size)
  assert(isPowerOfTwo, `arena ${index} of ${size} bytes is not a power of two of at least 4 KiB`)
  return { index, bytes, view: new DataView(bytes.buffer, bytes.byteOffset, size) }
}

/** The smallest order whose block has room for this many bytes. */
function orderFor(bytes: number): number {
  const pages = Math.ceil(bytes / PAGE_BYTES)
  return pages <= 1 ? 0 : 32 - Math.clz32(pages - 1)
}

function describe(live: LiveLease): string {
  const { lease, arenaIndex, offset, capacity, references } = live
  return `lease ${lease} (arena ${arenaIndex}, ${offset}+${capacity}, ${references} references)`
}
