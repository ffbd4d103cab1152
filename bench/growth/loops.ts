/**
 * Growth with loops: four pools on one storage node and one client, all under load at a time, with
 * their pools in one thread and shared out among several, in turns.
 */
import { join } from "node:path"
import { type Daemons, runLoad } from "../device/daemons.js"
import { cpuUsOf } from "../device/fio.js"
import { freePorts } from "../device/target.js"
import { medianOf, type Row } from "./figures.js"
import { eventually, type Options, pidOf, withDaemons } from "./fleet.js"

const POOLS = 4
const LOOPS = [1, 2, POOLS] as const
const POOL_BYTES = 256 * 2 ** 20
const OPEN_SECONDS = 60
const WARM_SECONDS = 6
const SHAPE = ["--rw=randwrite", "--bs=4k", "--iodepth=32", "--norandommap=1", "--time_based=1"]

interface Setup {
  readonly loops: number
  readonly uris: readonly string[]
  readonly pids: readonly number[]
  readonly iops: number[]
  readonly cpuUs: number[]
}

export async function measureLoops(options: Options): Promise<readonly Row[]> {
  return withSetups([], options, async (setups) => {
    for (const setup of setups) await loadAll(setup, WARM_SECONDS)
    for (let round = 0; round < options.rounds; round++) {
      options.say(`loops: round ${round + 1} of ${options.rounds}`)
      for (const setup of round % 2 === 0 ? setups : [...setups].reverse()) {
        const { iops, cpuUs } = await loadAll(setup, options.seconds)
        setup.iops.push(iops)
        setup.cpuUs.push(cpuUs)
      }
    }
    return setups.flatMap((setup) => rowsOf(setup, setups[0]!))
  })
}

/** All of them are there at a time, and idle but for one. */
function withSetups<T>(
  begun: readonly Setup[],
  options: Options,
  run: (setups: readonly Setup[]) => Promise<T>,
): Promise<T> {
  const loops = LOOPS[begun.length]
  if (loops === undefined) return run(begun)
  return withDaemons(options, async (daemons, log) => {
    const uris = await started(daemons, loops)
    await eventually(`${POOLS} pools`, OPEN_SECONDS, () => {
      return log.filter(({ event }) => event === "pool.open").length === POOLS
    })
    const pids = [await pidOf(daemons, "storage"), await pidOf(daemons, "client")]
    return withSetups([...begun, { loops, uris, pids, iops: [], cpuUs: [] }], options, run)
  })
}

async function started(daemons: Daemons, loops: number): Promise<readonly string[]> {
  const [port] = await freePorts(1)
  const { folder } = daemons
  const socket = join(folder, "pool.sock")
  const names = Array.from({ length: POOLS }, (_, nth) => `pool-${nth}`)
  const stores = names.map((name) => {
    const store = `store = "${folder}/${name}.store"\nsize = ${POOL_BYTES}\ndirect = "off"`
    return `[[storage.pool]]\nname = "${name}"\nmember = 1\n${store}\n`
  })
  const pools = names.map((name) => {
    const members = `members = ["1@tcp://127.0.0.1:${port}"]\ncreate = ${POOL_BYTES}`
    return `[[client.pool]]\nname = "${name}"\n${members}\n`
  })
  const listen = `[storage]\nlisten = ["tcp://127.0.0.1:${port}"]\nloops = ${loops}\n`
  daemons.start("storage", `${listen}${stores.join("")}`)
  daemons.start("client", `[client]\nnbd = ["unix:${socket}"]\nloops = ${loops}\n${pools.join("")}`)
  return names.map((name) => `nbd+unix:///${name}?socket=${socket}`)
}

/** Of all pools together. */
async function loadAll(
  { uris, pids }: Setup,
  seconds: number,
): Promise<{ readonly iops: number; readonly cpuUs: number }> {
  const before = cpuUsOf(pids)
  const runs = uris.map(async (uri) => {
    const words = [`--uri=${uri}`, ...SHAPE, `--size=${POOL_BYTES}`, `--runtime=${seconds}`]
    const { code, report } = await runLoad("loops", words)
    if (code !== 0) throw new Error(`fio ended with ${code}`)
    const { jobs } = report as { readonly jobs: readonly { readonly write: Written }[] }
    return jobs[0]!.write
  })
  const written = await Promise.all(runs)
  const count = written.reduce((sum, one) => sum + one.total_ios, 0)
  const iops = written.reduce((sum, one) => sum + one.iops, 0)
  return { iops, cpuUs: (cpuUsOf(pids) - before) / count }
}

interface Written {
  readonly iops: number
  readonly total_ios: number
}

function rowsOf({ loops, iops, cpuUs }: Setup, first: Setup): Row[] {
  const what = `${loops} loop${loops === 1 ? "" : "s"}, ${POOLS} pools`
  const row = (of: string, values: readonly number[], unit: string, base: number): Row => ({
    ...{ part: "loops", what: `${what}: ${of}`, value: medianOf(values), unit },
    ratio: medianOf(values) / base,
  })
  return [
    row("4 KiB random writes", iops, "IOPS", medianOf(first.iops)),
    row("CPU of such a write, both", cpuUs, "µs", medianOf(first.cpuUs)),
  ]
}
