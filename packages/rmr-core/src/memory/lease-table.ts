/**
 * Handles of leases: small numbers that notice when they are used after their end.
 *
 * A handle is a slot number in its low bits and a generation above. When a lease ends, its slot
 * moves to the next generation, so the old handle names nothing any more (promise A3). Free slots
 * are reused in the order in which they became free: with most slots free, a handle value returns
 * only after close to 2³¹ other leases.
 */
import { assert } from "../assert.js"
import type { Lease } from "../brand.js"

/** Handles are int32 and not negative, because they travel in descriptor tables. */
const HANDLE_BITS = 31
const HANDLE_MASK = 2 ** HANDLE_BITS - 1
/** At least 2,048 generations per slot. */
export const LEASE_COUNT_MAX: number = 2 ** 20

export class LeaseTable {
  readonly capacity: number
  liveCount = 0
  private readonly slotMask: number
  private readonly generationStep: number
  /** Per slot: the handle of its lease, or of the next one while it is free. */
  private readonly handles: Int32Array
  /** Per slot: references; 0 while it is free. */
  private readonly references: Int32Array
  private readonly pages: Int32Array
  private readonly orders: Uint8Array
  /** Free slots, first in first out. */
  private readonly freeSlots: Int32Array
  private freeAt = 0

  constructor(capacity: number) {
    assert(
      Number.isInteger(capacity) && capacity >= 1 && capacity <= LEASE_COUNT_MAX,
      `leaseCountMax ${capacity} is not in 1…${LEASE_COUNT_MAX}`,
    )
    this.capacity = capacity
    const slotBits = 32 - Math.clz32(capacity - 1)
    this.slotMask = (1 << slotBits) - 1
    this.generationStep = 1 << slotBits
    this.handles = Int32Array.from({ length: capacity }, (_, slot) => slot)
    this.references = new Int32Array(capacity)
    this.pages = new Int32Array(capacity)
    this.orders = new Uint8Array(capacity)
    this.freeSlots = Int32Array.from({ length: capacity }, (_, slot) => slot)
  }

  get isFull(): boolean {
    return this.liveCount === this.capacity
  }

  /** A handle with one reference on this block. The table must not be full. */
  open(page: number, order: number): Lease {
    assert(!this.isFull, "a full table opens no lease")
    const slot = this.freeSlots[this.freeAt]!
    this.freeAt = this.freeAt + 1 === this.capacity ? 0 : this.freeAt + 1
    this.liveCount++
    this.pages[slot] = page
    this.orders[slot] = order
    this.references[slot] = 1
    return this.handles[slot]! as Lease
  }

  retain(lease: Lease): void {
    const slot = this.slotOf(lease)
    this.references[slot] = this.references[slot]! + 1
  }

  /**
   * Takes one reference away; true when it was the last one. The block stays readable till `close`.
   */
  drop(lease: Lease): boolean {
    const slot = this.slotOf(lease)
    const left = this.references[slot]! - 1
    if (left === 0) return true
    this.references[slot] = left
    return false
  }

  /** Ends a lease: its handle is refused from now on. */
  close(lease: Lease): void {
    const slot = this.slotOf(lease)
    this.references[slot] = 0
    // The sign bit stays out: generations wrap within the bits of a handle.
    this.handles[slot] = (lease + this.generationStep) & HANDLE_MASK
    let end = this.freeAt + (this.capacity - this.liveCount)
    if (end >= this.capacity) end -= this.capacity
    this.freeSlots[end] = slot
    this.liveCount--
  }

  pageOf(lease: Lease): number {
    return this.pages[this.slotOf(lease)]!
  }

  orderOf(lease: Lease): number {
    return this.orders[this.slotOf(lease)]!
  }

  referencesOf(lease: Lease): number {
    return this.references[this.slotOf(lease)]!
  }

  /** Live handles by slot. Allocates: for reports. */
  live(): Lease[] {
    const found: Lease[] = []
    for (let slot = 0; slot < this.capacity; slot++) {
      if (this.references[slot]! > 0) found.push(this.handles[slot]! as Lease)
    }
    return found
  }

  private slotOf(lease: Lease): number {
    const slot = lease & this.slotMask
    if (this.handles[slot] !== lease || this.references[slot] === 0) refuse(lease)
    return slot
  }
}

/** Apart from the check, so that the message costs nothing where handles are right. */
function refuse(lease: Lease): never {
  assert(false, `lease ${lease} is not live: it was released, or never given`)
}
