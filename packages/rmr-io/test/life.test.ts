/**
 * Lives with the addon: processes and threads that end at every stage of its use, memory that is
 * collected meanwhile, crowds of threads, children. Each story is a process of its own, which is
 * over within its time, with the code and the words that it should end with.
 */
import { type SpawnSyncReturns, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { STAGES } from "./life/stages.js"
import { native } from "./native.js"

jest.setTimeout(180_000)

const STORY_MS_MAX = 60_000
const EXIT_CODE = 7
const ROOT = process.cwd()
// The addon is looked for beside the folder of the program.
const PROGRAMS = mkdtempSync(join(import.meta.dirname, "../life-"))
const PROGRAM = join(PROGRAMS, "program.js")
/** On the disk of the project: what lies in memory takes no direct IO. */
let folder = ""

beforeAll(() => {
  // In one file: a program and its threads are there in a moment.
  const source = join(import.meta.dirname, "life", "program.ts")
  const args = ["node_modules/tsup/dist/cli-default.js", source, "--no-config", "--silent"]
  const options = ["--tsconfig", "tsconfig.run.json", "--format", "esm", "--out-dir", PROGRAMS]
  const { stderr, status } = start([...args, ...options])
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 })
})

beforeEach(() => {
  folder = mkdtempSync(join(ROOT, "rmr-life-"))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

afterAll(() => rmSync(PROGRAMS, { recursive: true, force: true }))

function start(args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8", timeout: STORY_MS_MAX })
}

/** How a story ended: its code, or the signal, and all that it said. */
function told(way: string, stage = "", flags: readonly string[] = []): unknown {
  const { status, signal, stdout, stderr } = start([...flags, PROGRAM, way, folder, stage])
  return { code: signal ?? status, said: stdout.trim().split("\n"), stderr }
}

describe.each(Object.keys(STAGES))("a life that %s", (stage) => {
  native("leaves at once where the process exits", async () => {
    expect(told("exit", stage)).toEqual({ code: EXIT_CODE, said: ["there"], stderr: "" })
  })

  native("is over where all is closed, and nothing keeps the process", async () => {
    expect(told("close", stage)).toEqual({ code: 0, said: ["there", "closed"], stderr: "" })
  })

  native("ends with its thread, and disturbs no other", async () => {
    const said = [`leave ${EXIT_CODE}`, "fail 1", "terminate 1", "close 0", "unharmed"]
    expect(told("threads", stage)).toEqual({ code: 0, said, stderr: "" })
  })
})

native("memory that nobody knows any more is collected beside work of all kinds", async () => {
  const said = ["12 rounds"]
  expect(told("collecting", "", ["--expose-gc"])).toEqual({ code: 0, said, stderr: "" })
})

native("threads load the addon at the same moment, and end in any order", async () => {
  expect(told("crowding")).toEqual({ code: 0, said: ["18 have worked"], stderr: "" })
})

native("a child inherits nothing, and however it ends, its parent goes on", async () => {
  expect(told("forking")).toEqual({ code: 0, said: ["3 children"], stderr: "" })
})
