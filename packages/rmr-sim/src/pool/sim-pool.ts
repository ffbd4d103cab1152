/**
 * SimPool: storage nodes and clients of a pool, the real ones, in a world of pretence.
 *
 * Hosts, network and stores are simulated; everything above the ports is what users run. A node can
 * be killed and started again, its power cut, its store hurt; a client can die, and another one
 * come. Where more pools are named, each node serves all of them, and one client process can have
 * them open over the same sessions.
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
import type { MemberId, Memory, StoreSource } from "@rmr/core"
import { assert, buddyMemory, groupIdOfName, memberId, shardOf } from "@rmr/core"
import { deviceHandler, type ServerPool, StorageNode, type SyncLimits } from "@rmr/server"
import {
  type Host,
  type LinkOptions,
  type SimNetwork,
  simNetwork,
  simTransport,
  type World,
} from "@rmr/testkit"
import { SimMember } from "./sim-member.js"
import { type SimStore, type StoreKind, simStore } from "./sim-store.js"

export interface SimPoolOptions {
  readonly world: World
  readonly nodes: number
  readonly links?: Partial<LinkOptions>
  readonly sizeBytes?: number
  readonly chunkSizeBytes?: number
  readonly extentBytes?: number
  readonly queueDepth?: number
  readonly minNormal?: number
  /** So many of the nodes are members when the pool is created; default all. */
  readonly founders?: number
  readonly times?: Partial<PoolTimes>
  /** Default 0: each read is the next member's, so that few reads visit all of them. */
  readonly readRunBytes?: number
  /** How fast copies may be, and must. */
  readonly sync?: Partial<SyncLimits>
  /** Whether the transport notices what was changed on its way. Default: no, so that we must. */
  readonly payloadChecked?: boolean
  /** Pools beside the one that every story has. */
  readonly otherPools?: readonly string[]
  /** Hot extents that a store has room for; default a few more than must be to spare. */
  readonly hotExtentsMax?: number
  /** Default `memory`. */
  readonly storeKind?: StoreKind
  /** What is put around the store of a member in the pool of every story. */
  readonly wrapStore?: (store: StoreSource, slot: number) => StoreSource
}

export const POOL_NAME = "vault"
export const POOL_SHARD: number = shardOf(groupIdOfName(POOL_NAME))
const SIZE_BYTES = 8 * 1024 * 1024
const CHUNK_BYTES = 64 * 1024
const QUEUE_DEPTH = 16
const EXTENT_BYTES = 256 * 1024
const ARENA_BYTES = 16 * 1024 * 1024
const SILENCE_MS = 2000
const CLOSE_MS = 2000
/** A store can grow to so many times its size. */
const ROOM_TO_GROW = 4
/** Short ones, so that a story is over soon; virtual time costs little, but not nothing. */
const TIMES: Partial<PoolTimes> = {
  ioDeadlineMs: 3000,
  blinkMs: 500,
  noLegMs: 5000,
  flushMs: 1000,
  closeMs: CLOSE_MS,
  slowAfterMs: 2000,
  slowHoldMs: 500,
  slowHoldMsMax: 4000,
}

export class SimNode {
  readonly memberId: MemberId
  /** Where it listens when it is started next. */
  address: string
  readonly host: Host
  /** Of each pool; the one that every story has comes first. */
  readonly parts: SimMember[]
  private readonly sim: SimPool
  private storeCount = 0
  private node: StorageNode | undefined
  memory: Memory | undefined

  constructor(sim: SimPool, id: number) {
    this.sim = sim
    this.memberId = memberId(id)
    this.address = `sim:node-${id}:1`
    this.host = sim.world.host(`node-${id}`)
    this.parts = [
      new SimMember(POOL_NAME, this.makeStore(`store-${id}`)),
      ...sim.otherPools.map((name) => new SimMember(name, this.makeStore(`${name}-${id}`))),
    ]
  }

  get store(): SimStore {
    return this.parts[0]!.store
  }

  get pool(): ServerPool | undefined {
    return this.parts[0]!.pool
  }

  /** What this node has of a pool. */
  part(poolName: string): SimMember {
    const part = this.parts.find((one) => one.poolName === poolName)
    assert(part !== undefined, `the story has a pool ${poolName}`)
    return part
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
      closeMs: this.sim.closeMs,
    })
    this.node = node
    const { chunkSizeBytes, queueDepth } = this.sim
    for (const [nth, part] of this.parts.entries()) {
      await part.format()
      part.pool = await node.addPool({
        poolName: part.poolName,
        memberId: this.memberId,
        chunkSizeBytes,
        queueDepth,
        // As it is in the pool of every story: their seeds tell what they always told.
        source: nth === 0 ? this.sim.wrapStore(part.store, this.memberId - 1) : part.source,
        userHandler: deviceHandler,
        sync: this.sim.sync,
      })
    }
    await node.listen(this.address)
  }

  /** What the store holds, read past the pool; zeroes where its medium is known to be bad. */
  content(isBad?: (offset: number) => boolean): Promise<Uint8Array> {
    return this.parts[0]!.content(this.memory, isBad)
  }

  /** Chunks that it lacks or suspects. */
  get dirtyChunks(): number {
    return this.parts[0]!.dirtyChunks
  }

  /** The process dies; what it had written stays in the machine's cache. */
  kill(): void {
    this.sim.network.crash(this.host.name, "process")
    this.end((store) => store.kill())
  }

  /** The machine loses power. */
  cutPower(): void {
    this.sim.network.crash(this.host.name, "machine")
    this.end((store) => store.powerCut())
  }

  /** Its disk is another one now, and empty. The process is down. */
  replaceDisk(): void {
    const name = `store-${this.memberId}-${++this.storeCount}`
    this.parts[0] = new SimMember(POOL_NAME, this.makeStore(name))
  }

  /** What was made to go wrong in its stores does not any more. */
  calmStores(): void {
    for (const { store } of this.parts) store.calm()
  }

  /** An admin takes the store of the pool of every story away; the node goes on without it. */
  async removeStore(): Promise<void> {
    const { pool } = this
    assert(pool !== undefined && this.node !== undefined, "the node serves it")
    await this.node.removePool(pool)
  }

  /** Fails where its stores were not closed cleanly; the process has to die then. */
  async stop(): Promise<void> {
    const { node } = this
    await node?.close()
    // Another life may have begun meanwhile.
    if (this.node === node) this.end(() => undefined)
  }

  private end(hurt: (store: SimStore) => void): void {
    for (const part of this.parts) {
      hurt(part.store)
      part.pool = undefined
    }
  }

  private makeStore(name: string): SimStore {
    const { world, sizeBytes, extentBytes, chunkSizeBytes, hotExtentsMax, storeKind } = this.sim
    return simStore({
      world,
      host: this.host,
      kind: storeKind,
      name,
      sizeBytes,
      mediumBytes: sizeBytes * ROOM_TO_GROW,
      extentBytes,
      chunkSizeBytes,
      hotExtentsMax,
    })
  }
}

/** A client process that has nothing open yet. */
export interface SimProcess {
  readonly host: Host
  readonly memory: Memory
  readonly registry: LinkRegistry
}

/** One client process: a pool that is open, and what it needs. */
export interface SimClient extends SimProcess {
  readonly pool: ClientPool
}

export class SimPool {
  readonly world: World
  readonly network: SimNetwork
  readonly nodes: readonly SimNode[]
  readonly sizeBytes: number
  readonly chunkSizeBytes: number
  readonly extentBytes: number
  readonly queueDepth: number
  readonly otherPools: readonly string[]
  readonly hotExtentsMax: number
  readonly storeKind: StoreKind
  readonly sync: Partial<SyncLimits>
  private readonly options: SimPoolOptions
  private clientCount = 0

  constructor(options: SimPoolOptions) {
    this.options = options
    this.world = options.world
    this.sync = options.sync ?? {}
    this.sizeBytes = options.sizeBytes ?? SIZE_BYTES
    this.chunkSizeBytes = options.chunkSizeBytes ?? CHUNK_BYTES
    this.extentBytes = options.extentBytes ?? EXTENT_BYTES
    this.queueDepth = options.queueDepth ?? QUEUE_DEPTH
    this.otherPools = options.otherPools ?? []
    const perIo = Math.ceil((128 * 1024) / this.extentBytes + 1)
    this.hotExtentsMax = options.hotExtentsMax ?? 16 + this.queueDepth * perIo + 16
    this.storeKind = options.storeKind ?? "memory"
    this.network = simNetwork({
      world: options.world,
      ...(options.links === undefined ? {} : { links: options.links }),
    })
    this.nodes = Array.from({ length: options.nodes }, (_, nth) => new SimNode(this, nth + 1))
  }

  /** So long a close of a client or a node may wait. */
  get closeMs(): number {
    return this.options.times?.closeMs ?? CLOSE_MS
  }

  /** The largest volume that every store can have. */
  get roomBytes(): number {
    return this.sizeBytes * ROOM_TO_GROW
  }

  get members(): readonly KnownMember[] {
    const founders = this.nodes.slice(0, this.options.founders ?? this.nodes.length)
    return founders.map(({ memberId: id, address }) => ({ memberId: id, address }))
  }

  wrapStore(store: StoreSource, slot: number): StoreSource {
    return this.options.wrapStore?.(store, slot) ?? store
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

  /** A client process that has nothing open yet; `hostName`: on that machine. */
  newClient(hostName?: string): SimProcess {
    const host = this.world.host(`client-${++this.clientCount}`)
    const memory = newMemory()
    const registry = new LinkRegistry({
      env: host.env,
      memory,
      transport: this.transportOf(host),
      hostName: hostName ?? host.name,
      software: "rmr-sim",
      credits: [64, 32, 16],
    })
    return { host, memory, registry }
  }

  /** Where a process is given, it has the pool beside what it has already. */
  async create(
    client: SimProcess = this.newClient(),
    poolName: string = POOL_NAME,
  ): Promise<SimClient> {
    const { sizeBytes, chunkSizeBytes, queueDepth, members } = this
    const { minNormal } = this.options
    const pool = await createPool({
      ...this.poolOptions(client.registry, poolName),
      members,
      sizeBytes,
      chunkSizeBytes,
      queueDepth,
      ...(minNormal === undefined ? {} : { minNormal }),
    })
    return { ...client, pool }
  }

  async open(
    isTakeover = false,
    client: SimProcess = this.newClient(),
    poolName: string = POOL_NAME,
  ): Promise<SimClient> {
    const { members } = this
    const options = { ...this.poolOptions(client.registry, poolName), members, isTakeover }
    return { ...client, pool: await openPool(options) }
  }

  /** An admin opens it, and says how: by force, or whose history (F6, R7). */
  async openAs(
    said: Partial<PoolOptions>,
    client: SimProcess = this.newClient(),
  ): Promise<SimClient> {
    const { members } = this
    const options = { ...this.poolOptions(client.registry, POOL_NAME), isTakeover: true, ...said }
    return { ...client, pool: await openPool({ ...options, members }) }
  }

  /** The process of a client dies, without a goodbye. */
  killClient(client: SimClient): void {
    this.network.crash(client.host.name, "process")
  }

  private poolOptions(registry: LinkRegistry, poolName: string): PoolOptions {
    const { readRunBytes = 0, times } = this.options
    return { registry, poolName, readRunBytes, times: { ...TIMES, ...times } }
  }
}

function newMemory(): Memory {
  const memory = buddyMemory({ arenas: [ARENA_BYTES], leaseCountMax: 4096, poison: true })
  assert(memory.leaseBytesMax > 0, "there is payload memory")
  return memory
}
