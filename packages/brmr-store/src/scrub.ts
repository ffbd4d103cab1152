/**
 * Scrub: reads what has a sum, at a bounded rate, and tells what does not match.
 *
 * It goes through the volume once, beside whatever else the store does. Blocks without a sum are
 * counted and not read. What does not match is read again, with the sums of that moment beside it,
 * so that a write under way is not taken for damage.
 */
import type { Env, Store } from "@rmr/core"
import { RmrError } from "@rmr/core"
import { FileStore } from "./file-store.js"
import type { DamagedRange } from "./range-check.js"

export interface ScrubOptions {
  readonly env: Env
  /** One that `fileStore` has opened. */
  readonly store: Store
  /** Bytes that are read in a second, at most; default as fast as it goes. */
  readonly bytesPerSecond?: number
  /** Somewhat often. */
  readonly onProgress?: (progress: ScrubProgress) => void
  /** A range of the volume whose bytes are not what was written. */
  readonly onDamage?: (range: DamagedRange) => void
}

export interface ScrubProgress {
  readonly totalBytes: number
  /** How far it is. */
  readonly doneBytes: number
  /** Of these: held against their sums, and without any. */
  readonly checkedBytes: number
  readonly unknownBytes: number
  readonly damagedBytes: number
  /** The first ones, ascending; neighbours are one. */
  readonly damaged: readonly DamagedRange[]
}

export interface Scrub {
  readonly progress: ScrubProgress
  /** At the end, or where it was stopped; fails with what the store says of a read. */
  readonly done: Promise<ScrubProgress>
  stop(): void
}

/** One read. Payload memory is wanted for no more. */
const PART_BYTES = 256 * 1024
const RANGES_MAX = 1000
const MEMORY_WAIT_MS = 20
/** It is no longer than this in its way when it is stopped. */
const PAUSE_MS_MAX = 200

/** Fails with `unsupported` where the store keeps no sums. */
export function scrubStore(options: ScrubOptions): Scrub {
  const { store } = options
  if (store instanceof FileStore && store.supports.dataChecked)
    return new RunningScrub(options, store)
  const words = "the store keeps no sums of its data: there is nothing to hold it against"
  throw new RmrError("unsupported", words)
}

class RunningScrub implements Scrub {
  readonly done: Promise<ScrubProgress>
  private readonly options: ScrubOptions
  private readonly startMs: number
  private readonly partBytes: number
  private doneBytes = 0
  private checkedBytes = 0
  private unknownBytes = 0
  private damagedBytes = 0
  private readonly damaged: DamagedRange[] = []
  private isStopped = false
  private readonly store: FileStore

  constructor(options: ScrubOptions, store: FileStore) {
    this.options = options
    this.store = store
    this.startMs = options.env.clock.nowMs()
    this.partBytes = Math.min(PART_BYTES, store.ioBytesMax, store.geometry.extentBytes)
    this.done = this.run()
  }

  get progress(): ScrubProgress {
    const { doneBytes, checkedBytes, unknownBytes, damagedBytes } = this
    const totalBytes = this.store.sizeBytes
    const damaged = [...this.damaged]
    return { totalBytes, doneBytes, checkedBytes, unknownBytes, damagedBytes, damaged }
  }

  stop(): void {
    this.isStopped = true
  }

  private async run(): Promise<ScrubProgress> {
    const { store } = this
    const { onProgress } = this.options
    while (!this.isStopped && this.doneBytes < store.sizeBytes) {
      const bytes = Math.min(this.partBytes, store.sizeBytes - this.doneBytes)
      await this.check(this.doneBytes, bytes)
      this.doneBytes += bytes
      onProgress?.(this.progress)
      await this.keepPace()
    }
    return this.progress
  }

  private async check(offset: number, bytes: number): Promise<void> {
    let found = await this.store.checkRange(offset, bytes)
    while (found === undefined && !this.isStopped) {
      await this.pause(MEMORY_WAIT_MS)
      found = await this.store.checkRange(offset, bytes)
    }
    if (found === undefined) return
    this.checkedBytes += found.checkedBytes
    this.unknownBytes += bytes - found.checkedBytes
    for (const range of found.damaged) this.note(range)
  }

  private note(range: DamagedRange): void {
    this.damagedBytes += range.bytes
    const last = this.damaged.at(-1)
    if (last !== undefined && last.offset + last.bytes === range.offset) {
      this.damaged[this.damaged.length - 1] = { ...last, bytes: last.bytes + range.bytes }
    } else if (this.damaged.length < RANGES_MAX) this.damaged.push(range)
    this.options.onDamage?.(range)
  }

  /** What was read so far took as long as it may. */
  private async keepPace(): Promise<void> {
    const { env, bytesPerSecond } = this.options
    if (bytesPerSecond === undefined) return
    const dueMs = this.startMs + (this.checkedBytes * 1000) / bytesPerSecond
    for (;;) {
      const aheadMs = dueMs - env.clock.nowMs()
      if (aheadMs <= 0 || this.isStopped) return
      await this.pause(Math.min(aheadMs, PAUSE_MS_MAX))
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.options.env.clock.schedule(ms, () => resolve()))
  }
}
