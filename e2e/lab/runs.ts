/** Programs that the lab runs on the host: with a deadline, and with what they said at failure. */
import { spawn } from "node:child_process"
import { renameSync, rmSync } from "node:fs"

/** What people can mend: the message says how. */
export class LabError extends Error {}

export interface RunOptions {
  readonly cwd?: string
  readonly seconds: number
  readonly env?: NodeJS.ProcessEnv
  readonly mayFail?: boolean
}

export interface Ran {
  readonly code: number | null
  readonly output: string
}

const LINES_SHOWN = 12

/**
 * What was made elsewhere is at its place now, at once and as a whole. Where somebody else was
 * faster, theirs stays.
 */
export function publish(draft: string, place: string): void {
  try {
    renameSync(draft, place)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOTEMPTY") throw error
    rmSync(draft, { recursive: true, force: true })
  }
}

/** Output and errors together; fails with `LabError` unless it may. */
export function runOrFail(
  program: string,
  args: readonly string[],
  { cwd, seconds, env, mayFail = false }: RunOptions,
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"]
    const child = spawn(program, args, { cwd, env: { ...process.env, LC_ALL: "C", ...env }, stdio })
    let output = ""
    const hear = (bytes: Buffer): void => {
      output += bytes.toString()
    }
    child.stdout.on("data", hear)
    child.stderr.on("data", hear)
    const deadline = setTimeout(() => child.kill("SIGKILL"), seconds * 1000)
    child.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(deadline)
      const isMissing = error.code === "ENOENT"
      reject(new LabError(isMissing ? `there is no ${program}` : `${program}: ${error.message}`))
    })
    child.on("close", (code, signal) => {
      clearTimeout(deadline)
      if (code === 0 || mayFail) {
        resolve({ code, output })
        return
      }
      const said = output.trimEnd().split("\n").slice(-LINES_SHOWN).join("\n")
      const end = signal === null ? `ended with ${code}` : `was ended by ${signal}`
      reject(new LabError(`${program} ${args.join(" ")} ${end}:\n${said}`))
    })
  })
}
