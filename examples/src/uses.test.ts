/**
 * Each small program says in its comments what it prints, and prints it; and the page of its
 * package shows it as it is.
 */
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"

const root = join(__dirname, "../..")
const read = (path: string): string => readFileSync(join(root, path), "utf8")
const run = promisify(execFile)

const uses = [
  { program: "examples/src/use-core.ts", page: "packages/rmr-core/README.md" },
  { program: "examples/src/use-testkit.ts", page: "packages/rmr-testkit/README.md" },
  { program: "examples/src/use-sim.ts", page: "packages/rmr-sim/README.md" },
]

describe.each(uses)("$program", ({ program, page }) => {
  const text = read(program)

  it("prints what it says", async () => {
    const expected = [...text.matchAll(/\/\/ => (.*)$/gm)].map(([, line]) => line)
    expect(expected.length).toBeGreaterThan(1)
    const { stdout } = await run(process.execPath, ["--import", "tsx", program], {
      cwd: root,
      env: { ...process.env, TSX_TSCONFIG_PATH: join(root, "tsconfig.run.json") },
      timeout: 60_000,
    })
    expect(stdout.trimEnd().split("\n")).toEqual(expected)
  }, 60_000)

  it("is what its package's page shows, without the opening comment", () => {
    const [, shown] = /```ts\n([\s\S]*?)```/.exec(read(page)) ?? []
    expect(shown).toBe(text.replace(/^\/\*\*[\s\S]*?\*\/\n/, ""))
  })
})
