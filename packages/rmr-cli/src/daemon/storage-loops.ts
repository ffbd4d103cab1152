/**
 * The storage role of a daemon whose pools are shared out among several loops, each a thread of its
 * own with its own payload memory. This thread only listens, and hands each connection to the loop
 * that has the pools of its shard.
 */
import type { Env, PoolMetadata } from "@rmr/core"
import { type TcpDoor, tcpDoor } from "@rmr/transport-tcp"
import type { StorageConfig } from "../config/config.js"
import type { DaemonStats, StorageStatus } from "../control/status.js"
import type { Asking, LoopSetting } from "./loop-messages.js"
import { inOrder, sumOf } from "./loop-sums.js"
import { PoolThreads } from "./pool-threads.js"
import type { StorageService } from "./storage-service.js"

type AskingOne<M extends keyof StorageService> = Asking<StorageService, M>

export class StorageLoops implements StorageService {
  readonly mapSummary: AskingOne<"mapSummary">
  readonly showMaps: AskingOne<"showMaps">
  readonly lastIo: AskingOne<"lastIo">
  readonly setSync: AskingOne<"setSync">
  readonly startScrub: AskingOne<"startScrub">
  readonly stopScrub: AskingOne<"stopScrub">
  readonly removeStore: AskingOne<"removeStore">
  readonly addStore: AskingOne<"addStore">
  private readonly config: StorageConfig
  private readonly threads: PoolThreads<StorageService>
  private readonly doors: TcpDoor[] = []

  private constructor(config: StorageConfig, threads: PoolThreads<StorageService>) {
    this.config = config
    this.threads = threads
    this.mapSummary = threads.asking("mapSummary")
    this.showMaps = threads.asking("showMaps")
    this.lastIo = threads.asking("lastIo")
    this.setSync = threads.asking("setSync")
    this.startScrub = threads.asking("startScrub")
    this.stopScrub = threads.asking("stopScrub")
    this.removeStore = threads.asking("removeStore")
    this.addStore = threads.asking("addStore")
  }

  /** Fails with the first thing that is wrong; what was begun is ended. */
  static async start(
    env: Env,
    setting: LoopSetting,
    config: StorageConfig,
    loopCount: number,
  ): Promise<StorageLoops> {
    const names = config.pool.map(({ name }) => name)
    const threads = new PoolThreads<StorageService>(names, loopCount)
    const loops = new StorageLoops(config, threads)
    try {
      await threads.start((loop, isMine) => {
        const pool = config.pool.filter(({ name }) => isMine(name))
        return { ...setting, loop, role: { kind: "storage", config: { ...config, pool } } }
      })
      for (const address of config.listen) loops.doors.push(await loops.listen(env, address))
    } catch (thrown) {
      await loops.close()
      throw thrown
    }
    env.log.write("info", "daemon.storage-loops", { loops: threads.count })
    return loops
  }

  async recordOf(poolName: string): Promise<PoolMetadata | undefined> {
    return this.threads.has(poolName) ? this.threads.asking("recordOf")(poolName) : undefined
  }

  async status(): Promise<StorageStatus> {
    const all = await this.threads.askAll("status")
    return {
      memory: sumOf(all.map(({ memory }) => memory)),
      loops: this.threads.count,
      listen: this.doors.map(({ address }) => address),
      pools: inOrder(
        this.config.pool,
        all.flatMap(({ pools }) => pools),
      ),
    }
  }

  async stats(): Promise<DaemonStats["storage"]> {
    return inOrder(this.config.pool, (await this.threads.askAll("stats")).flat())
  }

  async close(): Promise<void> {
    for (const door of this.doors) door.close()
    await this.threads.close()
  }

  private listen(env: Env, address: string): Promise<TcpDoor> {
    return tcpDoor(address, {
      clock: env.clock,
      onGuest: (shard, guest) => this.threads.giveByShard(shard, guest),
    })
  }
}
