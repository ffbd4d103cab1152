/**
 * Foreground: what holders ask of this node, and what copies do to it (rule S11).
 *
 * Time is cut into slices. A slice in which a copy was worked on, here or for a peer, is busy; one
 * well clear of copies is quiet. How long requests take, and how many are done, in busy slices
 * against quiet ones says what copies cost: a client that waits for each answer is seen by how many
 * it asks, one that does not by how long they take. Nothing is allocated for a request.
 */
import type { Clock } from "@rmr/core"

export const SLICE_MS = 50
/** Without a request for so long, nobody is there to be hurt. */
export const IDLE_MS = 300
/** What a copy has begun may be felt for so long. */
const AFTER_MS = 10
/** Fewer requests in a slice say nothing of how many there are. */
const RATE_MIN = 20
/** Of the newest slice in an average; pauses are few. */
const QUIET_WEIGHT = 0.15
const BUSY_WEIGHT = 0.1
/** A request is never shorter than the clock and the scheduler can say. */
const LATENCY_MIN_MS = 0.05
const SLOWDOWN_MAX = 100
/** Above this, copies hurt. */
export const SLOWDOWN_HIGH = 1.2

/** Averages over slices of one kind. */
class Average {
  requests = 0
  private sumMs = 0
  private sliceCount = 0
  private readonly weight: number

  constructor(weight: number) {
    this.weight = weight
  }

  get isKnown(): boolean {
    return this.sliceCount > 0
  }

  get latencyMs(): number {
    return Math.max(LATENCY_MIN_MS, this.requests === 0 ? 0 : this.sumMs / this.requests)
  }

  add(requests: number, sumMs: number): void {
    const weight = Math.max(this.weight, 1 / ++this.sliceCount)
    this.requests += weight * (requests - this.requests)
    this.sumMs += weight * (sumMs - this.sumMs)
  }

  clear(): void {
    this.sliceCount = 0
    this.requests = 0
    this.sumMs = 0
  }
}

export class Foreground {
  private readonly clock: Clock
  private readonly quiet = new Average(QUIET_WEIGHT)
  private readonly busy = new Average(BUSY_WEIGHT)
  private slice = -1
  private requests = 0
  private sumMs = 0
  private wasWorked = false
  private workedMs = Number.NEGATIVE_INFINITY
  /** Work before the slice that goes on. */
  private workedBeforeMs = Number.NEGATIVE_INFINITY
  private askedMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Whether the holder has asked for anything lately. */
  get isActive(): boolean {
    return this.clock.nowMs() - this.askedMs < IDLE_MS
  }

  /** A request has come; answers the time, which is its begin. */
  noteBegin(): number {
    const nowMs = this.clock.nowMs()
    if (nowMs - this.askedMs >= IDLE_MS) this.clear()
    this.askedMs = nowMs
    return nowMs
  }

  /** It has ended, and waited for no copy. */
  noteEnd(beginMs: number): void {
    const nowMs = this.clock.nowMs()
    this.passTo(nowMs)
    this.requests++
    this.sumMs += nowMs - beginMs
  }

  /** A part of a copy is worked on: fetched, written, served, made durable. */
  noteWork(): void {
    const nowMs = this.clock.nowMs()
    this.passTo(nowMs)
    this.wasWorked = true
    this.workedMs = nowMs
  }

  /** How much slower requests are beside copies; undefined where that is not known. */
  get slowdown(): number | undefined {
    const { quiet, busy } = this
    if (!quiet.isKnown || !busy.isKnown) return undefined
    const byCount = quiet.requests < RATE_MIN ? 1 : quiet.requests / Math.max(busy.requests, 1)
    const byLatency = busy.latencyMs / quiet.latencyMs
    return Math.min(Math.max(1, byCount, byLatency), SLOWDOWN_MAX)
  }

  /** Whether copies hurt; also as long as nobody can say that they do not. */
  get isPressed(): boolean {
    const { slowdown } = this
    return this.isActive && (slowdown === undefined || slowdown > SLOWDOWN_HIGH)
  }

  /** What was measured is of another load. */
  private clear(): void {
    this.quiet.clear()
    this.busy.clear()
    this.slice = -1
  }

  private passTo(nowMs: number): void {
    const slice = Math.floor(nowMs / SLICE_MS)
    if (slice === this.slice) return
    // The first slice of a load is not a whole one.
    if (this.slice >= 0) this.endSlice()
    this.slice = slice
    this.requests = 0
    this.sumMs = 0
    this.wasWorked = false
    this.workedBeforeMs = this.workedMs
  }

  private endSlice(): void {
    if (this.wasWorked) {
      this.busy.add(this.requests, this.sumMs)
    } else if (this.slice * SLICE_MS - this.workedBeforeMs >= AFTER_MS) {
      this.quiet.add(this.requests, this.sumMs)
    }
  }
}
