/**
 * Runs something over the sanitized addon: each report is one failure more, whatever it said.
 *
 * Before that, two things are seen: that the addon which is loaded is the sanitized one, and that a
 * fault is reported. A run in which nothing could be found must not look like one in which nothing
 * was.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { at, ROOT } from "../setup/paths.js"
import { failureText, run } from "../setup/run.js"
import { broken, type StageOutcome, sum } from "../test/stage.js"
import { buildFaults, buildSanitized, Reports } from "./sanitizer.js"

const PROGRAM_MS_MAX = 60_000
const STATUS = "tools/sanitize/status.ts"

/** What to run, in this environment. */
export type Watched = (env: NodeJS.ProcessEnv) => Promise<StageOutcome>

/** Skipped, with a reason, on a machine that cannot build or watch. */
export async function overSanitized(what: string, watched: Watched): Promise<StageOutcome> {
  const built = await buildSanitized()
  if (built.state === "unable") return skipped(what, built.reason)
  if (built.state === "broken") return broken(built.text)
  const reports = new Reports(built.preload)
  try {
    const problem = (await problemOfLoading(reports)) ?? (await problemOfReporting(reports))
    return problem === undefined ? await watch(reports, watched) : broken(problem)
  } finally {
    reports.remove()
  }
}

/** The outcome, and a failure for each report. */
export async function watch(reports: Reports, watched: Watched): Promise<StageOutcome> {
  const outcome = await watched(reports.env)
  return sum([outcome, ...reports.take().map((text) => broken(indented(text)))])
}

/** Runs a fault of faults.c, here, in a child or in a thread, and answers how the program ended. */
export function runFault(
  reports: Reports,
  addon: string,
  fault: string,
  where: string = "here",
): ReturnType<typeof run> {
  const args = [at("tools/sanitize/faulty.mjs"), addon, fault, where]
  return run(process.execPath, args, { env: reports.env, timeoutMs: PROGRAM_MS_MAX })
}

async function problemOfLoading(reports: Reports): Promise<string | undefined> {
  const env = { ...reports.env, TSX_TSCONFIG_PATH: at("tsconfig.run.json") }
  const args = ["--import", "tsx", STATUS]
  const result = await run(process.execPath, args, { cwd: ROOT, env, timeoutMs: PROGRAM_MS_MAX })
  return result.ok ? undefined : failureText(result)
}

async function problemOfReporting(reports: Reports): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "rmr-faults-"))
  try {
    const addon = join(folder, "faults.node")
    const built = await buildFaults(addon)
    if (built.state !== "built") return built.state === "broken" ? built.text : built.reason
    for (const fault of ["overflow", "addTooMuch"]) {
      const result = await runFault(reports, addon, fault)
      if (reports.take().length === 0) return `  no report of "${fault}"\n${failureText(result)}`
    }
    return undefined
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function skipped(title: string, reason: string): StageOutcome {
  return { passed: 0, failed: 0, skips: [{ title, reason }], text: "" }
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, "    ")
}
