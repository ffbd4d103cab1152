/**
 * Header slots of one session: fixed places to encode into, handed out in no order and full of
 * poison.
 *
 * Who forgets a field of its header sends poison instead of the zero that fresh memory would have
 * lent; who keeps writing after the transport took the slot writes into somebody else's header.
 */
import { assert, NO_SLOT } from "@rmr/core"
import type { SeededRandom } from "./seeded-random.js"

/** What memory of the transport holds when it is nobody's; as an offset or a count it is absurd. */
export const SLOT_POISON_BYTE = 0xdb

export class SlotPool {
  readonly view: DataView
  private readonly bytes: Uint8Array
  private readonly slotBytes: number
  private readonly random: SeededRandom
  private readonly free: number[]
  private readonly taken = new Set<number>()

  constructor(count: number, slotBytes: number, random: SeededRandom) {
    this.bytes = new Uint8Array(count * slotBytes).fill(SLOT_POISON_BYTE)
    this.view = new DataView(this.bytes.buffer)
    this.slotBytes = slotBytes
    this.random = random
    this.free = Array.from({ length: count }, (_, index) => index * slotBytes)
  }

  /** The offset of a free slot, or NO_SLOT. */
  take(): number {
    if (this.free.length === 0) return NO_SLOT
    const at = this.random.below(this.free.length)
    const slot = this.free[at]!
    this.free[at] = this.free[this.free.length - 1]!
    this.free.pop()
    this.taken.add(slot)
    return slot
  }

  give(slot: number): void {
    assert(this.taken.delete(slot), `slot ${slot} is not taken`)
    this.bytes.fill(SLOT_POISON_BYTE, slot, slot + this.slotBytes)
    this.free.push(slot)
  }

  /** A copy of the first `count` bytes of a taken slot. */
  read(slot: number, count: number): Uint8Array {
    assert(this.taken.has(slot), `slot ${slot} is not taken`)
    return this.bytes.slice(slot, slot + count)
  }
}
