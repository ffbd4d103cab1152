/**
 * The client role of a daemon whose pools are shared out among several loops, each a thread of its
 * own with its own payload memory and sessions. This thread listens for NBD, does the handshake,
 * and hands each client to the loop that has the pool behind the export which it chose.
 */

import type { ExportFacts } from "@rmr/brmr-client"
import { nbdDoor } from "@rmr/brmr-client"
import type { Env, PoolMetadata } from "@rmr/core"
import type { Door } from "@rmr/io"
import type { ClientConfig } from "../config/config.js"
import type { ClientStatus, Counts, DaemonStats } from "../control/status.js"
import { nameOf } from "./client-role.js"
import type { ClientService } from "./client-service.js"
import type { Asking, LoopSetting } from "./loop-messages.js"
import { inOrder, sumOf } from "./loop-sums.js"
import { PoolThreads } from "./pool-threads.js"

type AskingOne<M extends keyof ClientService> = Asking<ClientService, M>

export class ClientLoops implements ClientService {
  readonly start: AskingOne<"start">
  readonly takeOver: AskingOne<"takeOver">
  readonly map: AskingOne<"map">
  readonly unmap: AskingOne<"unmap">
  readonly resolve: AskingOne<"resolve">
  readonly checkMaps: AskingOne<"checkMaps">
  readonly reconnect: AskingOne<"reconnect">
  readonly replaceStore: AskingOne<"replaceStore">
  readonly extendPool: AskingOne<"extendPool">
  readonly moveMember: AskingOne<"moveMember">
  readonly maintain: AskingOne<"maintain">
  readonly requireMembers: AskingOne<"requireMembers">
  readonly deleteMember: AskingOne<"deleteMember">
  readonly acceptChunk: AskingOne<"acceptChunk">
  readonly growPool: AskingOne<"growPool">
  private readonly config: ClientConfig
  private readonly threads: PoolThreads<ClientService>
  private readonly doors: Door[] = []

  private constructor(config: ClientConfig, threads: PoolThreads<ClientService>) {
    this.config = config
    this.threads = threads
    this.start = threads.asking("start")
    this.takeOver = threads.asking("takeOver")
    this.map = threads.asking("map")
    this.unmap = threads.asking("unmap")
    this.resolve = threads.asking("resolve")
    this.checkMaps = threads.asking("checkMaps")
    this.reconnect = threads.asking("reconnect")
    this.replaceStore = threads.asking("replaceStore")
    this.extendPool = threads.asking("extendPool")
    this.moveMember = threads.asking("moveMember")
    this.maintain = threads.asking("maintain")
    this.requireMembers = threads.asking("requireMembers")
    this.deleteMember = threads.asking("deleteMember")
    this.acceptChunk = threads.asking("acceptChunk")
    this.growPool = threads.asking("growPool")
  }

  /** Fails where NBD cannot be listened for; pools are opened in the background. */
  static async start(
    env: Env,
    setting: LoopSetting,
    config: ClientConfig,
    loopCount: number,
  ): Promise<ClientLoops> {
    const names = config.pool.map(({ name }) => name)
    const threads = new PoolThreads<ClientService>(names, loopCount)
    const loops = new ClientLoops(config, threads)
    try {
      // First, so that each loop knows where its exports are found.
      for (const address of config.nbd) loops.doors.push(await loops.listen(env, address))
      const nbd = loops.doors.map(({ address }) => address)
      await threads.start((loop, isMine) => {
        const pool = config.pool.filter(({ name }) => isMine(name))
        return { ...setting, loop, role: { kind: "client", config: { ...config, nbd, pool } } }
      })
    } catch (thrown) {
      await loops.close()
      throw thrown
    }
    env.log.write("info", "daemon.client-loops", { loops: threads.count })
    return loops
  }

  async recordOf(poolName: string): Promise<PoolMetadata | undefined> {
    return this.threads.has(poolName) ? this.threads.asking("recordOf")(poolName) : undefined
  }

  async status(): Promise<ClientStatus> {
    const all = await this.threads.askAll("status")
    const uris = all.flatMap(({ nbd }) => nbd.uris)
    const counts = all.map(({ nbd: { uris: _, ...counted } }) => counted)
    return {
      memory: sumOf(all.map(({ memory }) => memory)),
      loops: this.threads.count,
      nbd: { ...sumOf(counts), uris },
      pools: inOrder(
        this.config.pool,
        all.flatMap(({ pools }) => pools),
      ),
    }
  }

  async stats(): Promise<DaemonStats["client"]> {
    return inOrder(this.config.pool, (await this.threads.askAll("stats")).flat())
  }

  async nbdStats(): Promise<Counts> {
    return sumOf(await this.threads.askAll("nbdStats"))
  }

  /** In the order of the configuration: the first is the default one. */
  async exports(): Promise<readonly ExportFacts[]> {
    const order = this.config.pool.map((pool) => ({ name: nameOf(pool) }))
    return inOrder(order, (await this.threads.askAll("exports")).flat())
  }

  async close(): Promise<void> {
    for (const door of this.doors) door.close()
    await this.threads.close()
  }

  private listen(env: Env, address: ClientConfig["nbd"][number]): Promise<Door> {
    return nbdDoor(address, {
      clock: env.clock,
      exports: () => this.exports(),
      onGuest: (exported, guest) => {
        const pool = this.config.pool.find((one) => nameOf(one) === exported)
        if (pool !== undefined) this.threads.giveByPool(pool.name, guest)
      },
    })
  }
}
