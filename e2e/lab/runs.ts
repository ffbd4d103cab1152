/** Programs that the lab runs on the host: with a deadline, and with what they said at failure. */
import { renameSync, rmSync } from "node:fs"
import { failureText, type RunResult, run } from "../../tools/setup/run.js"

/** What people can mend: the message says how. */
export class LabError extends Error {}

const NOT_STARTED = 127
const LINES_SHOWN = 12

export interface ProgramOptions {
  readonly cwd?: string
  readonly seconds: number
}

/** Fails with `LabError`. */
export async function runOrFail(
  program: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<RunResult> {
  const result = await tryToRun(program, args, options)
  if (!result.ok) throw new LabError(failureText(result, LINES_SHOWN))
  return result
}

/** Fails with `LabError` only where there is no such program. */
export async function tryToRun(
  program: string,
  args: readonly string[],
  { cwd, seconds }: ProgramOptions,
): Promise<RunResult> {
  const env = { ...process.env, LC_ALL: "C" }
  const where = cwd === undefined ? {} : { cwd }
  const result = await run(program, args, { ...where, env, timeoutMs: seconds * 1000 })
  if (result.code === NOT_STARTED) throw new LabError(`there is no ${program}`)
  return result
}

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
