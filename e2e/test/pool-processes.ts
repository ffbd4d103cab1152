/** Daemons of the `rmr` program as processes, for tests: started, killed, asked, ended. */
import { type ChildProcess, spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePorts } from "../../bench/device/target.js"
import { at, toolEnv } from "../../tools/setup/paths.js"
import { type RunResult, run } from "../../tools/setup/run.js"

const START_MS = 30_000

/** `rmr` with these words, as a person would type them. */
export function rmr(...words: string[]): Promise<RunResult> {
  const args = ["--import", "tsx", at("packages/rmr-cli/src/main.ts"), ...words]
  return run(process.execPath, args, { cwd: at(), env: runEnv(), timeoutMs: START_MS })
}

export class RmrDaemon {
  readonly config: string
  readonly control: string
  private child: ChildProcess | undefined
  private said = ""

  constructor(folder: string, name: string, text: string) {
    this.config = join(folder, `${name}.toml`)
    this.control = join(folder, `${name}.control`)
    writeFileSync(this.config, `name = "${name}"\ncontrol = "${this.control}"\n${text}`)
  }

  start(): void {
    const program = at("packages/rmr-cli/src/main.ts")
    const words = ["daemon", "--config", this.config, "--end-with-stdin"]
    const child = spawn(process.execPath, ["--import", "tsx", program, ...words], {
      cwd: at(),
      env: runEnv(),
      stdio: ["pipe", "ignore", "pipe"],
    })
    child.stderr.on("data", (text: Buffer) => {
      this.said = (this.said + text.toString()).slice(-4000)
    })
    this.child = child
  }

  /** The process dies at once. */
  async kill(): Promise<void> {
    await this.end("SIGKILL")
  }

  async stop(): Promise<void> {
    await this.end("SIGTERM")
  }

  async status(): Promise<unknown> {
    const result = await rmr("status", "--json", "--socket", this.control)
    if (!result.ok) throw new Error(`${result.output}\n${this.said}`)
    return JSON.parse(result.stdout)
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this
    this.child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once("exit", resolve))
    child.kill(signal)
    await gone
  }
}

export interface PoolProcesses {
  readonly storage: readonly RmrDaemon[]
  readonly client: RmrDaemon
  readonly stores: readonly string[]
  readonly uri: string
  stop(): Promise<void>
}

/** A pool of so many storage nodes, its device exported on a unix socket of the folder. */
export async function startPool(
  folder: string,
  count: number,
  sizeBytes: number,
): Promise<PoolProcesses> {
  const ports = await freePorts(count)
  const ids = ports.map((_, nth) => nth + 1)
  const stores = ids.map((id) => join(folder, `${id}.store`))
  const storage = ids.map((id, nth) => {
    const pool = `name = "vault"\nmember = ${id}\nstore = "${stores[nth]}"\nsize = ${sizeBytes}\n`
    const listen = `listen = ["tcp://127.0.0.1:${ports[nth]}"]`
    return new RmrDaemon(folder, `storage-${id}`, `[storage]\n${listen}\n[[storage.pool]]\n${pool}`)
  })
  const members = ids.map((id, nth) => `"${id}@tcp://127.0.0.1:${ports[nth]}"`).join(", ")
  const socket = join(folder, "nbd.sock")
  const pool = `name = "vault"\nmembers = [${members}]\ncreate = ${sizeBytes}\n`
  const role = `[client]\nnbd = ["unix:${socket}"]\n[[client.pool]]\n${pool}`
  const client = new RmrDaemon(folder, "client", role)
  for (const daemon of [...storage, client]) daemon.start()
  const uri = `nbd+unix:///vault?socket=${socket}`
  const stop = async (): Promise<void> => {
    await client.stop()
    for (const daemon of storage) await daemon.stop()
  }
  try {
    await untilMapped(client)
  } catch (thrown) {
    await stop()
    throw thrown
  }
  return { storage, client, stores, uri, stop }
}

async function untilMapped(client: RmrDaemon): Promise<void> {
  const limit = performance.now() + START_MS
  for (;;) {
    try {
      const status = (await client.status()) as { client: { nbd: { uris: unknown[] } } }
      if (status.client.nbd.uris.length > 0) return
    } catch (thrown) {
      if (performance.now() > limit) throw thrown
    }
    if (performance.now() > limit) throw new Error("the pool is not mapped")
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

function runEnv(): NodeJS.ProcessEnv {
  return { ...toolEnv(), TSX_TSCONFIG_PATH: at("tsconfig.run.json") }
}
