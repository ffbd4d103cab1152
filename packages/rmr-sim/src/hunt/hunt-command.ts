/**
 * `sim`: hunts for broken promises in pools of real clients, nodes and stores, seed after seed.
 *
 * A seed that fails is told with what was broken, which faults there were and the command that
 * plays it again. Exit status: 0, or that of the worst that was found (breach.ts), 2 for usage.
 */
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import { BREACH_KINDS, EXIT_STATUSES } from "./breach.js"
import { FAULT_NAMES, type HuntOptions, hunt, type Seed } from "./hunt.js"
import { failureLines, HuntTally, traceLine } from "./hunt-report.js"
import { huntInParallel } from "./hunt-workers.js"

const STATUSES = BREACH_KINDS.map((kind) => `${EXIT_STATUSES[kind]} ${kind}`).join(", ")

export const SIM_USAGE: string = `
usage: pnpm sim SEED [OPTIONS]       plays one seed, and shows its trace
       pnpm sim [OPTIONS]            hunts many seeds, in parallel processes
       pnpm sim mutants [OPTIONS]    takes rules out of the product; hunts must notice

  --seeds N     how many seeds (default 100)
  --from M      the first of them (default 1); of a text, as a commit's hash, M-1 is the first
  --twice N     plays the first N a second time, which must come out the same
  --jobs J      processes (default: one per processor)
  --minutes T   gives out no further seed after so long
  --rounds N    faults and calm so many times (default 1 to 3, by the seed)
  --faults a,b  only these faults, and nothing else that the seed would draw
  --trace N     of one seed: the last N records of its trace (default 60), or "all"
  --json        one object instead of words

Faults: ${FAULT_NAMES.join(", ")}.
Exit status: 0 when all passed, else the worst that was found: ${STATUSES};
2 where the command cannot be understood.
`.trimStart()

interface SimOptions {
  readonly seed: Seed | undefined
  readonly seeds: number
  readonly from: number | string
  readonly twice: number
  readonly jobs: number
  readonly minutes: number
  readonly trace: number
  readonly isJson: boolean
  readonly hunt: HuntOptions
}

class UsageError extends Error {}

type Print = (line: string) => void

/** Exit status. */
export async function runHunts(args: readonly string[], print: Print): Promise<number> {
  let options: SimOptions | undefined
  try {
    options = parse(args)
  } catch (thrown) {
    print(`sim: ${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${SIM_USAGE}`)
    return 2
  }
  if (options === undefined) {
    print(SIM_USAGE)
    return 0
  }
  const { seed } = options
  return seed === undefined ? huntMany(options, print) : replay(seed, options, print)
}

async function huntMany(options: SimOptions, print: Print): Promise<number> {
  const { seeds: count, from, twice, jobs, isJson } = options
  const seeds = Array.from(
    { length: count },
    (_, nth): Seed => (typeof from === "number" ? from + nth : `${from}-${nth + 1}`),
  )
  const total = count + Math.min(twice, count)
  const tally = new HuntTally()
  const say = progressLine()
  const endMs = Date.now() + options.minutes * 60_000
  await huntInParallel({
    seeds: [...seeds, ...seeds.slice(0, twice)],
    jobs,
    hunt: options.hunt,
    isEnough: () => Date.now() > endMs,
    onReport: (report) => {
      const noted = tally.add(report)
      if (noted.breach !== undefined && !isJson) {
        say("")
        for (const line of failureLines(noted)) print(line)
      }
      say(tally.progress(total))
    },
  })
  say("")
  if (isJson) print(JSON.stringify(tally.toJson()))
  else for (const line of tally.summary()) print(line)
  return tally.exitStatus
}

async function replay(seed: Seed, options: SimOptions, print: Print): Promise<number> {
  const { trace, isJson } = options
  const logRecordsMax = Number.isFinite(trace) ? Math.max(trace, 1) : 10_000_000
  let stray: string | undefined
  process.on("unhandledRejection", (thrown) => {
    stray ??= thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  })
  const { plan, breach, pool, virtualMs, operationCount, faults } = await hunt(seed, {
    ...options.hunt,
    logRecordsMax,
  })
  const { log } = pool.sim.world
  const digest = pool.sim.world.digest()
  const words = breach?.words ?? stray
  if (isJson) {
    print(JSON.stringify({ seed, plan, breach, virtualMs, operationCount, faults, digest }))
  } else {
    print(`plan: ${JSON.stringify(plan.shape)}`)
    const told = faults.map(({ atMs, name }) => `${Math.round(atMs)} ${name}`)
    print(`faults: ${told.join(", ")}`)
    for (const record of log.records.slice(-logRecordsMax)) print(traceLine(record))
    print(`${operationCount} operations in ${Math.round(virtualMs)} virtual ms, digest ${digest}`)
    print(words === undefined ? "passed" : `FAIL ${breach?.kind ?? "crash"}: ${words}`)
    print(`replay: pnpm sim ${seed}${replayOptions(options.hunt)}`)
  }
  if (breach !== undefined) return EXIT_STATUSES[breach.kind]
  return stray === undefined ? 0 : EXIT_STATUSES.crash
}

function replayOptions({ faults, rounds }: HuntOptions): string {
  const words = faults === undefined ? "" : ` --faults ${faults.join(",")}`
  return rounds === undefined ? words : `${words} --rounds ${rounds}`
}

/** One line that overwrites itself where somebody watches, and one a minute where nobody does. */
export function progressLine(): (text: string) => void {
  let saidMs = Date.now()
  return (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
    else if (text !== "" && Date.now() - saidMs > 60_000) {
      saidMs = Date.now()
      process.stderr.write(`${text}\n`)
    }
  }
}

function parse(args: readonly string[]): SimOptions | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seeds: { type: "string", default: "100" },
      from: { type: "string", default: "1" },
      twice: { type: "string" },
      jobs: { type: "string", default: String(availableParallelism()) },
      minutes: { type: "string", default: "100000" },
      rounds: { type: "string" },
      faults: { type: "string" },
      trace: { type: "string", default: "60" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  })
  if (values.help) return undefined
  // The word of before there was more than one thing to simulate.
  const rest = positionals[0] === "pool" ? positionals.slice(1) : positionals
  if (rest.length > 1) throw new UsageError(`one seed, or none: ${rest.join(" ")}`)
  const faults = values.faults?.split(",")
  const unknown = faults?.find((name) => !FAULT_NAMES.includes(name))
  if (unknown !== undefined) throw new UsageError(`no fault is called ${unknown}`)
  return {
    seed: seedOf(rest[0]),
    seeds: countOf("--seeds", values.seeds),
    from: /^\d+$/.test(values.from) ? countOf("--from", values.from) : values.from,
    twice: values.twice === undefined ? 0 : countOf("--twice", values.twice),
    jobs: countOf("--jobs", values.jobs),
    minutes: countOf("--minutes", values.minutes),
    trace: values.trace === "all" ? Number.POSITIVE_INFINITY : countOf("--trace", values.trace),
    isJson: values.json,
    hunt: {
      faults,
      rounds: values.rounds === undefined ? undefined : countOf("--rounds", values.rounds),
    },
  }
}

function seedOf(word: string | undefined): Seed | undefined {
  return word !== undefined && /^\d{1,15}$/.test(word) ? Number(word) : word
}

function countOf(option: string, value: string): number {
  const count = Number(value)
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new UsageError(`${option} is a whole number from 1, not ${value}`)
  }
  return count
}
