/**
 * `pnpm bench:device`: NBD exports side by side, by the same fio, in turns.
 *
 *   pnpm bench:device                       files on tmpfs, NBD over a unix socket, all jobs
 *   pnpm bench:device --only randwrite      jobs whose name contains the text
 *   pnpm bench:device --seconds 3 --rounds 5 --mib 1024 --folder /dev/shm
 *   pnpm bench:device --targets quorum,pool two copies only; `plain`: without the native addon
 *   pnpm bench:device --json                the rows for a program
 *   pnpm bench:device --smoke               only whether it still runs: one short job, no verdict
 *
 * The first target is what the others are compared with. It runs the packages as they were built
 * last: `pnpm build` comes first, and the script does it. Exit code 1: something could not be
 * measured or fell short.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { compare, isShort, tableOf } from "./compare.js"
import { JOBS, residentBytesOf } from "./fio.js"
import { startExport } from "./ours.js"
import { startPlainPool, startPool } from "./pool.js"
import { startQuorum, startSingle } from "./qemu.js"
import type { Target } from "./target.js"
import { missingTools } from "./tools.js"

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "5" },
    mib: { type: "string", default: "1024" },
    folder: { type: "string", default: "/dev/shm" },
    targets: { type: "string", default: "single,quorum,export,pool" },
    json: { type: "boolean", default: false },
    smoke: { type: "boolean", default: false },
  },
})

const SMOKE = { seconds: 1, rounds: 1, mib: 32 }
const { seconds, rounds, mib } = options.smoke
  ? SMOKE
  : { seconds: Number(options.seconds), rounds: Number(options.rounds), mib: Number(options.mib) }
const named = JOBS.filter((job) => job.name.includes(options.only))
const jobs = options.smoke ? named.slice(0, 1) : named
if (jobs.length === 0) throw new Error(`no job has "${options.only}" in its name`)
const missing = missingTools()
if (missing !== undefined) throw new Error(missing)
const volumeBytes = mib * 1024 * 1024
const folder = mkdtempSync(join(options.folder, "rmr-bench-"))
const targets: Target[] = []
try {
  const starts = {
    ...{ single: startSingle, quorum: startQuorum, export: startExport },
    ...{ pool: startPool, plain: startPlainPool },
  }
  const wanted = options.targets.split(",")
  for (const [name, start] of Object.entries(starts)) {
    if (!wanted.includes(name)) continue
    targets.push(await start({ folder, volumeBytes }))
  }
  const rows = compare({
    targets,
    jobs,
    seconds,
    rounds,
    volumeBytes,
    say: (line) => process.stderr.write(`${line}\n`),
  })
  console.log(options.json ? JSON.stringify(rows, null, 2) : tableOf(rows))
  if (!options.smoke && rows.some(isShort)) process.exitCode = 1
  for (const { name, pids } of targets) {
    const mebibytes = pids.map((pid) => (residentBytesOf(pid) / 2 ** 20).toFixed(0))
    process.stderr.write(`${name}: resident MiB by process: ${mebibytes.join(", ")}\n`)
  }
} finally {
  for (const target of targets) await target.stop()
  rmSync(folder, { recursive: true, force: true })
}
