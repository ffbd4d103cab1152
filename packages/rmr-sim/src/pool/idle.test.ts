/**
 * A client that writes nothing notices all the same that a member is gone (V7), and what an admin
 * asks then is asked of those who are there (G1).
 */
import { RmrError, STATUS_OK } from "@rmr/core"
import type { SimClient, SimPool } from "./sim-pool.js"
import { pattern, pause, tell, userOf } from "./story.js"

jest.setTimeout(60_000)

const MIB = 1024 * 1024
const SMALL = { sizeBytes: 2 * MIB }
const LARGE = 5 * MIB

async function untilNormal(sim: SimPool, { pool }: SimClient, normal: number): Promise<void> {
  for (let waited = 0; pool.record.normal !== normal; waited++) {
    if (waited === 600) throw new Error(`members ${pool.record.normal} are normal`)
    await pause(sim, 50)
  }
}

interface Gone {
  readonly name: string
  begin(sim: SimPool, client: SimClient): void | Promise<void>
}

const GONE: readonly Gone[] = [
  { name: "its store was taken away", begin: ({ nodes }) => nodes[1]!.removeStore() },
  { name: "its process died", begin: ({ nodes }) => nodes[1]!.kill() },
  {
    name: "only signs of life of its node pass",
    begin: ({ network, nodes }, { host }) => network.clog(host.name, nodes[1]!.host.name),
  },
]
const CASES = GONE.map((gone) => [gone.name, gone] as const)

describe("a client that writes nothing", () => {
  it.each(CASES)("V7: puts out a member when %s", async (_, gone) => {
    await tell(661, SMALL, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      await pause(sim, 3000)
      await gone.begin(sim, client)
      await untilNormal(sim, client, 0b101)
      expect(client.pool.legs[1]?.state.state).not.toBe("normal")
      expect(client.pool.ended).toBeUndefined()
    })
  })

  it("V7: puts out nobody when none can be reached, and goes on when they can", async () => {
    await tell(662, { ...SMALL, minNormal: 1 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      await pause(sim, 3000)
      for (const node of sim.nodes) sim.network.clog(client.host.name, node.host.name)
      await pause(sim, 20_000)
      expect(client.pool.record.normal).toBe(0b111)
      sim.network.heal()
      expect(await userOf(client).write(0, pattern(1, 4096))).toBe(STATUS_OK)
      await pause(sim, 10_000)
      expect(client.pool.record.normal).toBe(0b111)
    })
  })

  it.each(CASES)("G1: grows its volume without a member when %s", async (_, gone) => {
    await tell(663, SMALL, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      await pause(sim, 2500)
      await gone.begin(sim, client)
      await client.pool.grow(LARGE)
      expect(client.pool.record.mappedSizeBytes).toBe(LARGE)
      expect(client.pool.record.normal).toBe(0b101)
      expect(await userOf(client).write(LARGE - 4096, pattern(2, 4096))).toBe(STATUS_OK)
      // It learns of it when it comes back (G2).
      sim.network.heal()
      sim.nodes[1]!.kill()
      await sim.nodes[1]!.start()
      await untilNormal(sim, client, 0b111)
      expect(sim.nodes[1]!.pool?.member.volume?.geometry.mappedSizeBytes).toBe(LARGE)
    })
  })

  it("G1: does not grow its volume where it needs who is gone, and says who that is", async () => {
    await tell(664, { ...SMALL, nodes: 2, minNormal: 2 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      sim.nodes[1]!.kill()
      const error = await client.pool.grow(LARGE).catch((thrown) => RmrError.from(thrown))
      expect(error).toMatchObject({
        code: "link-lost",
        detail: expect.stringContaining("member 2: "),
      })
      expect(client.pool.record.mappedSizeBytes).toBe(SMALL.sizeBytes)
    })
  })
})

describe("a client that only reads", () => {
  it("P6, F7: waits for no sign of a member that hangs, where others give enough", async () => {
    const times = { ioDeadlineMs: 200, commandMs: 3000 }
    await tell(665, { ...SMALL, times }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const { clock } = sim.world.env
      let longestMs = 0
      const readFor = async (ms: number): Promise<void> => {
        for (const endMs = clock.nowMs() + ms; clock.nowMs() < endMs; ) {
          const startMs = clock.nowMs()
          expect(await user.read(0, 4096)).toHaveLength(4096)
          longestMs = Math.max(longestMs, clock.nowMs() - startMs)
          await pause(sim, 5)
        }
      }
      await readFor(500)
      sim.network.clog(client.host.name, sim.nodes[2]!.host.name)
      await readFor(5000)
      expect(client.pool.record.normal).toBe(0b011)
      expect(longestMs).toBeLessThan(200 + 500)
    })
  })
})
