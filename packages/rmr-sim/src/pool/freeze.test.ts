/**
 * What is done while IO stands still for a member that returns, and what becomes of it where
 * somebody dies on the way (rules M3, V3, I4; promise P9).
 *
 * All that processes ask of each other and all that stores make durable is listed in order. The
 * freeze begins with the last delta, and ends when the member is told that it is normal.
 */
import { Link } from "@rmr/client"
import { type ChunkNumber, MAP_PAGE_CHUNKS, RANK_REAL, STATUS_OK } from "@rmr/core"
import { filterStore } from "@rmr/testkit"
import type { SimClient, SimNode, SimPool, SimPoolOptions } from "./sim-pool.js"
import { pattern, pause, tell, userOf } from "./story.js"

jest.setTimeout(120_000)
afterEach(() => jest.restoreAllMocks())

/** In order: `ask map-send delta`, `told map-send delta`, `commit 2`, … */
type Steps = string[]

/** Map pages in one commit, at most. */
const PAGES_PER_COMMIT = 512

const NAMES = ["phase", "purpose", "mode"]
const AFTERWARDS: ReadonlySet<string> = new Set(["hello", "join-pool", "read-last-io"])

/**
 * `onTold` runs when an answer is there, and before whoever asked hears of it. What is `silenced`
 * is answered well and never asked.
 */
function watchAsks(
  steps: Steps,
  onTold: (what: string, address: string) => void = () => undefined,
  silenced?: string,
): void {
  const exchange = Reflect.get(Link.prototype, "exchange") as Link["exchange"]
  jest.spyOn(Link.prototype, "exchange").mockImplementation(async function (
    this: Link,
    command,
    options,
  ) {
    const body = command.body as Record<string, unknown>
    const how = NAMES.flatMap((name) => (body[name] === undefined ? [] : [String(body[name])]))
    const what = [command.kind, ...how].join(" ")
    if (command.kind === silenced) {
      return { outcome: "ok", result: { dirtyChunks: 0, suspectChunks: 0 } } as never
    }
    // Copies begin as soon as the member is normal, and with them a way to its peers.
    if (AFTERWARDS.has(command.kind)) return exchange.call(this, command, options) as never
    steps.push(`ask ${what}`)
    const reply = await exchange.call(this, command, options)
    steps.push(`told ${what}`)
    onTold(what, this.address)
    return reply as never
  })
}

/** Commits of member n that hold a view, as `view n`, other ones as `commit n`. */
function watchStores(steps: Steps, cells: number[] = []): Partial<SimPoolOptions> {
  return {
    wrapStore: (store, slot) =>
      filterStore(store, "watched", () => ({
        before: (operation) => {
          const kinds = operation.cells.map(({ kind }) => kind)
          if (operation.kind === "flush") steps.push(`flush ${slot + 1}`)
          if (operation.kind !== "commit") return
          steps.push(`${kinds.includes("pool-metadata") ? "view" : "commit"} ${slot + 1}`)
          cells.push(kinds.length)
        },
      })),
  }
}

/** Writes here and there over the whole volume, until it is told to stop. */
function writeOn(sim: SimPool, client: SimClient): { stop(): Promise<Map<number, Uint8Array>> } {
  const user = userOf(client)
  const written = new Map<number, Uint8Array>()
  const places = sim.sizeBytes / sim.chunkSizeBytes
  let isStopped = false
  const work = (async () => {
    for (let nth = 0; !isStopped; nth++) {
      const offset = ((nth * 40_503) % places) * sim.chunkSizeBytes
      const bytes = pattern(nth, 4096)
      expect(await user.write(offset, bytes)).toBe(STATUS_OK)
      written.set(offset, bytes)
      await pause(sim, 5)
    }
  })()
  return {
    async stop() {
      isStopped = true
      await work
      return written
    },
  }
}

async function untilNormal(sim: SimPool, client: SimClient, normal: number): Promise<void> {
  for (let attempt = 0; client.pool.record.normal !== normal; attempt++) {
    if (attempt === 600) {
      throw new Error(
        `it is ${client.pool.record.normal}, ${JSON.stringify(client.pool.returning)}`,
      )
    }
    await pause(sim, 50)
  }
}

/** All that was written is read, from each member in turn. */
async function expectWritten(
  sim: SimPool,
  client: SimClient,
  written: ReadonlyMap<number, Uint8Array>,
): Promise<void> {
  const user = userOf(client)
  for (let attempt = 0; sim.nodes.some(({ dirtyChunks }) => dirtyChunks > 0); attempt++) {
    expect(attempt).toBeLessThan(400)
    await pause(sim, 50)
  }
  for (const [offset, bytes] of written) {
    for (const _ of sim.nodes) {
      const read = await user.read(offset, bytes.length)
      expect(read instanceof Uint8Array && Buffer.compare(read, bytes)).toBe(0)
    }
  }
}

/** A member is killed under load, and returns; what happened in the freeze. */
async function returned(
  sizeBytes: number,
  silenced?: string,
): Promise<{ frozen: Steps; cells: number }> {
  const steps: Steps = []
  const cells: number[] = []
  let frozen: Steps = []
  let cellsFrozen = 0
  watchAsks(
    steps,
    (what) => {
      if (what !== "enable-pool rejoin") return
      const from = steps.lastIndexOf("ask map-send last-delta")
      frozen = steps.slice(from)
      const commits = frozen.filter((step) => /^(view|commit)/.test(step)).length
      cellsFrozen = cells.slice(-commits).reduce((sum, count) => sum + count, 0)
    },
    silenced,
  )
  await tell(1301, { sizeBytes, ...watchStores(steps, cells) }, async (sim) => {
    await sim.startAll()
    const client = await sim.create()
    const load = writeOn(sim, client)
    await pause(sim, 500)
    sim.nodes[2]!.kill()
    await untilNormal(sim, client, 0b011)
    await pause(sim, 2000)
    await sim.nodes[2]!.start()
    await untilNormal(sim, client, 0b111)
    await expectWritten(sim, client, await load.stop())
  })
  expect(steps.filter((step) => step === "ask map-send delta").length).toBeGreaterThan(1)
  return { frozen, cells: cellsFrozen }
}

describe("while IO stands still for a member that returns", () => {
  const MIB = 2 ** 20

  it("P9, V3: there are five exchanges, a commit each and no flush, for any volume", async () => {
    const small = await returned(8 * MIB)
    jest.restoreAllMocks()
    const large = await returned(8 * 1024 * MIB)
    expect(small.frozen).toEqual([
      "ask map-send last-delta",
      "ask map-buf-done last-delta",
      "told map-buf-done last-delta",
      "told map-send last-delta",
      // The joiner first.
      "ask map-add grow",
      "view 3",
      "told map-add grow",
      "ask map-add grow",
      "ask map-add grow",
      expect.stringMatching("view [12]"),
      expect.stringMatching("view [12]"),
      "told map-add grow",
      "told map-add grow",
      "ask enable-pool rejoin",
      "told enable-pool rejoin",
    ])
    expect([...large.frozen].sort()).toEqual([...small.frozen].sort())
    // Of each member the view and its state, and pages of what was marked a moment ago.
    expect(small.cells).toBeLessThan(24)
    expect(large.cells).toBeLessThan(24)
  })

  it("I4: who was not asked to flush before does it now, and then is normal", async () => {
    const { frozen } = await returned(8 * MIB, "map-done")
    expect(frozen.indexOf("flush 3")).toBeGreaterThan(frozen.indexOf("ask map-add grow"))
    expect(frozen.indexOf("flush 3")).toBeLessThan(frozen.indexOf("view 3"))
    expect(frozen.filter((step) => step.startsWith("flush"))).toEqual(["flush 3"])
  })

  it("M3: more marks than one commit takes are durable before the view that is grown", async () => {
    const steps: Steps = []
    const sizeBytes = 256 * 1024 * MIB
    await tell(1302, { sizeBytes, nodes: 2, ...watchStores(steps) }, async (sim) => {
      watchAsks(steps, (what) => {
        // The moment it has said that it persisted the view.
        if (what === "map-add grow" && sim.nodes[1]!.host.isAlive) sim.nodes[1]!.cutPower()
        if (what !== "map-send last-delta") return
        const { maps } = sim.nodes[1]!.pool!.member.volume!
        for (let page = 0; page < PAGES_PER_COMMIT + 1; page++) {
          maps.markOwn((page * MAP_PAGE_CHUNKS) as ChunkNumber, 1, RANK_REAL)
        }
        steps.length = 0
      })
      await sim.startAll()
      const client = await sim.create()
      sim.nodes[1]!.kill()
      await untilNormal(sim, client, 0b01)
      await sim.nodes[1]!.start()
      for (let attempt = 0; sim.nodes[1]!.host.isAlive; attempt++) {
        expect(attempt).toBeLessThan(200)
        await pause(sim, 50)
      }
      const view = steps.indexOf("view 2")
      expect(steps.slice(0, view).filter((step) => step === "commit 2")).toHaveLength(2)
      await sim.nodes[1]!.start()
      expect(sim.nodes[1]!.dirtyChunks).toBeGreaterThan(PAGES_PER_COMMIT)
    })
  })
})

describe("a member that returns", () => {
  /** Runs `hurt` once, when this answer is there for the nth time; then all have to come back. */
  async function story(
    seed: number,
    moment: { readonly what: string; readonly nth: number },
    hurt: (sim: SimPool, address: string) => SimNode,
  ): Promise<void> {
    const steps: Steps = []
    let hurtNode: SimNode | undefined
    await tell(seed, { minNormal: 1 }, async (sim) => {
      let count = 0
      watchAsks(steps, (what, address) => {
        if (what === moment.what && ++count === moment.nth) hurtNode = hurt(sim, address)
      })
      await sim.startAll()
      const client = await sim.create()
      const load = writeOn(sim, client)
      await pause(sim, 500)
      sim.nodes[2]!.kill()
      await untilNormal(sim, client, 0b011)
      await pause(sim, 1000)
      await sim.nodes[2]!.start()
      for (let attempt = 0; hurtNode === undefined; attempt++) {
        expect(attempt).toBeLessThan(200)
        await pause(sim, 50)
      }
      await pause(sim, 3000)
      expect(sim.nodes.indexOf(hurtNode)).toBeGreaterThanOrEqual(0)
      await hurtNode.start()
      await untilNormal(sim, client, 0b111)
      await pause(sim, 500)
      await expectWritten(sim, client, await load.stop())
    })
  }

  const joiner = (sim: SimPool): SimNode => sim.nodes[2]!

  it("M3: goes on with another source when one dies between two deltas", async () => {
    await story(1311, { what: "map-send delta", nth: 2 }, (sim, address) => {
      const source = sim.nodes.find((node) => node.address === address)!
      source.kill()
      return source
    })
  })

  it("M3: begins anew when it dies between two deltas", async () => {
    await story(1312, { what: "map-send delta", nth: 2 }, (sim) => {
      joiner(sim).kill()
      return joiner(sim)
    })
  })

  it("M3: begins anew when it loses power with the last delta in memory", async () => {
    await story(1313, { what: "map-send last-delta", nth: 1 }, (sim) => {
      joiner(sim).cutPower()
      return joiner(sim)
    })
  })

  it("V3, M2: lacks nothing after it lost power with a view that nobody else has", async () => {
    await story(1314, { what: "map-add grow", nth: 1 }, (sim) => {
      joiner(sim).cutPower()
      return joiner(sim)
    })
  })

  it("V3: lacks nothing when another lost power with the grown view, and it did not", async () => {
    await story(1315, { what: "map-add grow", nth: 2 }, (sim, address) => {
      const other = sim.nodes.find((node) => node.address === address)!
      other.cutPower()
      return other
    })
  })
})
