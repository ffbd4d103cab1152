/**
 * `pnpm bench:resync`: what a resync costs foreground IO, and how fast it is (P10, DESIGN 7).
 *
 *   pnpm bench:resync                      1 GiB to sync, 256 MiB under load, five rounds
 *   pnpm bench:resync --rounds 3 --pairs 2 --seconds 10 --mib 1024 --load-mib 256 --folder /tmp
 *   pnpm bench:resync --rw randwrite --depth 8 --rate 0       the load; 0 is as fast as it goes
 *   pnpm bench:resync --whole              the load visits what is dirty too
 *   pnpm bench:resync --store 'sync_min_share = 0.2'         more for the nodes' pools
 *   RMR_PROGRAM=…/main.js pnpm bench:resync                  another build, to compare with
 *   pnpm bench:resync --json               the figures for a program
 *
 * Two storage nodes and a client, daemons as users run them, over loopback, stores in files. In
 * each round one node ends, the region is written anew, and the node returns: all of the region is
 * dirty there. fio loads another region of the volume, first while copies are stopped (`sync
 * stop`), then while they go on, in pairs; what is left, or a region that is dirty anew, is then
 * copied with nothing else to do. A plain copy of as many bytes of the same file over a socket is
 * measured in between.
 * Exit code 1: a median falls short of its aim, or something failed.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { loadavg } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { type MemberState, returned, setSync, stateOf } from "./away.js"
import { Daemons, isExported, median, pause, runLoad, startPair } from "./daemons.js"
import { rawCopyRate } from "./raw-copy.js"
import { until } from "./target.js"

const MIB = 2 ** 20
const CHUNK_BYTES = 128 * 1024
/** Less than this left is made dirty anew, so that the idle rate is that of a while. */
const MIB_MIN = 256
const RAMP_SECONDS = 1
const SYNC_MS = 120_000
const NODE = "storage-2"
const AIMS = { p99: 1.5, underLoad: 0.05, idle: 0.6 }

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    pairs: { type: "string", default: "2" },
    seconds: { type: "string", default: "10" },
    mib: { type: "string", default: "1024" },
    "load-mib": { type: "string", default: "256" },
    folder: { type: "string", default: "/tmp" },
    rw: { type: "string", default: "randrw" },
    depth: { type: "string", default: "8" },
    rate: { type: "string", default: "0" },
    whole: { type: "boolean", default: false },
    store: { type: "string", default: "" },
    json: { type: "boolean", default: false },
  },
})

const syncBytes = Number(options.mib) * MIB
const loadBytes = Number(options["load-mib"]) * MIB
const seconds = Number(options.seconds)

interface Load {
  readonly iops: number
  readonly p50Us: number
  readonly p99Us: number
}

/** The same load twice, one after the other. */
interface Pair {
  readonly without: Load
  readonly with: Load
  /** Of the load's time, in which there was something to copy. */
  readonly share: number
  readonly underLoad: number
}

interface Round {
  readonly pairs: readonly Pair[]
  readonly idle: number
  readonly raw: number
}

interface FioReport {
  readonly jobs: readonly {
    readonly mixed: {
      readonly iops: number
      readonly clat_ns: { readonly percentile: Readonly<Record<string, number>> }
    }
  }[]
}

async function fio(args: readonly string[]): Promise<FioReport> {
  const { code, report } = await runLoad("resync", args)
  if (code !== 0) throw new Error(`fio ended with ${code}`)
  return report as FioReport
}

async function load(uri: string): Promise<Load> {
  const place = options.whole ? [0, syncBytes + loadBytes] : [syncBytes, loadBytes]
  const rate = options.rate === "0" ? [] : [`--rate_iops=${options.rate},${options.rate}`]
  const report = await fio([
    `--uri=${uri}`,
    `--rw=${options.rw}`,
    "--bs=4k",
    `--iodepth=${options.depth}`,
    `--offset=${place[0]}`,
    `--size=${place[1]}`,
    `--runtime=${seconds}`,
    `--ramp_time=${RAMP_SECONDS}`,
    "--time_based=1",
    "--norandommap=1",
    "--unified_rw_reporting=1",
    ...rate,
  ])
  const { iops, clat_ns: latency } = report.jobs[0]!.mixed
  const { "50.000000": p50 = Number.NaN, "99.000000": p99 = Number.NaN } = latency.percentile
  return { iops, p50Us: p50 / 1000, p99Us: p99 / 1000 }
}

/** The daemons, and what a round does with them. */
class Bench {
  private readonly daemons: Daemons
  private readonly uri: string

  constructor(daemons: Daemons, uri: string) {
    this.daemons = daemons
    this.uri = uri
  }

  /** Writes a region of the volume with bytes that were not there before. */
  async fill(offset: number, bytes: number): Promise<void> {
    const shape = ["--rw=write", "--bs=1m", "--iodepth=4", "--refill_buffers=1"]
    const seed = `--randseed=${Math.floor(Math.random() * 2 ** 30)}`
    await fio([`--uri=${this.uri}`, `--offset=${offset}`, `--size=${bytes}`, ...shape, seed])
  }

  state(): Promise<MemberState> {
    return stateOf(this.daemons, NODE)
  }

  sync(isOn: boolean): Promise<unknown> {
    return setSync(this.daemons, NODE, isOn)
  }

  /** The node was away while all of the region was written; its copies are stopped. */
  async makeDirty(): Promise<void> {
    await this.daemons.end(NODE, "SIGTERM")
    await this.fill(0, syncBytes)
    this.daemons.startAgain(NODE)
    await returned(this.daemons, NODE)
  }

  /** Chunks per second from now on, until nothing is dirty or the work is over. */
  async rateWhile(
    work?: Promise<unknown>,
  ): Promise<{ readonly rate: number; readonly ms: number }> {
    let isOver = false
    void work?.finally(() => {
      isOver = true
    })
    const startMs = performance.now()
    const before = (await this.state()).dirtyChunks
    await this.sync(true)
    let left = before
    while (left > 0 && !isOver) {
      if (performance.now() > startMs + SYNC_MS) throw new Error("the sync does not end")
      // Whoever asks takes time from the load, too.
      await pause(work === undefined ? 100 : 500)
      left = (await this.state()).dirtyChunks
    }
    const ms = performance.now() - startMs
    await work
    return { rate: ((before - left) * 1000) / ms, ms }
  }

  private async leftMib(): Promise<number> {
    return ((await this.state()).dirtyChunks * CHUNK_BYTES) / MIB
  }

  /** Copies are stopped before and afterwards. */
  private async pair(): Promise<Pair> {
    if ((await this.leftMib()) < MIB_MIN) await this.makeDirty()
    const without = await load(this.uri)
    const loading = load(this.uri)
    await pause(RAMP_SECONDS * 1000)
    const busy = await this.rateWhile(loading)
    await this.sync(false)
    return {
      ...{ without, with: await loading },
      share: Math.min(1, busy.ms / (seconds * 1000)),
      underLoad: busy.rate * CHUNK_BYTES,
    }
  }

  async round(): Promise<Round> {
    const { folder } = this.daemons
    await this.makeDirty()
    const pairs: Pair[] = []
    for (let nth = 0; nth < Number(options.pairs); nth++) pairs.push(await this.pair())
    if ((await this.leftMib()) < MIB_MIN) await this.makeDirty()
    // So long that what was asked for before is not in the way.
    await pause(1000)
    const idle = await this.rateWhile()
    const copy = join(folder, "raw.copy")
    const raw = await rawCopyRate(join(folder, "1.store"), copy, syncBytes)
    rmSync(copy)
    return { pairs, idle: idle.rate * CHUNK_BYTES, raw }
  }
}

function mibOf(bytes: number): string {
  return (bytes / MIB).toFixed(0)
}

function lineOf({ without, with: beside, share, underLoad }: Pair): string {
  const p99 = `p99 ${without.p99Us.toFixed(0)} → ${beside.p99Us.toFixed(0)} µs`
  const p50 = `p50 ${without.p50Us.toFixed(0)} → ${beside.p50Us.toFixed(0)} µs`
  const iops = `${without.iops.toFixed(0)} → ${beside.iops.toFixed(0)} IOPS`
  return `${p50}, ${p99}, ${iops}; ${mibOf(underLoad)} MiB/s in ${(100 * share).toFixed(0)} %`
}

function say(line: string): void {
  process.stderr.write(`${line}; load average ${loadavg()[0]?.toFixed(1)}\n`)
}

const folder = mkdtempSync(join(options.folder, "rmr-resync-"))
const daemons = new Daemons(folder)
const rounds: Round[] = []
try {
  const uri = await startPair(daemons, syncBytes + loadBytes, options.store)
  await until("the pool", () => isExported(uri))
  const bench = new Bench(daemons, uri)
  await bench.fill(syncBytes, loadBytes)
  for (let nth = 0; nth < Number(options.rounds); nth++) {
    const round = await bench.round()
    rounds.push(round)
    for (const pair of round.pairs) say(lineOf(pair))
    say(`idle ${mibOf(round.idle)} MiB/s, raw ${mibOf(round.raw)} MiB/s`)
  }
} finally {
  await daemons.endAll()
  rmSync(folder, { recursive: true, force: true })
}

const pairs = rounds.flatMap((round) => round.pairs)
const idleRate = median(rounds.map(({ idle }) => idle))
const figures = {
  p50: median(pairs.map(({ without, with: beside }) => beside.p50Us / without.p50Us)),
  p99: median(pairs.map(({ without, with: beside }) => beside.p99Us / without.p99Us)),
  iops: median(pairs.map(({ without, with: beside }) => beside.iops / without.iops)),
  underLoad: median(pairs.map(({ underLoad }) => underLoad / idleRate)),
  idle: median(rounds.map(({ idle, raw }) => idle / raw)),
}
const isGood =
  figures.p99 <= AIMS.p99 && figures.underLoad >= AIMS.underLoad && figures.idle >= AIMS.idle
if (options.json) {
  console.log(JSON.stringify({ figures, aims: AIMS, rounds, load: loadavg() }, null, 2))
} else {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
  console.log(`foreground beside a resync, times that without: p50 ${figures.p50.toFixed(2)}`)
  console.log(`  p99 ${figures.p99.toFixed(2)} (≤ ${AIMS.p99}), IOPS ${figures.iops.toFixed(2)}`)
  console.log(
    `resync under load, of idle: ${percent(figures.underLoad)} (≥ ${percent(AIMS.underLoad)})`,
  )
  console.log(`idle resync, of a raw copy: ${percent(figures.idle)} (≥ ${percent(AIMS.idle)})`)
}
if (!isGood) process.exitCode = 1
