/** Members on their way back, with a leg that answers what the test says. */
import { type MapVersion, type PoolMetadata, RmrError } from "@rmr/core"
import { nodeWorld } from "@rmr/testkit/node"
import type { Leg } from "./leg.js"
import type { LegKeeper } from "./leg-keeper.js"
import type { PoolContext } from "./pool-context.js"
import { Rejoining } from "./rejoining.js"

const STORE = "5".repeat(32)

/** A pool of two whose second member is out of the view, and what it is asked. */
function poolWith(answer: (kind: string) => RmrError) {
  const world = nodeWorld({ seed: 1 })
  const asked: { kind: string; atMs: number }[] = []
  const fenced: number[] = []
  const leg = {
    slot: 1,
    memberId: 2,
    isUp: true,
    hasRecord: true,
    report: { storeUuid: STORE },
    io: { sessionGeneration: 0 },
    ask: (kind: string) => {
      asked.push({ kind, atMs: world.nowMs })
      return Promise.reject(answer(kind))
    },
  } as unknown as Leg
  const mapVersion: MapVersion = { lineage: "a".repeat(32), epoch: 6, version: 3 }
  const members = [{ storeUuid: "4".repeat(32) }, { storeUuid: STORE }]
  const record = { mapVersion, normal: 0b01, members } as unknown as PoolMetadata
  const context = { env: world.env, poolName: "vault", times: { commandMs: 3000 } }
  const rejoining = new Rejoining({
    context: context as unknown as PoolContext,
    keeper: { legs: [undefined, leg], usable: 0b01 } as unknown as LegKeeper,
    record: () => record,
    isFlushable: () => true,
    mayBegin: () => true,
    heldBack: () => undefined,
    onFenced: (epoch) => fenced.push(epoch),
    want: () => undefined,
  })
  const tickFor = (ms: number): Promise<void> => {
    const end = world.nowMs + ms
    const run = async (): Promise<void> => {
      while (world.nowMs < end) {
        rejoining.tick(world.nowMs)
        await new Promise<void>((resolve) => world.env.clock.schedule(50, () => resolve()))
      }
    }
    return world.settled(run(), "ticks", 600_000)
  }
  return { rejoining, asked, fenced, tickFor }
}

describe("Rejoining", () => {
  it("F4, R8: says in which epoch it was fenced: a later one may be its own", async () => {
    const { fenced, tickFor } = poolWith(() => new RmrError("fenced", "epoch 7 was opened"))
    await tickFor(100)
    expect(fenced).toEqual([6])
  })

  it("P10: tries again and again, later each time, and says why", async () => {
    const { rejoining, asked, tickFor } = poolWith(
      () => new RmrError("too-small", "it has no room"),
    )
    await tickFor(60_000)
    expect(asked.every(({ kind }) => kind === "rejoin-pool")).toBe(true)
    const waits = asked.slice(1).map(({ atMs }, nth) => atMs - asked[nth]!.atMs)
    expect(asked.length).toBeGreaterThan(5)
    expect(asked.length).toBeLessThan(14)
    expect(Math.max(...waits)).toBeLessThan(31_000)
    expect(waits.at(-1)).toBeGreaterThan(waits[0]! * 8)
    expect(rejoining.progress).toEqual([
      { memberId: 2, phase: "waiting", detail: "too-small: it has no room" },
    ])
  })
})
