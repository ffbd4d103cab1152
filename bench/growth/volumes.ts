/**
 * Growth with the size of a volume: two storage nodes and a client, stores that are sparse.
 */
import { join } from "node:path"
import { clientText, type Daemons, isExported, storageText } from "../device/daemons.js"
import { residentBytesOf } from "../device/fio.js"
import { freePorts } from "../device/target.js"
import { medianOf, type Row } from "./figures.js"
import { eventually, type Loaded, loaded, type Options, pidOf, withDaemons } from "./fleet.js"

const GIB = 2 ** 30
const SIZES = [1, 1024, 65_536] as const
const WAIT_SECONDS = 60

interface Measured {
  readonly createMs: number
  readonly openMs: number
  readonly takeoverMs: number
  readonly storageMb: number
  readonly clientMb: number
  readonly near: Loaded
  readonly wide: Loaded
}

export async function measureVolumes(options: Options): Promise<readonly Row[]> {
  const rows: Row[] = []
  let first: Measured | undefined
  for (const gib of SIZES) {
    options.say(`volumes: ${gib} GiB`)
    const measured = await measure(gib * GIB, options)
    first ??= measured
    rows.push(...rowsOf(gib, measured, first))
  }
  return rows
}

function measure(sizeBytes: number, options: Options): Promise<Measured> {
  return withDaemons(options, async (daemons) => {
    const pair = await Pair.start(daemons, sizeBytes)
    const createMs = pair.readyMs
    const openMs = await pair.restart()
    const pids = await pair.pids("client")
    const near = loaded(pair.uri, pids, GIB, options)
    const wide = loaded(pair.uri, pids, sizeBytes, options)
    const [storageMb = 0, , clientMb = 0] = pids.map((pid) => residentBytesOf(pid) / 1e6)
    const takes: number[] = []
    for (let nth = 0; nth < options.rounds; nth++) takes.push(await pair.takeOver())
    return { createMs, openMs, takeoverMs: medianOf(takes), storageMb, clientMb, near, wide }
  })
}

/** Two storage nodes, and one client after the other. */
export class Pair {
  readonly uri: string
  readonly urls: readonly string[]
  /** From the start of the first process until the volume is exported. */
  readyMs = 0
  private readonly daemons: Daemons
  private readonly sizeBytes: number
  private clientCount = 1

  private constructor(daemons: Daemons, sizeBytes: number, urls: readonly string[]) {
    this.daemons = daemons
    this.sizeBytes = sizeBytes
    this.urls = urls
    this.uri = `nbd+unix:///vault?socket=${this.socketOf(1)}`
  }

  static async start(
    daemons: Daemons,
    sizeBytes: number,
    within: (name: string) => readonly string[] = () => [],
  ): Promise<Pair> {
    const urls = (await freePorts(2)).map((port) => `tcp://127.0.0.1:${port}`)
    const pair = new Pair(daemons, sizeBytes, urls)
    const startMs = performance.now()
    for (const [nth, url] of urls.entries()) {
      const text = storageText(daemons.folder, nth + 1, url, sizeBytes)
      daemons.start(`storage-${nth + 1}`, text, within(`storage-${nth + 1}`))
    }
    daemons.start("client", clientText(pair.socketOf(1), urls, sizeBytes), within("client"))
    await pair.exported()
    pair.readyMs = performance.now() - startMs
    return pair
  }

  /** All processes end well and start again; how long until the volume is exported. */
  async restart(): Promise<number> {
    const names = ["client", "storage-1", "storage-2"]
    for (const name of names) await this.daemons.end(name, "SIGTERM")
    const startMs = performance.now()
    for (const name of names) this.daemons.startAgain(name)
    await this.exported()
    return performance.now() - startMs
  }

  pids(client: string): Promise<number[]> {
    return Promise.all(["storage-1", "storage-2", client].map((name) => pidOf(this.daemons, name)))
  }

  /** The client that has the pool is killed, and another one takes it: how long that takes. */
  async takeOver(): Promise<number> {
    const { daemons, urls } = this
    const before = this.clientCount === 1 ? "client" : `client-${this.clientCount}`
    this.clientCount++
    const name = `client-${this.clientCount}`
    daemons.start(name, clientText(this.socketOf(this.clientCount), urls, this.sizeBytes))
    // It has found the pool held: its code is loaded, and its sessions are there.
    await eventually(`${name} to wait`, WAIT_SECONDS, () => this.isWaiting(name))
    await daemons.end(before, "SIGKILL")
    const startMs = performance.now()
    await daemons.ask(name, "pool-takeover", { pool: "vault" })
    return performance.now() - startMs
  }

  private async isWaiting(name: string): Promise<boolean> {
    try {
      const status = (await daemonsStatus(this.daemons, name)).client
      return status.pools[0]?.why !== null && status.pools[0]?.state === "waiting"
    } catch (thrown) {
      // Its control socket is not there yet, or nobody listens there yet.
      const { code } = thrown as NodeJS.ErrnoException
      if (code !== "ENOENT" && code !== "ECONNREFUSED") throw thrown
      return false
    }
  }

  private exported(): Promise<void> {
    return eventually("the volume", WAIT_SECONDS, () => isExported(this.uri))
  }

  private socketOf(client: number): string {
    return join(this.daemons.folder, `pool-${client}.sock`)
  }
}

interface Shown {
  readonly client: {
    readonly pools: readonly { readonly state: string; readonly why: string | null }[]
  }
}

async function daemonsStatus(daemons: Daemons, name: string): Promise<Shown> {
  return (await daemons.ask(name, "status")) as Shown
}

function rowsOf(gib: number, of: Measured, first: Measured): Row[] {
  const name = gib < 1024 ? `${gib} GiB` : `${gib / 1024} TiB`
  const row = (what: string, unit: string, value: (one: Measured) => number): Row => ({
    ...{ part: "volumes", what: `${name}, ${what}`, unit },
    ...{ value: value(of), ratio: value(of) / value(first) },
  })
  return [
    row("three processes started, store and pool created", "ms", (one) => one.createMs),
    row("three processes started, pool opened", "ms", (one) => one.openMs),
    row("taken over by another client", "ms", (one) => one.takeoverMs),
    row("storage node resident", "MB", (one) => one.storageMb),
    row("client resident", "MB", (one) => one.clientMb),
    row("4 KiB random writes in the first GiB", "IOPS", (one) => one.near.iops),
    row("CPU of such a write, all", "µs", (one) => one.near.cpuUs),
    row("4 KiB random writes in all of it", "IOPS", (one) => one.wide.iops),
    row("CPU of one of these, all", "µs", (one) => one.wide.cpuUs),
  ]
}
