/**
 * SyncProgress: how fast a member's chunks become clean, and when the rest will be (P10).
 *
 * The rate is that of the last seconds, so that it follows what a pool is doing now; where nothing
 * was copied for as long, nothing is said.
 */
import type { Clock } from "@rmr/core"

/** Whole seconds that are remembered, beside the one that goes on. */
const SECONDS = 8
const SECOND_MS = 1000

export class SyncProgress {
  private readonly clock: Clock
  /** Chunks of each second, in a ring by its number. */
  private readonly counts = new Float64Array(SECONDS + 1)
  private second = 0
  private firstMs: number | undefined

  constructor(clock: Clock) {
    this.clock = clock
  }

  noteClean(): void {
    const nowMs = this.clock.nowMs()
    this.passTo(nowMs)
    this.firstMs ??= nowMs
    this.counts[this.second % this.counts.length]!++
  }

  /** 0 where nothing was copied lately. */
  get chunksPerSecond(): number {
    const nowMs = this.clock.nowMs()
    this.passTo(nowMs)
    if (this.firstMs === undefined) return 0
    const startMs = Math.max(this.firstMs, (this.second - SECONDS) * SECOND_MS)
    const elapsedMs = Math.max(nowMs - startMs, SECOND_MS)
    return (this.counts.reduce((sum, count) => sum + count, 0) * SECOND_MS) / elapsedMs
  }

  /** Until so many are clean at this rate; undefined where that cannot be said. */
  leftMs(dirtyChunks: number): number | undefined {
    const rate = this.chunksPerSecond
    return dirtyChunks === 0 || rate === 0 ? undefined : (dirtyChunks * SECOND_MS) / rate
  }

  /** Seconds that have passed meanwhile, in which nothing was copied. */
  private passTo(nowMs: number): void {
    const second = Math.floor(nowMs / SECOND_MS)
    const passed = Math.min(second - this.second, this.counts.length)
    for (let nth = 0; nth < passed; nth++) this.counts[(second - nth) % this.counts.length] = 0
    this.second = second
    if (this.counts.every((count) => count === 0)) this.firstMs = undefined
  }
}
