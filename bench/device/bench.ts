/**
 * A run of the device bench: starts the targets of one shape at a time, measures them, ends them,
 * and says in the end what is short, what is lost, and what is kept.
 *
 * Nothing of a shape is left when it ends, however it ends. Verdicts are in the exit code.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { sharesOf } from "./ceilings.js"
import { compare, isShort, median, type Row, tableOf } from "./compare.js"
import { residentBytesOf, runFio } from "./fio.js"
import {
  isSameRow,
  type Known,
  knownIn,
  lossesSince,
  type Measured,
  type MeasuredRow,
  machineHere,
  measuredOf,
  oursAmong,
  record,
} from "./history.js"
import { JOBS, type Job } from "./jobs.js"
import { kindsNamed, startAt } from "./kinds.js"
import type { Options } from "./options.js"
import { plotOf } from "./plot.js"
import { jobsAt, type Site, siteInWords } from "./shapes.js"
import { syscallsPerIo, whyNoCounts } from "./syscalls.js"
import type { Target } from "./target.js"

const RESULTS = fileURLToPath(new URL("../results", import.meta.url))
const HISTORY = join(RESULTS, "device.jsonl")
const COUNT_SECONDS = 1
const WARM_SECONDS = 4
const OTHERS_SHARE_MAX = 0.25
const WARMING: Job = { name: "warming", rw: "mix", blockSize: "4k", depth: 32 }

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

export class Bench {
  private readonly asked: Options
  private readonly rows: Row[] = []
  private readonly known: readonly Known[]
  private readonly countCalls: ((target: Target, job: Job) => Promise<number>) | undefined

  constructor(asked: Options) {
    this.asked = asked
    this.known = asked.isAgainst ? knownIn(HISTORY, placeOf(asked)) : []
    const why = asked.isCounting ? whyNoCounts() : "nobody asked"
    if (asked.isCounting && why !== undefined) say(`system calls are not counted: ${why}`)
    this.countCalls =
      why === undefined
        ? (target, job) => syscallsPerIo(target, job, COUNT_SECONDS, asked.volumeBytes)
        : undefined
  }

  /** All jobs of a site, over each number of connections, while its targets run. */
  async measureAt(site: Site, parent: string): Promise<void> {
    const { asked } = this
    const folder = join(parent, siteInWords(site).replaceAll(/\W+/g, "-"))
    mkdirSync(folder)
    say(siteInWords(site))
    const { volumeBytes, isDirect, ceilings: from } = asked
    const started = { options: { folder, volumeBytes, isDirect }, from, say }
    const targets: Target[] = []
    try {
      await startAt(site, { ...started, kinds: kindsNamed(asked.targets) }, targets)
      if (targets.length === 0) throw new Error(`nothing to measure: ${siteInWords(site)}`)
      if (!asked.isSmoke) {
        for (const target of targets) runFio(target, WARMING, WARM_SECONDS, volumeBytes)
      }
      for (const connections of asked.connections)
        await this.measureOver(connections, site, targets)
      for (const { name, pids } of targets) {
        const mebibytes = pids.map((pid) => (residentBytesOf(pid) / 2 ** 20).toFixed(0))
        if (pids.length > 0) say(`${name}: resident MiB by process: ${mebibytes.join(", ")}`)
      }
    } finally {
      for (const target of targets) await target.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  }

  private async measureOver(connections: number, site: Site, all: readonly Target[]) {
    const { asked } = this
    const jobs = jobsAt(asked.jobs, site, connections)
    const targets = all.filter(({ connectionsMax = Number.POSITIVE_INFINITY }) => {
      return connections <= connectionsMax
    })
    for (const { name, connectionsMax } of all.filter((target) => !targets.includes(target))) {
      say(`${name} is left out: it takes no more connections than ${connectionsMax}`)
    }
    const rows = await this.measure(jobs, targets)
    this.rows.push(...rows)
    if (!asked.isJson) console.log(`\n${siteInWords(site)}\n\n${tableOf(rows)}`)
    if (asked.isAgainst) await this.measureLosses(rows, jobs, targets)
  }

  private measure(jobs: readonly Job[], targets: readonly Target[]): Promise<Row[]> {
    const { seconds, rounds, volumeBytes } = this.asked
    return compare({
      ...{ targets, jobs, seconds, rounds, volumeBytes, say },
      countCalls: this.countCalls,
    })
  }

  /** What is lost is measured once more; a loss that is found again fails the run. */
  private async measureLosses(
    rows: readonly Row[],
    jobs: readonly Job[],
    targets: readonly Target[],
  ): Promise<void> {
    const first = lossesSince(this.known, oursAmong(rows))
    if (first.size === 0) return
    for (const [job, words] of first) say(`perhaps lost, and measured again: ${job}: ${words}`)
    const which = jobs.filter(({ name }) => first.has(name))
    const lost = lossesSince(this.known, oursAmong(await this.measure(which, targets)))
    for (const [job, words] of lost) say(`lost: ${job}: ${words}`)
    if (lost.size > 0) process.exitCode = 1
  }

  /** What is said of all sites together. */
  conclude(): void {
    const { asked, rows } = this
    if (asked.isJson) console.log(JSON.stringify(rows, null, 2))
    const others = (100 * othersOf(rows)).toFixed(0)
    say(`other work had ${others} % of the machine (median); above a few, figures are low`)
    const shares = sharesOf(rows)
    for (const { words } of shares) say(words)
    const short = rows.some(isShort) || shares.some((share) => share.isShort)
    if (!asked.isSmoke && !asked.isAgainst && short) process.exitCode = 1
    if (asked.isAgainst) this.sayWhatIsUnknown()
    if (asked.isRecording) this.keep()
  }

  /** A comparison with nothing is none. */
  private sayWhatIsUnknown(): void {
    const ours = oursAmong(this.rows)
    const unknown = ours.filter((row) => !this.known.some((known) => isSameRow(known, row)))
    for (const { job, target } of unknown) say(`nothing is recorded of ${target}: ${job}`)
    if (unknown.length < ours.length) return
    say(`nothing to compare with in ${HISTORY}; --record adds a line`)
    process.exitCode = 1
  }

  /** Later runs are compared with it, so it is not kept where other work is in the figures. */
  private keep(): void {
    const { asked, rows } = this
    const othersShare = Number(othersOf(rows).toFixed(2))
    if (othersShare > OTHERS_SHARE_MAX) {
      say(`not recorded: other work had more than ${100 * OTHERS_SHARE_MAX} % of the machine`)
      process.exitCode = 1
      return
    }
    const { seconds, rounds } = asked
    const place = placeOf(asked)
    const measured: Measured = {
      ...{ time: new Date().toISOString(), machine: machineHere(), place, seconds, rounds },
      ...{ othersShare, rows: rows.map(measuredOf) },
    }
    record(HISTORY, measured)
    const pools = new Set(rows.filter(({ isJudged }) => isJudged).map(({ target }) => target))
    if (pools.size === 0) return
    const title = "IOPS of pools of ours, as a multiple of those of QEMU's quorum of as many copies"
    writeFileSync(
      join(RESULTS, `device-${place}.svg`),
      plotOf({ ...measured, rows: newestIn(place) }, [...pools], title),
    )
  }
}

function othersOf(rows: readonly Row[]): number {
  return median(rows.map(({ run }) => run.othersShare))
}

function placeOf({ isDirect }: Options): string {
  return isDirect ? "disk" : "tmpfs"
}

/** A line need not have all jobs: what is drawn is the newest of each, in the order of jobs. */
function newestIn(place: string): readonly MeasuredRow[] {
  const orderOf = ({ job }: MeasuredRow): number => JOBS.findIndex(({ name }) => name === job)
  return [...knownIn(HISTORY, place)].sort((one, other) => orderOf(one) - orderOf(other))
}
