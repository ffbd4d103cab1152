/** What recovery copies, counted: no more than what was in flight, or hot, or missed (P9). */
import { STATUS_OK } from "@rmr/core"
import type { SimClient, SimPool } from "./sim-pool.js"
import { openSoon, pattern, pause, tell, userOf } from "./story.js"

jest.setTimeout(60_000)

const CHUNK = 64 * 1024
const DEPTH = 16

async function untilWhole(sim: SimPool, { pool }: SimClient): Promise<void> {
  const all = (1 << sim.nodes.length) - 1
  const isWhole = (): boolean =>
    pool.record.normal === all && sim.nodes.every((one) => one.pool && one.dirtyChunks === 0)
  for (let nth = 0; nth < 300 && !isWhole(); nth++) await pause(sim, 100)
  expect(sim.nodes.map(({ dirtyChunks }) => dirtyChunks)).toEqual(sim.nodes.map(() => 0))
  const contents = sim.nodes.map(({ store }) => Buffer.from(store.peek(0, sim.sizeBytes)))
  for (const content of contents) expect(content.equals(contents[0]!)).toBe(true)
}

const copiedOf = (sim: SimPool): number[] => sim.nodes.map(({ pool }) => pool?.copiedChunks ?? 0)

describe("recovery", () => {
  // At these moments none, some and all of the members have what was in flight.
  it.each([0, 1, 2, 3, 5])(
    "P9: R4: copies no more than what was in flight when the client died (after %i ms)",
    async (ms) => {
      await tell(900 + ms, { nodes: 3, queueDepth: DEPTH }, async (sim) => {
        await sim.startAll()
        const first = await sim.create()
        const user = userOf(first)
        for (let chunk = 0; chunk < 60; chunk++) {
          expect(await user.write(chunk * CHUNK, pattern(chunk, 4096))).toBe(STATUS_OK)
        }
        for (let nth = 0; nth < DEPTH; nth++) void user.write(nth * CHUNK, pattern(200 + nth, 8192))
        await pause(sim, ms)
        sim.killClient(first)
        const next = await openSoon(sim)
        await untilWhole(sim, next)
        for (const copied of copiedOf(sim)) expect(copied).toBeLessThanOrEqual(DEPTH)
        const read = await userOf(next).read(40 * CHUNK, 4096)
        expect(read).toEqual(pattern(40, 4096))
      })
    },
  )

  it("P9: R4: copies nothing when the client died with nothing in flight", async () => {
    await tell(911, { nodes: 3, queueDepth: DEPTH }, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const user = userOf(first)
      for (let chunk = 0; chunk < 40; chunk++) {
        expect(await user.write(chunk * CHUNK, pattern(chunk, 4096))).toBe(STATUS_OK)
      }
      sim.killClient(first)
      const next = await openSoon(sim)
      await untilWhole(sim, next)
      expect(copiedOf(sim)).toEqual([0, 0, 0])
    })
  })

  it("P9: R3: copies no more than the hot extents when all power was lost at once", async () => {
    const extentBytes = 256 * 1024
    await tell(912, { nodes: 3, extentBytes }, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const user = userOf(first)
      for (let at = 0; at < sim.sizeBytes; at += CHUNK) {
        expect(await user.write(at, pattern(at / CHUNK, 4096))).toBe(STATUS_OK)
      }
      expect(await user.flush()).toBe(STATUS_OK)
      await pause(sim, 5000)
      // What cooled is out of it; these are hot, and not flushed.
      for (let extent = 0; extent < 5; extent++) {
        expect(await user.write(extent * extentBytes, pattern(77, 4096))).toBe(STATUS_OK)
      }
      const hot = sim.nodes.map(({ pool }) => pool?.member.volume?.hot.count ?? 0)
      for (const node of sim.nodes) node.cutPower()
      sim.killClient(first)
      await sim.startAll()
      const next = await openSoon(sim)
      await untilWhole(sim, next)
      const perExtent = extentBytes / CHUNK
      for (const [slot, copied] of copiedOf(sim).entries()) {
        expect(hot[slot]).toBeLessThan(sim.sizeBytes / extentBytes / 2)
        expect(copied).toBeLessThanOrEqual(hot[slot]! * perExtent)
      }
      expect(await userOf(next).read(7 * extentBytes, 4096)).toEqual(
        pattern((7 * extentBytes) / CHUNK, 4096),
      )
    })
  })
})
