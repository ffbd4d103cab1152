/** Copies go easy on foreground IO, and end all the same (S11, P10). */
import { STATUS_OK } from "@rmr/core"
import type { SyncLimits } from "@rmr/server"
import type { SimClient, SimPool } from "./sim-pool.js"
import { pattern, pause, tell, userOf } from "./story.js"

jest.setTimeout(120_000)

const MIB = 1024 * 1024
const CHUNK = 64 * 1024
const SIZE = 8 * MIB
/** Of the volume, what the member does not miss. */
const CLEAN = 2 * MIB
const ALL_CHUNKS = (SIZE - CLEAN) / CHUNK
const SLOW: Partial<SyncLimits> = {
  bytesPerSecondMin: MIB,
  bytesPerSecondMax: MIB,
  shareMin: 0,
}

/** Node 2 has just returned and lacks all but the first part of the volume. */
async function withReturned(
  seed: number,
  sync: Partial<SyncLimits>,
  story: (sim: SimPool, client: SimClient) => Promise<void>,
): Promise<void> {
  await tell(seed, { nodes: 2, minNormal: 1, sizeBytes: SIZE, sync }, async (sim) => {
    await sim.startAll()
    const client = await sim.create()
    const user = userOf(client)
    sim.nodes[1]!.kill()
    for (let at = CLEAN; at < SIZE; at += CHUNK) {
      expect(await user.write(at, pattern(at / CHUNK, CHUNK))).toBe(STATUS_OK)
    }
    await sim.nodes[1]!.start()
    for (let nth = 0; client.pool.record.normal !== 0b11; nth++) {
      expect(nth).toBeLessThan(2000)
      await pause(sim, 1)
    }
    await story(sim, client)
    for (let nth = 0; dirtyOf(sim) > 0; nth++) {
      expect(nth).toBeLessThan(1000)
      await pause(sim, 50)
    }
    const [first, second] = await Promise.all(sim.nodes.map((node) => node.content()))
    expect(Buffer.compare(first!, second!)).toBe(0)
  })
}

function dirtyOf(sim: SimPool): number {
  return sim.nodes[1]!.dirtyChunks
}

/** Small writes where nothing is dirty, one after the other; and how long the longest took. */
function writeOn(sim: SimPool, client: SimClient): { stop(): Promise<number> } {
  const user = userOf(client)
  const { clock } = sim.world.env
  let isStopped = false
  let longestMs = 0
  const work = (async () => {
    for (let nth = 0; !isStopped; nth++) {
      const startMs = clock.nowMs()
      const at = (nth * 4096) % CLEAN
      expect(await user.write(at, pattern(nth, 4096))).toBe(STATUS_OK)
      longestMs = Math.max(longestMs, clock.nowMs() - startMs)
      await pause(sim, 2)
    }
  })()
  return {
    async stop() {
      isStopped = true
      await work
      return longestMs
    },
  }
}

describe("a member that fetches what it missed", () => {
  it("S11: keeps its pace beside foreground IO, and goes on", async () => {
    await withReturned(811, SLOW, async (sim, client) => {
      const load = writeOn(sim, client)
      // The first chunks are compared before they come (S7), which takes turns too.
      await pause(sim, 2500)
      const pool = sim.nodes[1]!.pool!
      expect(pool.syncPace?.isPaced).toBe(true)
      const before = pool.copiedChunks
      await pause(sim, 3000)
      const rate = ((pool.copiedChunks - before) * CHUNK) / 3
      expect(rate).toBeGreaterThan(0.8 * MIB)
      expect(rate).toBeLessThan(1.1 * MIB)
      await load.stop()
    })
  })

  it("S11: is at full speed when nobody asks any more", async () => {
    const floor = { bytesPerSecondMin: MIB, shareMin: 0 }
    await withReturned(812, floor, async (sim, client) => {
      const load = writeOn(sim, client)
      await pause(sim, 1000)
      await load.stop()
      const before = dirtyOf(sim)
      expect(before).toBeGreaterThan(ALL_CHUNKS / 2)
      await pause(sim, 1500)
      expect(dirtyOf(sim)).toBe(0)
    })
  })

  it("S11: lets nobody wait for a chunk that he needs, wherever it stands", async () => {
    const floor = { bytesPerSecondMin: 64 * 1024, bytesPerSecondMax: 64 * 1024, shareMin: 0 }
    await withReturned(813, floor, async (sim, client) => {
      const load = writeOn(sim, client)
      await pause(sim, 500)
      const user = userOf(client)
      const { clock } = sim.world.env
      const before = dirtyOf(sim)
      // Every chunk: among them those that wait for their turn, or for others to be flushed with.
      for (let at = CLEAN; at < SIZE; at += CHUNK) {
        const startMs = clock.nowMs()
        expect(await user.write(at + 4096, pattern(1, 4096))).toBe(STATUS_OK)
        expect(clock.nowMs() - startMs).toBeLessThan(100)
      }
      expect(before).toBeGreaterThan(ALL_CHUNKS / 2)
      expect(dirtyOf(sim)).toBe(0)
      await load.stop()
    })
  })

  it("S11: goes on with what nobody waits for while others are served", async () => {
    await withReturned(814, SLOW, async (sim, client) => {
      const user = userOf(client)
      const pool = sim.nodes[1]!.pool!
      const load = writeOn(sim, client)
      const before = dirtyOf(sim)
      // What is dirty, from the end on; copies go from the beginning.
      for (let nth = 0; nth < 40; nth++) {
        const at = SIZE - (1 + nth) * CHUNK
        expect(await user.write(at + 4096, pattern(nth, 4096))).toBe(STATUS_OK)
        await pause(sim, 100)
      }
      expect(pool.syncPace?.isPaced).toBe(true)
      expect(pool.dataPath?.counts.copyWaits).toBeGreaterThan(30)
      expect(before - dirtyOf(sim)).toBeGreaterThan(40 + 10)
      await load.stop()
    })
  })

  it("P6: costs no request its deadline while it copies at its floor", async () => {
    await withReturned(815, SLOW, async (sim, client) => {
      const load = writeOn(sim, client)
      await pause(sim, 4000)
      expect(await load.stop()).toBeLessThan(500)
      expect(client.pool.record.normal).toBe(0b11)
    })
  })

  it("W5: is drained at once, though copies wait for their turns", async () => {
    const floor = { bytesPerSecondMin: 64 * 1024, shareMin: 0 }
    await withReturned(816, floor, async (sim, client) => {
      const load = writeOn(sim, client)
      await pause(sim, 1500)
      await load.stop()
      expect(dirtyOf(sim)).toBeGreaterThan(0)
      const { clock } = sim.world.env
      const startMs = clock.nowMs()
      await sim.open(true)
      expect(clock.nowMs() - startMs).toBeLessThan(1000)
    })
  })
})
