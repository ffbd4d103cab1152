/**
 * Two names with one group id (Q21): the id in a message does not say which pool is meant, so one
 * node serves only one of them, and nobody is tied to the other by mistake.
 */
import { createPool, LinkRegistry } from "@rmr/client"
import type { Memory } from "@rmr/core"
import { buddyMemory, groupIdOfName, memberId, RmrError } from "@rmr/core"
import {
  type Host,
  type MemoryStoreSource,
  memoryStore,
  type SimNetwork,
  simNetwork,
  simTransport,
  type World,
} from "@rmr/testkit"
import { nodeWorld } from "@rmr/testkit/node"
import { deviceHandler } from "../device/device-handler.js"
import type { ServerPool } from "../pool/server-pool.js"
import { StorageNode } from "./storage-node.js"

/** Found by trying: jhash gives them one number. */
const NAME = "pool-8844"
const OTHER_NAME = "pool-19696"
const ADDRESS = "sim:node:1"
const SIZE_BYTES = 1024 * 1024
const CHUNK_BYTES = 64 * 1024
const QUEUE_DEPTH = 4
const STORY_MS = 60_000

interface Place {
  readonly world: World
  readonly network: SimNetwork
  readonly node: StorageNode
}

const newMemory = (): Memory => buddyMemory({ arenas: [4 * 1024 * 1024], leaseCountMax: 256 })

function storeOf({ random }: World, name: string): MemoryStoreSource {
  return memoryStore({ name, random: random.fork(name), sizeBytes: SIZE_BYTES })
}

function addPool(
  node: StorageNode,
  poolName: string,
  source: MemoryStoreSource,
): Promise<ServerPool> {
  return node.addPool({
    poolName,
    memberId: memberId(1),
    chunkSizeBytes: CHUNK_BYTES,
    queueDepth: QUEUE_DEPTH,
    source,
    userHandler: deviceHandler,
  })
}

function partsOf(network: SimNetwork, host: Host) {
  const transport = simTransport({ network, host })
  return { env: host.env, memory: newMemory(), transport, hostName: host.name, software: "test" }
}

/** A node that listens, in a world of its own. */
async function withNode(story: (place: Place) => Promise<void>): Promise<void> {
  const world = nodeWorld({ seed: 1 })
  const network = simNetwork({ world })
  const run = async (): Promise<void> => {
    const node = new StorageNode(partsOf(network, world.host("node")))
    await node.listen(ADDRESS)
    await story({ world, network, node })
  }
  await world.settled(run(), "the story of a node", STORY_MS)
}

/** A client process makes a pool of this name on the node. */
function create({ world, network }: Place, poolName: string) {
  const registry = new LinkRegistry(partsOf(network, world.host(`client-of-${poolName}`)))
  return createPool({
    registry,
    poolName,
    members: [{ memberId: memberId(1), address: ADDRESS }],
    sizeBytes: SIZE_BYTES,
    chunkSizeBytes: CHUNK_BYTES,
    queueDepth: QUEUE_DEPTH,
  })
}

const failureOf = (thrown: unknown): [string, string] => {
  const { code, detail } = RmrError.from(thrown)
  return [code, detail]
}

describe("two pools of one group id on one node", () => {
  it("Q21: are the two names of these tests", () => {
    expect(groupIdOfName(OTHER_NAME)).toBe(groupIdOfName(NAME))
  })

  it("Q21: the second is refused, its store is closed, and the first goes on", async () => {
    await withNode(async (place) => {
      const { node, world } = place
      const first = await addPool(node, NAME, storeOf(world, "one"))
      const store = storeOf(world, "two")
      const words = `pools ${NAME} and ${OTHER_NAME} have one group id on this node`
      const refused = await addPool(node, OTHER_NAME, store).catch(failureOf)
      expect(refused).toEqual(["name-clash", words])
      expect(node.pools).toEqual([first])
      // The store is left as it was: another node, where there is room, opens it.
      const other = new StorageNode(partsOf(place.network, world.host("other")))
      expect((await addPool(other, OTHER_NAME, store)).state.state).toBe("registered")
      const pool = await create(place, NAME)
      expect(pool.record.normal).toBe(1)
      expect(first.state.state).toBe("normal")
    })
  })

  it("Q21: so is another store for a pool that the node has", async () => {
    await withNode(async ({ node, world }) => {
      await addPool(node, NAME, storeOf(world, "one"))
      const refused = await addPool(node, NAME, storeOf(world, "two")).catch(failureOf)
      const words = `pools ${NAME} and ${NAME} have one group id on this node`
      expect(refused).toEqual(["name-clash", words])
    })
  })

  it("Q21: the second is added when the first is gone", async () => {
    await withNode(async ({ node, world }) => {
      const first = await addPool(node, NAME, storeOf(world, "one"))
      await node.removePool(first)
      const second = await addPool(node, OTHER_NAME, storeOf(world, "two"))
      expect(node.pools).toEqual([second])
    })
  })

  it("Q21: a client of the other name is refused and changes nothing", async () => {
    await withNode(async (place) => {
      const first = await addPool(place.node, NAME, storeOf(place.world, "one"))
      const refused = await create(place, OTHER_NAME).catch(failureOf)
      expect(refused).toEqual(["name-clash", `${OTHER_NAME} and ${NAME} have one group id`])
      expect([first.state.state, first.record]).toEqual(["registered", undefined])
    })
  })
})
