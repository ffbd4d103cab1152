/**
 * Intent logs without room (rule I3): a full log is the everyday state of a pool whose writes go
 * everywhere, so nothing may wait in it for something that waits for room itself.
 */
import { scenario } from "./verbs.js"

jest.setTimeout(60_000)

const EXTENT_BLOCKS = 32
/** Two io units' worth of extents each, one copy each, and one extent to be hot at leisure. */
const LEAST = { queueDepth: 16, sizeBytes: 8 * 1024 * 1024, hotExtentsMax: 16 * 2 + 16 + 1 }

describe("a full intent log", () => {
  it("P6: I3: RT-68: copies that find no room let others go first", async () => {
    await scenario(68_000, LEAST, async (pool) => {
      const party = await pool.create()
      pool.kill("B")
      await pool.write(0, 1, 64 * EXTENT_BLOCKS)
      const copies = pool.hold("A", "B", "answer to io")
      await pool.start("B")
      await pool.until("copies are on their way", () => copies.count > 0)
      await pool.pause(500)
      // The newest write comes first, so there is a fence behind it, and the rest has spare slots.
      const blocks = Array.from({ length: 16 }, (_, nth) => (17 + 2 * nth) * EXTENT_BLOCKS - 1)
      const late = (["A", "B"] as const).flatMap((letter) =>
        blocks.slice(0, 15).map((block) => pool.hold(party, letter, "write", block)),
      )
      const writes = blocks.map((block) => pool.begin(block, 2, 2))
      await pool.pause(50)
      for (const held of late) {
        expect(held.count).toBe(1)
        held.release()
      }
      await pool.pause(50)
      copies.release()
      const { nowMs } = pool
      expect(new Set(await Promise.all(writes))).toEqual(new Set(["ok"]))
      expect(pool.nowMs - nowMs).toBeLessThan(1000)
      expect(pool.view).toBe("v4{AB}")
      await pool.whole()
    })
  })
})
