/**
 * The folder of a demo: where each daemon has its configuration, socket, log and store.
 *
 * A pool's record names the address of each member, and members find each other by it. So a storage
 * node listens where it did the last time, which its configuration says; a node that has none yet
 * gets a port that is free. The port for NBD is in no record: it is kept where it can be.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { RmrError } from "@rmr/core"
import { type Config, readConfig } from "../config/config.js"
import { freePorts, isPortFree } from "./ports.js"

/** Where the files of one daemon are. */
export interface DaemonPlace {
  readonly name: string
  readonly config: string
  readonly socket: string
  readonly log: string
}

export interface DemoFolder {
  readonly path: string
  readonly client: DaemonPlace
  readonly storage: readonly DaemonPlace[]
}

/**
 * Writes the configurations of a client and so many storage nodes. Fails with `busy` where the
 * port of a storage node is taken.
 */
export async function prepareFolder(
  folder: string,
  sizeBytes: number,
  nodeCount: number,
): Promise<DemoFolder> {
  const path = resolve(folder)
  mkdirSync(path, { recursive: true })
  const ids = Array.from({ length: nodeCount }, (_, nth) => nth + 1)
  const client = placeOf(path, "client")
  const storage = ids.map((id) => placeOf(path, `storage-${id}`))
  const [nbdPort = 0, ...ports] = await portsOf(path, client, storage)
  writeFileSync(client.config, clientConfig(path, client, sizeBytes, nbdPort, ports))
  for (const [nth, place] of storage.entries()) {
    writeFileSync(place.config, storageConfig(path, place, sizeBytes, nth + 1, ports[nth] ?? 0))
  }
  return { path, client, storage }
}

/** What can be made again goes: sockets, also those of who was killed, and logs nobody needs. */
export function clearFolder({ path, client, storage }: DemoFolder, keepsLogs: boolean): void {
  rmSync(nbdSocketOf(path), { force: true })
  for (const { socket, log } of [client, ...storage]) {
    rmSync(socket, { force: true })
    if (!keepsLogs) rmSync(log, { force: true })
  }
}

function placeOf(folder: string, name: string): DaemonPlace {
  const at = (kind: string): string => join(folder, `${name}.${kind}`)
  return { name, config: at("toml"), socket: at("sock"), log: at("log") }
}

/** The port of NBD, and those of the storage nodes. */
async function portsOf(
  folder: string,
  client: DaemonPlace,
  storage: readonly DaemonPlace[],
): Promise<number[]> {
  const kept = storage.map(({ config }) => storagePort(configAt(config)))
  for (const port of kept) {
    if (port === undefined || (await isPortFree(port))) continue
    const words = `port ${port} is taken, and a storage node of ${folder} has it`
    throw new RmrError("busy", `${words}: end that demo or program, or name another folder`)
  }
  const keptNbd = nbdPort(configAt(client.config))
  const isNbdFree = keptNbd !== undefined && (await isPortFree(keptNbd))
  const wanted = [isNbdFree ? keptNbd : undefined, ...kept]
  // Enough that those which were kept can be left out of them.
  const free = (await freePorts(2 * wanted.length)).filter((port) => !wanted.includes(port))
  return wanted.map((port) => port ?? free.pop() ?? 0)
}

function configAt(path: string): Config | undefined {
  return existsSync(path) ? readConfig(path) : undefined
}

function storagePort(config: Config | undefined): number | undefined {
  const [address = ""] = config?.storage?.listen ?? []
  const found = /:(\d+)$/.exec(address)
  return found === null ? undefined : Number(found[1])
}

function nbdPort(config: Config | undefined): number | undefined {
  const [port] = (config?.client?.nbd ?? []).flatMap((at) => ("port" in at ? [at.port] : []))
  return port
}

function clientConfig(
  folder: string,
  place: DaemonPlace,
  sizeBytes: number,
  nbd: number,
  ports: readonly number[],
): string {
  const members = ports.map((port, nth) => `"${nth + 1}@tcp://127.0.0.1:${port}"`).join(", ")
  return `name = "${place.name}"
control = ${JSON.stringify(place.socket)}

[client]
nbd = [${JSON.stringify(`unix:${nbdSocketOf(folder)}`)}, "127.0.0.1:${nbd}"]

[[client.pool]]
name = "vault"
members = [${members}]
create = ${sizeBytes}
`
}

function storageConfig(
  folder: string,
  place: DaemonPlace,
  sizeBytes: number,
  id: number,
  port: number,
): string {
  return `name = "${place.name}"
control = ${JSON.stringify(place.socket)}

[storage]
listen = ["tcp://127.0.0.1:${port}"]

[[storage.pool]]
name = "vault"
member = ${id}
store = ${JSON.stringify(join(folder, `${place.name}.store`))}
size = ${sizeBytes}
`
}

function nbdSocketOf(folder: string): string {
  return join(folder, "nbd.sock")
}
