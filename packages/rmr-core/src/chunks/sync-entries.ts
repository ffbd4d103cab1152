/**
 * SyncEntries: the chunks that are being synced now, who works on each, and who waits for it.
 *
 * Upstream keeps these as `rmr_map_entry` in `rmr_id_map`, keyed by the 128-bit rmr id,
 * `id.a << 32 | id.b`. Of an IO, id.b is its first chunk and id.a how many there are. A sync is
 * always of one chunk, its id is {a: 1, b: chunk}, so the chunk number alone is the key here; an IO
 * that spans several dirty chunks meets several entries, and waits for the lowest first.
 *
 * ```
 *                start              beginWrite             end
 *   (no entry) ─────────► fetching ───────────► writing ─────────► ended ──► (no entry)
 *                            │                                       ▲        when syncCount is 0
 *                            │ supersede          overwritten        │
 *                            └──────────► superseded ────────────────┘
 * ```
 *
 * Rule S3 is the shape of it. A partial mutation and a read wait for the copy. A mutation that
 * covers the chunk does not: it supersedes a copy that is not being written yet, and that copy is
 * dropped when it arrives; one that is being written it waits for. Nobody holds the chunk's lock
 * (chunk-locks.ts) during a fetch, so a source never waits for another node (S2). Under the lock
 * are `beginWrite` to `end`, and `supersede` to `overwritten`; both go on until the clear is
 * durable (S4).
 *
 * A sync is ended in the turn in which the chunk becomes clean, and `deliver` follows in it: then
 * mutations that waited stand in the queue for the lock before a source read can come (W2).
 *
 * Waiters go on in order with a status. STATUS_OK means *look again*, never *it is clean*: the
 * chunk may be dirty once more, or never have become clean, and then the waiter starts over.
 */
import { assert } from "../assert.js"
import type { ChunkNumber } from "../brand.js"
import { STATUS_OK } from "../errors.js"
import { EntriesByChunk, NO_ENTRY } from "./entries-by-chunk.js"
import { ReadyTokens, type TokenEvents } from "./ready-tokens.js"
import { NO_LIST, NO_TOKEN, TokenLists } from "./token-lists.js"

/** States of a chunk's entry. */
export const NO_SYNC = 0
export const SYNC_FETCHING = 1
export const SYNC_WRITING = 2
export const SYNC_SUPERSEDED = 3
export const SYNC_ENDED = 4
export type SyncState =
  | typeof NO_SYNC
  | typeof SYNC_FETCHING
  | typeof SYNC_WRITING
  | typeof SYNC_SUPERSEDED
  | typeof SYNC_ENDED

/** Answers of `start`. */
export const START_DONE = 0
/** There is an entry already: wait for it. */
export const START_RUNNING = 1
/** As many chunks are being synced as may be. */
export const START_FULL = 2
export type StartAnswer = typeof START_DONE | typeof START_RUNNING | typeof START_FULL

export interface SyncEntriesOptions {
  /** Chunks that are synced at a time. */
  readonly entriesMax: number
  /** IOs that can wait; tokens are 0…tokensMax-1. */
  readonly tokensMax: number
  /** Waits that are over. */
  readonly events: TokenEvents
}

export class SyncEntries {
  private readonly byChunk: EntriesByChunk
  private readonly lists: TokenLists
  private readonly ready: ReadyTokens
  private readonly entriesMax: number
  /** By entry. Its wait list has the entry's number. */
  private readonly chunks: Float64Array
  private readonly states: Uint8Array
  private readonly syncCounts: Int32Array
  private readonly freeEntries: Int32Array
  private freeCount: number

  constructor({ entriesMax, tokensMax, events }: SyncEntriesOptions) {
    this.entriesMax = entriesMax
    this.byChunk = new EntriesByChunk(entriesMax)
    this.lists = new TokenLists(tokensMax, entriesMax + 1)
    this.ready = new ReadyTokens(this.lists, entriesMax, events)
    this.chunks = new Float64Array(entriesMax)
    this.states = new Uint8Array(entriesMax)
    this.syncCounts = new Int32Array(entriesMax)
    this.freeEntries = Int32Array.from({ length: entriesMax }, (_, entry) => entry)
    this.freeCount = entriesMax
  }

  /** Chunks that have an entry. */
  get count(): number {
    return this.byChunk.count
  }

  stateOf(chunk: ChunkNumber): SyncState {
    const entry = this.byChunk.find(chunk)
    return entry === NO_ENTRY ? NO_SYNC : (this.states[entry]! as SyncState)
  }

  /** How many operations work on the chunk (upstream: `sync_cnt`); 0 without an entry. */
  syncCount(chunk: ChunkNumber): number {
    const entry = this.byChunk.find(chunk)
    return entry === NO_ENTRY ? 0 : this.syncCounts[entry]!
  }

  waitCount(chunk: ChunkNumber): number {
    const entry = this.byChunk.find(chunk)
    return entry === NO_ENTRY ? 0 : this.lists.countOf(entry)
  }

  /** Begins a sync of the chunk. Who is told START_DONE does it, and holds the first reference. */
  start(chunk: ChunkNumber): StartAnswer {
    if (this.byChunk.find(chunk) !== NO_ENTRY) return START_RUNNING
    if (this.freeCount === 0) return START_FULL
    const entry = this.freeEntries[--this.freeCount]!
    this.byChunk.add(chunk, entry)
    this.chunks[entry] = chunk
    this.states[entry] = SYNC_FETCHING
    this.syncCounts[entry] = 1
    return START_DONE
  }

  /** One more operation works on the chunk: another part of the copy. */
  addReference(chunk: ChunkNumber): void {
    this.syncCounts[this.entryOf(chunk)]!++
  }

  /**
   * An operation is over, and touches neither chunk nor copy any more. The last one frees an ended
   * entry.
   */
  dropReference(chunk: ChunkNumber): void {
    const entry = this.entryOf(chunk)
    const rest = --this.syncCounts[entry]!
    assert(rest >= 0, "a reference is dropped once")
    const state = this.states[entry]!
    const isDecided = state === SYNC_ENDED || state === SYNC_SUPERSEDED
    assert(rest > 0 || isDecided, "the last reference ends the sync before it goes")
    this.freeIfOver(entry)
  }

  /**
   * The copy is here and shall be written; the lock is held. False: drop it, because a mutation has
   * overwritten the chunk, or the sync was ended, or `isDirty`, the own map's answer now, is no.
   */
  beginWrite(chunk: ChunkNumber, isDirty: boolean): boolean {
    const entry = this.entryOf(chunk)
    const state = this.states[entry]!
    if (state === SYNC_WRITING) return true
    if (state !== SYNC_FETCHING || !isDirty) return false
    this.states[entry] = SYNC_WRITING
    return true
  }

  /**
   * The copy is written, or failed, or there is nothing left to do: the waiters go on. A superseded
   * one is not ended by its copy but by the mutation.
   */
  end(chunk: ChunkNumber, status: number): void {
    const entry = this.entryOf(chunk)
    const state = this.states[entry]!
    if (state === SYNC_FETCHING || state === SYNC_WRITING) this.endEntry(entry, status)
  }

  /**
   * A mutation that covers the chunk is about to be applied. True: no copy that was fetched before
   * will be written after it. False: one is being written now; wait for its end.
   */
  supersede(chunk: ChunkNumber): boolean {
    const entry = this.byChunk.find(chunk)
    if (entry === NO_ENTRY) return true
    const state = this.states[entry]!
    if (state === SYNC_WRITING) return false
    if (state === SYNC_FETCHING) this.states[entry] = SYNC_SUPERSEDED
    return true
  }

  /**
   * That mutation is over, well or not. A sync that began meanwhile may have fetched bytes from
   * before it, so it ends too.
   */
  overwritten(chunk: ChunkNumber): void {
    const entry = this.byChunk.find(chunk)
    if (entry === NO_ENTRY) return
    const state = this.states[entry]!
    assert(state !== SYNC_WRITING, "a copy is not written while a mutation covers the chunk")
    if (state !== SYNC_ENDED) this.endEntry(entry, STATUS_OK)
  }

  /**
   * Ends all syncs, so that no copy that was fetched until now is written: before a new view or
   * epoch is entered. Returns how many copies are being written at this moment; those have to be
   * waited for.
   */
  endAll(status: number): number {
    let writingCount = 0
    for (let entry = 0; entry < this.entriesMax; entry++) {
      const state = this.states[entry]!
      if (state === SYNC_WRITING) writingCount++
      if (state === SYNC_FETCHING || state === SYNC_SUPERSEDED) this.endEntry(entry, status)
    }
    return writingCount
  }

  /** An IO waits until the chunk's sync has ended, or, where it has, until its entry is gone. */
  wait(chunk: ChunkNumber, token: number): void {
    this.lists.append(this.entryOf(chunk), token)
  }

  /** Whether the token waits, or its wait is over and nobody was told yet. */
  isWaiting(token: number): boolean {
    return this.lists.placeOf(token) !== NO_LIST
  }

  /** Gives up waiting (a deadline), also where the wait is over and nobody was told yet. */
  cancelWait(token: number): void {
    assert(this.lists.placeOf(token) !== NO_LIST, "who gives up waiting has waited")
    this.lists.remove(token)
  }

  /** Tells the owner of all waits that ended since the last time. */
  deliver(): void {
    this.ready.deliver()
  }

  private entryOf(chunk: number): number {
    const entry = this.byChunk.find(chunk)
    assert(entry !== NO_ENTRY, "the chunk is being synced")
    return entry
  }

  private endEntry(entry: number, status: number): void {
    this.states[entry] = SYNC_ENDED
    this.wakeAll(entry, status)
    this.freeIfOver(entry)
  }

  private freeIfOver(entry: number): void {
    if (this.states[entry] !== SYNC_ENDED || this.syncCounts[entry] !== 0) return
    this.wakeAll(entry, STATUS_OK)
    this.byChunk.remove(this.chunks[entry]!)
    this.states[entry] = NO_SYNC
    this.freeEntries[this.freeCount++] = entry
  }

  private wakeAll(entry: number, status: number): void {
    for (let token = this.lists.first(entry); token !== NO_TOKEN; token = this.lists.first(entry)) {
      this.lists.remove(token)
      this.ready.push(token, status)
    }
  }
}
