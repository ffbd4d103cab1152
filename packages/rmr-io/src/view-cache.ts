/**
 * Views of parts of arenas and chunks that are kept for the next time.
 *
 * Node takes a `Uint8Array` for each piece of memory that is copied or sent, and making one costs
 * as much as copying a kilobyte. Payloads of a volume have few sizes and leases return to the same
 * pages, so most views have been made before.
 *
 * What a view is a part of is remembered here, since asking a view for its buffer leaves compiled
 * code, which costs more than all the rest.
 */
import type { Arena } from "@rmr/core"

const ENTRY_COUNT = 1024
const PAGE_SHIFT = 12

export class ViewCache {
  private readonly views: (Uint8Array | undefined)[] = new Array(ENTRY_COUNT).fill(undefined)
  private readonly wholes: (Uint8Array | undefined)[] = new Array(ENTRY_COUNT).fill(undefined)
  private readonly starts = new Float64Array(ENTRY_COUNT)

  /** A view of these bytes; nobody else changes where it is. */
  of(arena: Arena, at: number, bytes: number): Uint8Array {
    return this.at((at >>> PAGE_SHIFT) ^ (arena.index << 5), arena.bytes, at, bytes)
  }

  /** A view of a part of a chunk, in which frames lie at any place, but mostly at the same few. */
  part(chunk: Uint8Array, at: number, bytes: number): Uint8Array {
    return this.at(at >>> 2, chunk, at, bytes)
  }

  private at(hash: number, whole: Uint8Array, at: number, bytes: number): Uint8Array {
    const entry = hash & (ENTRY_COUNT - 1)
    const known = this.views[entry]
    const isOfIt = this.wholes[entry] === whole && this.starts[entry] === at
    if (isOfIt && known !== undefined && known.length === bytes) return known
    const made = new Uint8Array(whole.buffer, whole.byteOffset + at, bytes)
    this.views[entry] = made
    this.wholes[entry] = whole
    this.starts[entry] = at
    return made
  }
}
