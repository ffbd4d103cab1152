/** What copies do to foreground IO, as a member sees it. */
import type { World } from "@rmr/testkit"
import { nodeWorld } from "@rmr/testkit/node"
import { Foreground, IDLE_MS, SLICE_MS } from "./foreground.js"

/** Whole slices, with a request every few milliseconds. */
async function slices(
  world: World,
  foreground: Foreground,
  count: number,
  { everyMs = 5, tookMs = 1, isBusy = false },
): Promise<void> {
  const endMs = world.env.clock.nowMs() + count * SLICE_MS
  for (let nth = 0; world.env.clock.nowMs() + everyMs <= endMs; nth++) {
    foreground.noteEnd(foreground.noteBegin() - tookMs)
    if (isBusy && nth % 2 === 0) foreground.noteWork()
    await world.runFor(everyMs)
  }
  await world.runFor(endMs - world.env.clock.nowMs())
}

describe("foreground IO", () => {
  it("S11: is over when nobody has asked for a while", async () => {
    const world = nodeWorld({ seed: 1 })
    const foreground = new Foreground(world.env.clock)
    expect(foreground.isActive).toBe(false)
    foreground.noteBegin()
    await world.runFor(IDLE_MS - 1)
    expect(foreground.isActive).toBe(true)
    await world.runFor(1)
    expect(foreground.isActive).toBe(false)
    expect(foreground.isPressed).toBe(false)
  })

  it("S11: counts as hurt until a pause has shown what it is without copies", async () => {
    const world = nodeWorld({ seed: 2 })
    const foreground = new Foreground(world.env.clock)
    await slices(world, foreground, 8, { isBusy: true })
    expect(foreground.slowdown).toBeUndefined()
    expect(foreground.isPressed).toBe(true)
    await slices(world, foreground, 3, {})
    await slices(world, foreground, 1, { isBusy: true })
    expect(foreground.slowdown).toBeLessThan(1.1)
    expect(foreground.isPressed).toBe(false)
  })

  it("S11: is hurt where its requests take longer beside copies", async () => {
    const world = nodeWorld({ seed: 3 })
    const foreground = new Foreground(world.env.clock)
    for (let nth = 0; nth < 6; nth++) {
      await slices(world, foreground, 8, { isBusy: true, tookMs: 3 })
      await slices(world, foreground, 2, { tookMs: 1 })
    }
    expect(foreground.slowdown).toBeGreaterThan(2.5)
    expect(foreground.slowdown).toBeLessThan(3.5)
    expect(foreground.isPressed).toBe(true)
  })

  it("S11: is hurt where a client that waits for each answer asks less beside copies", async () => {
    const world = nodeWorld({ seed: 4 })
    const foreground = new Foreground(world.env.clock)
    for (let nth = 0; nth < 6; nth++) {
      await slices(world, foreground, 8, { isBusy: true, everyMs: 2, tookMs: 0 })
      await slices(world, foreground, 2, { everyMs: 1, tookMs: 0 })
    }
    expect(foreground.slowdown).toBeGreaterThan(1.7)
    expect(foreground.slowdown).toBeLessThan(2.3)
  })

  it("S11: forgets what another load was, when it begins anew", async () => {
    const world = nodeWorld({ seed: 5 })
    const foreground = new Foreground(world.env.clock)
    await slices(world, foreground, 4, { isBusy: true, tookMs: 9 })
    await slices(world, foreground, 4, { tookMs: 1 })
    expect(foreground.slowdown).toBeGreaterThan(5)
    await world.runFor(IDLE_MS)
    foreground.noteBegin()
    expect(foreground.slowdown).toBeUndefined()
  })
})
