/**
 * One round of the stall bench: three storage nodes and a client, each on a host of its own, fio on
 * the device, and one node that is gone from one moment to the next.
 */
import { createReadStream, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { clientText, Daemons, isExported, pause, runLoad, storageText } from "./daemons.js"
import { until } from "./target.js"
import { Wires } from "./wires.js"

const PORT = 7000
const NODES = 3
/** Who goes: a storage node that is not the first one. */
const VICTIM = 2
const BEFORE_MS = 4000
const HEALTHY_MS = 3000
const AFTER_MS = 5000

export interface StallShape {
  /** `pull`: its cable; `freeze`: SIGSTOP. */
  readonly fault: "pull" | "freeze"
  readonly deadlineMs: number
  readonly depth: number
  readonly rw: "randwrite" | "randrw"
  readonly folder: string
  readonly sizeBytes: number
}

export interface StallRound {
  /** The slowest request of all. */
  readonly stallMs: number
  /** In the seconds before the fault, in the first one after the expulsion, and in later ones. */
  readonly healthyP99Us: number
  readonly firstP99Us: number
  readonly laterP99Us: number
  readonly healthyIops: number
  readonly laterIops: number
  readonly errors: number
}

/** Requests, by the time when each was answered. */
interface Answered {
  readonly atMs: number[]
  readonly tookNs: number[]
}

export async function stallRound(shape: StallShape): Promise<StallRound> {
  const folder = mkdtempSync(join(shape.folder, "rmr-stall-"))
  const wires = await Wires.lay(NODES + 1)
  let expelledMs = Number.NaN
  const daemons = new Daemons(folder, ({ event, time, ...said }) => {
    const isExpulsion = event === "leg.state" && said["to"] === "failed"
    if (isExpulsion && said["member"] === VICTIM) expelledMs = Date.parse(time)
  })
  try {
    const uri = start(daemons, wires, folder, shape)
    await until("the pool", () => isExported(uri))
    const loading = load(folder, uri, shape)
    await pause(BEFORE_MS)
    const goneMs = Date.now()
    if (shape.fault === "pull") await wires.pull(VICTIM)
    else daemons.signal(`storage-${VICTIM}`, "SIGSTOP")
    const errors = await loading
    const lost = Number.isNaN(expelledMs)
    if (lost) throw new Error(`member ${VICTIM} was not put out`)
    return figuresOf(await answered(folder), goneMs, expelledMs, errors)
  } finally {
    await daemons.endAll()
    await wires.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

function start(daemons: Daemons, wires: Wires, folder: string, shape: StallShape): string {
  const socket = join(folder, "pool.sock")
  const [client, ...nodes] = wires.places
  const urls = nodes.map(({ address }) => `tcp://${address}:${PORT}`)
  for (const [nth, url] of urls.entries()) {
    const text = storageText(folder, nth + 1, url, shape.sizeBytes)
    daemons.start(`storage-${nth + 1}`, text, nodes[nth]?.within)
  }
  const text = `${clientText(socket, urls, shape.sizeBytes)}io_deadline_ms = ${shape.deadlineMs}\n`
  daemons.start("client", text, client?.within)
  return `nbd+unix:///vault?socket=${socket}`
}

/** Until some seconds after the expulsion; how many errors fio saw: it ends at the first. */
async function load(folder: string, uri: string, shape: StallShape): Promise<number> {
  const seconds = Math.ceil((BEFORE_MS + shape.deadlineMs + AFTER_MS) / 1000)
  const kind = [`--rw=${shape.rw}`, "--rwmixread=50", "--bs=4k", `--iodepth=${shape.depth}`]
  const time = [`--size=${shape.sizeBytes}`, `--runtime=${seconds}`, "--time_based=1"]
  const log = [`--write_lat_log=${join(folder, "fio")}`, "--log_unix_epoch=1", "--disable_slat=1"]
  const args = [`--uri=${uri}`, ...kind, ...time, "--norandommap=1", ...log]
  const { code, report } = await runLoad("stall", args)
  const [job] = (report as FioReport).jobs
  if (job === undefined) throw new Error(`fio ended with ${code}, and reports no job`)
  return job.error === 0 && code === 0 ? 0 : 1
}

interface FioReport {
  readonly jobs: readonly { readonly error: number }[]
}

/** From fio's log of every request: `time in ms, latency in ns, direction, bytes, offset, …`. */
async function answered(folder: string): Promise<Answered> {
  const all: Answered = { atMs: [], tookNs: [] }
  const lines = createInterface({ input: createReadStream(join(folder, "fio_lat.1.log")) })
  for await (const line of lines) {
    const [atMs, tookNs] = line.split(",").map(Number)
    if (atMs === undefined || tookNs === undefined) throw new Error(`a line of fio's log: ${line}`)
    all.atMs.push(atMs)
    all.tookNs.push(tookNs)
  }
  return all
}

function figuresOf(all: Answered, goneMs: number, backMs: number, errors: number): StallRound {
  const healthy = between(all, goneMs - HEALTHY_MS, goneMs)
  // What waited for the member is answered when it is out, and is the stall itself.
  const first = between(all, backMs + 50, backMs + 1000)
  const later = between(all, backMs + 1000, backMs + AFTER_MS - 1000)
  const stalled = between(all, goneMs, Number.POSITIVE_INFINITY)
  return {
    stallMs: stalled.reduce((most, each) => Math.max(most, each), 0) / 1e6,
    healthyP99Us: p99(healthy) / 1000,
    firstP99Us: p99(first) / 1000,
    laterP99Us: p99(later) / 1000,
    healthyIops: healthy.length / (HEALTHY_MS / 1000),
    laterIops: later.length / ((AFTER_MS - 2000) / 1000),
    errors,
  }
}

function between({ atMs, tookNs }: Answered, fromMs: number, toMs: number): number[] {
  return tookNs.filter((_, nth) => atMs[nth]! >= fromMs && atMs[nth]! < toMs)
}

function p99(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN
}
