/**
 * PageDirectory: which map pages have a cell at their fixed place, a bit for each.
 *
 * A volume of 64 TiB has a million places for map pages, nearly all of them empty; nobody reads
 * them all to open a store. The directory lies twice; where both copies of one of its blocks are
 * damaged, the places that it tells about are looked at, one by one: each says itself what it is.
 */
import { PAGES_PER_BLOCK } from "./layout.js"
import { SLOT_BODY_BYTES } from "./slot.js"

export class PageDirectory {
  /** Blocks that differ from what both copies on the medium say. */
  readonly changed: Set<number> = new Set()
  readonly blockCount: number
  private readonly bytes: Uint8Array

  constructor(blockCount: number) {
    this.blockCount = blockCount
    this.bytes = new Uint8Array(blockCount * SLOT_BODY_BYTES)
  }

  has(position: number): boolean {
    return ((this.bytes[position >>> 3] ?? 0) & (1 << (position & 7))) !== 0
  }

  set(position: number, isHeld: boolean): void {
    if (this.has(position) === isHeld) return
    this.bytes[position >>> 3]! ^= 1 << (position & 7)
    this.changed.add(Math.floor(position / PAGES_PER_BLOCK))
  }

  body(block: number): Uint8Array {
    return this.bytes.slice(block * SLOT_BODY_BYTES, (block + 1) * SLOT_BODY_BYTES)
  }

  load(block: number, body: Uint8Array): void {
    this.bytes.set(body, block * SLOT_BODY_BYTES)
  }

  get isEmpty(): boolean {
    return this.bytes.every((byte) => byte === 0)
  }
}
