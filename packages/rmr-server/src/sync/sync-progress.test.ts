/** How fast a member becomes clean, and how long that still takes. */
import { nodeWorld } from "@rmr/testkit/node"
import { SyncProgress } from "./sync-progress.js"

describe("progress of a sync", () => {
  it("P10 follows the rate of the last seconds, and says nothing after a pause", async () => {
    const world = nodeWorld({ seed: 1 })
    const progress = new SyncProgress(world.env.clock)
    expect(progress.chunksPerSecond).toBe(0)
    expect(progress.leftMs(100)).toBeUndefined()
    const copyFor = async (seconds: number, perSecond: number): Promise<void> => {
      for (let nth = 0; nth < seconds * perSecond; nth++) {
        await world.runFor(1000 / perSecond)
        progress.noteClean()
      }
    }
    await copyFor(4, 50)
    expect(progress.chunksPerSecond).toBeGreaterThan(45)
    expect(progress.chunksPerSecond).toBeLessThan(55)
    expect(progress.leftMs(500)).toBeGreaterThan(9000)
    expect(progress.leftMs(500)).toBeLessThan(11_000)
    await copyFor(20, 200)
    expect(progress.chunksPerSecond).toBeGreaterThan(180)
    expect(progress.chunksPerSecond).toBeLessThan(220)
    expect(progress.leftMs(0)).toBeUndefined()
    await world.runFor(20_000)
    expect(progress.chunksPerSecond).toBe(0)
    expect(progress.leftMs(500)).toBeUndefined()
    await copyFor(2, 10)
    expect(progress.chunksPerSecond).toBeGreaterThan(8)
  })
})
