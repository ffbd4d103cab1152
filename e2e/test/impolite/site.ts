/**
 * A pool of real processes on hosts of their own, and everything that can be done to it.
 *
 * A load sees the device. When the client dies, the device dies with it: the load is given up
 * before the client is started again, and begins anew when the device is there. That is what a
 * power cut of the client's host is to an application.
 */

import { Wires } from "../../../bench/device/wires.js"
import { askDaemon } from "../../../packages/rmr-cli/src/control/control-client.js"
import type { DaemonStatus } from "../../../packages/rmr-cli/src/control/status.js"
import { failureText } from "../../../tools/setup/run.js"
import { expectSameStores, isLong } from "../nbd-tools.js"
import { type PoolProcesses, type RmrDaemon, startPool, until } from "../pool-processes.js"
import { rmr } from "../rmr-program.js"
import { CLIENT, type Fault } from "./schedule.js"

export const NODES = 3
/** A machine that has other work to do is slow; a pool that does not heal never does. */
const HEAL_MS_MAX = isLong() ? 600_000 : 240_000
const OPEN_MS_MAX = 120_000
const LOOK_MS = 100

/** Not held back for long: else most of a run would be spent with two members. */
const CLIENT_POOL = "no_leg_ms = 300000\nslow_hold_ms = 500\nslow_hold_max_ms = 3000\n"

export interface Load {
  /** The device is there for the first time. */
  begin(site: Site): Promise<void>
  /** Fails where something is wrong with it by now. */
  look(): void
  /** The client is about to die or to end: what fails from now on is no fault of the device. */
  brace(): void
  /** It is gone. */
  abandon(): Promise<void>
  /** Its device is there again. */
  recover(): Promise<void>
  /** Looks at everything that it wrote; what it did, in words. */
  end(): Promise<string>
  /** Ends what it has begun, wherever it is. */
  close(): Promise<void>
}

export interface Healing {
  readonly normalMs: number
  readonly healedMs: number
}

export class Site {
  readonly folder: string
  readonly sizeBytes: number
  readonly pool: PoolProcesses
  readonly wires: Wires
  /** By all lives of the client. */
  writtenBytes = 0
  clientLives = 1
  private readonly load: Load

  private constructor(parts: Parts, pool: PoolProcesses, wires: Wires) {
    this.folder = parts.folder
    this.sizeBytes = parts.sizeBytes
    this.load = parts.load
    this.pool = pool
    this.wires = wires
  }

  static async open(parts: Parts): Promise<Site> {
    const wires = await Wires.lay(NODES + 1)
    const options = { places: wires.places, storagePool: "data_sums = true\n" }
    try {
      const shape = { ...options, clientPool: `${CLIENT_POOL}${parts.clientPool}` }
      return new Site(parts, await startPool(parts.folder, NODES, parts.sizeBytes, shape), wires)
    } catch (thrown) {
      await wires.end()
      throw thrown
    }
  }

  get socket(): string {
    return this.pool.socket
  }

  async start(fault: Fault): Promise<void> {
    switch (fault.what) {
      case "cut":
        return this.wires.cut(fault.from, fault.to)
      case "pull":
        return this.wires.pull(fault.host)
      case "freeze":
        return this.daemon(fault.host).freeze()
      case "stop":
        return fault.host === CLIENT ? this.loseClient("stop") : this.daemon(fault.host).stop()
      case "kill":
        return fault.host === CLIENT ? this.loseClient("kill") : this.daemon(fault.host).kill()
    }
  }

  /** `isPatient`: nobody says that the last life of a client is over. */
  async end(fault: Fault, isPatient: boolean): Promise<void> {
    switch (fault.what) {
      case "cut":
        return this.wires.mend(fault.from, fault.to)
      case "pull":
        return this.wires.plug(fault.host)
      case "freeze":
        return this.daemon(fault.host).thaw()
      case "stop":
      case "kill":
        this.daemon(fault.host).start()
        if (fault.host === CLIENT) await this.reopen(isPatient)
    }
  }

  /** All are normal, and nobody lacks anything; answers for how long each of that took. */
  async untilHealed(): Promise<Healing> {
    const startMs = performance.now()
    const { client, storage } = this.pool
    const left = (): number => HEAL_MS_MAX - (performance.now() - startMs)
    await until("all legs are normal", client, areLegsNormal, left())
    const normalMs = performance.now() - startMs
    for (const node of storage) await until("a member is clean", node, isClean, left())
    await until("all legs are known to be clean", client, areLegsClean, left())
    // Whoever was in the middle of leaving has left by now.
    await until("all legs are normal, still", client, areLegsNormal, left())
    return { normalMs, healedMs: performance.now() - startMs }
  }

  /** In order; afterwards all stores hold the same, and nothing else than they should. */
  async finish(): Promise<void> {
    await this.countClient()
    await this.pool.stop()
    await this.wires.end()
    await expectSameStores(this.pool.stores)
    for (const store of this.pool.stores) {
      const scrubbed = await rmr("store", "scrub", store)
      if (!scrubbed.ok) throw new Error(failureText(scrubbed))
    }
  }

  /** Whatever state it is in. */
  async close(): Promise<void> {
    for (const daemon of [this.pool.client, ...this.pool.storage]) await daemon.kill()
    await this.wires.end()
  }

  /** For a failure: what every daemon said last, and says now. */
  async words(): Promise<string> {
    const all: string[] = []
    for (const daemon of [this.pool.client, ...this.pool.storage]) {
      const status = daemon.isRunning ? await shown(daemon) : "does not run"
      all.push(`--- ${daemon.config}: ${status}\n${daemon.lastWords}`)
    }
    return all.join("\n")
  }

  private daemon(host: number): RmrDaemon {
    return host === CLIENT ? this.pool.client : this.pool.storage[host - 1]!
  }

  /** Killed, or stopped in order: its device goes either way. */
  private async loseClient(how: "kill" | "stop"): Promise<void> {
    await this.countClient()
    this.load.look()
    this.load.brace()
    await this.pool.client[how]()
    await this.load.abandon()
  }

  /** P6: as long as a client lives, no request fails, whatever happens to nodes. */
  private async countClient(): Promise<void> {
    const { client } = await this.pool.client.status()
    this.writtenBytes += client?.nbd.writtenBytes ?? 0
    expect(client?.nbd.errorCount).toBe(0)
  }

  private async reopen(isPatient: boolean): Promise<void> {
    const { client } = this.pool
    const limit = performance.now() + OPEN_MS_MAX
    for (;;) {
      const status = await client.status().catch(() => undefined)
      if ((status?.client?.nbd.uris.length ?? 0) > 0) break
      if (performance.now() > limit)
        throw new Error(`the pool is not opened\n${await this.words()}`)
      // It may be just being tried, or too few are there: both are over some time.
      if (!isPatient && status !== undefined) {
        await askDaemon(client.control, "pool-takeover", { pool: "vault" }).catch(() => undefined)
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
    this.clientLives++
    await this.load.recover()
  }
}

export interface Parts {
  readonly folder: string
  readonly sizeBytes: number
  readonly load: Load
  /** Further lines of the client's pool. */
  readonly clientPool: string
}

async function shown(daemon: RmrDaemon): Promise<string> {
  return daemon.status().then(JSON.stringify, String)
}

function areLegsNormal({ client }: DaemonStatus): boolean {
  const legs = client?.pools[0]?.legs ?? []
  return legs.length === NODES && legs.every(({ state }) => state === "normal")
}

/** As the client has heard from them. */
function areLegsClean({ client }: DaemonStatus): boolean {
  return (client?.pools[0]?.legs ?? []).every(({ dirtyChunks }) => dirtyChunks === 0)
}

function isClean({ storage }: DaemonStatus): boolean {
  const [pool] = storage?.pools ?? []
  return pool?.state === "normal" && pool.dirtyChunks === 0
}
