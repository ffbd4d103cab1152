/**
 * Ours as a target: a pool of two storage nodes and a compute client, three daemons as users run
 * them, exported by NBD on a unix socket. All checks are on.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { fileOfRandomBytes } from "./files.js"
import { type QemuOptions, QUORUM } from "./qemu.js"
import { freePorts, Processes, type Target, until } from "./target.js"

const COPIES = [1, 2] as const

export const POOL = "ours, two copies"

export async function startPool(options: QemuOptions): Promise<Target> {
  const target = await startWith(POOL, "pool", {}, options)
  return { ...target, judgedBeside: QUORUM }
}

/** The same without the native addon. */
export function startPlainPool(options: QemuOptions): Promise<Target> {
  return startWith("ours in plain Node", "plain", { RMR_NATIVE: "off" }, options)
}

async function startWith(
  title: string,
  prefix: string,
  environment: NodeJS.ProcessEnv,
  { folder: parent, volumeBytes, isDirect }: QemuOptions,
): Promise<Target> {
  const folder = join(parent, prefix)
  mkdirSync(folder)
  const processes = new Processes()
  const root = fileURLToPath(new URL("../..", import.meta.url))
  const program = join(root, "packages", "rmr-cli", "dist", "main.js")
  const ports = await freePorts(COPIES.length)
  const socket = join(folder, "pool.sock")
  const start = (name: string, text: string): void => {
    const config = join(folder, `${name}.toml`)
    writeFileSync(config, `name = "${name}"\ncontrol = "${folder}/${name}.control"\n${text}`)
    processes.start(process.execPath, [program, "daemon", "--config", config], environment)
  }
  const uri = `nbd+unix:///vault?socket=${socket}`
  try {
    for (const [nth, id] of COPIES.entries()) {
      start(`storage-${id}`, storage(folder, id, ports[nth]!, volumeBytes, isDirect))
    }
    const members = COPIES.map((id, nth) => `"${id}@tcp://127.0.0.1:${ports[nth]}"`).join(", ")
    start("client", client(socket, members, volumeBytes))
    await until("the pool", () =>
      Promise.resolve(spawnSync("nbdinfo", ["--size", uri]).status === 0),
    )
    fill(folder, volumeBytes, uri)
  } catch (error) {
    await processes.stop()
    throw error
  }
  return { name: title, uri, pids: processes.pids, stop: () => processes.stop() }
}

function client(socket: string, members: string, volumeBytes: number): string {
  return `[client]
nbd = ["unix:${socket}"]
[[client.pool]]
name = "vault"
members = [${members}]
create = ${volumeBytes}
`
}

function storage(
  folder: string,
  id: number,
  port: number,
  volumeBytes: number,
  isDirect: boolean,
): string {
  return `[storage]
listen = ["tcp://127.0.0.1:${port}"]
[[storage.pool]]
name = "vault"
member = ${id}
store = "${folder}/pool-${id}.store"
size = ${volumeBytes}
direct = "${isDirect ? "on" : "off"}"
`
}

/** So that reads find bytes and not holes, as with the others. */
function fill(folder: string, volumeBytes: number, uri: string): void {
  const file = fileOfRandomBytes(join(folder, "pool.img"), volumeBytes)
  const copied = spawnSync("nbdcopy", [file, uri], { encoding: "utf8" })
  rmSync(file)
  if (copied.status !== 0) throw new Error(`nbdcopy fails: ${copied.stderr}`)
}
