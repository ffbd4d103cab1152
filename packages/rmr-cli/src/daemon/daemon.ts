/** One `rmr` daemon: either role or both, and the control socket over which admins speak to it. */
import { type Env, memberId, RmrError } from "@rmr/core"
import { jsonLog, lingerFor, nativeStatus, realEnv } from "@rmr/io"
import type { Config } from "../config/config.js"
import { ControlServer, type Verbs } from "../control/control-server.js"
import { CONTROL_DEFAULT } from "../control/protocol.js"
import {
  type DaemonStats,
  type DaemonStatus,
  type MapShown,
  type PoolShown,
  shownPool,
} from "../control/status.js"
import { VERSION } from "../version.js"
import type { ClientService } from "./client-service.js"
import { freeSocketPath } from "./socket-path.js"
import { startClient, startStorage } from "./start-roles.js"
import type { StorageService } from "./storage-service.js"

/** Of one map in one answer. */
const MAP_RANGES_MAX = 10_000

export class Daemon {
  private readonly config: Config
  private readonly env: Env
  private storage: StorageService | undefined
  private client: ClientService | undefined
  private control: ControlServer | undefined
  private isStuckNow = false

  private constructor(config: Config, env: Env) {
    this.config = config
    this.env = env
  }

  /** Fails with the first thing that is wrong; nothing of it runs then. */
  static async start(config: Config): Promise<Daemon> {
    const { reason } = nativeStatus()
    lingerFor(config.linger_us)
    const env = realEnv({ log: jsonLog({ level: config.log }).child({ node: config.name }) })
    const daemon = new Daemon(config, env)
    try {
      // First, so that a second daemon of the same place touches nothing.
      const path = config.control ?? CONTROL_DEFAULT
      daemon.control = await ControlServer.listen(path, daemon.verbs())
      if (config.storage !== undefined) {
        daemon.storage = await startStorage(env, config, config.storage)
      }
      if (config.client !== undefined) {
        for (const at of config.client.nbd) if ("path" in at) await freeSocketPath(at.path)
        daemon.client = await startClient(env, config, config.client)
      }
      env.log.write("info", "daemon.started", { version: VERSION, native: reason })
      return daemon
    } catch (thrown) {
      await daemon.close()
      throw thrown
    }
  }

  /** A store has not ended in time: its disk hangs, and so does whoever waits for that. */
  get isStuck(): boolean {
    return this.isStuckNow
  }

  /**
   * Devices first, then stores: everything in flight is finished, every store closed cleanly. Fails
   * where that was not so in time, or not at all; nothing is left to be done then either.
   */
  async close(): Promise<void> {
    this.env.log.write("info", "daemon.ending", { version: VERSION })
    try {
      await this.client?.close()
    } finally {
      await this.closeStorage()
    }
  }

  private async closeStorage(): Promise<void> {
    try {
      await this.storage?.close()
    } catch (thrown) {
      this.isStuckNow = RmrError.from(thrown).code === "deadline"
      throw thrown
    } finally {
      await this.control?.close()
    }
  }

  private verbs(): Verbs {
    return {
      status: async () => this.status(),
      stats: async () => this.stats(),
      "pool-show": async (args) => this.showPool(text(args, "pool")),
      "map-check": async (args) => this.requireClient().checkMaps(text(args, "pool")),
      "leg-reconnect": async (args) =>
        this.requireClient().reconnect(text(args, "pool"), count(args, "member")),
      "device-map": async (args) => this.requireClient().map(text(args, "pool"), size(args)),
      "device-unmap": async (args) => this.requireClient().unmap(text(args, "pool")),
      ...this.memberVerbs(),
      ...this.historyVerbs(),
      ...this.storageVerbs(),
    }
  }

  /** Who belongs to a pool, and how large it is. */
  private memberVerbs(): Verbs {
    return {
      "pool-replace": async (args) =>
        this.requireClient().replaceStore(
          text(args, "pool"),
          count(args, "member"),
          args["acceptsLoss"] === true,
        ),
      "pool-extend": async (args) =>
        this.requireClient().extendPool(
          text(args, "pool"),
          count(args, "member"),
          text(args, "address"),
        ),
      "pool-move": async (args) =>
        this.requireClient().moveMember(
          text(args, "pool"),
          count(args, "member"),
          text(args, "address"),
        ),
      "pool-maintain": async (args) =>
        this.requireClient().maintain(
          text(args, "pool"),
          count(args, "member"),
          args["isOut"] === true,
        ),
      "pool-require": async (args) =>
        this.requireClient().requireMembers(text(args, "pool"), count(args, "count")),
      "pool-delete": async (args) =>
        this.requireClient().deleteMember(
          text(args, "pool"),
          count(args, "member"),
          args["acceptsLoss"] === true,
        ),
      "pool-grow": async (args) =>
        this.requireClient().growPool(text(args, "pool"), count(args, "sizeBytes")),
    }
  }

  /** Who has a pool, and which of its histories counts. */
  private historyVerbs(): Verbs {
    return {
      "pool-takeover": async (args) => this.requireClient().takeOver(text(args, "pool")),
      "pool-start": async (args) => {
        const side = args["side"] === undefined ? {} : { side: memberId(count(args, "side")) }
        const isForced = args["isForced"] === true
        const isTakeover = args["isTakeover"] === true
        return this.requireClient().start(text(args, "pool"), { ...side, isForced, isTakeover })
      },
      "pool-resolve": async (args) =>
        this.requireClient().resolve(
          text(args, "pool"),
          count(args, "keep"),
          count(args, "discard"),
          { epoch: count(args, "epoch"), version: count(args, "version") },
        ),
      "chunk-accept": async (args) =>
        this.requireClient().acceptChunk(
          text(args, "pool"),
          args["chunk"] === 0 ? 0 : count(args, "chunk"),
          args["from"] === undefined ? undefined : memberId(count(args, "from")),
          args["acceptsLoss"] === true,
        ),
    }
  }

  private storageVerbs(): Verbs {
    return {
      "sync-stop": async (args) => this.requireStorage().setSync(text(args, "pool"), false),
      "sync-start": async (args) => this.requireStorage().setSync(text(args, "pool"), true),
      "scrub-start": async (args) =>
        this.requireStorage().startScrub(text(args, "pool"), count(args, "bytesPerSecond")),
      "scrub-stop": async (args) => this.requireStorage().stopScrub(text(args, "pool")),
      "store-remove": async (args) => this.requireStorage().removeStore(text(args, "pool")),
      "store-add": async (args) => this.requireStorage().addStore(text(args, "pool")),
      "map-show": async (args) => this.showMaps(args),
      "last-io": async (args) => this.requireStorage().lastIo(text(args, "pool")),
      "map-summary": async (args) => this.requireStorage().mapSummary(text(args, "pool")),
    }
  }

  private async status(): Promise<DaemonStatus> {
    const memory = process.memoryUsage()
    return {
      name: this.config.name,
      version: VERSION,
      pid: process.pid,
      residentBytes: memory.rss,
      native: nativeStatus(),
      storage: (await this.storage?.status()) ?? null,
      client: (await this.client?.status()) ?? null,
    }
  }

  private async stats(): Promise<DaemonStats> {
    return {
      storage: (await this.storage?.stats()) ?? [],
      client: (await this.client?.stats()) ?? [],
      nbd: (await this.client?.nbdStats()) ?? null,
    }
  }

  private async showPool(poolName: string): Promise<PoolShown> {
    const open = await this.client?.recordOf(poolName)
    const record = open ?? (await this.storage?.recordOf(poolName))
    if (record !== undefined) return shownPool(poolName, record)
    throw new RmrError("not-found", `${this.config.name} knows no record of a pool ${poolName}`)
  }

  private async showMaps(args: Readonly<Record<string, unknown>>): Promise<readonly MapShown[]> {
    const from = args["from"] === 0 ? 0 : count(args, "from")
    const rangesMax = Math.min(count(args, "rangesMax"), MAP_RANGES_MAX)
    return this.requireStorage().showMaps(text(args, "pool"), from, rangesMax)
  }

  private requireStorage(): StorageService {
    if (this.storage !== undefined) return this.storage
    throw new RmrError("unsupported", `${this.config.name} is no storage node`)
  }

  private requireClient(): ClientService {
    if (this.client !== undefined) return this.client
    throw new RmrError("unsupported", `${this.config.name} is no compute client`)
  }
}

function text(args: Readonly<Record<string, unknown>>, name: string): string {
  const value = args[name]
  if (typeof value === "string" && value !== "") return value
  throw new RmrError("invalid-argument", `the verb needs ${name}`)
}

/** Not every caller insists on one. */
function size({ sizeBytes }: Readonly<Record<string, unknown>>): number | undefined {
  return sizeBytes === undefined ? undefined : count({ sizeBytes }, "sizeBytes")
}

function count(args: Readonly<Record<string, unknown>>, name: string): number {
  const value = args[name]
  if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value
  throw new RmrError("invalid-argument", `${name} is a number of 1 or more`)
}
