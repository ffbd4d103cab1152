/**
 * What a run of the device bench is asked for: its words, what they mean where nothing is said,
 * and the text of `--help`. Whatever cannot be meant is refused before anything is started.
 */
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { JOBS, type Job, jobsOnDisk, QUICK_JOBS } from "./jobs.js"
import { CEILING_NAMES } from "./kinds.js"
import { connectionsIn, membersIn, type Site, sitesOf, statesIn } from "./shapes.js"

export const HELP: string = `pnpm bench:device: replicated devices and peers, by one fio, in turns

  pnpm bench:device                        all jobs, files on tmpfs, NBD over a unix socket

What is measured:
  --only TEXT            jobs whose name contains the text, as in --only randwrite
  --targets NAMES        single (QEMU, one copy), nbdkit, raw (fio on the file), quorum (QEMU's,
                         as many copies as a pool), gluster (GlusterFS, two copies), export (ours,
                         one copy), pool (ours), plain (a pool without the native addon);
                         all but plain where nothing is said
  --ceilings FOLDER      programs that only copy, too (bench/README.md), and what part a pool has
  --members 1,2,3        so many copies, of quorum and pool; default 2
  --connections 1,4      fio over so many at a time, with the same depth in all; default 1
  --states healthy,degraded,resyncing
                         all copies there; one of them stopped; one that has come back and copies
                         what it missed; default healthy
  --calls                counts system calls too, where perf can

How:
  --seconds 3 --rounds 5 --mib 1024        of a run; of a job; of each volume
  --folder FOLDER        where files are; default /dev/shm
  --disk                 the folder is on a disk: past the kernel's cache, with bounds of its own
  --quick                quorum and pool, jobs for which something is promised, under 90 s
  --smoke                only whether it still runs: one short job, no verdict

What comes of it:
  --json                 rows for a program instead of tables
  --record               adds a line to bench/results/device.jsonl, and draws it
  --against              compares with the newest recorded ratios instead of with what is promised:
                         fails where ours has lost more than a fifth, and again when measured again
  --help                 this

A target that this machine cannot have is left out, with a line that says why.
Exit code 1: something could not be measured, fell short, or was lost.
`

export interface Options {
  readonly jobs: readonly Job[]
  readonly sites: readonly Site[]
  readonly connections: readonly number[]
  readonly targets: readonly string[]
  readonly seconds: number
  readonly rounds: number
  readonly volumeBytes: number
  readonly folder: string
  readonly isDirect: boolean
  /** Empty where nobody named one. */
  readonly ceilings: string
  readonly isCounting: boolean
  readonly isRecording: boolean
  readonly isAgainst: boolean
  readonly isJson: boolean
  /** Nothing is judged. */
  readonly isSmoke: boolean
}

const WORDS = {
  only: { type: "string", default: "" },
  targets: { type: "string" },
  ceilings: { type: "string", default: "" },
  members: { type: "string", default: "2" },
  connections: { type: "string", default: "1" },
  states: { type: "string", default: "healthy" },
  calls: { type: "boolean", default: false },
  seconds: { type: "string" },
  rounds: { type: "string" },
  mib: { type: "string" },
  folder: { type: "string", default: "/dev/shm" },
  disk: { type: "boolean", default: false },
  quick: { type: "boolean", default: false },
  smoke: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  record: { type: "boolean", default: false },
  against: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const

const FULL = {
  ...{ seconds: "3", rounds: "5", mib: "1024" },
  targets: "single,nbdkit,raw,quorum,gluster,export,pool",
}
const QUICK = { seconds: "1", rounds: "2", mib: "256", targets: "quorum,pool" }
const SMOKE = {
  ...{ seconds: "1", rounds: "1", mib: "32" },
  targets: "single,nbdkit,raw,quorum,export,pool",
}

/** Undefined where somebody only wants help. */
export function optionsOf(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({ args: [...args], options: WORDS })
  if (values.help) return undefined
  if (values.smoke && (values.record || values.against)) {
    throw new Error("--smoke measures nothing that could be recorded or compared")
  }
  const form = values.smoke ? SMOKE : values.quick ? QUICK : FULL
  const all = values.quick ? QUICK_JOBS : JOBS
  const jobs = (values.disk ? jobsOnDisk(all) : all).filter(({ name }) =>
    name.includes(values.only),
  )
  if (jobs.length === 0) throw new Error(`no job has "${values.only}" in its name`)
  const ceilings = values.ceilings === "" ? [] : CEILING_NAMES
  const sites = sitesOf(membersIn(values.members), statesIn(values.states))
  if (sites.length === 0) throw new Error("a pool of one is always healthy")
  return {
    jobs: values.smoke ? jobs.slice(0, 1) : jobs,
    sites,
    connections: connectionsIn(values.connections),
    targets: [...new Set([...(values.targets ?? form.targets).split(","), ...ceilings])],
    seconds: countOf("--seconds", values.seconds ?? form.seconds),
    rounds: countOf("--rounds", values.rounds ?? form.rounds),
    volumeBytes: countOf("--mib", values.mib ?? form.mib) * 2 ** 20,
    folder: resolve(values.folder),
    isDirect: values.disk,
    ceilings: values.ceilings === "" ? "" : resolve(values.ceilings),
    ...{ isCounting: values.calls, isRecording: values.record, isAgainst: values.against },
    ...{ isJson: values.json, isSmoke: values.smoke },
  }
}

function countOf(option: string, text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count > 0) return count
  throw new Error(`${option} ${text}: it takes a whole number above 0`)
}
