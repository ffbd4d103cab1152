/**
 * `pnpm bench:device`: NBD exports side by side, by the same fio, in turns.
 *
 *   pnpm bench:device                       files on tmpfs, NBD over a unix socket, all jobs
 *   pnpm bench:device --only randwrite      jobs whose name contains the text
 *   pnpm bench:device --seconds 3 --rounds 5 --mib 1024 --folder /dev/shm
 *   pnpm bench:device --disk --folder .     files on a disk, past the cache of the kernel
 *   pnpm bench:device --targets quorum,pool two copies only; `plain`: without the native addon
 *   pnpm bench:device --quick               two copies, what is promised for them, under 90 s
 *   pnpm bench:device --calls               counts system calls too, where perf can
 *   pnpm bench:device --record              adds a line to bench/results, and draws it
 *   pnpm bench:device --against             fails where a fifth of a recorded ratio is lost, twice
 *   pnpm bench:device --json                the rows for a program
 *   pnpm bench:device --smoke               only whether it still runs: one short job, no verdict
 *
 * A pool is compared with QEMU's quorum, if that is there, and others with the first target. Each
 * has some seconds of a load before anything counts, since code that is compiled while it runs is
 * slower at first. It runs the packages as they were built last: `pnpm build` comes first, and the
 * script does it. Exit code 1: something could not be measured, fell short, or was lost.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { compare, isShort, type Row, tableOf } from "./compare.js"
import { residentBytesOf, runFio } from "./fio.js"
import { lastOf, lossesSince, type Measured, machineHere, measuredOf, record } from "./history.js"
import { JOBS, type Job, jobsOnDisk, QUICK_JOBS } from "./jobs.js"
import { startExport } from "./ours.js"
import { plotOf } from "./plot.js"
import { POOL, startPlainPool, startPool } from "./pool.js"
import { startQuorum, startSingle } from "./qemu.js"
import { syscallsPerIo, whyNoCounts } from "./syscalls.js"
import type { Target } from "./target.js"
import { missingTools } from "./tools.js"

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    seconds: { type: "string" },
    rounds: { type: "string" },
    mib: { type: "string" },
    folder: { type: "string", default: "/dev/shm" },
    targets: { type: "string" },
    disk: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    calls: { type: "boolean", default: false },
    record: { type: "boolean", default: false },
    against: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    smoke: { type: "boolean", default: false },
  },
})

const RESULTS = fileURLToPath(new URL("../results", import.meta.url))
const HISTORY = join(RESULTS, "device.jsonl")
const COUNT_SECONDS = 1
const WARM_SECONDS = 4
const WARMING: Job = { name: "warming", rw: "mix", blockSize: "4k", depth: 32 }
const FULL = { seconds: 3, rounds: 5, mib: 1024, targets: "single,quorum,export,pool" }
const QUICK = { seconds: 1, rounds: 2, mib: 256, targets: "quorum,pool" }
const SMOKE = { seconds: 1, rounds: 1, mib: 32, targets: FULL.targets }
const form = options.smoke ? SMOKE : options.quick ? QUICK : FULL
const seconds = Number(options.seconds ?? form.seconds)
const rounds = Number(options.rounds ?? form.rounds)
const volumeBytes = Number(options.mib ?? form.mib) * 1024 * 1024
const wanted = (options.targets ?? form.targets).split(",")
const place = options.disk ? "disk" : "tmpfs"

const missing = missingTools()
if (missing !== undefined) throw new Error(missing)
const jobs = wantedJobs()
const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}
const folder = mkdtempSync(join(options.folder, "rmr-bench-"))
const targets: Target[] = []
try {
  await startTargets()
  if (!options.smoke) {
    for (const target of targets) runFio(target, WARMING, WARM_SECONDS, volumeBytes)
  }
  const rows = await measure(jobs)
  console.log(options.json ? JSON.stringify(rows, null, 2) : tableOf(rows))
  if (!options.smoke && rows.some(isShort)) process.exitCode = 1
  if (options.against) await compareWithLast(rows)
  if (options.record) keep(rows)
  for (const { name, pids } of targets) {
    const mebibytes = pids.map((pid) => (residentBytesOf(pid) / 2 ** 20).toFixed(0))
    say(`${name}: resident MiB by process: ${mebibytes.join(", ")}`)
  }
} finally {
  for (const target of targets) await target.stop()
  rmSync(folder, { recursive: true, force: true })
}

function wantedJobs(): readonly Job[] {
  const all = options.quick ? QUICK_JOBS : JOBS
  const named = (options.disk ? jobsOnDisk(all) : all).filter(({ name }) =>
    name.includes(options.only),
  )
  if (named.length === 0) throw new Error(`no job has "${options.only}" in its name`)
  return options.smoke ? named.slice(0, 1) : named
}

async function startTargets(): Promise<void> {
  const starts = {
    ...{ single: startSingle, quorum: startQuorum, export: startExport },
    ...{ pool: startPool, plain: startPlainPool },
  }
  for (const [name, start] of Object.entries(starts)) {
    if (!wanted.includes(name)) continue
    targets.push(await start({ folder, volumeBytes, isDirect: options.disk }))
  }
}

function measure(which: readonly Job[]): Promise<Row[]> {
  const why = options.calls ? whyNoCounts() : "nobody asked"
  if (options.calls && why !== undefined) say(`system calls are not counted: ${why}`)
  const countCalls = (target: Target, job: Job): Promise<number> =>
    syscallsPerIo(target, job, COUNT_SECONDS, volumeBytes)
  return compare({
    ...{ targets, jobs: which, seconds, rounds, volumeBytes, say },
    countCalls: why === undefined ? countCalls : undefined,
  })
}

/** What is lost is measured once more; a loss that is found again fails the run. */
async function compareWithLast(rows: readonly Row[]): Promise<void> {
  const before = lastOf(HISTORY, place)
  if (before === undefined) {
    say(`nothing to compare with: ${HISTORY} has no line of ${place}; --record makes one`)
    return
  }
  const first = lossesSince(before, rows.map(measuredOf))
  if (first.size === 0) return
  for (const words of first.values()) say(`perhaps lost, and measured again: ${words}`)
  const again = await measure(jobs.filter(({ name }) => first.has(name)))
  const lost = lossesSince(before, again.map(measuredOf))
  for (const [job, words] of lost) say(`lost: ${job}: ${words}`)
  if (lost.size > 0) process.exitCode = 1
}

function besideOf(rows: readonly Row[]): string {
  return rows.find(({ target }) => target === POOL)?.beside ?? "nobody"
}

function keep(rows: readonly Row[]): void {
  const measured: Measured = {
    ...{ time: new Date().toISOString(), machine: machineHere(), place, seconds, rounds },
    rows: rows.map(measuredOf),
  }
  record(HISTORY, measured)
  const title = `IOPS of two copies of ours, as a multiple of those of ${besideOf(rows)}`
  writeFileSync(join(RESULTS, `device-${place}.svg`), plotOf(measured, POOL, title))
}
