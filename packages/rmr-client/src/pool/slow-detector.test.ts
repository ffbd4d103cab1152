import { memberId } from "@rmr/core"
import { EngineLeg } from "../io/engine-leg.js"
import { SLOW_ANSWERS_MIN, SlowDetector } from "./slow-detector.js"

const TICK_MS = 100
const BOUNDS = { floorMs: 250, factor: 20, afterMs: 2000 }

/** Legs that answer as a test says, tick by tick. */
class Legs {
  readonly detector: SlowDetector
  readonly legs: EngineLeg[]
  readonly ages: number[] = []
  mayJudge = true
  nowMs = 1000

  constructor(count: number, bounds = BOUNDS) {
    this.detector = new SlowDetector(bounds)
    this.legs = Array.from({ length: count }, (_, slot) => {
      const leg = new EngineLeg(slot, memberId(slot + 1))
      leg.session = {} as never
      return leg
    })
  }

  get normal(): number {
    return (1 << this.legs.length) - 1
  }

  get slow(): readonly number[] {
    return this.detector.slowOf(this.normal)
  }

  /** For so long, one answer of each leg in every tick that took this; undefined: none. */
  run(ms: number, tookMs: readonly (number | undefined)[], everyMs = TICK_MS): void {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      this.nowMs += TICK_MS
      for (const [slot, leg] of this.legs.entries()) {
        const took = tookMs[slot]
        if (took === undefined || passed % everyMs !== 0) continue
        leg.mutationCount++
        leg.mutationMs += took
      }
      const ageMsOf = (slot: number): number => this.ages[slot] ?? 0
      this.detector.tick(this.legs, this.normal, ageMsOf, this.mayJudge, this.nowMs)
    }
  }
}

describe("SlowDetector", () => {
  it("V7: names a leg that stays far above its peers for long enough, and not before", () => {
    const legs = new Legs(3)
    legs.run(1000, [3, 3, 3])
    legs.run(1900, [3, 412, 3])
    expect(legs.slow).toEqual([])
    legs.run(1000, [3, 412, 3])
    expect(legs.slow).toEqual([1])
    expect(Math.round(legs.detector.peersMs(1))).toBe(3)
    expect(legs.detector.currentMs(1)).toBeGreaterThan(400)
  })

  const notSlow: readonly [string, readonly number[]][] = [
    ["is below the floor, however fast the others are", [0.1, 240, 0.1]],
    ["is above the floor, and not by the factor", [30, 500, 30]],
    ["is one of two that are slow, of three", [3, 500, 500]],
    ["is as slow as all", [500, 500, 500]],
  ]
  it.each(notSlow)("V7: leaves alone one that %s", (_, tookMs) => {
    const legs = new Legs(3)
    legs.run(20_000, tookMs)
    expect(legs.slow).toEqual([])
  })

  it("V7: names two that are slow, of five, the slowest first", () => {
    const legs = new Legs(5)
    legs.run(5000, [3, 400, 3, 900, 3])
    expect(legs.slow).toEqual([3, 1])
  })

  it("V7: leaves alone one that answers late once in a while", () => {
    const legs = new Legs(2)
    for (let nth = 0; nth < 20; nth++) {
      legs.run(TICK_MS, [3, 2500])
      legs.run(2000, [3, 3])
    }
    expect(legs.slow).toEqual([])
  })

  it("V7: leaves alone one that is as long in step as behind", () => {
    const legs = new Legs(2)
    for (let nth = 0; nth < 20; nth++) {
      legs.run(1500, [3, 400])
      legs.run(2000, [3, 3])
    }
    expect(legs.slow).toEqual([])
  })

  it("V7: wants answers that were late themselves, not one that nobody followed", () => {
    const legs = new Legs(2)
    legs.run(1000, [3, 3])
    legs.ages[1] = 2000
    legs.run(6000, [3, undefined])
    expect(legs.slow).toEqual([])
    legs.ages[1] = 0
    legs.run(TICK_MS * SLOW_ANSWERS_MIN, [3, 2000])
    expect(legs.slow).toEqual([1])
  })

  it("V7: sees one that owes nearly always, with one mutation at a time", () => {
    const legs = new Legs(2)
    legs.ages[1] = 200
    legs.run(8000, [3, 400], 400)
    expect(legs.slow).toEqual([1])
  })

  it("V7: holds nothing against anybody while a member fetches what it missed", () => {
    const legs = new Legs(2)
    legs.mayJudge = false
    legs.run(10_000, [3, 400])
    legs.mayJudge = true
    legs.run(1900, [3, 400])
    expect(legs.slow).toEqual([])
    legs.run(200, [3, 400])
    expect(legs.slow).toEqual([1])
  })

  it("V7: forgets what was before a silence, another session, or a pause of this process", () => {
    const legs = new Legs(2)
    const nearly = 1900
    legs.run(nearly, [3, 400])
    legs.run(BOUNDS.afterMs + TICK_MS, [undefined, undefined])
    legs.run(nearly, [3, 400])
    expect(legs.slow).toEqual([])
    legs.legs[1]!.enabledMs = legs.nowMs
    legs.run(nearly, [3, 400])
    expect(legs.slow).toEqual([])
    legs.run(5000, [3, 3])
    legs.nowMs += 60_000
    legs.run(nearly, [3, 400])
    expect(legs.slow).toEqual([])
  })

  it("V7: names nobody where it is switched off, and nobody of a pool of one", () => {
    const off = new Legs(2, { ...BOUNDS, afterMs: 0 })
    off.run(10_000, [3, 900])
    expect(off.slow).toEqual([])
    const alone = new Legs(1)
    alone.run(10_000, [900])
    expect(alone.slow).toEqual([])
  })
})
