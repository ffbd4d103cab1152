/**
 * The README does what it says: each block that is marked as run is run, as a reader would paste
 * it.
 *
 * A block is marked by a line `<!-- test:run -->` directly above its fence, which must be `sh`.
 * Lines of a block run in one shell, in the root of the repository, and the first that fails ends
 * it. Commands that would start this very test again, or that bring a reader here, are only checked
 * to exist.
 */
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { at, plainEnv, readJson } from "../../tools/setup/paths.js"
import { failureText, run } from "../../tools/setup/run.js"

interface Block {
  readonly line: number
  readonly language: string
  readonly commands: readonly string[]
}

const BLOCK_MS_MAX = 120_000
const MARK = "<!-- test:run -->"
/** Where the reader is already, when this test runs. */
const ARRIVAL = /^(git clone|cd) /
/** A script of package.json that runs all tests, this one among them. */
const WHOLE_RUN = /^(?:npm (test)\b|(?:npx )?pnpm (test|e2e)\b|\.ci\/run$)/

/** What runs until somebody ends it; it has come far enough when it prints this. */
const LASTING = /^npm start$/
const ARRIVED = /^nbd\+unix:\/\/\S+$/m
/** Where it keeps its files, and those that may be there when it has ended. */
const FOLDER = at(".rmr-demo")
const DATA = /\.(?:store|toml)$/

jest.setTimeout(2 * BLOCK_MS_MAX)

describe("README.md", () => {
  const blocks = markedBlocks(readFileSync(at("README.md"), "utf8"))

  it("has a command on its first screen that is run here", () => {
    expect(blocks.length).toBeGreaterThan(0)
    expect(blocks[0]?.line).toBeLessThan(40)
  })

  it.each(blocks.map((block) => [block.line, block] as const))("line %d runs", async (_, block) => {
    expect(block.language).toBe("sh")
    const { scripts } = readJson(at("package.json"))
    for (const command of block.commands) {
      const script = WHOLE_RUN.exec(command)
        ?.slice(1)
        .find((name) => name !== undefined)
      if (script !== undefined) expect(Object.keys(scripts)).toContain(script)
    }
    for (const command of block.commands) if (LASTING.test(command)) await runAndEnd(command)
    const isRunHere = (line: string): boolean =>
      !ARRIVAL.test(line) && !WHOLE_RUN.test(line) && !LASTING.test(line)
    const toRun = block.commands.filter(isRunHere)
    const program = ["set -euo pipefail", ...toRun].join("\n")
    const result = await run("bash", ["-c", program], {
      cwd: at(),
      env: plainEnv(),
      timeoutMs: BLOCK_MS_MAX,
    })
    if (!result.ok) throw new Error(failureText(result))
  })
})

describe("a page", () => {
  it("has the blocks whose marks stand directly above their fences", () => {
    const page = [MARK, "```sh", "npm start", "# a remark", "ls", "```", "", "```sh", "rm", "```"]
    expect(markedBlocks(page.join("\n"))).toEqual([
      { line: 2, language: "sh", commands: ["npm start", "# a remark", "ls"] },
    ])
  })

  it("with a mark above anything else is refused", () => {
    expect(() => markedBlocks(`${MARK}\n\ntext`)).toThrow("line 1")
  })
})

/**
 * Runs it as a reader would, until its device is there, and ends it as Ctrl-C does: then none of
 * its processes is left, and no file but the data.
 */
async function runAndEnd(command: string): Promise<void> {
  const child = spawn("bash", ["-c", command], {
    cwd: at(),
    env: plainEnv(),
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  })
  let output = ""
  const hear = (text: Buffer): void => {
    output += text.toString()
  }
  child.stdout.on("data", hear)
  child.stderr.on("data", hear)
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve))
  const limit = performance.now() + BLOCK_MS_MAX
  while (!ARRIVED.test(output) && child.exitCode === null && performance.now() < limit) {
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const hasArrived = ARRIVED.test(output)
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGINT")
  const code = await ended
  if (!hasArrived || (code !== 0 && code !== 130 && code !== null)) {
    throw new Error(`${command} ended with ${code}:\n${output}`)
  }
  expect(processesIn(FOLDER)).toEqual([])
  const names = readdirSync(FOLDER, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => name)
  expect(names.filter((name) => !DATA.test(name))).toEqual([])
  expect(names).toContain("storage-1.store")
}

/** Command lines of processes that have a file of the folder on it. */
function processesIn(folder: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(commandLineOf)
    .filter((line) => line.includes(`${folder}/`))
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
  } catch (thrown) {
    const { code = "" } = thrown as NodeJS.ErrnoException
    // It has ended since the list was made.
    if (code === "ENOENT" || code === "ESRCH") return ""
    throw thrown
  }
}

function markedBlocks(page: string): Block[] {
  const lines = page.split("\n")
  return lines.flatMap((text, index) => {
    if (text.trim() !== MARK) return []
    const fence = /^```(\w*)$/.exec(lines[index + 1] ?? "")
    const end = lines.indexOf("```", index + 2)
    if (fence === null || end < 0) throw new Error(`line ${index + 1}: a mark without a block`)
    const commands = lines.slice(index + 2, end)
    return [{ line: index + 2, language: fence[1] ?? "", commands }]
  })
}
