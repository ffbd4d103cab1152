/**
 * Pieces of a room, which the side that writes into it gives out by itself: whoever holds a piece
 * surely has the memory there, and nobody needs to be asked.
 *
 * By a buddy system over units of 1 KiB: giving out and taking back allocate nothing.
 */
import { BuddyPages, NO_FREE_PAGE } from "@rmr/core"

const UNIT_BYTES = 1024
export const NO_EXTENT = -1

export class Extents {
  private readonly base: number
  private readonly pages: BuddyPages | undefined
  private readonly orders: Uint8Array
  private readonly orderMax: number

  /** Of a part of a room: what is no power of two of units is left over. */
  constructor(base: number, bytes: number) {
    this.base = base
    const units = Math.floor(bytes / UNIT_BYTES)
    this.orderMax = units === 0 ? -1 : 31 - Math.clz32(units)
    this.pages = units === 0 ? undefined : new BuddyPages([this.orderMax])
    this.orders = new Uint8Array(units)
  }

  /** Where in the room there is so much for us, or `NO_EXTENT`. */
  take(bytes: number): number {
    const order = orderFor(bytes)
    if (this.pages === undefined || order > this.orderMax) return NO_EXTENT
    const page = this.pages.take(order)
    if (page === NO_FREE_PAGE) return NO_EXTENT
    this.orders[page] = order
    return this.base + page * UNIT_BYTES
  }

  give(place: number): void {
    const page = ((place - this.base) / UNIT_BYTES) | 0
    this.pages?.give(page, this.orders[page]!)
  }
}

function orderFor(bytes: number): number {
  const units = Math.ceil(bytes / UNIT_BYTES)
  return units <= 1 ? 0 : 32 - Math.clz32(units - 1)
}
