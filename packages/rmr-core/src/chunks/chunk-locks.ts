/**
 * ChunkLocks: the one lock that serialises everything a storage node does to a chunk (rule S1).
 *
 * ```
 *                  source read   mutation   sync write
 *   source read      together      waits      waits
 *   mutation           waits     together     waits
 *   sync write         waits       waits      waits
 * ```
 *
 * A peer's source read must not see half a mutation, and a copy from a peer must not be written
 * while anything else happens to the chunk. Mutations go together: those that overlap in bytes are
 * never in flight together (rule W1), and the others do not touch each other, though they share a
 * chunk; to make them queue would let 32 sequential writes of 4 KiB crawl through a 128 KiB chunk
 * one by one.
 *
 * A mutation asks for its chunks when it is admitted, so that a source read that comes later waits
 * for it, and sees it (W2, S10). But who waits for a sync, and so for another node, holds no lock
 * meanwhile, not even of its other chunks: it gives up its place, and asks again when it goes on.
 * Or else two mutations over two chunks, each waiting at one node for the chunk that the other node
 * has clean, would keep both source reads waiting for ever (RT-21). A mutation that covers a dirty
 * chunk keeps its lock until the clear is durable (S4), so that no copy is written over it.
 *
 * A request for several chunks takes its place before all of them in one step. That is what taking
 * them in ascending order is for, and more: whoever waits, waits only for requests that came
 * earlier. So there is no cycle and no deadlock, nobody is overtaken by somebody he conflicts with,
 * and nobody starves.
 *
 * Requests are few (io units and sync slots, not chunks), so they are a dense table: memory for
 * as many as there were at a time, nothing per chunk, and no limit that a request could run into.
 * It is searched for overlaps only where a filter (conflict-filter.ts) cannot say that there are
 * none.
 */
import { assert } from "../assert.js"
import type { ChunkNumber } from "../brand.js"
import { firstRows, longer, moreRows } from "../columns.js"
import { STATUS_OK } from "../errors.js"
import { ConflictFilter } from "./conflict-filter.js"
import { ReadyTokens, type TokenEvents } from "./ready-tokens.js"
import { NO_TOKEN, TokenLists } from "./token-lists.js"

export const LOCK_SOURCE_READ = 0
export const LOCK_MUTATION = 1
export const LOCK_SYNC_WRITE = 2
export type LockMode = typeof LOCK_SOURCE_READ | typeof LOCK_MUTATION | typeof LOCK_SYNC_WRITE

export interface ChunkLocksOptions {
  /** Requests at a time; tokens are 0…tokensMax-1. */
  readonly tokensMax: number
  /** Requests that had to wait and are granted now. */
  readonly events: TokenEvents
}

const WAITING = 0
const READY = 1
const LIST_COUNT = 2
const NOT_PRESENT = -1

export class ChunkLocks {
  private readonly lists: TokenLists
  private readonly ready: ReadyTokens
  private readonly filter: ConflictFilter
  /** The dense table: requests that hold or wait, in no order. */
  private presentCount = 0
  private firsts: Float64Array
  private ends: Float64Array
  private modes: Uint8Array
  private tokens: Int32Array
  /**
   * By token: its place in the table, its place in the order of arrival, and how many it waits for.
   */
  private places: Int32Array
  private arrivals: Float64Array
  private blockerCounts: Int32Array
  private nextArrival = 0
  private readonly tokensMax: number

  constructor({ tokensMax, events }: ChunkLocksOptions) {
    this.lists = new TokenLists(tokensMax, LIST_COUNT)
    this.ready = new ReadyTokens(this.lists, READY, events)
    this.filter = new ConflictFilter(tokensMax)
    this.tokensMax = tokensMax
    const rows = firstRows(tokensMax)
    this.firsts = new Float64Array(rows)
    this.ends = new Float64Array(rows)
    this.modes = new Uint8Array(rows)
    this.tokens = new Int32Array(rows)
    this.places = new Int32Array(rows).fill(NOT_PRESENT)
    this.arrivals = new Float64Array(rows)
    this.blockerCounts = new Int32Array(rows)
  }

  /** Requests that hold their chunks, delivered or not. */
  get heldCount(): number {
    return this.presentCount - this.waitingCount
  }

  get waitingCount(): number {
    return this.lists.countOf(WAITING)
  }

  /** Whether the token holds all of its chunks. */
  holds(token: number): boolean {
    return this.isPresent(token) && this.blockerCounts[token] === 0
  }

  /** Whether the token has asked for chunks and does not hold all of them. */
  isWaiting(token: number): boolean {
    return this.isPresent(token) && this.blockerCounts[token]! > 0
  }

  /** Asks for chunks. True: they are held from now on. False: `onReady` will say when. */
  acquire(token: number, mode: LockMode, first: ChunkNumber, count: number): boolean {
    assert(
      token < this.tokensMax && !this.isPresent(token),
      "a token asks for one range of chunks at a time",
    )
    assert(first >= 0 && count > 0, "a lock is for at least one chunk")
    const end = first + count
    const isCrowded = this.filter.mayConflict(first, end, mode)
    const blockers = isCrowded ? this.countConflicts(first, end, mode) : 0
    this.filter.add(first, end, mode)
    const place = this.presentCount++
    if (place === this.firsts.length) this.growTable()
    if (token >= this.places.length) this.growTokens(token)
    this.firsts[place] = first
    this.ends[place] = end
    this.modes[place] = mode
    this.tokens[place] = token
    this.places[token] = place
    this.arrivals[token] = this.nextArrival++
    this.blockerCounts[token] = blockers
    if (blockers === 0) return true
    this.lists.append(WAITING, token)
    return false
  }

  /** Gives the chunks back; or, where they are not held yet, gives up waiting for them. */
  release(token: number): void {
    const place = this.places[token] ?? NOT_PRESENT
    assert(place !== NOT_PRESENT, "who releases chunks has asked for them")
    // Waiting, or granted and not told yet: it shall not hear of it any more.
    if (this.lists.placeOf(token) >= 0) this.lists.remove(token)
    if (this.waitingCount > 0) this.unblockAfter(token, place)
    this.filter.remove(this.firsts[place]!, this.ends[place]!, this.modes[place]!)
    this.places[token] = NOT_PRESENT
    const last = --this.presentCount
    if (place === last) return
    this.firsts[place] = this.firsts[last]!
    this.ends[place] = this.ends[last]!
    this.modes[place] = this.modes[last]!
    this.tokens[place] = this.tokens[last]!
    this.places[this.tokens[place]!] = place
  }

  /** Tells the owner of all requests that were granted since the last time. */
  deliver(): void {
    this.ready.deliver()
  }

  private isPresent(token: number): boolean {
    return (this.places[token] ?? NOT_PRESENT) !== NOT_PRESENT
  }

  private growTable(): void {
    const rows = moreRows(this.firsts.length, this.presentCount, this.tokensMax)
    this.firsts = longer(this.firsts, rows)
    this.ends = longer(this.ends, rows)
    this.modes = longer(this.modes, rows)
    this.tokens = longer(this.tokens, rows)
  }

  private growTokens(token: number): void {
    const rows = moreRows(this.places.length, token + 1, this.tokensMax)
    this.places = longer(this.places, rows, NOT_PRESENT)
    this.arrivals = longer(this.arrivals, rows)
    this.blockerCounts = longer(this.blockerCounts, rows)
  }

  private countConflicts(first: number, end: number, mode: number): number {
    let count = 0
    for (let place = 0; place < this.presentCount; place++) {
      const overlaps = this.firsts[place]! < end && this.ends[place]! > first
      if (overlaps && !goTogether(this.modes[place]!, mode)) count++
    }
    return count
  }

  /** Takes one blocker off all who came after this request and conflict with it. */
  private unblockAfter(token: number, place: number): void {
    const first = this.firsts[place]!
    const end = this.ends[place]!
    const mode = this.modes[place]!
    let waiter = this.lists.first(WAITING)
    while (waiter !== NO_TOKEN) {
      const next = this.lists.next(waiter)
      const other = this.places[waiter]!
      const overlaps = this.firsts[other]! < end && this.ends[other]! > first
      const isLater = this.arrivals[waiter]! > this.arrivals[token]!
      if (overlaps && isLater && !goTogether(this.modes[other]!, mode)) this.unblock(waiter)
      waiter = next
    }
  }

  private unblock(waiter: number): void {
    if (--this.blockerCounts[waiter]! > 0) return
    this.lists.remove(waiter)
    this.ready.push(waiter, STATUS_OK)
  }
}

function goTogether(a: number, b: number): boolean {
  return a === b && a !== LOCK_SYNC_WRITE
}
