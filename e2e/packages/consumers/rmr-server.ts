/** Uses @rmr/server: two storage nodes over TCP, a pool of both, a write and what is read back. */
import { createPool, LinkRegistry } from "@rmr/client"
import { BLOCK_STRIDE, buddyMemory, leaseBytes, memberId } from "@rmr/core"
import { pageArenas, realEnv } from "@rmr/io"
import { deviceHandler, StorageNode } from "@rmr/server"
import { memoryStore, seededRandom } from "@rmr/testkit"
import { tcp } from "@rmr/transport-tcp"

const env = realEnv()
const newMemory = () => buddyMemory({ arenas: pageArenas([8 * 1024 * 1024]), leaseCountMax: 1024 })
const sizeBytes = 2 ** 20

const nodes: StorageNode[] = []
const members: { memberId: ReturnType<typeof memberId>; address: string }[] = []
for (const id of [1, 2]) {
  const node = new StorageNode({
    env,
    memory: newMemory(),
    transport: tcp(),
    hostName: `node-${id}`,
    software: "consumer",
  })
  await node.addPool({
    poolName: "vault",
    memberId: memberId(id),
    chunkSizeBytes: 65_536,
    queueDepth: 8,
    source: memoryStore({ random: seededRandom(id), sizeBytes, ioBytesMax: 65_536 }),
    userHandler: deviceHandler,
  })
  const { address } = await node.listen("tcp://127.0.0.1:0")
  nodes.push(node)
  members.push({ memberId: memberId(id), address })
}

const memory = newMemory()
const registry = new LinkRegistry({
  env,
  memory,
  transport: tcp(),
  hostName: "client",
  software: "consumer",
})
const pool = await createPool({
  registry,
  poolName: "vault",
  members,
  sizeBytes,
  chunkSizeBytes: 65_536,
  queueDepth: 8,
})
let done: ((status: number) => void) | undefined
const volume = pool.open({
  events: {
    onCompletions({ words, count }) {
      for (let row = 0; row < count; row++) done?.(words[row * BLOCK_STRIDE + 1] ?? -1)
    },
  },
  inFlightMax: 1,
})
const run = (submit: () => void): Promise<number> =>
  new Promise((resolve) => {
    done = resolve
    submit()
  })
const lease = memory.lease(4096)
leaseBytes(memory, lease, 0, 4096).fill(7)
const wrote = await run(() => volume.write(1, 8192, lease, 0, 4096, 0))
leaseBytes(memory, lease, 0, 4096).fill(0)
const read = await run(() => volume.read(2, 8192, lease, 0, 4096))
const isBack = leaseBytes(memory, lease, 0, 4096).every((byte) => byte === 7)
await volume.close()
await pool.close()
await registry.close()
for (const node of nodes) await node.close()
if (wrote !== 0 || read !== 0 || !isBack) throw new Error(`wrote ${wrote}, read ${read}: ${isBack}`)
