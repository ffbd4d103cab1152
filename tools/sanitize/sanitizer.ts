/**
 * The sanitized build of the native addon, and the environment in which whatever is run reports
 * what it finds.
 *
 * A report is a file: whichever process has found something, however deep among children, whoever
 * looks at how it ended or does not. So a run is clean if there are no files afterwards, and only
 * then.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { at, plainEnv, ROOT } from "../setup/paths.js"
import { run } from "../setup/run.js"

const BUILD_MS_MAX = 3 * 60_000
/** Of build.mjs: this machine cannot build. */
const EXIT_UNABLE = 3
/** No program of ours leaves with it, so whoever sees it knows. */
const EXIT_REPORTED = 86
const REPORT_LINES_MAX = 80

export type Built =
  | { readonly state: "built"; readonly preload: string }
  | { readonly state: "unable"; readonly reason: string }
  | { readonly state: "broken"; readonly text: string }

/** Builds the addon, watching its memory. */
export function buildSanitized(): Promise<Built> {
  return build(at("packages/rmr-io/native/build.mjs"), "--sanitize", "--strict")
}

/** Builds the addon whose functions are faults. */
export function buildFaults(target: string): Promise<Built> {
  return build(at("tools/sanitize/build-faults.mjs"), target)
}

async function build(...args: readonly string[]): Promise<Built> {
  const options = { cwd: ROOT, env: plainEnv(), timeoutMs: BUILD_MS_MAX }
  const { code, output } = await run(process.execPath, args, options)
  return builtBy(code, output)
}

/** What a build has come to, by how it left and what it said. */
export function builtBy(code: number, said: string): Built {
  const text = said.trim()
  if (code === EXIT_UNABLE) return { state: "unable", reason: text.replace(/^.*?: /, "") }
  const preload = /LD_PRELOAD=(.+)$/.exec(text)?.[1]
  if (code !== 0 || preload === undefined) return { state: "broken", text }
  return { state: "built", preload }
}

/** Where the reports of one run go. */
export class Reports {
  readonly env: NodeJS.ProcessEnv
  private readonly folder: string

  constructor(preload: string) {
    this.folder = mkdtempSync(join(tmpdir(), "rmr-sanitized-"))
    const common = [
      ...[`log_path=${join(this.folder, "report")}`, `exitcode=${EXIT_REPORTED}`],
      ...["halt_on_error=1", "print_stacktrace=1"],
    ]
    const address = [
      // A process that is told to exit gives nothing back, nor does V8 at its end, so leaks could
      // not be told from that. Leases and slots that are kept are counted by the tests themselves;
      // leaks.ts looks where it can be seen.
      "detect_leaks=0",
      "detect_stack_use_after_return=1",
    ]
    this.env = {
      ...plainEnv(),
      RMR_NATIVE: "sanitize",
      LD_PRELOAD: preload,
      ASAN_OPTIONS: [...common, ...address].join(":"),
      UBSAN_OPTIONS: common.join(":"),
    }
  }

  /** What was found since the last time, a text for each process. */
  take(): readonly string[] {
    return readdirSync(this.folder).map((name) => {
      const path = join(this.folder, name)
      const lines = readFileSync(path, "utf8").trimEnd().split("\n")
      rmSync(path)
      return lines.slice(0, REPORT_LINES_MAX).join("\n")
    })
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
