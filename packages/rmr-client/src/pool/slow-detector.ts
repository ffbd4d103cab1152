/**
 * SlowDetector: whose mutations take far longer than those of its peers (rule V7).
 *
 * Every mutation goes to all normal legs, so their times can be held against each other. The data
 * path counts answers and the time they took, leg by leg; at each tick the detector smooths what
 * came since the last one. A leg is *behind* while that, or the age of the oldest mutation that it
 * owes, is above both a floor and so many times the median of its peers. It is *slow* when it has
 * been behind for long enough, with enough answers: time behind adds up, time in step takes as much
 * back, and a silence in which nothing was asked makes it void. So neither one long answer nor a
 * slow minute of everybody's is taken for a slow leg.
 */
import type { MemberSet } from "@rmr/core"
import { MEMBERS_MAX, slotsOf } from "@rmr/core"
import type { EngineLeg } from "../io/engine-leg.js"

export interface SlowBounds {
  /** No leg is behind that is faster than this. */
  readonly floorMs: number
  /** … or than so many times the median of its peers. */
  readonly factor: number
  /** For so long it has to be behind; 0: nobody is ever slow. */
  readonly afterMs: number
}

/** Answers that came late themselves, before a leg is slow. */
export const SLOW_ANSWERS_MIN = 5
/** Weight of the answers of one tick. */
const WEIGHT = 0.2
/** After a longer pause between two ticks it was this process that was slow. */
const PAUSE_MS = 1000

class Speed {
  enabledMs = 0
  seenCount = 0
  seenMs = 0
  /** Answers since the last tick, and what they took on average. */
  count = 0
  meanMs = 0
  /** Smoothed; negative until something was answered. */
  levelMs = -1
  /** The oldest mutation that it owes; 0 where it owes none. */
  ageMs = 0
  /** The median of its peers, when it was judged last. */
  peersMs = 0
  behindMs = 0
  lateAnswers = 0
  busyMs = 0

  get currentMs(): number {
    return Math.max(this.levelMs, this.ageMs)
  }

  get isKnown(): boolean {
    return this.levelMs >= 0 || this.ageMs > 0
  }

  forgive(): void {
    this.behindMs = 0
    this.lateAnswers = 0
  }

  /** What the data path counted since the last tick. */
  take(leg: EngineLeg, ageMs: number, isUsable: boolean): void {
    const isOther = leg.enabledMs !== this.enabledMs
    if (isOther || leg.session === undefined) {
      this.enabledMs = leg.enabledMs
      this.levelMs = -1
      this.forgive()
    }
    this.count = isUsable ? leg.mutationCount - this.seenCount : 0
    this.meanMs = this.count === 0 ? 0 : (leg.mutationMs - this.seenMs) / this.count
    this.seenCount = leg.mutationCount
    this.seenMs = leg.mutationMs
    this.ageMs = leg.session === undefined ? 0 : ageMs
    if (this.count === 0) return
    if (this.levelMs < 0) this.levelMs = this.meanMs
    else this.levelMs += (this.meanMs - this.levelMs) * WEIGHT
  }
}

export class SlowDetector {
  private readonly bounds: SlowBounds
  private readonly speeds: readonly Speed[] = Array.from({ length: MEMBERS_MAX }, () => new Speed())
  private readonly others = new Float64Array(MEMBERS_MAX)
  private tickedMs = 0

  constructor(bounds: SlowBounds) {
    this.bounds = bounds
  }

  /**
   * `ageMsOf`: age of the oldest mutation that a leg owes, or 0. Where `mayJudge` is false there is
   * a reason for some legs to be slower than others, and nothing is held against anybody.
   */
  tick(
    legs: readonly (EngineLeg | undefined)[],
    normal: MemberSet,
    ageMsOf: (slot: number) => number,
    mayJudge: boolean,
    nowMs: number,
  ): void {
    const pauseMs = nowMs - this.tickedMs
    this.tickedMs = nowMs
    const isUsable = pauseMs <= PAUSE_MS
    for (const slot of slotsOf(normal)) {
      const leg = legs[slot]
      if (leg !== undefined) this.speeds[slot]!.take(leg, ageMsOf(slot), isUsable)
    }
    for (const slot of slotsOf(normal)) {
      if (!mayJudge) this.speeds[slot]!.forgive()
      else if (isUsable) this.judge(slot, legs, normal, pauseMs, nowMs)
    }
  }

  /** Legs that are slow, the slowest first. */
  slowOf(normal: MemberSet): readonly number[] {
    const { afterMs } = this.bounds
    if (afterMs === 0) return NOBODY
    let slow = 0
    for (let slot = 0; slot < this.speeds.length; slot++) {
      const { behindMs, lateAnswers } = this.speeds[slot]!
      if (behindMs >= afterMs && lateAnswers >= SLOW_ANSWERS_MIN) slow |= 1 << slot
    }
    if ((slow & normal) === 0) return NOBODY
    return slotsOf(slow & normal).sort((a, b) => this.currentMs(b) - this.currentMs(a))
  }

  currentMs(slot: number): number {
    return this.speeds[slot]?.currentMs ?? 0
  }

  /** The median of its peers, when it was judged last. */
  peersMs(slot: number): number {
    return this.speeds[slot]?.peersMs ?? 0
  }

  /** It is in step with its peers, as far as is known. */
  isGood(slot: number): boolean {
    return this.speeds[slot]?.behindMs === 0
  }

  forget(slot: number): void {
    this.speeds[slot]?.forgive()
  }

  private judge(
    slot: number,
    legs: readonly (EngineLeg | undefined)[],
    normal: MemberSet,
    passedMs: number,
    nowMs: number,
  ): void {
    const speed = this.speeds[slot]!
    const peersMs = this.medianOfOthers(slot, legs, normal)
    if (peersMs < 0 || legs[slot] === undefined) return
    speed.peersMs = peersMs
    const isBusy = speed.count > 0 || speed.ageMs > 0
    if (isBusy) speed.busyMs = nowMs
    else if (nowMs - speed.busyMs > this.bounds.afterMs) speed.forgive()
    if (!isBusy) return
    const barMs = Math.max(this.bounds.floorMs, this.bounds.factor * peersMs)
    if (speed.currentMs <= barMs) {
      speed.behindMs = Math.max(0, speed.behindMs - passedMs)
      if (speed.behindMs === 0) speed.forgive()
      return
    }
    speed.behindMs += passedMs
    if (speed.meanMs > barMs) speed.lateAnswers += speed.count
  }

  /**
   * The upper one where there are two: of three legs one is slow only beside two that are not.
   * Negative where nothing is known of anybody.
   */
  private medianOfOthers(
    slot: number,
    legs: readonly (EngineLeg | undefined)[],
    normal: MemberSet,
  ): number {
    const { others } = this
    let count = 0
    for (let other = 0; other < this.speeds.length; other++) {
      const speed = this.speeds[other]!
      const isPeer = other !== slot && legs[other] !== undefined && (normal & (1 << other)) !== 0
      if (!isPeer || !speed.isKnown) continue
      let at = count++
      for (; at > 0 && others[at - 1]! > speed.currentMs; at--) others[at] = others[at - 1]!
      others[at] = speed.currentMs
    }
    return count === 0 ? -1 : others[count >> 1]!
  }
}

const NOBODY: readonly number[] = []
