/**
 * Threads that have ended hold no memory of the addon: its own allocations, and the references that
 * Node keeps for it until they are deleted.
 *
 * LeakSanitizer looks when a process has ended by itself. What else Node and V8 still have then is
 * not looked at: only what the addon has asked for is. It is slow, since every allocation has to
 * know all of its callers, which are many in Node.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeStories } from "../../packages/rmr-io/test/life/stories.js"
import { broken, type StageOutcome, sum } from "../test/stage.js"

const STAGES = ["has sockets at rest", "has moves in the ring", "is told of bytes"]
const OURS = "rmr-io/native/"
/** Node itself keeps a few bytes for each value that stands for something outside. */
const OF_NODE = "napi_create_external"
/** What it says where no process may look into another, which is how leaks are found. */
const UNABLE = "LeakSanitizer has encountered a fatal error"

export async function lookForLeaks(env: NodeJS.ProcessEnv): Promise<StageOutcome> {
  const folder = mkdtempSync(join(tmpdir(), "rmr-leaks-"))
  const looking = { ...env, ASAN_OPTIONS: optionsOf(folder) }
  try {
    const { stderr } = spawnSync(process.execPath, ["-e", "0"], { env: looking, encoding: "utf8" })
    const reason = "LeakSanitizer may not look into processes here"
    const isUnable = (stderr + takeReports(folder)).includes(UNABLE)
    if (isUnable) return { ...NOTHING, skips: [{ title: "leaks of the addon", reason }] }
    return tellStories(looking, folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const NOTHING: StageOutcome = { passed: 0, failed: 0, skips: [], text: "" }

/** The reports that are about memory of the addon. */
export function leaksOfAddon(reports: string): readonly string[] {
  const leaks = reports.split("\n\n").filter((text) => /\bleak of \d+ byte/.test(text))
  return leaks.filter((text) => text.includes(OURS) && !text.includes(OF_NODE))
}

function optionsOf(folder: string): string {
  const slow = ["fast_unwind_on_malloc=0", "malloc_context_size=40"]
  return ["detect_leaks=1", ...slow, "exitcode=0", `log_path=${join(folder, "report")}`].join(":")
}

function tellStories(env: NodeJS.ProcessEnv, folder: string): StageOutcome {
  const stories = makeStories()
  try {
    return sum(
      STAGES.map((stage) => {
        const { status, stdout, stderr } = stories.tell({ way: "threads", stage, env })
        const reports = takeReports(folder)
        const isWhole = status === 0 && stdout.endsWith("unharmed\n")
        if (!isWhole) return broken(`  a thread that ${stage}: ${status}\n${stderr}\n${reports}`)
        const leaks = leaksOfAddon(reports)
        if (leaks.length === 0) return { ...NOTHING, passed: 1 }
        return broken(`  a thread that ${stage} has left memory behind\n${leaks.join("\n")}`)
      }),
    )
  } finally {
    stories.remove()
  }
}

function takeReports(folder: string): string {
  const paths = readdirSync(folder).map((name) => join(folder, name))
  const text = paths.map((path) => readFileSync(path, "utf8")).join("\n\n")
  for (const path of paths) rmSync(path)
  return text
}
