/**
 * Children of the set-up and of test stages: bounded, counted as failed when they fail, and gone.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { failureText, run } from "./run.js"

const LONG_MS = 20_000

describe("run", () => {
  it("keeps stdout apart, and everything in the order it came", async () => {
    const result = await run("sh", ["-c", "echo one; echo two >&2"], { timeoutMs: LONG_MS })
    expect(result).toMatchObject({ ok: true, code: 0, stdout: "one\n", ending: "exit code 0" })
    expect(result.output.split("\n").sort()).toEqual(["", "one", "two"])
  })

  it("answers a failure as a value that shows the command and the end of its output", async () => {
    const result = await run("sh", ["-c", "seq 1 100; exit 3"], { timeoutMs: LONG_MS })
    expect(result).toMatchObject({ ok: false, code: 3 })
    const lines = failureText(result, 2).split("\n")
    expect(lines).toEqual(["  $ sh -c 'seq 1 100; exit 3'", "    99", "    100", "  (exit code 3)"])
  })

  it("answers a program that does not exist the same way", async () => {
    const result = await run("/no/such/program", [], { timeoutMs: LONG_MS })
    expect(result).toMatchObject({ ok: false, code: 127 })
    expect(result.ending).toContain("ENOENT")
  })

  it("says which signal ended a program", async () => {
    const result = await run("sh", ["-c", "kill -9 $$"], { timeoutMs: LONG_MS })
    expect(result).toMatchObject({ ok: false, code: 137, ending: "killed by SIGKILL" })
  })

  it("ends a program at its time limit together with what it started", async () => {
    const script = "sleep 300 & echo $!; wait"
    const result = await run("sh", ["-c", script], { timeoutMs: 300 })
    expect(result).toMatchObject({ ok: false, code: 124 })
    expect(result.ending).toBe("ended after 0.3 s, its time limit")
    await expectGone(Number(result.stdout))
  })

  it("does not wait for a process that was left behind with our pipe, and ends it", async () => {
    const result = await run("sh", ["-c", "sleep 300 & echo $!"], { timeoutMs: LONG_MS })
    expect(result.ok).toBe(true)
    expect(result.ms).toBeLessThan(LONG_MS / 2)
    await expectGone(Number(result.stdout))
  })

  it("hands out lines as they come, each once", async () => {
    const lines: string[] = []
    const onLine = (line: string): void => void lines.push(line)
    await run("sh", ["-c", "printf 'a\\nb\\nlast'"], { timeoutMs: LONG_MS, onLine })
    expect(lines).toEqual(["a", "b", "last"])
  })

  it("ends its children when asked to end itself, and leaves with that signal", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rmr-run-"))
    const pidFile = join(folder, "pid")
    const program = `
      import { run } from ${JSON.stringify(join(process.cwd(), "tools/setup/run.js"))}
      setTimeout(() => process.kill(process.pid, "SIGINT"), 1000)
      await run("sh", ["-c", "sleep 300 & echo $! > ${pidFile}; wait"], { timeoutMs: 100000 })
      console.log("went on")`
    const args = ["--input-type=module", "-e", program]
    const result = await run(process.execPath, args, { timeoutMs: LONG_MS })
    expect(result).toMatchObject({ code: 130, stdout: "" })
    expect(existsSync(pidFile)).toBe(true)
    await expectGone(Number(readFileSync(pidFile, "utf8")))
    rmSync(folder, { recursive: true })
  })
})

/**
 * The kernel takes a moment to bury what was killed; a process that lives is found living in the
 * end.
 */
async function expectGone(pid: number): Promise<void> {
  expect(pid).toBeGreaterThan(1)
  const endMs = Date.now() + 5000
  while (isRunning(pid) && Date.now() < endMs) await new Promise((done) => setTimeout(done, 5))
  expect(isRunning(pid)).toBe(false)
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}
