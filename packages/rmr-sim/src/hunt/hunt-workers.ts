/**
 * Hunts in several processes: one gives out seeds, the others hunt, one seed at a time each.
 *
 * A hunter that dies, or that needs far more real time for a seed than any hunt does, has found
 * something too: it is a breach of that seed, and another hunter takes its place.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type Breach, breachOf } from "./breach.js"
import { CALM, type HuntOptions, hunt, type Seed } from "./hunt.js"

/** What is worth telling of one seed. */
export interface SeedReport {
  readonly seed: Seed
  readonly breach: Breach | undefined
  readonly virtualMs: number
  readonly operationCount: number
  /** Of all that happened: the same for the same seed. */
  readonly digest: string
  /** How often each fault there was. */
  readonly faultCounts: Readonly<Record<string, number>>
  /** In order, with the time. */
  readonly story: readonly string[]
}

export interface HuntersOptions {
  readonly seeds: readonly Seed[]
  readonly jobs: number
  readonly hunt: HuntOptions
  readonly onReport: (report: SeedReport) => void
  /** True where no further seed is needed. */
  readonly isEnough?: () => boolean
  /** The program to run; default this one. */
  readonly program?: {
    readonly main: string
    readonly env: NodeJS.ProcessEnv
    readonly cwd: string
  }
}

/** Of real time: no hunt that ends takes a tenth of it. */
const SEED_MS_MAX = 600_000

interface Task {
  readonly seed: Seed
  readonly options: HuntOptions
}

/** One seed, in this process. */
export async function huntOnce(seed: Seed, options: HuntOptions): Promise<SeedReport> {
  let stray: string | undefined
  const onStray = (thrown: unknown): void => {
    stray ??= thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  }
  process.on("unhandledRejection", onStray)
  try {
    const { breach, virtualMs, operationCount, faults, pool } = await hunt(seed, options)
    const digest = pool.sim.world.digest()
    const faultCounts: Record<string, number> = {}
    for (const { name } of faults) {
      if (name !== CALM) faultCounts[name] = (faultCounts[name] ?? 0) + 1
    }
    const story = faults.map(({ atMs, name }) => `${Math.round(atMs)} ${name}`)
    const found = breach ?? (stray === undefined ? undefined : breachOf(stray))
    return { seed, breach: found, virtualMs, operationCount, digest, faultCounts, story }
  } finally {
    process.off("unhandledRejection", onStray)
  }
}

/** This process hunts whatever its parent sends, until the parent is gone. */
export function workAsHunter(): void {
  process.on("message", ({ seed, options }: Task) => {
    void huntOnce(seed, options).then((report) => process.send?.(report))
  })
  process.on("disconnect", () => process.exit(0))
}

/** Hunts all seeds, in no order. */
export async function huntInParallel(options: HuntersOptions): Promise<void> {
  const waiting = [...options.seeds]
  const next = (): Seed | undefined => (options.isEnough?.() === true ? undefined : waiting.shift())
  const count = Math.min(options.jobs, waiting.length)
  await Promise.all(Array.from({ length: count }, () => huntInChild(options, next)))
}

async function huntInChild(
  { hunt: options, onReport, program }: HuntersOptions,
  next: () => Seed | undefined,
): Promise<void> {
  let child: ChildProcess | undefined
  for (let seed = next(); seed !== undefined; seed = next()) {
    child ??= startHunter(program)
    const report = await ask(child, { seed, options })
    if (child.exitCode !== null || child.signalCode !== null) child = undefined
    onReport(report)
  }
  child?.disconnect()
}

function startHunter(program: HuntersOptions["program"]): ChildProcess {
  const main = program?.main ?? fileURLToPath(new URL("../main.ts", import.meta.url))
  const { execArgv, env, cwd } = process
  return fork(main, ["hunter"], {
    execArgv,
    env: program?.env ?? env,
    cwd: program?.cwd ?? cwd(),
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  })
}

function ask(child: ChildProcess, task: Task): Promise<SeedReport> {
  return new Promise((resolve) => {
    const fail = (words: string): void => end(failed(task.seed, words))
    const onExit = (code: number | null, signal: string | null): void =>
      fail(`the process of this hunt ended with ${signal ?? code}`)
    const timer = setTimeout(() => {
      child.off("exit", onExit)
      child.once("exit", () => fail(`P6: the hunt is not over after ${SEED_MS_MAX / 1000} s`))
      child.kill("SIGKILL")
    }, SEED_MS_MAX)
    const end = (report: SeedReport): void => {
      clearTimeout(timer)
      child.off("exit", onExit)
      child.off("message", end)
      resolve(report)
    }
    child.once("exit", onExit)
    child.once("message", end)
    child.send(task)
  })
}

function failed(seed: Seed, words: string): SeedReport {
  const breach = breachOf(words)
  return { seed, breach, virtualMs: 0, operationCount: 0, digest: "", faultCounts: {}, story: [] }
}
