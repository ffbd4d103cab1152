/** What a volume says is not complete on every member: what members know, and never less. */
import { openPool } from "@rmr/client"
import { STATUS_OK } from "@rmr/core"
import { POOL_NAME, POOL_SHARD, type SimClient, type SimPool } from "./sim-pool.js"
import { openSoon, pattern, pause, tell, userOf } from "./story.js"

jest.setTimeout(60_000)

const SETTLED_MS_MAX = 20_000

/** Chunks that some member lacks, as the volume says. */
function dirtyChunks(sim: SimPool, { pool }: SimClient): number[] {
  const volume = pool.open({ events: { onCompletions: () => undefined }, inFlightMax: 1 })
  const chunks: number[] = []
  let at = 0
  for (const { bytes, isDirty } of volume.ranges(0, sim.sizeBytes, sim.sizeBytes)) {
    for (let end = at + bytes; at < end; at += sim.chunkSizeBytes) {
      if (isDirty) chunks.push(at / sim.chunkSizeBytes)
    }
  }
  expect(at).toBe(sim.sizeBytes)
  void volume.close()
  return chunks
}

async function untilDirty(sim: SimPool, client: SimClient, wanted: number[]): Promise<void> {
  const end = sim.world.env.clock.nowMs() + SETTLED_MS_MAX
  while (`${dirtyChunks(sim, client)}` !== `${wanted}` && sim.world.env.clock.nowMs() < end) {
    await pause(sim, 50)
  }
  expect(dirtyChunks(sim, client)).toEqual(wanted)
}

/** Nothing can be copied between members. */
function cutNodes({ network, nodes }: SimPool): void {
  for (const { host } of nodes) {
    for (const { host: other } of nodes) if (other !== host) network.cut(host.name, other.name)
  }
}

/** A pool of three whose last member is away and missed chunks 3, 4 and 90. */
async function withAbsent(sim: SimPool): Promise<SimClient> {
  await sim.startAll()
  const client = await sim.create()
  const user = userOf(client)
  expect(dirtyChunks(sim, client)).toEqual([])
  expect(await user.write(0, pattern(1, 4096))).toBe(STATUS_OK)
  sim.nodes[2]!.kill()
  const chunk = sim.chunkSizeBytes
  expect(await user.write(4 * chunk - 4096, pattern(2, 8192))).toBe(STATUS_OK)
  expect(await user.write(90 * chunk, pattern(3, 4096))).toBe(STATUS_OK)
  expect(dirtyChunks(sim, client)).toEqual([3, 4, 90])
  expect(await user.flush()).toBe(STATUS_OK)
  await user.volume.close()
  return client
}

describe("a volume says what is not complete everywhere", () => {
  it("M1: also what an absent member missed before this client was there", async () => {
    await tell(81, {}, async (sim) => {
      const first = await withAbsent(sim)
      await first.pool.close()
      const second = await sim.open()
      await untilDirty(sim, second, [3, 4, 90])
      expect(await userOf(second).write(50 * sim.chunkSizeBytes, pattern(4, 4096))).toBe(STATUS_OK)
      expect(dirtyChunks(sim, second)).toEqual([3, 4, 50, 90])
    })
  })

  it("M1: all, while members of the view do not say what an absent one missed", async () => {
    await tell(82, {}, async (sim) => {
      const first = await withAbsent(sim)
      await first.pool.close()
      const client = sim.newClient()
      let isRefused = true
      for (const { address } of sim.nodes.slice(0, 2)) {
        const link = client.registry.link(address, POOL_SHARD)
        const ask = link.ask.bind(link)
        jest.spyOn(link, "ask").mockImplementation((command, options) => {
          const { kind, body } = command
          const isAboutAbsent = kind === "read-map-buf" && "memberId" in body && body.memberId === 3
          const slow = isAboutAbsent && isRefused ? { ...options, deadlineMs: 0 } : options
          return ask(command, slow)
        })
      }
      const options = { registry: client.registry, poolName: POOL_NAME, members: sim.members }
      const second = { ...client, pool: await openPool(options) }
      expect(dirtyChunks(sim, second).length).toBe(sim.sizeBytes / sim.chunkSizeBytes)
      expect(await userOf(second).read(0, 4096)).toEqual(pattern(1, 4096))
      isRefused = false
      await untilDirty(sim, second, [3, 4, 90])
    })
  })

  it("V2: what a member missed that left in the middle of writes", async () => {
    await tell(83, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const chunk = sim.chunkSizeBytes
      sim.nodes[1]!.host.pause()
      const writes = [7, 8, 20].map((nth) => user.write(nth * chunk, pattern(nth, 4096)))
      expect(await Promise.all(writes)).toEqual([STATUS_OK, STATUS_OK, STATUS_OK])
      await untilDirty(sim, client, [7, 8, 20])
      expect(client.pool.record.normal).toBe(0b101)
    })
  })

  it("S6: what a member of the view lacks, until it has copied it", async () => {
    await tell(84, {}, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const chunk = sim.chunkSizeBytes
      expect(await user.write(4 * chunk, pattern(1, 2 * chunk))).toBe(STATUS_OK)
      cutNodes(sim)
      sim.nodes[0]!.store.failReads(5 * chunk, 4096)
      for (let nth = 0; nth < 3; nth++) await user.read(5 * chunk, 4096)
      await untilDirty(sim, client, [5])
      sim.network.heal()
      await untilDirty(sim, client, [])
    })
  })

  it("R4: what is in doubt after a crash of the client, until members agree", async () => {
    await tell(85, {}, async (sim) => {
      await sim.startAll()
      const first = await sim.create()
      const user = userOf(first)
      // It reaches two members only, and dies before it has noticed.
      sim.network.cut(first.host.name, sim.nodes[2]!.host.name)
      for (const nth of [0, 1, 9]) void user.write(nth * sim.chunkSizeBytes, pattern(nth, 4096))
      await pause(sim, 50)
      sim.killClient(first)
      cutNodes(sim)
      const second = await openSoon(sim)
      expect(dirtyChunks(sim, second)).toEqual([0, 1, 9])
      sim.network.heal()
      await untilDirty(sim, second, [])
      expect(sim.nodes.map((node) => node.dirtyChunks)).toEqual([0, 0, 0])
    })
  })
})
