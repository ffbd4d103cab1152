/**
 * The client role of a daemon: pools that it opens, maps as devices and exports by NBD.
 *
 * A pool that cannot be opened yet is tried again until it can, and `status` says why not: a daemon
 * that starts before its storage nodes is no error.
 */
import {
  type Device,
  type ExportFacts,
  mapDevice,
  type NbdServer,
  nbdServer,
  unmapDevice,
} from "@rmr/brmr-client"
import { type ClientPool, LinkRegistry, openPool } from "@rmr/client"
import {
  buddyMemory,
  type Env,
  endsWithin,
  type MemberId,
  type Memory,
  memberId,
  type PoolMetadata,
  RmrError,
  type Timer,
  type ViewNumber,
} from "@rmr/core"
import {
  fastSocketEngine,
  fastStreamEngine,
  pageArenas,
  type StreamEngineSource,
  type StreamListener,
} from "@rmr/io"
import type { ClientConfig, ClientPoolConfig } from "../config/config.js"
import type { ClientStatus, Counts, DaemonStats, MapCheckShown } from "../control/status.js"
import { SOFTWARE } from "../version.js"
import type { Asked, ClientService } from "./client-service.js"
import { nbdUri } from "./nbd-uri.js"
import { openOptions, openOrCreate, type PoolOpener } from "./pool-opening.js"
import { type PoolEntry, poolStatus } from "./pool-status.js"
import { ourTransports } from "./transports.js"

const LEASES_MAX = 8192
const RETRY_MS = 500

interface Entry extends PoolEntry {
  pool: ClientPool | undefined
  device: Device | undefined
  error: RmrError | undefined
  isWanted: boolean
  /** There while it waits for the next try. */
  retry: Timer | undefined
  /** There while it is being opened or unmapped. */
  work: Promise<void> | undefined
}

export class ClientRole implements ClientService {
  private readonly env: Env
  private readonly registry: LinkRegistry
  private readonly nbd: NbdServer
  private readonly listeners: StreamListener[] = []
  private readonly entries: Entry[]
  private readonly closeMs: number
  private readonly opener: PoolOpener
  private isClosed = false

  private constructor(
    env: Env,
    name: string,
    memory: Memory,
    config: ClientConfig,
    engine: StreamEngineSource,
  ) {
    this.env = env
    const transport = ourTransports(fastSocketEngine, { pathPolicy: config.path_policy })
    this.registry = new LinkRegistry({ env, memory, transport, hostName: name, software: SOFTWARE })
    this.closeMs = config.close_ms
    this.opener = { registry: this.registry, closeMs: this.closeMs }
    const drainMs = this.closeMs
    this.nbd = nbdServer({ env, memory, engine, drainMs })
    this.entries = config.pool.map((pool) => ({
      config: pool,
      pool: undefined,
      device: undefined,
      error: undefined,
      isWanted: true,
      retry: undefined,
      work: undefined,
    }))
  }

  /** Fails where NBD cannot be listened for; pools are opened in the background. */
  static async start(
    env: Env,
    name: string,
    config: ClientConfig,
    engine: StreamEngineSource = fastStreamEngine,
  ): Promise<ClientRole> {
    const memory = buddyMemory({ arenas: pageArenas([config.memory]), leaseCountMax: LEASES_MAX })
    const role = new ClientRole(env, name, memory, config, engine)
    try {
      for (const address of config.nbd) role.listeners.push(await role.nbd.listen(address))
    } catch (thrown) {
      await role.close()
      throw thrown
    }
    for (const entry of role.entries) role.open(entry)
    return role
  }

  /**
   * Opens a pool now, or fails with what it waits for. By force, and where the one that is open
   * here has too few members to serve anybody, that one is given up (F6).
   */
  async start(poolName: string, asked: Asked): Promise<unknown> {
    const entry = this.entryOf(poolName)
    await settled(entry)
    if (isServed(entry)) {
      if (asked.isForced !== true || entry.pool?.isServing === true) {
        throw new RmrError("exists", `pool ${poolName} is open here already`)
      }
      entry.pool?.giveUp("it is started by force")
      entry.pool = undefined
    }
    await this.openNow(entry, asked)
    return { ...poolStatus(this.env, entry), forced: entry.pool?.forced ?? null }
  }

  /** R7: a member of another history gives that up for the one that is open here. */
  async resolve(
    poolName: string,
    keep: number,
    discard: number,
    view: ViewNumber,
  ): Promise<unknown> {
    await this.poolOf(poolName).resolve(memberId(keep), memberId(discard), view)
    return { pool: poolName, keep, discard }
  }

  /**
   * What clients have asked for is answered, for as long as may be; what is not over then is given
   * up, and this fails with `deadline` after the rest.
   */
  async close(): Promise<void> {
    this.isClosed = true
    for (const entry of this.entries) stopWaiting(entry)
    const { clock } = this.env
    const endMs = clock.nowMs() + this.closeMs
    const drained = this.nbd.close()
    await endsWithin(clock, this.closeMs, drained)
    const leftMs = Math.max(0, endMs - clock.nowMs())
    const closing = this.entries.map(async ({ pool }) => (await pool?.close(leftMs)) ?? 0)
    const givenUp = (await Promise.all(closing)).reduce((sum, count) => sum + count, 0)
    await drained
    await this.registry.close()
    // Whoever was opening or unmapping finds everything closed, and ends.
    for (const entry of this.entries) await settled(entry)
    if (givenUp === 0) return
    const words = `${givenUp} requests were not over after ${this.closeMs} ms, and have failed`
    throw new RmrError("deadline", `${words}; some of them may have been carried out`)
  }

  status(): ClientStatus {
    const { connectionCount: clientCount, ...stats } = this.nbd.stats()
    return {
      memory: this.registry.memory.stats(),
      loops: 1,
      nbd: { ...stats, clientCount, uris: this.uris() },
      pools: this.entries.map((entry) => poolStatus(this.env, entry)),
    }
  }

  /** Takes the pool from a client that is alive: an admin said so. */
  async takeOver(poolName: string): Promise<unknown> {
    const entry = this.entryOf(poolName)
    await settled(entry)
    if (isServed(entry)) throw new RmrError("exists", `pool ${poolName} is open here already`)
    await this.openNow(entry, { isTakeover: true })
    return poolStatus(this.env, entry)
  }

  /**
   * Ends exports, unmaps the device on all members and leaves the pool; nobody opens it again. Of a
   * pool that is not open here, members may remember a device all the same, all or some of them:
   * they are asked to forget it. Where it fails, all stays as it is.
   */
  async unmap(poolName: string): Promise<unknown> {
    const entry = this.entryOf(poolName)
    await settled(entry)
    await this.alone(entry, async () => {
      const { pool } = entry
      if (pool === undefined) await this.unmapOnMembers(entry.config)
      else await this.giveUp(entry, pool)
      entry.isWanted = false
      entry.error = undefined
    })
    return poolStatus(this.env, entry)
  }

  /** Fails with `mismatch` where the pool has another size than the one that is said. */
  async map(poolName: string, sizeBytes: number | undefined): Promise<unknown> {
    const entry = this.entryOf(poolName)
    await settled(entry)
    if (isServed(entry)) throw new RmrError("exists", `${poolName} is mapped already`)
    await this.openNow(entry, sizeBytes === undefined ? {} : { sizeBytes })
    return poolStatus(this.env, entry)
  }

  recordOf(poolName: string): PoolMetadata | undefined {
    return this.entries.find(({ config }) => config.name === poolName)?.pool?.record
  }

  stats(): DaemonStats["client"] {
    return this.entries.flatMap(({ config, pool }) =>
      pool === undefined ? [] : [{ name: config.name, counts: { ...pool.counts } }],
    )
  }

  nbdStats(): Counts {
    return { ...this.nbd.stats() }
  }

  exports(): readonly ExportFacts[] {
    return this.nbd.exports()
  }

  async checkMaps(poolName: string): Promise<readonly MapCheckShown[]> {
    const checks = await this.poolOf(poolName).checkMaps()
    return checks.map(({ memberId: member, error, ...said }) => ({
      ...said,
      member,
      error: error?.message ?? null,
    }))
  }

  async reconnect(poolName: string, member: number): Promise<unknown> {
    await this.poolOf(poolName).reconnect(memberId(member))
    return { pool: poolName, member }
  }

  async replaceStore(poolName: string, member: number, acceptsLoss: boolean): Promise<unknown> {
    await this.poolOf(poolName).replaceStore(memberId(member), acceptsLoss)
    return { pool: poolName, member }
  }

  async extendPool(poolName: string, member: number, address: string): Promise<unknown> {
    await this.poolOf(poolName).extend({ memberId: memberId(member), address })
    return { pool: poolName, member, address }
  }

  async moveMember(poolName: string, member: number, address: string): Promise<unknown> {
    await this.poolOf(poolName).move({ memberId: memberId(member), address })
    return { pool: poolName, member, address }
  }

  async maintain(poolName: string, member: number, isOut: boolean): Promise<unknown> {
    await this.poolOf(poolName).maintain(memberId(member), isOut)
    return { pool: poolName, member, isOut }
  }

  async requireMembers(poolName: string, count: number): Promise<unknown> {
    await this.poolOf(poolName).require(count)
    return { pool: poolName, count }
  }

  async deleteMember(poolName: string, member: number, acceptsLoss: boolean): Promise<unknown> {
    await this.poolOf(poolName).delete(memberId(member), acceptsLoss)
    return { pool: poolName, member }
  }

  async acceptChunk(
    poolName: string,
    chunk: number,
    from: MemberId | undefined,
    acceptsLoss: boolean,
  ): Promise<unknown> {
    await this.poolOf(poolName).acceptChunk(chunk, from, acceptsLoss)
    return { pool: poolName, chunk }
  }

  /** NBD clients that connect from now on see the new size; the others go on with the old one. */
  async growPool(poolName: string, sizeBytes: number): Promise<unknown> {
    await this.poolOf(poolName).grow(sizeBytes)
    await this.entryOf(poolName).device?.refresh()
    return { pool: poolName, sizeBytes }
  }

  /** A pool that is open. */
  private poolOf(poolName: string): ClientPool {
    const { pool, error } = this.entryOf(poolName)
    if (pool !== undefined) return pool
    throw error ?? new RmrError("busy", `pool ${poolName} is not open yet; "rmr status" says why`)
  }

  private entryOf(poolName: string): Entry {
    const entry = this.entries.find(({ config }) => config.name === poolName)
    if (entry !== undefined) return entry
    const known = this.entries.map(({ config }) => config.name).join(", ") || "none"
    throw new RmrError("not-found", `no pool ${poolName} in the configuration; it has: ${known}`)
  }

  private async giveUp(entry: Entry, pool: ClientPool): Promise<void> {
    const { device } = entry
    if (device !== undefined) {
      await this.endExport(device.name)
      try {
        await device.unmap()
      } catch (thrown) {
        // Whose pool was taken has nothing to say to its members.
        if (pool.ended === undefined) {
          this.export(device, pool.name)
          throw thrown
        }
      }
    }
    await pool.close()
    entry.device = undefined
    entry.pool = undefined
  }

  private async unmapOnMembers(config: ClientPoolConfig): Promise<void> {
    const pool = await openPool(openOptions(this.opener, config))
    try {
      await unmapDevice(pool)
    } finally {
      await this.leave(pool)
    }
  }

  /** One that nobody has used; whose links are gone waits for nothing. */
  private async leave(pool: ClientPool): Promise<void> {
    await pool.close(this.isClosed ? 0 : this.closeMs)
  }

  private open(entry: Entry): void {
    this.openNow(entry, {}).catch((thrown: unknown) => {
      const error = RmrError.from(thrown)
      if (entry.error?.message !== error.message) {
        this.env.log.write("warn", "pool.not-open", {
          pool: entry.config.name,
          code: error.code,
          detail: error.detail,
        })
      }
      entry.error = error
    })
  }

  private openNow(entry: Entry, asked: Asked): Promise<void> {
    return this.alone(entry, () => this.openAndExport(entry, asked))
  }

  /** One at a time for a pool. What fails leaves one that waits waiting. */
  private async alone(entry: Entry, work: () => Promise<void>): Promise<void> {
    if (entry.work !== undefined) {
      throw new RmrError("busy", `pool ${entry.config.name} is being opened or unmapped`)
    }
    stopWaiting(entry)
    entry.work = work()
    try {
      await entry.work
    } finally {
      entry.work = undefined
      if (entry.pool === undefined && entry.isWanted) this.openLater(entry)
    }
  }

  private openLater(entry: Entry): void {
    if (this.isClosed) return
    entry.retry = this.env.clock.schedule(RETRY_MS, () => this.open(entry))
  }

  private async openAndExport(entry: Entry, asked: Asked): Promise<void> {
    const exported = nameOf(entry.config)
    const pool = await openOrCreate(this.opener, entry.config, asked)
    try {
      // What was exported is of a pool that somebody has taken meanwhile.
      if (entry.device !== undefined) await this.endExport(exported)
      entry.device = undefined
      const { sizeBytes } = asked
      const sizes = sizeBytes === undefined ? {} : { sizeBytes }
      const device = await mapDevice({ ...sizes, pool, name: exported })
      this.export(device, pool.name)
      entry.device = device
      entry.pool = pool
      entry.error = undefined
      entry.isWanted = true
      this.env.log.write("info", "pool.open", { pool: pool.name, row: device.row })
    } catch (thrown) {
      // The next try opens it again, and must not find ourselves there.
      await this.leave(pool)
      throw thrown
    }
  }

  /** Also of a device that could not be unmapped: it is there again for its clients. */
  private export(device: Device, poolName: string): void {
    if (this.isClosed) return
    this.nbd.addExport(device.name, device, { description: `pool ${poolName}` })
  }

  /** One that is gone already has ended. */
  private async endExport(name: string): Promise<void> {
    try {
      await this.nbd.removeExport(name)
    } catch (thrown) {
      if (RmrError.from(thrown).code !== "not-found") throw thrown
    }
  }

  private uris(): string[] {
    return this.entries.flatMap(({ config, device }) =>
      device === undefined
        ? []
        : this.listeners.map(({ address }) => nbdUri(address, nameOf(config))),
    )
  }
}

/** Nobody has taken it since. */
function isServed({ pool }: Entry): boolean {
  return pool !== undefined && pool.ended === undefined
}

/** Nobody opens or unmaps it any more; how that ended is told to who began it. */
async function settled({ work }: Entry): Promise<void> {
  await work?.catch(() => undefined)
}

function stopWaiting(entry: Entry): void {
  entry.retry?.cancel()
  entry.retry = undefined
}

/** Of the device of a pool, and of its export. */
export function nameOf(config: ClientPoolConfig): string {
  return config.export ?? config.name
}
