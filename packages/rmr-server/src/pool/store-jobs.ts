/**
 * StoreJobs: one open store, shared by the data path and by everything that is rare.
 *
 * A store hands tokens back in batches. The data path's tokens are its request slots, and come back
 * to it as numbers. What is rare (a commit for a view change, a flush before an answer) awaits a
 * promise; its tokens are those at and above `RARE_BASE`. Both share the store's room: more
 * operations than it takes at once wait here, in order, so that nobody above has to count.
 *
 * A flush that fails has cost the cache, whoever asked for it (I5). That is told before anything
 * that ended after it, and nothing is committed from then on: a later flush would succeed and say
 * nothing about what is gone.
 */
import type { BlockBatch, CellWrite, Env, Memory, Store, StoreSource } from "@rmr/core"
import { assert, BLOCK_STATUS, BLOCK_STRIDE, BLOCK_TOKEN, RmrError, STATUS_OK } from "@rmr/core"

/** Tokens below this are request slots of the data path. */
export const RARE_BASE: number = 1 << 24

export interface StoreJobsEvents {
  /** Operations of the data path that ended: rows of this batch whose token is below RARE_BASE. */
  onDone(token: number, status: number, badAt: number, badBytes: number): void
  /** Everything of one batch was delivered. */
  onBatchEnd(): void
  /** There is room again for operations that `hasRoom` refused. */
  onRoom(): void
  /** What was written and not flushed is gone; told once. */
  onCacheLost(error: RmrError): void
}

export interface StoreJobsOptions {
  readonly env: Env
  readonly memory: Memory
  readonly source: StoreSource
}

export class StoreJobs {
  readonly store: Store
  private readonly events: StoreJobsEvents
  private readonly rare = new Map<number, (status: number) => void>()
  private nextRare = RARE_BASE
  private inFlight = 0
  private readonly userMax: number
  private wasFull = false
  private cacheLost: RmrError | undefined

  private constructor(store: Store, events: StoreJobsEvents) {
    this.store = store
    this.events = events
    this.userMax = Math.max(1, store.inFlightMax - RARE_MAX)
  }

  /** Opens the store; its completions go to `events` from then on. */
  static async open(options: StoreJobsOptions, events: StoreJobsEvents): Promise<StoreJobs> {
    let jobs: StoreJobs | undefined
    const { env, memory, source } = options
    const onCompletions = (batch: BlockBatch): void => {
      assert(jobs !== undefined, "a store completes nothing before it is open")
      jobs.complete(batch)
    }
    const store = await source.open({ env, memory, events: { onCompletions } })
    jobs = new StoreJobs(store, events)
    return jobs
  }

  /** Whether the data path may submit one more operation; it is told `onRoom` otherwise. */
  hasRoom(): boolean {
    if (this.inFlight < this.userMax) return true
    this.wasFull = true
    return false
  }

  /** The data path has submitted an operation with a token below RARE_BASE. */
  noteSubmitted(): void {
    this.inFlight++
  }

  /** All of these cells, atomically and durably; fails with what the store says. */
  commit(cells: readonly CellWrite[]): Promise<void> {
    return this.run("commit", (token) => this.store.commit(token, cells))
  }

  async flush(): Promise<void> {
    await this.run("flush", (token) => this.store.flush(token))
    if (this.cacheLost !== undefined) throw this.cacheLost
  }

  /** A flush of anybody has ended. */
  noteFlushed(status: number): void {
    if (status === STATUS_OK || this.cacheLost !== undefined) return
    this.cacheLost = RmrError.ofStatus(status, "the store failed a flush")
    this.events.onCacheLost(this.cacheLost)
  }

  heat(extents: readonly number[]): Promise<void> {
    return this.run("heat", (token) => this.store.heat(token, extents))
  }

  settleRestart(): Promise<void> {
    return this.run("settle", (token) => this.store.settleRestart(token))
  }

  /** Runs one rare operation and awaits its status, as it is. */
  ask(submit: (token: number) => void): Promise<number> {
    return new Promise((resolve) => this.start(submit, resolve))
  }

  private async run(what: RareKind, submit: (token: number) => void): Promise<void> {
    if (this.cacheLost !== undefined) throw this.cacheLost
    const status = await new Promise<number>((resolve) => {
      this.start(submit, (ended) => {
        if (what === "flush") this.noteFlushed(ended)
        resolve(ended)
      })
    })
    if (status !== STATUS_OK) throw RmrError.ofStatus(status, `the store failed a ${what}`)
  }

  private start(submit: (token: number) => void, onEnded: (status: number) => void): void {
    const token = this.nextRare
    this.nextRare = token === RARE_LAST ? RARE_BASE : token + 1
    assert(!this.rare.has(token), "a rare operation ends before its token is used again")
    this.rare.set(token, onEnded)
    submit(token)
    this.store.submit()
  }

  private complete(batch: BlockBatch): void {
    const { words, count } = batch
    for (let row = 0, at = 0; row < count; row++, at += BLOCK_STRIDE) {
      const token = words[at + BLOCK_TOKEN]!
      const status = words[at + BLOCK_STATUS]!
      if (token >= RARE_BASE) {
        const onEnded = this.rare.get(token)
        assert(onEnded !== undefined, "a rare operation completes once")
        this.rare.delete(token)
        onEnded(status)
      } else {
        this.inFlight--
        this.events.onDone(token, status, words[at + 2]!, words[at + 3]!)
      }
    }
    if (this.wasFull && this.inFlight < this.userMax) {
      this.wasFull = false
      this.events.onRoom()
    }
    this.events.onBatchEnd()
  }
}

type RareKind = "commit" | "flush" | "heat" | "settle"

/** What the store keeps free for rare operations. */
const RARE_MAX = 16
const RARE_LAST = 0x7fff_fffe
