/**
 * Stages that are Jest projects: Jest runs the tests, its JSON report says how they went.
 *
 * Three things count as failures although Jest may not say so: a test file that could not even be
 * loaded, a test that was skipped without saying why in its title, and no tests at all.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { at, plainEnv, ROOT } from "../setup/paths.js"
import { failureText, run } from "../setup/run.js"
import { broken, type Skip, type Stage, type StageOutcome } from "./stage.js"

export interface JestReport {
  readonly testResults: readonly JestFile[]
}

interface JestFile {
  readonly name: string
  readonly status: string
  readonly message: string
  readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
}

const WORKERS_MAX = 2
const MESSAGE_LINES_MAX = 150

export function jestStage(project: string, timeoutMs: number): Stage {
  return { run: () => runJest({ projects: [project], timeoutMs, env: plainEnv() }) }
}

export interface JestRun {
  readonly projects: readonly string[]
  readonly timeoutMs: number
  readonly env: NodeJS.ProcessEnv
  /** Parts of the paths of test files; all files where there are none. */
  readonly paths?: readonly string[]
}

export async function runJest(options: JestRun): Promise<StageOutcome> {
  const { projects, paths = [], timeoutMs, env } = options
  // Two runs in one working tree must not read each other's report.
  const reportFile = at(".cache", "test", `jest-${projects.join("-")}-${process.pid}.json`)
  mkdirSync(dirname(reportFile), { recursive: true })
  const args = [
    ...["--selectProjects", ...projects, "--ci", "--passWithNoTests"],
    ...["--json", "--outputFile", reportFile, `--maxWorkers=${WORKERS_MAX}`],
    ...(paths.length === 0 ? [] : ["--testPathPatterns", ...paths]),
  ]
  const program = ["node_modules/jest/bin/jest.js", ...args]
  const result = await run(process.execPath, program, { cwd: ROOT, env, timeoutMs })
  const report = takeReport(reportFile)
  if (report === undefined) return broken(failureText(result, MESSAGE_LINES_MAX))
  const outcome = outcomeOf(report)
  if (result.ok || outcome.failed > 0) return outcome
  const text = `${outcome.text}\n  every test passed, but Jest failed\n${failureText(result)}`
  return { ...outcome, failed: 1, text: text.trimStart() }
}

export function outcomeOf(report: JestReport): StageOutcome {
  const texts: string[] = []
  const skips: Skip[] = []
  let passed = 0
  let failed = 0
  for (const file of report.testResults) {
    const failedBefore = failed
    for (const { fullName, status } of file.assertionResults) {
      const skip = skipOf(fullName)
      if (status === "passed") passed++
      else if (status !== "failed" && skip !== undefined) skips.push(skip)
      else {
        failed++
        if (status !== "failed") texts.push(`  ${status} without "(skipped: why)": ${fullName}`)
      }
    }
    const isUnloadable = file.status === "failed" && failed === failedBefore
    if (isUnloadable) failed++
    if (file.status === "failed") texts.push(`  ${file.name}\n${shortened(file.message)}`)
  }
  if (passed + failed + skips.length === 0) return broken("  no tests were found")
  return { passed, failed, skips, text: texts.join("\n") }
}

/** A skipped test says in its title why: `… (skipped: no such device)`. */
function skipOf(fullName: string): Skip | undefined {
  const match = /^(.*\S)\s*\(skipped: (.+)\)$/.exec(fullName)
  if (match === null) return undefined
  return { title: match[1] ?? "", reason: match[2] ?? "" }
}

function shortened(message: string): string {
  const lines = message.trimEnd().split("\n")
  if (lines.length <= MESSAGE_LINES_MAX) return lines.join("\n")
  const left = lines.length - MESSAGE_LINES_MAX
  return [...lines.slice(0, MESSAGE_LINES_MAX), `    … ${left} more lines`].join("\n")
}

/** Takes the report away, if Jest came as far as writing one. */
function takeReport(file: string): JestReport | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as JestReport
  } catch {
    return undefined
  } finally {
    rmSync(file, { force: true })
  }
}
