/** How fast copies go that nobody waits for. */
import type { World } from "@rmr/testkit"
import { nodeWorld } from "@rmr/testkit/node"
import { Foreground } from "../io/foreground.js"
import { COPIES_PACED, checkedSyncLimits, Pace, type SyncLimits } from "./pace.js"

const MIB = 1024 * 1024
const PART = 128 * 1024
const COPIES = 8

interface Copying {
  readonly world: World
  readonly foreground: Foreground
  readonly pace: Pace
  /** When each part of copy 0 had its turn. */
  readonly turns: number[]
  isOver: boolean
}

function copying(seed: number, limits: Partial<SyncLimits> = {}): Copying {
  const world = nodeWorld({ seed })
  const { clock } = world.env
  const foreground = new Foreground(clock)
  const pace = new Pace(clock, foreground, COPIES, checkedSyncLimits(limits))
  return { world, foreground, pace, turns: [], isOver: false }
}

/** Copies part after part, each of which takes half a millisecond. */
async function copyOn(all: Copying): Promise<void> {
  const { clock } = all.world.env
  all.pace.begin(0, false)
  while (!all.isOver) {
    await all.pace.turn(0, PART)
    all.turns.push(clock.nowMs())
    await new Promise<void>((resolve) => clock.schedule(0.5, resolve))
    all.foreground.noteWork()
    all.pace.noteCopied(PART)
  }
}

/** A request every two milliseconds; `tookMs` says how long it takes now. */
async function askFor(all: Copying, ms: number, tookMs: (nowMs: number) => number): Promise<void> {
  const { clock } = all.world.env
  const endMs = clock.nowMs() + ms
  while (clock.nowMs() < endMs) {
    all.foreground.noteEnd(all.foreground.noteBegin() - tookMs(clock.nowMs()))
    await all.world.runFor(2)
  }
}

const isPause = (nowMs: number): boolean => nowMs % 500 >= 400

describe("the pace of copies", () => {
  it("S11: is as fast as it goes where nobody asks for anything", async () => {
    const all = copying(1)
    const startMs = all.world.env.clock.nowMs()
    for (let nth = 0; nth < 1000; nth++) await all.pace.turn(0, PART)
    expect(all.world.env.clock.nowMs()).toBe(startMs)
    expect(all.pace.copiesAtATime(COPIES)).toBe(COPIES)
    expect(all.pace.shown).toEqual({ isPaced: false, bytesPerSecond: 0, slowdown: undefined })
  })

  it("S11: beside foreground IO is few at a time, and pauses twice a second", async () => {
    const all = copying(2, { bytesPerSecondMin: 4 * MIB, bytesPerSecondMax: 8 * MIB, shareMin: 0 })
    await askFor(all, 10, () => 1)
    expect(all.pace.copiesAtATime(COPIES)).toBe(COPIES_PACED)
    void copyOn(all)
    await askFor(all, 6000, () => 1)
    expect(all.turns.length).toBeGreaterThan(100)
    expect(all.turns.filter(isPause)).toEqual([])
    all.isOver = true
  })

  it("S11: is at its floor and no faster where it hurts, for as long as it does", async () => {
    const all = copying(3, { bytesPerSecondMin: 4 * MIB, shareMin: 0 })
    await askFor(all, 10, () => 1)
    void copyOn(all)
    await askFor(all, 1000, (nowMs) => (isPause(nowMs) ? 1 : 4))
    const before = all.turns.length
    await askFor(all, 10_000, (nowMs) => (isPause(nowMs) ? 1 : 4))
    const rate = ((all.turns.length - before) * PART) / 10
    expect(rate).toBeGreaterThan(3.6 * MIB)
    expect(rate).toBeLessThan(4.6 * MIB)
    expect(all.pace.shown.slowdown).toBeGreaterThan(2)
    all.isOver = true
  })

  it("S11: goes up where it does not hurt, and down again when it does", async () => {
    const all = copying(4, { bytesPerSecondMin: 4 * MIB, shareMin: 0 })
    await askFor(all, 10, () => 1)
    void copyOn(all)
    await askFor(all, 6000, () => 1)
    expect(all.pace.shown.bytesPerSecond).toBeGreaterThan(16 * MIB)
    await askFor(all, 6000, (nowMs) => (isPause(nowMs) ? 1 : 4))
    expect(all.pace.shown.bytesPerSecond).toBe(4 * MIB)
    all.isOver = true
  })

  it("S11: is at its floor as long as the source says that it hurts there", async () => {
    const all = copying(5, { bytesPerSecondMin: 4 * MIB, shareMin: 0 })
    all.pace.noteSource(true, true)
    expect(all.pace.copiesAtATime(COPIES)).toBe(COPIES_PACED)
    void copyOn(all)
    for (let nth = 0; nth < 40; nth++) {
      await all.world.runFor(100)
      all.pace.noteSource(true, true)
    }
    expect(all.pace.shown.bytesPerSecond).toBe(4 * MIB)
    for (let nth = 0; nth < 40; nth++) {
      await all.world.runFor(100)
      all.pace.noteSource(true, false)
    }
    expect(all.pace.shown.bytesPerSecond).toBeGreaterThan(8 * MIB)
    await all.world.runFor(400)
    expect(all.pace.isPaced).toBe(false)
    all.isOver = true
  })

  it("S11: is never below a share of what was reached alone", async () => {
    const all = copying(6, { bytesPerSecondMin: MIB, shareMin: 0.1 })
    void copyOn(all)
    // One part in half a millisecond: 250 MiB a second.
    await all.world.runFor(2000)
    await askFor(all, 2000, (nowMs) => (isPause(nowMs) ? 1 : 4))
    const before = all.turns.length
    await askFor(all, 5000, (nowMs) => (isPause(nowMs) ? 1 : 4))
    const rate = ((all.turns.length - before) * PART) / 5
    expect(rate).toBeGreaterThan(22 * MIB)
    expect(rate).toBeLessThan(30 * MIB)
    all.isOver = true
  })

  it("S11: is never below a share of what one fetch reaches, if it was never alone", async () => {
    const all = copying(10, { bytesPerSecondMin: MIB, shareMin: 0.1 })
    await askFor(all, 10, () => 1)
    // 128 KiB in a millisecond.
    all.pace.noteFetched(PART, 1)
    void copyOn(all)
    await askFor(all, 5000, (nowMs) => (isPause(nowMs) ? 1 : 4))
    const rate = (all.turns.length * PART) / 5
    expect(rate).toBeGreaterThan(11 * MIB)
    expect(rate).toBeLessThan(14.5 * MIB)
    all.isOver = true
  })

  it("S11: never exceeds the cap, alone or not", async () => {
    const all = copying(7, { bytesPerSecondMin: MIB, bytesPerSecondMax: 16 * MIB })
    void copyOn(all)
    await all.world.runFor(4000)
    expect((all.turns.length * PART) / 4).toBeLessThan(16.5 * MIB)
    const before = all.turns.length
    await askFor(all, 4000, () => 1)
    expect(((all.turns.length - before) * PART) / 4).toBeLessThan(16.5 * MIB)
    all.isOver = true
  })

  it("S11: does not count for what somebody waits for, from that moment on", async () => {
    const all = copying(8, { bytesPerSecondMin: 64 * 1024, shareMin: 0 })
    const { clock } = all.world.env
    await askFor(all, 10, () => 1)
    all.pace.begin(0, false)
    all.pace.begin(1, true)
    await all.pace.turn(0, PART)
    let isThere = false
    void all.pace.turn(0, PART).then(() => {
      isThere = true
    })
    await all.world.runFor(20)
    expect(isThere).toBe(false)
    const nowMs = clock.nowMs()
    for (let nth = 0; nth < 100; nth++) await all.pace.turn(1, PART)
    expect(clock.nowMs()).toBe(nowMs)
    all.pace.hurry(0)
    await all.world.runFor(0)
    expect(isThere).toBe(true)
    expect(clock.nowMs()).toBe(nowMs)
  })

  it("S11: lets the others have their turns, however much is hurried", async () => {
    const all = copying(9, { bytesPerSecondMin: 4 * MIB, shareMin: 0 })
    all.pace.begin(1, true)
    await askFor(all, 10, () => 1)
    void copyOn(all)
    for (let nth = 0; nth < 2000; nth++) {
      await all.pace.turn(1, PART)
      await askFor(all, 2, () => 1)
    }
    // Half of the floor, at the least.
    expect((all.turns.length * PART) / 4).toBeGreaterThan(2 * MIB)
    all.isOver = true
  })
})

describe("limits of copies", () => {
  it.each<[string, Partial<SyncLimits>]>([
    ["a floor above the cap", { bytesPerSecondMax: MIB, bytesPerSecondMin: 2 * MIB }],
    ["a floor of nothing", { bytesPerSecondMin: 0 }],
    ["a share above all", { shareMin: 1.5 }],
    ["no number", { bytesPerSecondMin: Number.NaN }],
  ])("P8: are refused: %s", (_what, limits) => {
    expect(() => checkedSyncLimits(limits)).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    )
  })
})
