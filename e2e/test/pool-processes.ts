/** Daemons of the `rmr` program as processes, for tests: started, killed, asked, ended. */
import { type ChildProcess, spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePorts } from "../../bench/device/target.js"
import type { Place } from "../../bench/device/wires.js"
import { askDaemon } from "../../packages/rmr-cli/src/control/control-client.js"
import type { DaemonStatus } from "../../packages/rmr-cli/src/control/status.js"
import { at } from "../../tools/setup/paths.js"
import { rmrEnv, rmrWords } from "./rmr-program.js"

const START_MS = 30_000
const STOP_MS = 20_000
const LOOK_MS = 50

export class RmrDaemon {
  readonly config: string
  readonly control: string
  /** What runs it: a command that runs the one behind it in its own process, as `env` does. */
  private readonly within: readonly string[]
  private child: ChildProcess | undefined
  private said = ""

  constructor(folder: string, name: string, text: string, within: readonly string[] = []) {
    this.within = within
    this.config = join(folder, `${name}.toml`)
    this.control = join(folder, `${name}.control`)
    writeFileSync(this.config, `name = "${name}"\ncontrol = "${this.control}"\n${text}`)
  }

  /** Fails where it does not run. */
  get pid(): number {
    const { child } = this
    if (child?.pid === undefined) throw new Error(`${this.config}: it does not run`)
    return child.pid
  }

  /** Whether the process that was started last is still there. */
  get isRunning(): boolean {
    const { child } = this
    return child !== undefined && child.exitCode === null && child.signalCode === null
  }

  /** The last of what it wrote to stderr: its log, and why it ended. */
  get lastWords(): string {
    return this.said
  }

  start(env: NodeJS.ProcessEnv = {}, within: readonly string[] = this.within): void {
    const words = [...rmrWords(), "daemon", "--config", this.config, "--end-with-stdin"]
    const [program = "", ...args] = [...within, process.execPath, ...words]
    const child = spawn(program, args, {
      cwd: at(),
      env: { ...rmrEnv(), ...env },
      stdio: ["pipe", "ignore", "pipe"],
    })
    child.stderr.on("data", (text: Buffer) => {
      this.said = (this.said + text.toString()).slice(-8000)
    })
    this.child = child
  }

  /** The process dies at once. */
  async kill(): Promise<void> {
    await this.end("SIGKILL")
  }

  /** The process does nothing any more, and still has what it has, until it is thawed. */
  freeze(): void {
    process.kill(this.pid, "SIGSTOP")
  }

  thaw(): void {
    process.kill(this.pid, "SIGCONT")
  }

  /** Fails where it does not end in order. */
  async stop(): Promise<void> {
    const code = await this.end("SIGTERM")
    if (code !== 0 && code !== undefined) throw new Error(`it ended with ${code}: ${this.said}`)
  }

  /** Its exit code, or the signal that ended it; SIGKILL also where it takes too long. */
  async endBy(signal: "SIGINT" | "SIGTERM"): Promise<number | string> {
    const end = await this.end(signal)
    if (end === undefined) throw new Error("it did not run")
    return end
  }

  /** It is told to end, and has said this. */
  async tellToEnd(words: string): Promise<void> {
    process.kill(this.pid, "SIGTERM")
    const limit = performance.now() + START_MS
    while (!this.said.includes(words)) {
      if (performance.now() > limit) throw new Error(`it has not said ${words}: ${this.said}`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }

  /** How it has ended by itself; fails where it does not. */
  async ended(): Promise<number | string> {
    const { child } = this
    if (child === undefined) throw new Error("it did not run")
    const limit = performance.now() + START_MS
    while (child.exitCode === null && child.signalCode === null) {
      if (performance.now() > limit) throw new Error(`it does not end: ${this.said}`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
    return child.exitCode ?? child.signalCode ?? "nothing"
  }

  async status(): Promise<DaemonStatus> {
    try {
      return (await askDaemon(this.control, "status")) as DaemonStatus
    } catch (thrown) {
      throw new Error(`${thrown instanceof Error ? thrown.message : thrown}\n${this.said}`)
    }
  }

  private async end(signal: NodeJS.Signals): Promise<number | string | undefined> {
    const { child } = this
    this.child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<number | string>((resolve) =>
      child.once("exit", (code, by) => resolve(code ?? by ?? "nothing")),
    )
    child.kill(signal)
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS)
    const code = await gone
    clearTimeout(timer)
    return signal === "SIGKILL" ? undefined : code
  }
}

export interface PoolOptions {
  /** Further lines of each `[storage]`. */
  readonly storage?: string
  /** Lines of configuration, behind those of each storage node's pool. */
  readonly storagePool?: string
  /** Where the store of a member is; default in the folder. */
  readonly storeOf?: (id: number) => string
  /** Further lines of `[client]`, and of its pool. */
  readonly client?: string
  readonly clientPool?: string
  /** So many of the nodes belong to the pool from the beginning; default all. */
  readonly founders?: number
  /** Where the client lives, and then each storage node; default this machine. */
  readonly places?: readonly Place[]
}

const HERE: Place = { address: "127.0.0.1", within: [] }

export interface PoolProcesses {
  readonly storage: readonly RmrDaemon[]
  readonly client: RmrDaemon
  readonly stores: readonly string[]
  /** Where storage nodes listen. */
  readonly ports: readonly number[]
  readonly socket: string
  readonly uri: string
  readonly tcpPort: number
  readonly tcpUri: string
  stop(): Promise<void>
}

/**
 * A pool of so many storage nodes, its device exported on a unix socket of the folder and on a port
 * of this machine.
 */
export async function startPool(
  folder: string,
  count: number,
  sizeBytes: number,
  options: PoolOptions = {},
): Promise<PoolProcesses> {
  const [tcpPort = 0, ...ports] = await freePorts(count + 1)
  const ids = ports.map((_, nth) => nth + 1)
  const storeOf = options.storeOf ?? ((id: number) => join(folder, `${id}.store`))
  const [clientPlace = HERE, ...places] = options.places ?? []
  const urls = ports.map((port, nth) => `tcp://${(places[nth] ?? HERE).address}:${port}`)
  const storage = ids.map((id, nth) => {
    const shape = `store = "${storeOf(id)}"\nsize = ${sizeBytes}\n${options.storagePool ?? ""}`
    const pool = `name = "vault"\nmember = ${id}\n${shape}`
    const listen = `listen = ["${urls[nth]}"]`
    const text = `[storage]\n${listen}\n${options.storage ?? ""}\n[[storage.pool]]\n${pool}`
    return new RmrDaemon(folder, `storage-${id}`, text, places[nth]?.within)
  })
  const named = ids.slice(0, options.founders ?? count)
  const members = named.map((id, nth) => `"${id}@${urls[nth]}"`).join(", ")
  const socket = join(folder, "nbd.sock")
  const shape = `create = ${sizeBytes}\n${options.clientPool ?? ""}`
  const pool = `name = "vault"\nmembers = [${members}]\n${shape}`
  const nbd = `nbd = ["unix:${socket}", "127.0.0.1:${tcpPort}"]\n${options.client ?? ""}`
  const text = `[client]\n${nbd}\n[[client.pool]]\n${pool}`
  const client = new RmrDaemon(folder, "client", text, clientPlace.within)
  for (const daemon of [...storage, client]) daemon.start()
  const stop = async (): Promise<void> => {
    await client.stop()
    for (const daemon of storage) await daemon.stop()
  }
  try {
    await untilMapped(client)
  } catch (thrown) {
    await stop().catch(() => undefined)
    throw thrown
  }
  return {
    storage,
    client,
    stores: ids.map(storeOf),
    ports,
    socket,
    uri: `nbd+unix:///vault?socket=${socket}`,
    tcpPort,
    tcpUri: `nbd://127.0.0.1:${tcpPort}/vault`,
    stop,
  }
}

export async function untilMapped(client: RmrDaemon): Promise<void> {
  await until("the pool is mapped", client, (status) => (status.client?.nbd.uris.length ?? 0) > 0)
}

/**
 * A client that was started again opens its pool at once, and not when its last life is forgotten.
 */
export async function untilTakenOver(client: RmrDaemon): Promise<void> {
  await until("the pool is taken over", client, ({ client: role }) => {
    const why = role?.pools[0]?.why
    return (role?.nbd.uris.length ?? 0) > 0 || (why ?? "").startsWith("held: ")
  })
  const limit = performance.now() + START_MS
  while ((await client.status()).client?.nbd.uris.length === 0) {
    try {
      await askDaemon(client.control, "pool-takeover", { pool: "vault" })
    } catch (thrown) {
      // It is just being tried, or a member is not there yet.
      if (performance.now() > limit) throw thrown
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }
}

/** Asks a daemon until it says what is waited for; fails with what it says instead. */
export async function until(
  what: string,
  daemon: RmrDaemon,
  isSo: (status: DaemonStatus) => boolean,
  withinMs: number = START_MS,
): Promise<DaemonStatus> {
  const limit = performance.now() + withinMs
  for (;;) {
    let last = ""
    try {
      const status = await daemon.status()
      if (isSo(status)) return status
      last = JSON.stringify(status)
    } catch (thrown) {
      last = String(thrown)
    }
    if (performance.now() > limit) throw new Error(`not within ${withinMs} ms: ${what}\n${last}`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
