/**
 * Growth with time: heap, buffers and payload memory of two storage nodes and a client over many
 * IOs, and for how long the garbage collector holds them up meanwhile.
 *
 * Each slice of the load ends with a sample after all garbage was collected (watch.mjs). What is
 * flat has a median of the last fifth of the samples within a few per cent of that of the second.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type Daemons, runLoad } from "../device/daemons.js"
import { fractionOf, growthOf, medianOf, type Row, type Sample, samplesIn } from "./figures.js"
import { eventually, type Options, withDaemons } from "./fleet.js"
import { Pair } from "./volumes.js"

const VOLUME_BYTES = 256 * 2 ** 20
const SLICES = 25
const SLICE_SECONDS_MAX = 1800
const SAMPLE_SECONDS = 20
const GROWTH_MAX = 1.05
const PAUSE_MS_MAX = 2
const NAMES = ["storage-1", "storage-2", "client"] as const

interface Memory {
  readonly leaseCount: number
  readonly leasedBytes: number
}

interface Status {
  readonly storage: { readonly memory: Memory } | null
  readonly client: { readonly memory: Memory } | null
}

interface Slice extends Sample {
  readonly leasedBytes: number
}

export function measureEndurance(options: Options): Promise<readonly Row[]> {
  return withDaemons(options, async (daemons) => {
    const pair = await Pair.start(daemons, VOLUME_BYTES, (name) => watched(daemons, name))
    const slices = new Map<string, Slice[]>(NAMES.map((name) => [name, []]))
    const each = Math.ceil(options.ios / SLICES)
    for (let nth = 1; nth <= SLICES; nth++) {
      await load(pair.uri, each)
      for (const name of NAMES) slices.get(name)!.push(await sampleOf(daemons, name))
      const last = NAMES.map((name) => wordsOf(slices.get(name)!.at(-1)!)).join(", ")
      options.say(`endurance: ${nth * each} of ${options.ios} IOs, MiB of heap + buffers: ${last}`)
    }
    return NAMES.flatMap((name) => rowsOf(name, slices.get(name)!))
  })
}

function watched(daemons: Daemons, name: string): readonly string[] {
  const watch = new URL("watch.mjs", import.meta.url).href
  return ["env", `NODE_OPTIONS=--import ${watch}`, `RMR_GROWTH_SAYS=${saysOf(daemons, name)}`]
}

function saysOf({ folder }: Daemons, name: string): string {
  return join(folder, `${name}.says`)
}

/** Reads and writes, half and half. */
async function load(uri: string, ios: number): Promise<void> {
  const shape = ["--rw=randrw", "--bs=4k", "--iodepth=32", "--norandommap=1"]
  const much = [
    `--size=${VOLUME_BYTES}`,
    `--io_size=${ios * 4096}`,
    `--runtime=${SLICE_SECONDS_MAX}`,
  ]
  const { code } = await runLoad("endurance", [`--uri=${uri}`, ...shape, ...much])
  if (code !== 0) throw new Error(`fio ended with ${code}`)
}

async function sampleOf(daemons: Daemons, name: string): Promise<Slice> {
  const said = (): readonly Sample[] => {
    const file = saysOf(daemons, name)
    return existsSync(file) ? samplesIn(readFileSync(file, "utf8")) : []
  }
  const { length: before } = said()
  daemons.signal(name, "SIGUSR2")
  await eventually(`a sample of ${name}`, SAMPLE_SECONDS, () => said().length > before)
  const { storage, client } = (await daemons.ask(name, "status")) as Status
  return { ...said().at(-1)!, leasedBytes: (storage ?? client)!.memory.leasedBytes }
}

function wordsOf({ heapUsed, arrayBuffers }: Sample): string {
  return `${(heapUsed / 2 ** 20).toFixed(1)} + ${(arrayBuffers / 2 ** 20).toFixed(2)}`
}

function rowsOf(name: string, slices: readonly Slice[]): Row[] {
  const flat = (what: string, of: (slice: Slice) => number): Row => {
    const values = slices.map(of)
    const [part, unit] = ["endurance", "times"]
    const size = (medianOf(values) / 2 ** 20).toFixed(1)
    const title = `${name}, ${what} of ${size} MiB, last fifth to second`
    return { part, what: title, value: growthOf(values), unit, most: GROWTH_MAX }
  }
  // In the first fifth, programs are loaded and compiled.
  const pauses = slices.slice(Math.floor(slices.length / 5)).flatMap((slice) => slice.pauses)
  const pause = (what: string, value: number, most?: number): Row => ({
    ...{ part: "endurance", what: `${name}, pause of the collector, ${what}`, value, unit: "ms" },
    ...(most === undefined ? {} : { most }),
  })
  return [
    flat("heap in use", ({ heapUsed }) => heapUsed),
    flat("buffers", ({ arrayBuffers }) => arrayBuffers),
    flat("payload memory in use", ({ leasedBytes }) => leasedBytes),
    flat("resident", ({ rss }) => rss),
    pause(`p50 of ${pauses.length}`, fractionOf(pauses, 0.5)),
    pause("p99", fractionOf(pauses, 0.99)),
    pause("p99.9", fractionOf(pauses, 0.999), PAUSE_MS_MAX),
    pause("longest", fractionOf(pauses, 1)),
  ]
}
