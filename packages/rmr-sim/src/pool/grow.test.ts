/** A volume grows while it is in use (G1, G2). */
import {
  type CommandKind,
  type CommandOf,
  type PoolMetadata,
  RmrError,
  STATUS_OK,
  ZERO_UUID,
} from "@rmr/core"
import { POOL_SHARD, type SimClient, type SimNode, type SimPool } from "./sim-pool.js"
import { pattern, pause, tell, userOf } from "./story.js"

jest.setTimeout(60_000)

const MIB = 1024 * 1024
const SMALL = 4 * MIB - 4096
const LARGE = 9 * MIB

async function untilNormal(sim: SimPool, client: SimClient, normal: number): Promise<void> {
  for (let attempt = 0; client.pool.record.normal !== normal; attempt++) {
    if (attempt === 400) {
      const why = client.pool.returning.map(({ phase, detail }) => `${phase}: ${detail}`)
      throw new Error(`members ${client.pool.record.normal} are normal; ${why.join("; ")}`)
    }
    await pause(sim, 50)
  }
}

/** All of the volume is the same on all members, and what was written is there. */
async function expectSame(
  sim: SimPool,
  client: SimClient,
  written: ReadonlyMap<number, Uint8Array>,
): Promise<void> {
  await untilNormal(sim, client, (1 << sim.nodes.length) - 1)
  for (let attempt = 0; sim.nodes.some(({ dirtyChunks }) => dirtyChunks > 0); attempt++) {
    expect(attempt).toBeLessThan(400)
    await pause(sim, 50)
  }
  expect(await userOf(client).flush()).toBe(STATUS_OK)
  const contents: Uint8Array[] = []
  for (const node of sim.nodes) contents.push((await node.content()).subarray(0, LARGE))
  for (const content of contents) {
    expect(content.length).toBe(LARGE)
    expect(Buffer.compare(content, contents[0]!)).toBe(0)
  }
  const wanted = new Uint8Array(LARGE)
  for (const [offset, bytes] of written) wanted.set(bytes, offset)
  expect(Buffer.compare(contents[0]!, wanted)).toBe(0)
}

describe("a volume that grows", () => {
  it("G1: has what it had, zeroes behind it, and takes writes across its old end", async () => {
    await tell(401, { sizeBytes: SMALL }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      expect(await user.write(SMALL - 8192, pattern(1, 8192))).toBe(STATUS_OK)
      await client.pool.grow(LARGE)
      await client.pool.grow(LARGE)
      expect(user.volume.sizeBytes).toBe(LARGE)
      expect(await user.read(SMALL, 65_536)).toEqual(new Uint8Array(65_536))
      expect(await user.write(SMALL - 4096, pattern(2, 65_536))).toBe(STATUS_OK)
      expect(await user.write(LARGE - 4096, pattern(3, 4096))).toBe(STATUS_OK)
      const written = new Map([
        [SMALL - 8192, pattern(1, 8192)],
        [SMALL - 4096, pattern(2, 65_536)],
        [LARGE - 4096, pattern(3, 4096)],
      ])
      await expectSame(sim, client, written)
      await client.pool.close()
      for (const node of sim.nodes) {
        node.kill()
        await node.start()
      }
      const next = await sim.open(true)
      expect(next.pool.record.mappedSizeBytes).toBe(LARGE)
      await expectSame(sim, next, written)
    })
  })

  it("G2: a member that was away learns of it when it comes back", async () => {
    await tell(402, { sizeBytes: SMALL }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const node = sim.nodes[2]!
      node.kill()
      await untilNormal(sim, client, 0b011)
      await client.pool.grow(LARGE)
      expect(await user.write(LARGE - 65_536, pattern(4, 65_536))).toBe(STATUS_OK)
      await node.start()
      await expectSame(sim, client, new Map([[LARGE - 65_536, pattern(4, 65_536)]]))
    })
  })

  it("G1: stays as it was where one member has no room, and says which", async () => {
    await tell(403, { sizeBytes: SMALL }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const error = await client.pool.grow(64 * MIB).catch((thrown) => RmrError.from(thrown))
      expect(error).toMatchObject({
        code: "no-space",
        detail: expect.stringMatching(/^member \d: /),
      })
      expect(client.pool.record.mappedSizeBytes).toBe(SMALL)
      const smaller = await client.pool.grow(MIB).catch((thrown) => RmrError.from(thrown))
      expect(smaller).toMatchObject({ code: "invalid-argument" })
      expect(await userOf(client).write(0, pattern(5, 4096))).toBe(STATUS_OK)
    })
  })

  it("G1: a new disk that lacks everything has the new part in order, also by itself", async () => {
    await tell(404, { sizeBytes: SMALL, nodes: 2, minNormal: 1 }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const user = userOf(client)
      const [first, second] = sim.nodes
      expect(await user.write(0, pattern(6, 65_536))).toBe(STATUS_OK)
      second!.kill()
      second!.replaceDisk()
      await second!.start()
      await untilNormal(sim, client, 0b01)
      await pause(sim, 1000)
      await client.pool.replaceStore(second!.memberId)
      await untilNormal(sim, client, 0b11)
      await client.pool.grow(LARGE)
      await expectSame(sim, client, new Map([[0, pattern(6, 65_536)]]))
      // What it says of its new chunks it has to know from its store alone.
      first!.kill()
      await untilNormal(sim, client, 0b10)
      second!.kill()
      await second!.start()
      await pause(sim, 4000)
      expect(await user.read(LARGE - 65_536, 65_536)).toEqual(new Uint8Array(65_536))
      await first!.start()
      await expectSame(sim, client, new Map([[0, pattern(6, 65_536)]]))
    })
  })

  it("G1, G3: a new disk takes its place in the moment in which the volume grows", async () => {
    await tell(406, { sizeBytes: SMALL }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      const node = sim.nodes[1]!
      expect(await userOf(client).write(0, pattern(9, 65_536))).toBe(STATUS_OK)
      node.kill()
      node.replaceDisk()
      await node.start()
      await untilNormal(sim, client, 0b101)
      await pause(sim, 1000)
      // It is looked at with the volume as it is, and named in a view after the one that grows.
      const growing = client.pool.grow(LARGE)
      await pause(sim, 10)
      expect(client.pool.record.mappedSizeBytes).toBe(SMALL)
      await client.pool.replaceStore(node.memberId)
      await growing
      await expectSame(sim, client, new Map([[0, pattern(9, 65_536)]]))
    })
  })

  it("G1: one that never came into force is taken back by who has heard of it", async () => {
    await tell(405, { sizeBytes: SMALL }, async (sim) => {
      await sim.startAll()
      const client = await sim.create()
      expect(await userOf(client).write(0, pattern(7, 4096))).toBe(STATUS_OK)
      await client.pool.close()
      const [first] = sim.nodes
      await growAlone(sim, client.pool.record)
      expect(first!.pool?.record?.mappedSizeBytes).toBe(LARGE)
      first!.kill()
      const next = await sim.open(true)
      await first!.start()
      await untilNormal(sim, next, 0b111)
      expect(next.pool.record.mappedSizeBytes).toBe(SMALL)
      expect(await userOf(next).write(SMALL - 4096, pattern(8, 4096))).toBe(STATUS_OK)
      for (const node of sim.nodes) {
        expect(node.pool?.member.volume?.geometry.mappedSizeBytes).toBe(SMALL)
      }
      await next.pool.grow(LARGE)
      const written = new Map([
        [0, pattern(7, 4096)],
        [SMALL - 4096, pattern(8, 4096)],
      ])
      await expectSame(sim, next, written)
    })
  })
})

/** A client opens two of three, proposes a larger volume to the first, and is never heard again. */
async function growAlone(sim: SimPool, record: PoolMetadata): Promise<void> {
  const { registry, host } = sim.newClient()
  const epoch = record.mapVersion.epoch + 1
  const { lineage } = record.mapVersion
  const ask = async <K extends CommandKind>(
    node: SimNode,
    kind: K,
    version: number,
    body: CommandOf<K>["body"],
    payload: CommandOf<K>["payload"],
  ): Promise<void> => {
    const link = registry.link(node.address, POOL_SHARD)
    await link.connect(1000)
    const mapVersion = { lineage, epoch, version }
    const envelope = { groupId: record.groupId, sessionGeneration: 1, senderMemberId: 0 }
    const command = { kind, ...envelope, mapVersion, body, payload } as unknown as CommandOf<K>
    await link.ask(command, { deadlineMs: 1000 })
  }
  const nonce = "ab".repeat(16)
  const numbers = { minNormal: 0, chunkSizeBytes: 0, queueDepth: 0, mappedSizeBytes: 0 }
  const ids = { poolUuid: ZERO_UUID, storeUuid: ZERO_UUID, nonce, poolName: record.poolName }
  const [first, second] = sim.nodes
  for (const node of [first!, second!]) {
    const { memberId } = node
    const join = { mode: "assemble", startsDirty: false, memberId, ...ids, ...numbers } as const
    await ask(node, "join-pool", 0, join, undefined)
    await ask(node, "open", 0, { nonce, isTakeover: true, hostName: host.name }, undefined)
    await ask(node, "grow-store", 0, { sizeBytes: LARGE }, undefined)
  }
  const version = record.mapVersion.version + 1
  const grown = { ...record, mapVersion: { lineage, epoch, version }, mappedSizeBytes: LARGE }
  const { mapVersion: before } = record
  const base = { epoch: before.epoch, version: before.version }
  await ask(first!, "map-add", version, { base, purpose: "open", missed: [] }, grown)
  sim.network.crash(host.name, "process")
}
