/**
 * Stages made of commands: each command is one check, passed when it ends with code 0.
 */
import { at, plainEnv, ROOT } from "../setup/paths.js"
import { failureText, run } from "../setup/run.js"
import { broken, type Stage, type StageContext, type StageOutcome, sum } from "./stage.js"

/** Program and arguments; `node` is this very Node. */
export type Command = readonly [program: string, ...args: string[]]

const FAILURE_LINES = 120

/** Runs the commands one after another, all of them, also after a failure. */
export function commandStage(timeoutMs: number, commands: readonly Command[]): Stage {
  return {
    run: async () => {
      const outcomes: StageOutcome[] = []
      for (const command of commands) {
        const result = await runCommand(command, timeoutMs)
        if (result.ok) outcomes.push({ passed: 1, failed: 0, skips: [], text: "" })
        else outcomes.push(broken(failureText(result, FAILURE_LINES)))
      }
      return sum(outcomes)
    },
  }
}

/**
 * A program that tests by itself and says `N passed, N failed` in its last line. Its output is
 * shown as it comes: such a program runs for minutes and says what it is doing.
 */
export function countingStage(timeoutMs: number, command: Command): Stage {
  return {
    run: async ({ say }: StageContext) => {
      const result = await runCommand(command, timeoutMs, say)
      const counts = countsOfLastLine(result.stdout)
      const ending = `  $ ${result.command}\n  (${result.ending})`
      if (counts === undefined) return broken(`${ending}\n  it printed no counts`)
      const isMute = !result.ok && counts.failed === 0
      if (isMute) return broken(`${ending}\n  it counted no failure, but failed`)
      if (counts.passed + counts.failed === 0) return broken(`${ending}\n  it tested nothing`)
      return { ...counts, skips: [], text: counts.failed === 0 ? "" : ending }
    },
  }
}

/** The counts of a last line `N passed, N failed`, or undefined. */
export function countsOfLastLine(text: string): { passed: number; failed: number } | undefined {
  const lastLine = text.trimEnd().split("\n").at(-1) ?? ""
  const match = /^(\d+) passed, (\d+) failed$/.exec(lastLine.trim())
  if (match === null) return undefined
  return { passed: Number(match[1]), failed: Number(match[2]) }
}

/** The command that runs a TypeScript program of this repository on sources. */
export function source(file: string, ...args: string[]): Command {
  return ["node", "--import", "tsx", file, ...args]
}

function runCommand(
  [program, ...args]: Command,
  timeoutMs: number,
  onLine: (line: string) => void = () => undefined,
): ReturnType<typeof run> {
  const env = { ...plainEnv(), TSX_TSCONFIG_PATH: at("tsconfig.run.json") }
  const path = program === "node" ? process.execPath : program
  return run(path, args, { cwd: ROOT, env, timeoutMs, onLine })
}
