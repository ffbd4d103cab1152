/**
 * Growth with dirty chunks: one of two members is away while so many chunks are changed. What that
 * costs in memory and in writes, and what the member's return and the next opening cost then.
 *
 * Chunks are changed by discards of many at a time, which mark as writes do and move no bytes.
 */
import { type Daemons, runLoad, type Said } from "../device/daemons.js"
import { residentBytesOf } from "../device/fio.js"
import type { Row } from "./figures.js"
import { eventually, type Loaded, loaded, type Options, pidOf, warm, withDaemons } from "./fleet.js"
import { Pair } from "./volumes.js"

const CHUNK_BYTES = 128 * 1024
const GIB = 2 ** 30
/** Has 16 million chunks. */
const VOLUME_BYTES = 2048 * GIB
const DISCARD_BYTES = 16 * 2 ** 20
const LOAD_BYTES = 64 * 2 ** 20
const RETURN_SECONDS = 300
const COUNTS = [0, 1e3, 1e5, 1e7]
const COUNTS_QUICK = [0, 1e3, 1e5]

interface Measured {
  readonly count: number
  readonly dirty: number
  readonly storageMb: number
  readonly load: Loaded
  readonly returnMs: number
  readonly heldMs: number
  readonly takeoverMs: number
}

export async function measureDirty(options: Options): Promise<readonly Row[]> {
  const all: Measured[] = []
  for (const count of options.isQuick ? COUNTS_QUICK : COUNTS) {
    options.say(`dirty: ${count} chunks`)
    all.push(await measure(count, options))
  }
  return all.flatMap((one) => rowsOf(one, all[0]!))
}

function measure(count: number, options: Options): Promise<Measured> {
  return withDaemons(options, async (daemons, log) => {
    const pair = await Pair.start(daemons, VOLUME_BYTES)
    // What the load writes is dirty in every row.
    warm(pair.uri, [], LOAD_BYTES)
    await daemons.end("storage-2", "SIGTERM")
    await discard(pair.uri, LOAD_BYTES, count * CHUNK_BYTES)
    const pids = await Promise.all(["storage-1", "client"].map((name) => pidOf(daemons, name)))
    const load = loaded(pair.uri, pids, LOAD_BYTES, options)
    const dirty = await dirtyOf(daemons)
    const storageMb = residentBytesOf(pids[0]!) / 1e6
    const { returnMs, heldMs } = await returned(daemons, log)
    return { count, dirty, storageMb, load, returnMs, heldMs, takeoverMs: await pair.takeOver() }
  })
}

async function discard(uri: string, offset: number, bytes: number): Promise<void> {
  if (bytes === 0) return
  const block = Math.min(bytes, DISCARD_BYTES)
  const shape = ["--rw=trim", `--bs=${block}`, "--iodepth=16"]
  const where = [`--offset=${offset}`, `--size=${Math.ceil(bytes / block) * block}`]
  const { code } = await runLoad("discard", [`--uri=${uri}`, ...shape, ...where])
  if (code !== 0) throw new Error(`fio ended with ${code}`)
}

/** What the member that stayed knows the other one lacks. */
async function dirtyOf(daemons: Daemons): Promise<number> {
  const maps = (await daemons.ask("storage-1", "map-show", {
    ...{ pool: "vault", from: 0, rangesMax: 1 },
  })) as readonly { readonly dirtyChunks: number }[]
  return Math.max(0, ...maps.map(({ dirtyChunks }) => dirtyChunks))
}

/** The member starts again; until it is back in the view, with its copies still to come. */
async function returned(
  daemons: Daemons,
  log: readonly Said[],
): Promise<{ readonly returnMs: number; readonly heldMs: number }> {
  const startMs = performance.now()
  daemons.startAgain("storage-2")
  let joined: Said | undefined
  await eventually("the member's return", RETURN_SECONDS, () => {
    joined = log.find(({ event }) => event === "pool.member-joined")
    return joined !== undefined
  })
  return { returnMs: performance.now() - startMs, heldMs: Number(joined?.["heldMs"]) }
}

function rowsOf(of: Measured, first: Measured): Row[] {
  const name = of.count.toLocaleString("en")
  const row = (what: string, unit: string, value: (one: Measured) => number): Row => ({
    ...{ part: "dirty", what: `${name}, ${what}`, unit },
    ...{ value: value(of), ratio: value(of) / value(first) },
  })
  return [
    row("chunks that are dirty", "chunks", ({ dirty }) => dirty),
    row("storage node resident", "MB", ({ storageMb }) => storageMb),
    row("4 KiB random writes with one member away", "IOPS", ({ load }) => load.iops),
    row("CPU of such a write, both", "µs", ({ load }) => load.cpuUs),
    row("from the member's start to its return", "ms", ({ returnMs }) => returnMs),
    row("IO held meanwhile", "ms", ({ heldMs }) => heldMs),
    row("taken over by another client then", "ms", ({ takeoverMs }) => takeoverMs),
  ]
}
