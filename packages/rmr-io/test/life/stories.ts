/**
 * How a test starts the program of lives: in one file, so that it and its threads are there in a
 * moment, and each time as a process of its own that is over within its time.
 */
import { type SpawnSyncReturns, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"

const STORY_MS_MAX = 120_000
const ROOT = process.cwd()
const HERE = import.meta.dirname
const TSUP = "node_modules/tsup/dist/cli-default.js"

export interface Stories {
  /** On the disk of the project: what lies in memory takes no direct IO. */
  readonly folder: string
  tell(story: Story): SpawnSyncReturns<string>
  remove(): void
}

export interface Story {
  readonly way: string
  readonly stage?: string
  /** Of Node. */
  readonly flags?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

export function makeStories(): Stories {
  // The addon is looked for beside the folder of the program.
  const programs = mkdtempSync(join(HERE, "../../life-"))
  const folder = mkdtempSync(join(ROOT, "rmr-life-"))
  const remove = (): void => {
    for (const made of [programs, folder]) rmSync(made, { recursive: true, force: true })
  }
  const options = ["--no-config", "--silent", "--format", "esm", "--out-dir", programs]
  const source = join(HERE, "program.ts")
  const { stderr, status } = start([TSUP, source, "--tsconfig", "tsconfig.run.json", ...options])
  if (status !== 0) {
    remove()
    throw new Error(`the program was not made: ${stderr}`)
  }
  const program = join(programs, "program.js")
  const tell = ({ way, stage = "", flags = [], env = {} }: Story): SpawnSyncReturns<string> =>
    start([...flags, program, way, folder, stage], env)
  return { folder, tell, remove }
}

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, args, {
    ...{ cwd: ROOT, encoding: "utf8", timeout: STORY_MS_MAX },
    env: { ...process.env, ...env },
  })
}
