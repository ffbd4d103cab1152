/**
 * When marks for absent members become durable, and what covers them until then (M1, I2, I3, R3).
 *
 * What is durable is read from the cells of a store that nobody has open, past the pool: so it
 * stands on its own, without what an opening makes of hot extents.
 */
import {
  ACCEPTED,
  type CellKind,
  DirtyMap,
  MAP_CELL,
  MAP_PAGE_CELL,
  pageOfMapPageIndex,
  Refused,
  STATUS_OK,
  type Store,
  slotOfMapPageIndex,
} from "@rmr/core"
import { filterStore } from "@rmr/testkit"
import type { SimClient, SimNode, SimPool, SimPoolOptions } from "./sim-pool.js"
import { openSoon, pattern, pause, tell, userOf } from "./story.js"
import type { VolumeUser } from "./volume-user.js"

jest.setTimeout(60_000)

/** As the pool's saver has it; the stories are about this number. */
const MAP_SAVE_MS = 1000
/** What a commit, and the world's latencies around it, take at most. */
const SLACK_MS = 20
const ABSENT = 1
const CHUNK = 4096
const CHUNK_COUNT = 8192
/** Two pages of a map, in eight extents: far from the limit of the intent log. */
const SHAPE: Partial<SimPoolOptions> = {
  nodes: 2,
  minNormal: 1,
  chunkSizeBytes: CHUNK,
  sizeBytes: CHUNK * CHUNK_COUNT,
  extentBytes: 4 * 1024 * 1024,
}

interface Saved {
  readonly atMs: number
  /** Pages of the map about the absent member. */
  readonly pages: readonly number[]
  readonly kinds: ReadonlySet<CellKind>
}

/** Commits of the first member's store, as they were asked for. */
function watched(commits: Saved[]): Partial<SimPoolOptions> {
  return {
    wrapStore: (store, slot) =>
      slot !== 0
        ? store
        : filterStore(store, "watched", ({ env }) => ({
            before: ({ kind, cells }) => {
              if (kind !== "commit") return
              const pages = cells
                .filter((cell) => cell.kind === "map-page")
                .filter(({ index }) => slotOfMapPageIndex(index) === ABSENT)
                .map(({ index }) => pageOfMapPageIndex(index))
              const kinds = new Set(cells.map((cell) => cell.kind))
              commits.push({ atMs: env.clock.nowMs(), pages, kinds })
            },
          })),
  }
}

/** A pool of two whose second member is out of the view, with nothing that is not saved. */
async function degraded(sim: SimPool): Promise<SimClient> {
  await sim.startAll()
  const client = await sim.create()
  sim.nodes[ABSENT]!.kill()
  expect(await userOf(client).write(0, pattern(1, CHUNK))).toBe(STATUS_OK)
  expect(client.pool.record.normal).toBe(1)
  await pause(sim, 2 * MAP_SAVE_MS)
  expect(firstOf(sim).pool?.member.volume?.maps.hasChanges).toBe(false)
  return client
}

function firstOf({ nodes }: SimPool): SimNode {
  return nodes[0]!
}

function writeChunk(user: VolumeUser, chunk: number): Promise<number> {
  return user.write(chunk * CHUNK, pattern(chunk, CHUNK))
}

function dirtyOf(map: DirtyMap | undefined): number[] {
  const chunks = new Float64Array(map?.count ?? 0)
  map?.scan(0, chunks)
  return [...chunks]
}

/** Chunks that the cells of a store mark for the absent member; nobody has it open. */
async function marksOnStore({ store, host, memory }: SimNode): Promise<number[]> {
  if (!host.isAlive) host.restart()
  const opened = await store.open({
    env: host.env,
    memory: memory!,
    events: { onCompletions: () => undefined },
  })
  try {
    return dirtyOf(await mapOf(opened))
  } finally {
    store.kill()
  }
}

async function mapOf(store: Store): Promise<DirtyMap | undefined> {
  const head = MAP_CELL.decode((await store.readCell("map", ABSENT)) ?? new Uint8Array())
  if (head instanceof Refused) return undefined
  const map = new DirtyMap({ chunkCount: CHUNK_COUNT, stamp: head.stamp })
  for (const index of store.cellIndexes("map-page")) {
    if (slotOfMapPageIndex(index) !== ABSENT) continue
    const page = MAP_PAGE_CELL.decode((await store.readCell("map-page", index))!)
    if (page instanceof Refused || page.generation !== head.generation) continue
    const { record } = page
    const view = new DataView(record.buffer, record.byteOffset, record.byteLength)
    expect(map.importPages(view, 0, record.length)).toBe(ACCEPTED)
  }
  return map
}

describe("marks for an absent member", () => {
  it("M1: are durable a second after the first, though more come without a pause", async () => {
    const commits: Saved[] = []
    await tell(101, { ...SHAPE, ...watched(commits) }, async (sim) => {
      const client = await degraded(sim)
      const user = userOf(client)
      const random = sim.world.random.fork("load")
      const beganMs = sim.world.env.clock.nowMs()
      const saved = commits.length
      const written = new Set([0])
      while (sim.world.env.clock.nowMs() < beganMs + 3500) {
        const chunk = random.below(CHUNK_COUNT)
        expect(await writeChunk(user, chunk)).toBe(STATUS_OK)
        written.add(chunk)
      }
      const since = commits.slice(saved).filter(({ pages }) => pages.length > 0)
      const timesOf = (page: number): number[] =>
        since.filter(({ pages }) => pages.includes(page)).map(({ atMs }) => atMs)
      for (const page of [0, 1]) {
        const times = timesOf(page)
        expect(times.length).toBe(3)
        const gaps = [beganMs, ...times].slice(0, -1).map((atMs, nth) => times[nth]! - atMs)
        for (const gap of gaps) {
          expect(gap).toBeGreaterThanOrEqual(MAP_SAVE_MS)
          expect(gap).toBeLessThan(MAP_SAVE_MS + SLACK_MS)
        }
      }
      // There were many marks for each of those writes.
      expect(written.size).toBeGreaterThan(300)
      expect(dirtyOf(firstOf(sim).pool?.member.volume?.maps.about(ABSENT)).length).toBe(
        written.size,
      )
    })
  })

  it("M1: stand on their own after that, also when their client is gone", async () => {
    await tell(102, SHAPE, async (sim) => {
      const client = await degraded(sim)
      const user = userOf(client)
      for (const chunk of [7, 4097, 8191]) expect(await writeChunk(user, chunk)).toBe(STATUS_OK)
      sim.killClient(client)
      await pause(sim, MAP_SAVE_MS + SLACK_MS)
      firstOf(sim).cutPower()
      expect(await marksOnStore(firstOf(sim))).toEqual([0, 7, 4097, 8191])
    })
  })

  it("R3: are covered by the intent log until then", async () => {
    await tell(103, SHAPE, async (sim) => {
      const client = await degraded(sim)
      const user = userOf(client)
      for (const chunk of [7, 4097, 8191]) expect(await writeChunk(user, chunk)).toBe(STATUS_OK)
      await pause(sim, MAP_SAVE_MS / 4)
      const node = firstOf(sim)
      node.cutPower()
      sim.killClient(client)
      expect(await marksOnStore(node)).toEqual([0])
      await node.start()
      const { volume, hotAtOpen } = node.pool!.member
      for (const chunk of [0, 7, 4097, 8191]) {
        expect(hotAtOpen).toContain(volume!.geometry.extentOf(chunk * CHUNK))
        expect(volume!.maps.about(ABSENT)!.isDirty(chunk as never)).toBe(true)
      }
      // What an opening makes of them is durable before it answers anybody.
      node.cutPower()
      expect(await marksOnStore(node)).toEqual(expect.arrayContaining([0, 7, 4097, 8191]))
    })
  })

  it("I2: keep their extents hot until they are durable, and no longer", async () => {
    await tell(104, SHAPE, async (sim) => {
      const client = await degraded(sim)
      const user = userOf(client)
      const { pool } = firstOf(sim)
      const { hot, maps } = pool!.member.volume!
      expect(await writeChunk(user, 4097)).toBe(STATUS_OK)
      expect(await user.flush()).toBe(STATUS_OK)
      // It brings the stable number that the flush has made, and is not stable itself.
      expect(await writeChunk(user, 1)).toBe(STATUS_OK)
      pool!.cool()
      expect([hot.isHot(4), hot.isHot(0), maps.hasChanges]).toEqual([true, true, true])
      sim.killClient(client)
      await pause(sim, MAP_SAVE_MS + SLACK_MS)
      expect([hot.isHot(4), hot.isHot(0), maps.hasChanges]).toEqual([false, true, false])
    })
  })

  it("I2: of nobody, since nobody is absent, keep no extent hot", async () => {
    const commits: Saved[] = []
    await tell(107, { ...SHAPE, ...watched(commits) }, async (sim) => {
      await sim.startAll()
      const user = userOf(await sim.create())
      const saved = commits.length
      const { pool } = firstOf(sim)
      const { hot } = pool!.member.volume!
      expect(await writeChunk(user, 4097)).toBe(STATUS_OK)
      pool!.cool()
      expect(hot.isHot(4)).toBe(true)
      expect(await user.flush()).toBe(STATUS_OK)
      expect(await writeChunk(user, 1)).toBe(STATUS_OK)
      pool!.cool()
      expect([hot.isHot(4), hot.isHot(0)]).toEqual([false, true])
      expect(commits.length).toBe(saved)
    })
  })

  it("S15: leave no timer behind when the pool closes, and are durable then", async () => {
    await tell(105, SHAPE, async (sim) => {
      const client = await degraded(sim)
      expect(await writeChunk(userOf(client), 4097)).toBe(STATUS_OK)
      sim.killClient(client)
      const node = firstOf(sim)
      const spy = jest.spyOn(node.pool!.member, "saveMaps")
      await node.stop()
      const saves = spy.mock.calls.length
      await pause(sim, 3 * MAP_SAVE_MS)
      expect(spy.mock.calls.length).toBe(saves)
      expect(await marksOnStore(node)).toEqual([0, 4097])
    })
  })
})

describe("an intent log that fills", () => {
  it("I3: has pages written before they are due, and no mutation waits or fails", async () => {
    const commits: Saved[] = []
    const shape = { extentBytes: 64 * 1024, queueDepth: 4, ...watched(commits) }
    await tell(106, { ...SHAPE, ...shape }, async (sim) => {
      const client = await degraded(sim)
      const user = userOf(client)
      const { hot } = firstOf(sim).pool!.member.volume!
      let hotMax = 0
      for (let nth = 0; nth < 400; nth++) {
        // Each in an extent of its own, until all 512 had their turn.
        expect(await writeChunk(user, nth * 16)).toBe(STATUS_OK)
        hotMax = Math.max(hotMax, hot.count)
      }
      expect(hotMax).toBeGreaterThanOrEqual(hot.fenceLimit)
      expect(hotMax).toBeLessThan(sim.hotExtentsMax)
      const times = commits.filter(({ pages }) => pages.includes(0)).map(({ atMs }) => atMs)
      const gaps = times.slice(1).map((atMs, nth) => atMs - times[nth]!)
      expect(Math.min(...gaps)).toBeLessThan(MAP_SAVE_MS)
      // The next client finds every mark, in memory and after a loss of power.
      await client.pool.close()
      firstOf(sim).cutPower()
      await firstOf(sim).start()
      const marks = dirtyOf(firstOf(sim).pool?.member.volume?.maps.about(ABSENT))
      for (let nth = 0; nth < 400; nth++) expect(marks).toContain(nth * 16)
      const second = await openSoon(sim)
      expect(second.pool.record.normal).toBe(1)
    })
  })
})

describe("an intent log that fills faster than a flush ends", () => {
  const small = { ...SHAPE, extentBytes: 64 * 1024, queueDepth: 4 }

  it("I3: makes new mutations wait for the flush, and no member late (RT-8, RT-61)", async () => {
    const slow: Partial<SimPoolOptions> = {
      wrapStore: (store) =>
        filterStore(store, "slow", () => ({ holdMs: ({ kind }) => (kind === "flush" ? 400 : 0) })),
    }
    await tell(108, { ...small, ...slow }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const { hot } = firstOf(sim).pool!.member.volume!
      let next = 0
      let hotMax = 0
      const writeOn = async (): Promise<void> => {
        for (let nth = next++; nth < 120; nth = next++) {
          expect(await writeChunk(user, nth * 16)).toBe(STATUS_OK)
          hotMax = Math.max(hotMax, hot.count)
        }
      }
      await Promise.all([writeOn(), writeOn(), writeOn(), writeOn()])
      expect(hotMax).toBeGreaterThanOrEqual(hot.fenceLimit)
      expect(hotMax).toBeLessThan(sim.hotExtentsMax)
      expect(client.pool.record.normal).toBe(3)
    })
  })

  it("I3: lets copies of a whole volume wait for room, and ends them all", async () => {
    await tell(109, { ...small, sizeBytes: 8 * 1024 * 1024 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      expect(await writeChunk(userOf(client), 2000)).toBe(STATUS_OK)
      await client.pool.close()
      const node = sim.nodes[1]!
      await node.stop()
      // Its own map is lost: it lacks everything, more extents than the log has room for (Q24).
      node.store.damageCell("map", 1)
      await node.start()
      const { hot, geometry } = node.pool!.member.volume!
      expect(geometry.extentCount).toBeGreaterThan(sim.hotExtentsMax)
      expect(node.dirtyChunks).toBe(geometry.chunkCount)
      // Its client asks for nothing meanwhile, so no stable number moves on.
      const user = userOf(await openSoon(sim))
      for (let waited = 0; node.dirtyChunks > 0 && waited < 300; waited++) await pause(sim, 100)
      expect([node.dirtyChunks, node.pool?.lastFailure]).toEqual([0, undefined])
      expect(hot.count).toBeLessThan(sim.hotExtentsMax)
      expect(await writeChunk(user, 3)).toBe(STATUS_OK)
    })
  })
})
