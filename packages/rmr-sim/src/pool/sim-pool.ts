/**
 * SimPool: storage nodes and clients of one pool, the real ones, in a world of pretence.
 *
 * Hosts, network and stores are simulated; everything above the ports is what users run. A node can
 * be killed and started again, its power cut, its store hurt; a client can die, and another one
 * come.
 */

import {
  type ClientPool,
  createPool,
  type KnownMember,
  LinkRegistry,
  openPool,
  type PoolOptions,
  type PoolTimes,
} from "@rmr/client"
import type { MemberId, Memory } from "@rmr/core"
import { assert, buddyMemory, leaseBytes, memberId, STATUS_OK } from "@rmr/core"
import { deviceHandler, type ServerPool, StorageNode } from "@rmr/server"
import {
  type Host,
  type LinkOptions,
  type MemoryStoreSource,
  memoryStore,
  type SimNetwork,
  simNetwork,
  simTransport,
  type World,
} from "@rmr/testkit"

export interface SimPoolOptions {
  readonly world: World
  readonly nodes: number
  readonly links?: Partial<LinkOptions>
  readonly sizeBytes?: number
  readonly chunkSizeBytes?: number
  readonly extentBytes?: number
  readonly queueDepth?: number
  readonly minNormal?: number
  readonly times?: Partial<PoolTimes>
  /** Whether the transport notices what was changed on its way. Default: no, so that we must. */
  readonly payloadChecked?: boolean
}

export const POOL_NAME = "vault"
const SIZE_BYTES = 8 * 1024 * 1024
const CHUNK_BYTES = 64 * 1024
const QUEUE_DEPTH = 16
const EXTENT_BYTES = 256 * 1024
const ARENA_BYTES = 16 * 1024 * 1024
const SILENCE_MS = 2000
/** Chunks are not smaller, so that a step is in one chunk. */
const CONTENT_STEP = 4096
/** Short ones, so that a story is over soon; virtual time costs little, but not nothing. */
const TIMES: Partial<PoolTimes> = { ioDeadlineMs: 3000, blinkMs: 500, noLegMs: 5000, flushMs: 1000 }

export class SimNode {
  readonly memberId: MemberId
  readonly address: string
  readonly host: Host
  readonly store: MemoryStoreSource
  private readonly sim: SimPool
  private node: StorageNode | undefined
  memory: Memory | undefined
  pool: ServerPool | undefined

  constructor(sim: SimPool, id: number) {
    this.sim = sim
    this.memberId = memberId(id)
    this.address = `sim:node-${id}:1`
    this.host = sim.world.host(`node-${id}`)
    const { sizeBytes, queueDepth, extentBytes } = sim
    this.store = memoryStore({
      name: `store-${id}`,
      random: sim.world.random.fork(`store-${id}`),
      sizeBytes,
      extentBytes,
      hotExtentsMax: 16 + queueDepth * Math.ceil((128 * 1024) / extentBytes + 1) + 16,
      ioBytesMax: 128 * 1024,
      latencyMs: [0, 1],
    })
  }

  async start(): Promise<void> {
    if (!this.host.isAlive) this.host.restart()
    const { env } = this.host
    const memory = newMemory()
    this.memory = memory
    const transport = this.sim.transportOf(this.host)
    const node = new StorageNode({
      env,
      memory,
      transport,
      hostName: this.host.name,
      software: "rmr-sim",
      holderMs: 3000,
      requestsMax: 256,
    })
    this.node = node
    const { chunkSizeBytes, queueDepth } = this.sim
    this.pool = await node.addPool({
      poolName: POOL_NAME,
      memberId: this.memberId,
      chunkSizeBytes,
      queueDepth,
      source: this.store,
      userHandler: deviceHandler,
    })
    await node.listen(this.address)
  }

  /** What the store holds, read past the pool; zeroes where its medium is known to be bad. */
  async content(isBad: (offset: number) => boolean = () => false): Promise<Uint8Array> {
    const { memory, pool } = this
    assert(pool !== undefined && memory !== undefined, "the node is up")
    const { jobs, store } = pool.member
    const bytes = new Uint8Array(store.sizeBytes)
    const lease = memory.lease(CONTENT_STEP)
    for (let offset = 0; offset < bytes.length; offset += CONTENT_STEP) {
      if (isBad(offset)) continue
      const status = await jobs.ask((token) => store.read(token, offset, lease, 0, CONTENT_STEP))
      assert(status === STATUS_OK, "the store can be read")
      bytes.set(leaseBytes(memory, lease, 0, CONTENT_STEP), offset)
    }
    memory.release(lease)
    return bytes
  }

  /** Chunks that it lacks or suspects. */
  get dirtyChunks(): number {
    return this.pool?.member.volume?.maps.own.count ?? 0
  }

  /** The process dies; what it had written stays in the machine's cache. */
  kill(): void {
    this.sim.network.crash(this.host.name, "process")
    this.store.kill()
    this.pool = undefined
  }

  /** The machine loses power. */
  cutPower(): void {
    this.sim.network.crash(this.host.name, "machine")
    this.store.powerCut()
    this.pool = undefined
  }

  async stop(): Promise<void> {
    await this.node?.close()
    this.pool = undefined
  }
}

/** One client process: a pool that is open, and what it needs. */
export interface SimClient {
  readonly host: Host
  readonly memory: Memory
  readonly pool: ClientPool
  readonly registry: LinkRegistry
}

export class SimPool {
  readonly world: World
  readonly network: SimNetwork
  readonly nodes: readonly SimNode[]
  readonly sizeBytes: number
  readonly chunkSizeBytes: number
  readonly extentBytes: number
  readonly queueDepth: number
  private readonly options: SimPoolOptions
  private clientCount = 0

  constructor(options: SimPoolOptions) {
    this.options = options
    this.world = options.world
    this.sizeBytes = options.sizeBytes ?? SIZE_BYTES
    this.chunkSizeBytes = options.chunkSizeBytes ?? CHUNK_BYTES
    this.extentBytes = options.extentBytes ?? EXTENT_BYTES
    this.queueDepth = options.queueDepth ?? QUEUE_DEPTH
    this.network = simNetwork({
      world: options.world,
      ...(options.links === undefined ? {} : { links: options.links }),
    })
    this.nodes = Array.from({ length: options.nodes }, (_, nth) => new SimNode(this, nth + 1))
  }

  get members(): readonly KnownMember[] {
    return this.nodes.map(({ memberId: id, address }) => ({ memberId: id, address }))
  }

  transportOf(host: Host): ReturnType<typeof simTransport> {
    return simTransport({
      network: this.network,
      host,
      silenceMsMax: SILENCE_MS,
      payloadChecked: this.options.payloadChecked ?? false,
    })
  }

  async startAll(): Promise<void> {
    for (const node of this.nodes) await node.start()
  }

  /** A client process that has nothing open yet. */
  newClient(): { readonly host: Host; readonly memory: Memory; readonly registry: LinkRegistry } {
    const host = this.world.host(`client-${++this.clientCount}`)
    const memory = newMemory()
    const registry = new LinkRegistry({
      env: host.env,
      memory,
      transport: this.transportOf(host),
      hostName: host.name,
      software: "rmr-sim",
      credits: [64, 32, 16],
    })
    return { host, memory, registry }
  }

  async create(): Promise<SimClient> {
    const client = this.newClient()
    const { sizeBytes, chunkSizeBytes, queueDepth, members } = this
    const { minNormal } = this.options
    const pool = await createPool({
      ...this.poolOptions(client.registry),
      members,
      sizeBytes,
      chunkSizeBytes,
      queueDepth,
      ...(minNormal === undefined ? {} : { minNormal }),
    })
    return { ...client, pool }
  }

  async open(isTakeover = false): Promise<SimClient> {
    const client = this.newClient()
    const { members } = this
    const options = { ...this.poolOptions(client.registry), members, isTakeover }
    return { ...client, pool: await openPool(options) }
  }

  /** The process of a client dies, without a goodbye. */
  killClient(client: SimClient): void {
    this.network.crash(client.host.name, "process")
  }

  private poolOptions(registry: LinkRegistry): PoolOptions {
    return { registry, poolName: POOL_NAME, times: { ...TIMES, ...this.options.times } }
  }
}

function newMemory(): Memory {
  const memory = buddyMemory({ arenas: [ARENA_BYTES], leaseCountMax: 4096, poison: true })
  assert(memory.leaseBytesMax > 0, "there is payload memory")
  return memory
}
