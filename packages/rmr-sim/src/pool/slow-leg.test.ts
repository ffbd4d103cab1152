/**
 * A leg that answers, and far later than its peers (V7, W25, T16): it is put out where that costs
 * nobody the last copy, and comes back when it has been fast for long enough, without flapping.
 */
import type { PoolTimes } from "@rmr/client"
import { STATUS_OK, type StoreSource } from "@rmr/core"
import { filterStore } from "@rmr/testkit"
import type { SimClient, SimPool, SimPoolOptions } from "./sim-pool.js"
import { pattern, pause, tell, userOf } from "./story.js"

jest.setTimeout(120_000)

const AFTER_MS = 3000
const HOLD_MS = 2000
const TIMES: Partial<PoolTimes> = {
  ioDeadlineMs: 3000,
  blinkMs: 500,
  noLegMs: 5000,
  flushMs: 1000,
  slowAfterMs: AFTER_MS,
  slowHoldMs: HOLD_MS,
  slowHoldMsMax: 60_000,
}
const SLOW_MS = 400
const HANDS = 2
/** Between two writes of one hand. */
const THINK_MS = 100

/** How much later each member's store tells what it did: at once, unless a story says so. */
class Stores {
  readonly lateMs: (() => number)[] = []
  /** Of these, where only some operations are late. */
  kinds: readonly string[] | undefined

  readonly wrapStore = (store: StoreSource, slot: number): StoreSource =>
    filterStore(store, "slow", () => ({
      holdMs: ({ kind }) =>
        this.kinds?.includes(kind) === false ? 0 : (this.lateMs[slot]?.() ?? 0),
    }))

  set(slot: number, lateMs: number): void {
    this.lateMs[slot] = () => lateMs
  }
}

/** Some hands that write, one region after the other, and how long each write took. */
class Load {
  readonly written = new Map<number, Uint8Array>()
  /** Of each write that took more than a second. */
  readonly stallsMs: number[] = []
  longestMs = 0
  private readonly sim: SimPool
  private readonly work: Promise<unknown>
  private isOver = false

  constructor(sim: SimPool, client: SimClient) {
    this.sim = sim
    const user = userOf(client)
    const { clock } = sim.world.env
    const regions = sim.sizeBytes / sim.chunkSizeBytes / HANDS
    const hand = async (own: number): Promise<void> => {
      for (let nth = 0; !this.isOver; nth++) {
        const offset = (own * regions + (nth % regions)) * sim.chunkSizeBytes
        const bytes = pattern(nth + own, 4096)
        const startMs = clock.nowMs()
        expect(await user.write(offset, bytes)).toBe(STATUS_OK)
        const tookMs = clock.nowMs() - startMs
        this.longestMs = Math.max(this.longestMs, tookMs)
        if (tookMs > 1000) this.stallsMs.push(startMs)
        this.written.set(offset, bytes)
        await pause(sim, THINK_MS)
      }
    }
    this.work = Promise.all(Array.from({ length: HANDS }, (_, own) => hand(own)))
  }

  async stop(): Promise<void> {
    this.isOver = true
    await this.work
  }

  /** P3: all members hold what was written. */
  async expectWhole(client: SimClient): Promise<void> {
    const { sim } = this
    await this.stop()
    await until(sim, "all are clean", () => sim.nodes.every(({ dirtyChunks }) => dirtyChunks === 0))
    expect(await userOf(client).flush()).toBe(STATUS_OK)
    for (const node of sim.nodes) {
      const content = await node.content()
      for (const [offset, bytes] of this.written) {
        expect(Buffer.compare(content.subarray(offset, offset + bytes.length), bytes)).toBe(0)
      }
    }
  }
}

async function until(sim: SimPool, what: string, isSo: () => boolean): Promise<void> {
  for (let waited = 0; !isSo(); waited++) {
    if (waited === 4000) throw new Error(`it has not come true: ${what}`)
    await pause(sim, 50)
  }
}

interface Told {
  readonly sim: SimPool
  readonly client: SimClient
  readonly load: Load
  readonly stores: Stores
}

async function tellOf(
  seed: number,
  options: Partial<SimPoolOptions>,
  story: (told: Told) => Promise<void>,
): Promise<void> {
  const stores = new Stores()
  const times = { ...TIMES, ...options.times }
  await tell(seed, { ...options, times, wrapStore: stores.wrapStore }, async (sim) => {
    await sim.startAll()
    const client = await sim.create()
    const load = new Load(sim, client)
    await pause(sim, 1000)
    await story({ sim, client, load, stores })
    await load.stop()
  })
}

const normalOf = ({ pool }: SimClient): number => pool.record.normal
const outOf = ({ pool }: SimClient): number => pool.counts.slowLegs

describe("a leg that is far slower than its peers", () => {
  it("V7: is put out, says why, and comes back by itself when it has been fast", async () => {
    await tellOf(601, {}, async ({ sim, client, load, stores }) => {
      stores.set(2, SLOW_MS)
      await until(sim, "it is out", () => normalOf(client) === 0b011)
      const { counts, returning } = client.pool
      const views = counts.viewChanges
      expect(returning[0]?.phase).toBe("held back")
      expect(returning[0]?.detail).toMatch(
        /^slow: \d\d\d ms against [\d.]+ ms of its peers; back when it has been fast for 2 s/,
      )
      expect(client.pool.legs[2]?.state.state).not.toBe("normal")
      load.longestMs = 0
      await pause(sim, 30_000)
      expect(load.longestMs).toBeLessThan(SLOW_MS / 4)
      expect(client.pool.counts.viewChanges).toBe(views)
      stores.set(2, 0)
      await pause(sim, HOLD_MS / 2)
      expect(normalOf(client)).toBe(0b011)
      await until(sim, "it is back", () => normalOf(client) === 0b111)
      await pause(sim, 20_000)
      expect(outOf(client)).toBe(1)
      expect(client.pool.counts.viewChanges).toBe(views + 1)
      await load.expectWhole(client)
    })
  })

  it("V7: that is slow and fast in turns changes the view a few times, and no more", async () => {
    await tellOf(602, {}, async ({ sim, client, load, stores }) => {
      const { clock } = sim.world.env
      let isOver = false
      stores.lateMs[1] = () => (!isOver && clock.nowMs() % 14_000 < 7000 ? SLOW_MS : 0)
      await pause(sim, 140_000)
      const out = outOf(client)
      expect(out).toBeGreaterThanOrEqual(2)
      // Holding back for 2, 4 and 8 s; it is never fast for so long.
      expect(out).toBeLessThanOrEqual(3)
      expect(client.pool.counts.viewChanges).toBeLessThanOrEqual(1 + 2 * out)
      isOver = true
      await until(sim, "it is back", () => normalOf(client) === 0b111)
      await load.expectWhole(client)
    })
  })

  it("V7: stays where all are as slow", async () => {
    await tellOf(603, { nodes: 2 }, async ({ sim, client, load, stores }) => {
      for (const slot of [0, 1]) stores.set(slot, SLOW_MS)
      await pause(sim, 10 * AFTER_MS)
      expect(normalOf(client)).toBe(0b11)
      expect(client.pool.counts.viewChanges).toBe(1)
      for (const slot of [0, 1]) stores.set(slot, 0)
      await load.expectWhole(client)
    })
  })

  it("V7: stays where two of three are slow", async () => {
    await tellOf(604, { minNormal: 1 }, async ({ sim, client, stores }) => {
      for (const slot of [0, 2]) stores.set(slot, SLOW_MS)
      await pause(sim, 10 * AFTER_MS)
      expect(normalOf(client)).toBe(0b111)
    })
  })

  it("V7: stays where the view would be smaller than it may be", async () => {
    await tellOf(605, { nodes: 2, minNormal: 2 }, async ({ sim, client, stores }) => {
      stores.set(1, SLOW_MS)
      await pause(sim, 10 * AFTER_MS)
      expect(normalOf(client)).toBe(0b11)
      expect(outOf(client)).toBe(0)
      expect(sim.world.log.find("pool.step-failed")).toEqual([])
    })
  })

  it("V7: stays where nobody is to be put out for it", async () => {
    const options = { times: { slowAfterMs: 0 } }
    await tellOf(606, options, async ({ sim, client, stores }) => {
      stores.set(1, SLOW_MS)
      await pause(sim, 10 * AFTER_MS)
      expect(normalOf(client)).toBe(0b111)
    })
  })

  it("V7: stays while it is the only one with clean copies", async () => {
    await tellOf(607, { nodes: 2 }, async ({ sim, client, load, stores }) => {
      const node = sim.nodes[1]!
      node.pool!.setSync(false)
      sim.network.cut(client.host.name, node.host.name)
      await until(sim, "the other one is out", () => normalOf(client) === 0b01)
      await pause(sim, 500)
      await load.stop()
      sim.network.heal()
      await until(sim, "it is back", () => normalOf(client) === 0b11)
      expect(node.dirtyChunks).toBeGreaterThan(0)
      // Whole chunks, so that nobody waits for what is not copied.
      const user = userOf(client)
      stores.set(0, SLOW_MS)
      const { clock } = sim.world.env
      const write = async (): Promise<void> => {
        expect(await user.write(0, pattern(5, sim.chunkSizeBytes))).toBe(STATUS_OK)
      }
      for (const endMs = clock.nowMs() + 60_000; clock.nowMs() < endMs; ) await write()
      expect(node.dirtyChunks).toBeGreaterThan(0)
      expect(normalOf(client)).toBe(0b11)
      node.pool!.setSync(true)
      for (let nth = 0; nth < 100 && normalOf(client) === 0b11; nth++) await write()
      expect(normalOf(client)).toBe(0b10)
    })
  })

  it("V7: stays while it fetches what it missed", async () => {
    await tellOf(608, {}, async ({ sim, client, load, stores }) => {
      const node = sim.nodes[2]!
      sim.network.cut(client.host.name, node.host.name)
      await pause(sim, 8000)
      expect(normalOf(client)).toBe(0b011)
      // The more it copies, the later it is with everything else.
      stores.kinds = ["write"]
      stores.lateMs[2] = () => (node.dirtyChunks > 0 ? 2 * SLOW_MS : 0)
      sim.network.heal()
      await until(sim, "it is back", () => normalOf(client) === 0b111)
      const { clock } = sim.world.env
      const backMs = clock.nowMs()
      await until(sim, "it is clean", () => node.dirtyChunks === 0)
      expect(clock.nowMs() - backMs).toBeGreaterThan(AFTER_MS)
      await pause(sim, 2 * AFTER_MS)
      expect(normalOf(client)).toBe(0b111)
      expect(outOf(client)).toBe(0)
      await load.expectWhole(client)
    })
  })

  it("V7: comes back at once where somebody else is lost", async () => {
    const options = { minNormal: 1, times: { slowHoldMs: 60_000 } }
    await tellOf(609, options, async ({ sim, client, load, stores }) => {
      stores.kinds = ["write"]
      stores.set(2, SLOW_MS)
      await until(sim, "it is out", () => normalOf(client) === 0b011)
      await pause(sim, 10_000)
      expect(normalOf(client)).toBe(0b011)
      const { clock } = sim.world.env
      const lostMs = clock.nowMs()
      sim.nodes[1]!.kill()
      await until(sim, "it has taken the place of who is lost", () => normalOf(client) === 0b101)
      expect(clock.nowMs() - lostMs).toBeLessThan(20_000)
      // And stays: it would leave one copy, of three.
      await pause(sim, 5 * AFTER_MS)
      expect(normalOf(client)).toBe(0b101)
      await load.stop()
    })
  })
})

describe("a leg that answers in 60 s", () => {
  it("T16: costs writes one IO deadline, once, and comes back when it is quick", async () => {
    await tellOf(611, {}, async ({ sim, client, load, stores }) => {
      stores.set(1, 60_000)
      await pause(sim, 80_000)
      expect(normalOf(client)).toBe(0b101)
      expect(outOf(client)).toBe(1)
      expect(load.longestMs).toBeLessThanOrEqual(3000 + 500)
      expect(load.stallsMs.length).toBeGreaterThan(0)
      expect(load.stallsMs.length).toBeLessThanOrEqual(HANDS)
      expect(client.pool.returning[0]?.detail).toMatch(/^late: .*; back when it answers in time/)
      stores.set(1, 0)
      await until(sim, "it is back", () => normalOf(client) === 0b111)
      await load.expectWhole(client)
    })
  })

  it("T16: but only with data, is let back less and less often", async () => {
    await tellOf(612, {}, async ({ sim, client, load, stores }) => {
      stores.kinds = ["write"]
      stores.set(1, 60_000)
      await pause(sim, 120_000)
      expect(load.longestMs).toBeLessThanOrEqual(3000 + 500)
      expect(outOf(client)).toBeGreaterThan(1)
      expect(outOf(client)).toBeLessThan(8)
      stores.set(1, 0)
      await until(sim, "it is back", () => normalOf(client) === 0b111)
      await load.expectWhole(client)
    })
  })
})
