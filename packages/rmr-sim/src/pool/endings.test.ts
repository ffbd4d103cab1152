/**
 * How a client pool ends: whether it was closed, taken over, or never got as far as to be open, it
 * leaves nothing of it behind in a process that goes on.
 */
import type { LinkRegistry } from "@rmr/client"
import { openPool } from "@rmr/client"
import { STATUS_OK, statusOf } from "@rmr/core"
import { POOL_NAME, POOL_SHARD, type SimPool } from "./sim-pool.js"
import { pattern, pause, tell, userOf } from "./story.js"

jest.setTimeout(60_000)

const NOBODY = {
  onCompletion: () => undefined,
  onBatchEnd: () => undefined,
  onRoom: () => undefined,
  wantsRoom: () => false,
}

/** Links that go down are nobody's business any more, and the room of the pool is free. */
async function expectNothingLeft(sim: SimPool, registry: LinkRegistry): Promise<void> {
  const { log } = sim.world
  for (const { address } of sim.nodes) {
    const link = registry.link(address, POOL_SHARD)
    await link.connect(3000)
    const before = log.find("leg.state").length
    await link.dropSession()
    expect(link.isUp).toBe(false)
    expect(log.find("leg.state").length).toBe(before)
  }
  expect(registry.addOwner(NOBODY)).toBe(0)
  registry.removeOwner(NOBODY)
}

describe("a client pool leaves nothing behind", () => {
  it("F2: when its opening fails after its members were opened", async () => {
    await tell(71, { nodes: 2, minNormal: 2 }, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      await first.pool.close()
      const { registry, host } = sim.newClient()
      const { address } = sim.nodes[1]!
      const link = registry.link(address, POOL_SHARD)
      const ask = link.ask.bind(link)
      const spy = jest.spyOn(link, "ask").mockImplementation((command, options) => {
        // It has been opened, and dies when the opening view is to be made durable.
        if (command.kind === "map-add") sim.network.cut(host.name, sim.nodes[1]!.host.name)
        return ask(command, options)
      })
      const opening = openPool({ registry, poolName: POOL_NAME, members: sim.members })
      await expect(opening).rejects.toMatchObject({ code: "no-leg" })
      spy.mockRestore()
      sim.network.heal()
      await expectNothingLeft(sim, registry)
    })
  })

  it("F4: when another client has taken it over", async () => {
    await tell(72, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      await sim.open(true)
      expect(await userOf(first).write(0, pattern(1, 4096))).toBe(statusOf("fenced"))
      await expectNothingLeft(sim, first.registry)
      await first.pool.close()
      expect(first.pool.ended?.code).toBe("fenced")
      const states = first.pool.legs.map((leg) => leg?.state.state)
      expect(states).toEqual(["removing", "removing", "removing"])
    })
  })

  it("F4: when another client takes it over while it closes", async () => {
    await tell(73, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      expect(await userOf(first).write(0, pattern(1, 4096))).toBe(STATUS_OK)
      await sim.open(true)
      await Promise.all([first.pool.close(), first.pool.close()])
      expect(first.pool.ended?.code).toBe("fenced")
      await expectNothingLeft(sim, first.registry)
    })
  })

  it("when it is closed", async () => {
    await tell(74, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      expect(await userOf(first).write(0, pattern(1, 4096))).toBe(STATUS_OK)
      await first.pool.close()
      expect(first.pool.ended?.code).toBe("closed")
      await expectNothingLeft(sim, first.registry)
    })
  })
})

describe("a client pool that has ended with requests on their way", () => {
  it("W7: hears no answer to them as the answer to one of the pool after it", async () => {
    await tell(75, { times: { commandMs: 300 } }, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const slow = sim.nodes[2]!.host
      const late = userOf(first).write(0, pattern(1, 4096))
      slow.pause()
      await pause(sim, 10)
      await sim.open(true)
      expect(await userOf(first).write(8192, pattern(2, 4096))).toBe(statusOf("fenced"))
      expect(await late).toBe(statusOf("fenced"))
      const { registry, memory, host } = first
      const again = { poolName: POOL_NAME, members: sim.members, isTakeover: true }
      const pool = await openPool({ ...again, registry, times: { commandMs: 300 } })
      const user = userOf({ pool, registry, memory, host })
      // Its session still carries the write of the pool before.
      expect(registry.link(sim.nodes[2]!.address, POOL_SHARD).isUp).toBe(true)
      expect(await user.write(0, pattern(3, 4096))).toBe(STATUS_OK)
      slow.resume()
      await pause(sim, 1000)
      expect(await user.read(0, 4096)).toEqual(pattern(3, 4096))
      await pool.close()
      await registry.close()
      expect(memory.stats().leaseCount).toBe(0)
    })
  })
})
