/** The storage role of a daemon: a node with its pools, each from a store in a file or device. */
import { existsSync, statSync } from "node:fs"
import { fileStore } from "@rmr/brmr-store"
import {
  buddyMemory,
  type Env,
  endsWithin,
  explain,
  type LastIoEntry,
  type Listener,
  type Memory,
  mapSummary,
  type PoolMetadata,
  RmrError,
} from "@rmr/core"
import {
  fastBlockChecksums,
  fastChecksum,
  fastSocketEngine,
  fileSource,
  pageArenas,
  type SocketEngineSource,
} from "@rmr/io"
import { deviceHandler, type ServerPool, StorageNode, type SyncLimits } from "@rmr/server"
import type { StorageConfig, StoragePoolConfig } from "../config/config.js"
import {
  type DaemonStats,
  type MapShown,
  type ScrubShown,
  type StoragePoolStatus,
  type StorageStatus,
  shownMap,
  shownView,
} from "../control/status.js"
import { SOFTWARE } from "../version.js"
import { PoolScrubs } from "./pool-scrubs.js"
import type { StorageService } from "./storage-service.js"
import { makeStoreFile } from "./store-file.js"
import { ourTransports } from "./transports.js"

const LEASES_MAX = 8192

interface Served {
  readonly config: StoragePoolConfig
  readonly pool: ServerPool
}

export class StorageRole implements StorageService {
  private readonly env: Env
  private readonly memory: Memory
  private readonly node: StorageNode
  private readonly config: StorageConfig
  private readonly served: Served[] = []
  private readonly scrubs: PoolScrubs
  private readonly adding = new Set<string>()
  private readonly listeners: Listener[] = []

  private constructor(env: Env, memory: Memory, node: StorageNode, config: StorageConfig) {
    this.env = env
    this.memory = memory
    this.config = config
    this.node = node
    this.scrubs = new PoolScrubs(env)
  }

  /** Fails with the first thing that is wrong; what was begun is ended. */
  static async start(
    env: Env,
    name: string,
    config: StorageConfig,
    engine: SocketEngineSource = fastSocketEngine,
  ): Promise<StorageRole> {
    const memory = buddyMemory({ arenas: pageArenas([config.memory]), leaseCountMax: LEASES_MAX })
    const transport = ourTransports(engine)
    const checksum = fastChecksum()
    const software = SOFTWARE
    const closeMs = config.close_ms
    const parts = { env, memory, transport, hostName: name, software, checksum, closeMs }
    const node = new StorageNode(parts)
    const role = new StorageRole(env, memory, node, config)
    try {
      for (const pool of config.pool) await role.addPool(pool)
      for (const address of config.listen) role.listeners.push(await node.listen(address))
    } catch (thrown) {
      await role.close()
      throw thrown
    }
    return role
  }

  /** Fails where a store was not closed cleanly; with `deadline` where it was not in time. */
  async close(): Promise<void> {
    const { clock } = this.env
    const endMs = clock.nowMs() + this.config.close_ms
    // What they have found is marked before stores are closed; one that hangs holds up no other.
    await endsWithin(clock, this.config.close_ms / 2, this.scrubs.close())
    await this.node.close(endMs - clock.nowMs())
  }

  /** What `status` shows of this role. */
  status(): StorageStatus {
    return {
      memory: this.memory.stats(),
      loops: 1,
      listen: this.listeners.map(({ address }) => address),
      pools: this.served.map(({ config, pool }) => this.poolStatus(config, pool)),
    }
  }

  /** The own map of a pool's member and its marks about others, as text. */
  mapSummary(poolName: string): string {
    return mapSummary(this.servedOf(poolName).pool.memberMaps())
  }

  /** What is dirty, by member; of each at most `rangesMax` ranges from chunk `from` on. */
  showMaps(poolName: string, from: number, rangesMax: number): readonly MapShown[] {
    const { pool } = this.servedOf(poolName)
    return pool.memberMaps().map((one) => shownMap(one, from, rangesMax))
  }

  lastIo(poolName: string): readonly LastIoEntry[] {
    return this.servedOf(poolName).pool.lastIo()
  }

  recordOf(poolName: string): PoolMetadata | undefined {
    return this.served.find(({ pool }) => pool.name === poolName)?.pool.record
  }

  stats(): DaemonStats["storage"] {
    return this.served.map(({ pool }) => ({
      name: pool.name,
      member: pool.member.memberId,
      counts: {
        ...pool.dataPath?.counts,
        copiedChunks: pool.copiedChunks,
        equalChunks: pool.equalChunks,
      },
    }))
  }

  setSync(poolName: string, isOn: boolean): { readonly pool: string; readonly isOn: boolean } {
    this.servedOf(poolName).pool.setSync(isOn)
    return { pool: poolName, isOn }
  }

  /** Reads the store through, beside everything else; fails as PoolScrubs says. */
  startScrub(poolName: string, bytesPerSecond: number): ScrubShown {
    return this.scrubs.start(this.servedOf(poolName).pool, bytesPerSecond)
  }

  stopScrub(poolName: string): Promise<ScrubShown> {
    return this.scrubs.stop(this.servedOf(poolName).pool.name)
  }

  /**
   * Closes a pool's store cleanly; the pool goes on without this member. Where the store hangs, it
   * is not served any more all the same.
   */
  async removeStore(poolName: string): Promise<{ readonly pool: string; readonly store: string }> {
    const found = this.servedOf(poolName)
    this.served.splice(this.served.indexOf(found), 1)
    await endsWithin(this.env.clock, this.config.close_ms, this.scrubs.forget(poolName))
    await this.node.removePool(found.pool)
    return { pool: poolName, store: found.config.store }
  }

  /** Serves a pool of the configuration again. Fails with `exists` where it is served. */
  async addStore(poolName: string): Promise<{ readonly pool: string; readonly store: string }> {
    const config = this.config.pool.find(({ name }) => name === poolName)
    if (config === undefined) {
      const known = this.config.pool.map(({ name }) => name).join(", ") || "none"
      throw new RmrError("not-found", `no pool ${poolName} in the configuration; it has: ${known}`)
    }
    if (this.isServed(poolName) || this.adding.has(poolName)) {
      throw new RmrError("exists", `the store of ${poolName} is served already`)
    }
    this.adding.add(poolName)
    try {
      await this.addPool(config)
    } finally {
      this.adding.delete(poolName)
    }
    return { pool: poolName, store: config.store }
  }

  private isServed(poolName: string): boolean {
    return this.served.some(({ pool }) => pool.name === poolName)
  }

  private servedOf(poolName: string): Served {
    const found = this.served.find(({ pool }) => pool.name === poolName)
    if (found !== undefined) return found
    const known = this.served.map(({ pool }) => pool.name).join(", ") || "none"
    throw new RmrError("not-found", `no pool ${poolName} is served here; served are: ${known}`)
  }

  private async addPool(config: StoragePoolConfig): Promise<void> {
    const file = fileSource(config.store, { direct: config.direct })
    const sums = { checksum: fastChecksum(), blockChecksums: fastBlockChecksums() }
    await this.makeStore(config)
    const pool = await this.node.addPool({
      poolName: config.name,
      memberId: config.member,
      chunkSizeBytes: config.chunk,
      queueDepth: config.queue_depth,
      source: fileStore({ source: file, ...sums }),
      userHandler: deviceHandler,
      sync: syncLimitsOf(config),
    })
    this.served.push({ config, pool })
  }

  /** A store is made where the file does not exist and a size is said. */
  private async makeStore(config: StoragePoolConfig): Promise<void> {
    const { store: path, size } = config
    if (existsSync(path)) {
      if (statSync(path).isDirectory()) {
        throw new RmrError("invalid-argument", `${path} is a directory; name a file or a device`)
      }
      return
    }
    if (size === undefined) {
      const words = `${path} does not exist; make it with "rmr store create", or say size = "…"`
      throw new RmrError("not-found", words)
    }
    const { max_size: sizeBytesMax = size, chunk: chunkSizeBytes, data_sums: dataSums } = config
    await makeStoreFile(this.env, path, { sizeBytes: size, sizeBytesMax, chunkSizeBytes, dataSums })
  }

  private poolStatus(config: StoragePoolConfig, pool: ServerPool): StoragePoolStatus {
    const { member, state, record } = pool
    const own = member.volume?.maps.own
    const { chunksPerSecond, leftMs } = pool.syncProgress
    const { isPaced = false, bytesPerSecond = 0, slowdown } = pool.syncPace ?? {}
    return {
      name: pool.name,
      member: member.memberId,
      ...explain(state),
      sinceMs: Math.round(this.env.clock.nowMs() - state.sinceMs),
      view: record === undefined ? null : shownView(record.mapVersion),
      restart: member.restart,
      dirtyChunks: own?.count ?? 0,
      chunkCount: own?.chunkCount ?? 0,
      copiedChunks: pool.copiedChunks,
      equalChunks: pool.equalChunks,
      chunksPerSecond: Math.round(10 * chunksPerSecond) / 10,
      syncLeftMs: leftMs === undefined ? null : Math.round(leftMs),
      isSyncPaced: isPaced,
      syncBytesPerSecondMax: Math.round(bytesPerSecond),
      foregroundSlowdown: slowdown === undefined ? null : Math.round(100 * slowdown) / 100,
      isSyncStopped: pool.isSyncStopped,
      hotExtents: member.volume?.hot.count ?? 0,
      store: config.store,
      sizeBytes: record?.mappedSizeBytes ?? member.store.sizeBytes,
      hasDataSums: member.store.supports.dataChecked,
      scrub: this.scrubs.of(pool.name),
      failure: pool.lastFailure?.message ?? null,
      deletedIn: pool.deletedIn === undefined ? null : shownView(pool.deletedIn),
    }
  }
}

function syncLimitsOf(config: StoragePoolConfig): SyncLimits {
  return {
    bytesPerSecondMax: config.sync_max,
    bytesPerSecondMin: config.sync_min,
    shareMin: config.sync_min_share,
  }
}
