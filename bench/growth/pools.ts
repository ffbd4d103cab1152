/**
 * Growth with pools: one storage node and one client that have 1, 10, 100 and 1,000 of them, idle,
 * and with a load on one.
 */
import { join } from "node:path"
import type { Daemons } from "../device/daemons.js"
import { freePorts } from "../device/target.js"
import type { Row } from "./figures.js"
import {
  eventually,
  type Idle,
  idleOf,
  type Loaded,
  loaded,
  type Options,
  pidOf,
  withDaemons,
} from "./fleet.js"

const POOL_BYTES = 2 ** 30
const LOAD_BYTES = 256 * 2 ** 20
const SETTLE_MS = 5000
const OPEN_SECONDS = 180
/** What is promised for 1,000 idle pools on a storage node. */
const MANY = 1000
const RESIDENT_MB_MAX = 400
const CPU_MAX = 2

interface Measured {
  readonly count: number
  readonly storage: Idle
  readonly client: Idle
  readonly load: Loaded
}

export async function measurePools(options: Options): Promise<readonly Row[]> {
  const counts = options.isQuick ? [1, 100, MANY] : [1, 10, 100, MANY]
  const all: Measured[] = []
  for (const count of counts) {
    options.say(`pools: ${count}`)
    all.push(await measure(count, options))
  }
  return all.flatMap((one) => rowsOf(one, all[0]!))
}

function measure(count: number, options: Options): Promise<Measured> {
  return withDaemons(options, async (daemons, log) => {
    const [port] = await freePorts(1)
    const { storageText, clientText, socket } = textsOf(daemons, count, `tcp://127.0.0.1:${port}`)
    daemons.start("storage", storageText)
    await eventually("the storage node", OPEN_SECONDS, () =>
      log.some(({ event }) => event === "daemon.started"),
    )
    daemons.start("client", clientText)
    await eventually(`${count} pools`, OPEN_SECONDS, () => {
      return log.filter(({ event }) => event === "pool.open").length === count
    })
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    const pids = [await pidOf(daemons, "storage"), await pidOf(daemons, "client")]
    const [storage, client] = await idleOf(pids, options.isQuick ? 5 : 20)
    const load = loaded(`nbd+unix:///pool-1?socket=${socket}`, pids, LOAD_BYTES, options)
    return { count, storage: storage!, client: client!, load }
  })
}

function textsOf(
  { folder }: Daemons,
  count: number,
  url: string,
): { readonly storageText: string; readonly clientText: string; readonly socket: string } {
  const socket = join(folder, "pool.sock")
  const storage = [`[storage]\nlisten = ["${url}"]`]
  const client = [`[client]\nnbd = ["unix:${socket}"]`]
  for (let nth = 1; nth <= count; nth++) {
    const store = `store = "${folder}/${nth}.store"\nsize = ${POOL_BYTES}\ndirect = "off"`
    storage.push(`[[storage.pool]]\nname = "pool-${nth}"\nmember = 1\n${store}`)
    const members = `members = ["1@${url}"]\ncreate = ${POOL_BYTES}`
    client.push(`[[client.pool]]\nname = "pool-${nth}"\n${members}`)
  }
  return { storageText: `${storage.join("\n")}\n`, clientText: `${client.join("\n")}\n`, socket }
}

function rowsOf({ count, storage, client, load }: Measured, first: Measured): Row[] {
  const row = (what: string, value: number, unit: string, base: number, most?: number): Row => ({
    ...{ part: "pools", what: `${count.toLocaleString("en")}, ${what}`, value, unit },
    ...{ ratio: value / base, ...(count === MANY && most !== undefined ? { most } : {}) },
  })
  const { storage: s, client: c, load: l } = first
  return [
    row("storage node resident", storage.residentMb, "MB", s.residentMb, RESIDENT_MB_MAX),
    row("storage node, proportional", storage.proportionalMb, "MB", s.proportionalMb),
    row("storage node idle, of a core", storage.cpu, "%", s.cpu, CPU_MAX),
    row("client resident", client.residentMb, "MB", c.residentMb),
    row("client idle, of a core", client.cpu, "%", c.cpu),
    row("4 KiB random writes to one", load.iops, "IOPS", l.iops),
    row("CPU of such a write, both", load.cpuUs, "µs", l.cpuUs),
  ]
}
