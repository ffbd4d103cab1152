/**
 * A run over the sanitized addon fails where something is wrong, wherever that is: faults on
 * purpose, each of which must be one failure, although the program may say that all is well.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { at } from "../setup/paths.js"
import { broken, type StageOutcome } from "../test/stage.js"
import { leaksOfAddon } from "./leaks.js"
import { type Built, builtBy, Reports } from "./sanitizer.js"
import { runFault, watch } from "./watched.js"

jest.setTimeout(120_000)

const folder = mkdtempSync(join(tmpdir(), "rmr-faults-"))
const addon = join(folder, "faults.node")
const built = build()
const reports = new Reports(built.state === "built" ? built.preload : "")

afterAll(() => {
  reports.remove()
  rmSync(folder, { recursive: true, force: true })
})

function build(): Built {
  const args = [at("tools/sanitize/build-faults.mjs"), addon]
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" })
  return builtBy(status ?? 1, stdout)
}

/** A machine without the libraries is told so; sources that do not compile are a failure. */
function sanitized(title: string, run: () => Promise<void>): void {
  if (built.state === "unable") it.skip(`${title} (skipped: ${built.reason})`, run)
  else it(title, run)
}

/** A program that is believed, whatever it does. */
const believed: StageOutcome = { passed: 1, failed: 0, skips: [], text: "" }

const faults = [
  ["overflow", "here", "heap-buffer-overflow"],
  ["readPast", "here", "heap-buffer-overflow"],
  ["useFreed", "here", "heap-use-after-free"],
  ["addTooMuch", "here", "signed integer overflow"],
  ["overflow", "thread", "heap-buffer-overflow"],
  ["addTooMuch", "child", "signed integer overflow"],
  ["useFreed", "child", "heap-use-after-free"],
] as const

describe("a run over a sanitized addon", () => {
  for (const [fault, where, what] of faults) {
    sanitized(`fails by ${fault} (${where}), and shows the report`, async () => {
      const outcome = await watch(reports, async () => {
        const result = await runFault(reports, addon, fault, where)
        expect(result.stdout).toBe(where === "child" ? "all is well\n" : "")
        return believed
      })
      expect(outcome).toMatchObject({ passed: 1, failed: 1 })
      expect(outcome.text).toContain(what)
      expect(outcome.text).toContain("faults.c")
    })
  }

  for (const where of ["here", "thread", "child"]) {
    sanitized(`passes where nothing is wrong (${where})`, async () => {
      const outcome = await watch(reports, async () => {
        const result = await runFault(reports, addon, "fine", where)
        expect(result.output).toBe("all is well\n")
        return believed
      })
      expect(outcome).toEqual(believed)
    })
  }

  sanitized("fails where what was run failed, though nothing was reported", async () => {
    const outcome = await watch(reports, async () => broken("it is wrong"))
    expect(outcome).toEqual(broken("it is wrong"))
  })
})

describe("leaks", () => {
  const leak = (place: string): string =>
    `Direct leak of 40 byte(s) in 1 object(s) allocated from:\n    #0 malloc\n    #1 ${place}`

  it("are those of the addon, and not of Node", () => {
    const ours = leak("init_turns packages/rmr-io/native/turns.c:125")
    const values = leak("napi_create_external\n    #2 packages/rmr-io/native/sockets.c:74")
    const summary = "SUMMARY: AddressSanitizer: 40 byte(s) leaked"
    const report = [ours, leak("node::Start"), values, summary].join("\n\n")
    expect(leaksOfAddon(report)).toEqual([ours])
  })
})

describe("a build", () => {
  it("says why a machine cannot, and that is no failure", () => {
    const said = "no native addon is built: there is no C compiler\n"
    expect(builtBy(3, said)).toEqual({ state: "unable", reason: "there is no C compiler" })
  })

  it("that says no library to load first is broken", () => {
    expect(builtBy(0, "built it\n")).toEqual({ state: "broken", text: "built it" })
    expect(builtBy(1, "wrong\n")).toEqual({ state: "broken", text: "wrong" })
  })
})
