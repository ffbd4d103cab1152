/**
 * Pace: how fast a member copies what nobody waits for (rule S11, P10).
 *
 * Without foreground IO, here and at the sources, as fast as it goes. Beside it: few copies at a
 * time, one part after the other, at a rate. Twice a second the rate goes up by a step, or down by
 * a share where requests are slower beside copies than in the pauses that each half second has. It
 * never falls below the floor, so that a resync ends, and never exceeds the cap. What somebody
 * waits for is hurried: it waits for nothing here.
 *
 * ```
 *   0 ············ 400 ms · 500 ms
 *   │▪  ▪  ▪  ▪  ▪ │ pause  │▪ ▪ ▪ …        ▪ a part of a copy
 * ```
 */
import type { Clock, Timer } from "@rmr/core"
import { RmrError } from "@rmr/core"
import { type Foreground, IDLE_MS, SLICE_MS } from "../io/foreground.js"

/** What an admin says of copies that nobody waits for. */
export interface SyncLimits {
  /** Never faster, whoever else is there. 0: as fast as it goes. */
  readonly bytesPerSecondMax: number
  /** Never slower, whoever else is there. */
  readonly bytesPerSecondMin: number
  /** Nor slower than this share of what was reached without it, or of what one fetch reaches. */
  readonly shareMin: number
}

export const SYNC_LIMITS_DEFAULT: SyncLimits = {
  bytesPerSecondMax: 0,
  bytesPerSecondMin: 8 * 1024 * 1024,
  shareMin: 0.12,
}

const BYTES_PER_SECOND_MIN = 64 * 1024

/** Fails with `invalid-argument` and what is wrong. */
export function checkedSyncLimits(said: Partial<SyncLimits>): SyncLimits {
  const limits = { ...SYNC_LIMITS_DEFAULT, ...said }
  const { bytesPerSecondMax: max, bytesPerSecondMin: min, shareMin } = limits
  const problem = [
    [min >= BYTES_PER_SECOND_MIN, `a sync does ${BYTES_PER_SECOND_MIN} bytes a second at least`],
    [max === 0 || max >= min, "the most that a sync does is no less than the least"],
    [shareMin >= 0 && shareMin <= 1, "the least share of a sync is from 0 to 1"],
  ].find(([isGood]) => isGood !== true)
  if (problem !== undefined) throw new RmrError("invalid-argument", String(problem[1]))
  return limits
}

/** Parts of a copy beside foreground IO, and without. */
const PART_PACED_BYTES = 64 * 1024
const PART_FULL_BYTES = 1024 * 1024
/** So many that a medium which is slow to answer does not make copies slower than the floor. */
export const COPIES_PACED = 4
/** Of so many slices, the last ones are a pause. */
const CYCLE_SLICES = 10
const PAUSE_SLICES = 2
const CYCLE_MS = CYCLE_SLICES * SLICE_MS
const COPY_SHARE = 1 - PAUSE_SLICES / CYCLE_SLICES
/** What was not used is caught up with for so long; timers are coarse. */
const CATCH_UP_MS = 4
/** Below this, copies may be faster. */
const SLOWDOWN_LOW = 1.1
const LESS = 0.6
/** A step up is this share of the floor. */
const STEP = 0.5
/** The full rate is that of a window of so long with so many copies. */
const WINDOW_MS = 250
const WINDOW_COUNT_MIN = 2
/** Nothing is fetched faster than the clock can say. */
const FETCH_MS_MIN = 0.1
const WEIGHT = 0.2

/** How copies go now, for people. */
export interface PaceShown {
  readonly isPaced: boolean
  /** Beside foreground IO, or by an admin's cap; 0 where nothing limits it. */
  readonly bytesPerSecond: number
  /** How many times as long foreground requests take here beside copies. */
  readonly slowdown: number | undefined
}

export class Pace {
  private readonly clock: Clock
  private readonly foreground: Foreground
  private readonly limits: SyncLimits
  /** By copy: somebody waits for it. */
  private readonly isHurried: Uint8Array
  private readonly waiting = new Map<number, () => void>()
  private nextMs = 0
  private rate = 0
  private cycle = -1
  private sourceActiveMs = Number.NEGATIVE_INFINITY
  private sourcePressedMs = Number.NEGATIVE_INFINITY
  /** Bytes per second that were reached without foreground IO. */
  private fullRate = 0
  /** For how long one byte is fetched, on average: the slow ones count for what they are. */
  private byteMs = 0
  private windowMs = 0
  private windowBytes = 0
  private windowCount = 0

  constructor(clock: Clock, foreground: Foreground, copiesMax: number, limits: SyncLimits) {
    this.clock = clock
    this.foreground = foreground
    this.limits = limits
    this.isHurried = new Uint8Array(copiesMax)
  }

  /** Whether somebody could be hurt, here or at a source. */
  get isPaced(): boolean {
    const isActive = this.clock.nowMs() - this.sourceActiveMs < IDLE_MS
    return isActive || this.foreground.isActive
  }

  get shown(): PaceShown {
    const { isPaced, limits } = this
    const { slowdown } = this.foreground
    const bytesPerSecond = isPaced ? this.rateNow : limits.bytesPerSecondMax
    return { isPaced, bytesPerSecond, slowdown }
  }

  /** Copies that nobody waits for, being fetched or written at a time. */
  copiesAtATime(copiesMax: number): number {
    return this.isPaced ? Math.min(COPIES_PACED, copiesMax) : copiesMax
  }

  /** What is asked for, written or compared in one piece. */
  get partBytes(): number {
    return this.isPaced ? PART_PACED_BYTES : PART_FULL_BYTES
  }

  /** A source says that it has foreground IO, and whether copies hurt that. */
  noteSource(isForeground: boolean, isPressed: boolean): void {
    if (isForeground) this.sourceActiveMs = this.clock.nowMs()
    if (isPressed) this.sourcePressedMs = this.clock.nowMs()
  }

  /** A copy begins. */
  begin(copy: number, isHurried: boolean): void {
    this.isHurried[copy] = isHurried ? 1 : 0
  }

  /** Somebody waits for this copy now. */
  hurry(copy: number): void {
    this.isHurried[copy] = 1
    this.waiting.get(copy)?.()
  }

  isInHurry(copy: number): boolean {
    return this.isHurried[copy] === 1
  }

  /** Ends when the next part of the copy may be worked on. */
  async turn(copy: number, bytes: number): Promise<void> {
    const waitMs = this.reserve(bytes, this.isInHurry(copy))
    if (waitMs > 0) await this.wait(copy, waitMs)
    this.foreground.noteWork()
  }

  /** A part came from its source in so long. */
  noteFetched(bytes: number, tookMs: number): void {
    const byteMs = Math.max(tookMs, FETCH_MS_MIN) / bytes
    this.byteMs += (this.byteMs === 0 ? 1 : WEIGHT) * (byteMs - this.byteMs)
  }

  /** A chunk that nobody waited for is clean. */
  noteCopied(bytes: number): void {
    if (this.isPaced) {
      this.windowCount = 0
      return
    }
    const nowMs = this.clock.nowMs()
    if (this.windowCount++ === 0) {
      this.windowMs = nowMs
      this.windowBytes = 0
      return
    }
    this.windowBytes += bytes
    const passedMs = nowMs - this.windowMs
    if (passedMs < WINDOW_MS) return
    const rate = (this.windowBytes * 1000) / passedMs
    const isEnough = this.windowCount > WINDOW_COUNT_MIN
    this.windowCount = 0
    if (isEnough) this.fullRate += (rate > this.fullRate ? 1 : WEIGHT) * (rate - this.fullRate)
  }

  private get floor(): number {
    const { bytesPerSecondMin, bytesPerSecondMax, shareMin } = this.limits
    const known = Math.max(this.fullRate, this.byteMs === 0 ? 0 : 1000 / this.byteMs)
    const floor = Math.max(bytesPerSecondMin, shareMin * known)
    return bytesPerSecondMax === 0 ? floor : Math.min(floor, bytesPerSecondMax)
  }

  private get rateNow(): number {
    const { bytesPerSecondMax } = this.limits
    const rate = Math.max(this.rate, this.floor)
    return bytesPerSecondMax === 0 ? rate : Math.min(rate, bytesPerSecondMax)
  }

  /** How long this part waits; its place is taken. */
  private reserve(bytes: number, isHurried: boolean): number {
    const nowMs = this.clock.nowMs()
    const { isPaced } = this
    if (isPaced) this.adjust(nowMs)
    else this.cycle = -1
    const rate = isPaced ? this.rateNow / COPY_SHARE : this.limits.bytesPerSecondMax
    if (rate === 0) return 0
    const stepMs = (bytes * 1000) / rate
    const startMs = Math.max(this.nextMs, nowMs - CATCH_UP_MS)
    if (isHurried) {
      // What is copied in a hurry is copied; but the others get their turns too.
      this.nextMs = Math.min(startMs + stepMs, Math.max(this.nextMs, nowMs + stepMs))
      return 0
    }
    const atMs = isPaced ? behindPause(startMs) : startMs
    this.nextMs = atMs + stepMs
    return atMs - nowMs
  }

  private adjust(nowMs: number): void {
    const cycle = Math.floor(nowMs / CYCLE_MS)
    if (cycle === this.cycle) return
    const wasPaced = this.cycle >= 0
    this.cycle = cycle
    const { floor } = this
    if (!wasPaced) {
      this.rate = floor
      return
    }
    const isPressed = this.foreground.isPressed || nowMs - this.sourcePressedMs < CYCLE_MS
    const { slowdown = 1 } = this.foreground
    if (isPressed) this.rate = Math.max(floor, this.rate * LESS)
    else if (slowdown < SLOWDOWN_LOW) this.rate = this.rateNow + STEP * floor
  }

  private wait(copy: number, waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      let timer: Timer | undefined
      const go = (): void => {
        timer?.cancel()
        this.waiting.delete(copy)
        resolve()
      }
      this.waiting.set(copy, go)
      timer = this.clock.schedule(waitMs, go)
    })
  }
}

/** The same moment, or the end of the pause that it is in. */
function behindPause(atMs: number): number {
  const cycleMs = Math.floor(atMs / CYCLE_MS) * CYCLE_MS
  const isPause = atMs - cycleMs >= CYCLE_MS * COPY_SHARE
  return isPause ? cycleMs + CYCLE_MS : atMs
}
