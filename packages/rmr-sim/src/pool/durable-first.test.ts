/**
 * What a member makes durable before it does or says the next thing (rules I1, I4, V2, F1, F3).
 *
 * The store of the first member is watched, and slow where it matters; or its power is cut the
 * moment somebody has heard the answer.
 */
import { type CellKind, encodeDeviceRequest, STATUS_OK, type StoreLifecycleState } from "@rmr/core"
import { deviceHandler } from "@rmr/server"
import { filterStore, type TraceRecord } from "@rmr/testkit"
import type { SimPoolOptions } from "./sim-pool.js"
import { openSoon, pattern, pause, tell, userOf } from "./story.js"

jest.setTimeout(60_000)

type OperationKind = TraceRecord["kind"]

interface Seen {
  readonly what: string
  readonly kinds: readonly CellKind[]
}

/** Operations of the first member's store, as they begin and end; some of them slow. */
function watched(
  seen: Seen[],
  kinds: readonly OperationKind[],
  slow: Partial<Record<OperationKind, number>> = {},
): Partial<SimPoolOptions> {
  const isWatched = (kind: OperationKind): boolean => kinds.includes(kind)
  return {
    wrapStore: (store, slot) =>
      slot !== 0
        ? store
        : filterStore(store, "watched", () => ({
            before: ({ kind, cells }) => {
              if (!isWatched(kind)) return
              seen.push({ what: `${kind} begins`, kinds: cells.map((cell) => cell.kind) })
            },
            after: ({ kind }) => {
              if (isWatched(kind)) seen.push({ what: `${kind} ends`, kinds: [] })
            },
            holdMs: ({ kind }) => slow[kind] ?? 0,
          })),
  }
}

describe("before a member does the next thing", () => {
  it("I1: an extent is hot, and then its first mutation begins; others need nothing", async () => {
    const seen: Seen[] = []
    const options = watched(seen, ["heat", "write"], { heat: 40 })
    await tell(121, { nodes: 2, ...options }, async (sim) => {
      await sim.startAll()
      const user = userOf(await sim.create())
      // Two extents at once, of which each mutation waits for its own.
      const both = [user.write(0, pattern(1, 4096)), user.write(sim.extentBytes, pattern(2, 4096))]
      expect(await Promise.all(both)).toEqual([STATUS_OK, STATUS_OK])
      const story = seen.splice(0).map(({ what }) => what)
      expect(story.indexOf("write begins")).toBeGreaterThan(story.indexOf("heat ends"))
      expect(story.filter((what) => what === "heat ends").length).toBeGreaterThan(0)
      expect(story.filter((what) => what === "write ends").length).toBe(2)
      expect(await user.write(8192, pattern(3, 4096))).toBe(STATUS_OK)
      expect(seen.map(({ what }) => what)).toEqual(["write begins", "write ends"])
    })
  })

  it("V2: a view, what became of its ranges, the claim and the marks are one commit", async () => {
    const seen: Seen[] = []
    await tell(122, { nodes: 2, minNormal: 1, ...watched(seen, ["commit"]) }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
      sim.nodes[1]!.host.pause()
      seen.length = 0
      // It is in flight when the other member is put out, so the view lists it.
      expect(await user.write(0, pattern(2, 4096))).toBe(STATUS_OK)
      const steps = seen.filter(({ kinds }) => kinds.includes("pool-metadata"))
      expect(steps.map(({ kinds }) => kinds)).toEqual([
        ["pool-metadata", "state", "map", "map-page"],
      ])
      // Alone it says all: what the view listed is marked after a loss of power.
      sim.nodes[0]!.cutPower()
      await sim.nodes[0]!.start()
      const { record, volume, state } = sim.nodes[0]!.pool!.member
      expect(record?.normal).toBe(1)
      expect(state.normalThrough).toMatchObject({ version: record?.mapVersion.version })
      expect(volume!.maps.about(1)!.isDirty(0 as never)).toBe(true)
    })
  })

  it("F1: who has opened it is known after any end, from the answer on", async () => {
    await tell(123, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      await first.pool.close()
      const second = await sim.open()
      const { epoch } = second.pool.record.mapVersion
      const before = sim.nodes.map((node) => node.pool?.member.state.nonce)
      for (const node of sim.nodes) node.cutPower()
      sim.killClient(second)
      await sim.startAll()
      const states = sim.nodes.map((node) => node.pool!.member.state)
      expect(states.map((state) => state.epoch)).toEqual([epoch, epoch, epoch])
      expect(states.map((state) => state.nonce)).toEqual(before)
      expect(new Set(before).size).toBe(1)
    })
  })

  it("has a device mapped or not from the answer on, whatever ends it then", async () => {
    await tell(124, { nodes: 1 }, async (sim) => {
      await sim.startAll()
      await sim.create()
      const node = sim.nodes[0]!
      const after = async (command: "map" | "unmap"): Promise<StoreLifecycleState> => {
        await deviceHandler(node.pool!, encodeDeviceRequest(command, 0))
        node.cutPower()
        await node.start()
        return node.pool!.member.state.lifecycle
      }
      expect(node.pool!.member.state.lifecycle).toBe("open")
      expect([await after("map"), await after("unmap")]).toEqual(["mapped", "open"])
    })
  })
})

describe("before a member becomes normal", () => {
  it("I4: what it found hot stays hot, whatever it hears, and it flushes", async () => {
    const seen: Seen[] = []
    await tell(125, { ...watched(seen, ["flush"]) }, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      expect(await userOf(first).write(0, pattern(1, 4096))).toBe(STATUS_OK)
      const node = sim.nodes[0]!
      node.kill()
      sim.killClient(first)
      await node.start()
      const { hot } = node.pool!.member.volume!
      expect(hot.all()).toEqual([0])
      // A number that would be enough, did it speak of this member.
      node.pool!.dataPath!.noteStableNumber(9, 9)
      node.pool!.cool()
      await pause(sim, 3000)
      expect(hot.all()).toEqual([0])
      seen.length = 0
      const second = await openSoon(sim)
      expect(second.pool.record.normal).toBe(7)
      expect(seen.map(({ what }) => what)).toContain("flush ends")
      expect(await userOf(second).read(0, 4096)).toEqual(pattern(1, 4096))
      for (let nth = 0; nth < 50 && hot.isHot(0); nth++) {
        await pause(sim, 100)
        node.pool!.cool()
      }
      expect(hot.isHot(0)).toBe(false)
    })
  })
})
