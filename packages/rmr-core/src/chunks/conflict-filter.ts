/**
 * ConflictFilter: says of nearly every lock request, at once, that nothing can conflict with it.
 *
 * Requests of a pool are mostly mutations, and mutations go together, so a search through all of
 * them would nearly always find nothing. Here requests are counted by mode, near each chunk: chunks
 * share a counter when they agree in their lower bits, so "none" is certain and "some" means look.
 * A request of many chunks is not spread over many counters but counted as a wide one.
 */
import { assert } from "../assert.js"

/** Modes 0 and 1 go together with themselves, mode 2 with nothing: chunk-locks.ts names them. */
const MODE_ALONE = 2
const COUNTERS = 4096
/** One column per mode, and one to make it a power of two. */
const STRIDE = 4
const NARROW_CHUNKS_MAX = 4
const REQUESTS_MAX = 0xffff
const NO_COUNTS: Uint16Array = new Uint16Array(0)

export class ConflictFilter {
  /** Made for the first request that is not wide: most pools of a process are idle. */
  private near = NO_COUNTS
  private readonly wide = new Uint16Array(STRIDE)
  private readonly all = new Uint16Array(STRIDE)

  constructor(requestsMax: number) {
    assert(requestsMax <= REQUESTS_MAX, "a counter holds all requests")
  }

  add(first: number, end: number, mode: number): void {
    this.change(first, end, mode, 1)
  }

  remove(first: number, end: number, mode: number): void {
    this.change(first, end, mode, -1)
  }

  /** False: no request that was added conflicts with this one. */
  mayConflict(first: number, end: number, mode: number): boolean {
    if (countOfOthers(this.all, 0, mode) === 0) return false
    if (countOfOthers(this.wide, 0, mode) > 0 || end - first > NARROW_CHUNKS_MAX) return true
    let at = counterOf(first)
    for (let chunk = first; chunk < end; chunk++) {
      if (countOfOthers(this.near, at * STRIDE, mode) > 0) return true
      at = (at + 1) & (COUNTERS - 1)
    }
    return false
  }

  private change(first: number, end: number, mode: number, by: number): void {
    this.all[mode]! += by
    if (end - first > NARROW_CHUNKS_MAX) {
      this.wide[mode]! += by
      return
    }
    if (this.near === NO_COUNTS) this.near = new Uint16Array(COUNTERS * STRIDE)
    let at = counterOf(first)
    for (let chunk = first; chunk < end; chunk++) {
      this.near[at * STRIDE + mode]! += by
      at = (at + 1) & (COUNTERS - 1)
    }
  }
}

/** Requests that this mode does not go together with. */
function countOfOthers(counts: Uint16Array, at: number, mode: number): number {
  const count = counts[at]! + counts[at + 1]! + counts[at + 2]!
  return mode === MODE_ALONE ? count : count - counts[at + mode]!
}

/** The lower bits of a chunk number, which may have more of them than an operator on bits takes. */
function counterOf(chunk: number): number {
  return chunk - Math.floor(chunk / COUNTERS) * COUNTERS
}
