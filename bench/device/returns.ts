/**
 * `pnpm bench:returns`: for how long IO stands still when a member returns (promise P9).
 *
 *   pnpm bench:returns                     volumes of 1 GiB, 1 TiB and 64 TiB, three rounds each
 *   pnpm bench:returns --gib 1,1024 --rounds 1 --folder /dev/shm
 *
 * A pool of two storage nodes and a client, daemons as users run them, over loopback. fio writes
 * 4 KiB at random over the whole volume; one node is killed, the other goes on for a few seconds
 * and marks what is missed, and the node comes back. The client says in its log for how long new
 * mutations were held. The stores are sparse; a file system that takes files of the size is needed.
 * Exit code 1: the median of a size is 20 ms or more, or something failed.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { clientText, Daemons, isExported, median, pause, runLoad, storageText } from "./daemons.js"
import { freePorts, until } from "./target.js"

const GIB = 2 ** 30
const MUST_MS = 20
const SECONDS = 14
const BEFORE_MS = 3000
const AWAY_MS = 4000
const BACK_MS = 60_000

const { values: options } = parseArgs({
  options: {
    gib: { type: "string", default: "1,1024,65536" },
    rounds: { type: "string", default: "3" },
    folder: { type: "string", default: "/dev/shm" },
  },
})

interface Joined {
  readonly heldMs: number
  readonly dirtyChunks: number
}

interface Round extends Joined {
  readonly slowestMs: number
}

/** Writes for a while; the slowest of them, in milliseconds. */
async function load(uri: string, sizeBytes: number): Promise<number> {
  const shape = ["--rw=randwrite", "--bs=4k", "--iodepth=8", "--rate_iops=1500"]
  const time = [`--size=${sizeBytes}`, `--runtime=${SECONDS}`, "--time_based=1"]
  const args = [`--uri=${uri}`, ...shape, ...time, "--norandommap=1"]
  const { code, report } = await runLoad("returns", args)
  if (code !== 0) throw new Error(`fio ended with ${code}`)
  return ((report as FioReport).jobs[0]?.write.clat_ns.max ?? 0) / 1e6
}

interface FioReport {
  readonly jobs: readonly { readonly write: { readonly clat_ns: { readonly max: number } } }[]
}

async function measure(sizeBytes: number): Promise<Round> {
  const folder = mkdtempSync(join(options.folder, "rmr-returns-"))
  const joined: Joined[] = []
  const daemons = new Daemons(folder, (said) => {
    if (said.event === "pool.member-joined") joined.push(said as unknown as Joined)
  })
  try {
    const ports = await freePorts(2)
    const socket = join(folder, "pool.sock")
    const urls = ports.map((port) => `tcp://127.0.0.1:${port}`)
    for (const [nth, url] of urls.entries()) {
      daemons.start(`storage-${nth + 1}`, storageText(folder, nth + 1, url, sizeBytes))
    }
    daemons.start("client", clientText(socket, urls, sizeBytes))
    const uri = `nbd+unix:///vault?socket=${socket}`
    await until("the pool", () => isExported(uri))
    const loading = load(uri, sizeBytes)
    await pause(BEFORE_MS)
    await daemons.end("storage-2", "SIGKILL")
    await pause(AWAY_MS)
    daemons.startAgain("storage-2")
    const slowestMs = await loading
    for (let waited = 0; joined.length === 0; waited += 50) {
      if (waited > BACK_MS) throw new Error("the member did not come back")
      await pause(50)
    }
    return { ...joined[0]!, slowestMs }
  } finally {
    await daemons.endAll()
    rmSync(folder, { recursive: true, force: true })
  }
}

for (const gib of options.gib.split(",").map(Number)) {
  const rounds: Round[] = []
  for (let nth = 0; nth < Number(options.rounds); nth++) rounds.push(await measure(gib * GIB))
  const held = rounds.map(({ heldMs }) => heldMs)
  const heldMs = median(held)
  const spread = `${Math.min(...held)} … ${Math.max(...held)}`
  const chunks = median(rounds.map(({ dirtyChunks }) => dirtyChunks))
  const slowest = median(rounds.map(({ slowestMs }) => slowestMs)).toFixed(0)
  const verdict = heldMs < MUST_MS ? "ok" : "short"
  const words = `held for ${heldMs} ms (${spread}), ${chunks} chunks dirty`
  console.log(`${gib} GiB: ${words}, slowest write ${slowest} ms: ${verdict}`)
  if (heldMs >= MUST_MS) process.exitCode = 1
}
