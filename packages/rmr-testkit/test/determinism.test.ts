/**
 * A seed is all there is: the same one gives the same run again, in this process and others, with
 * and without optimised code, whatever the time and the time zone.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { run } from "./determinism-run.js"

const here = __dirname

function runElsewhere(seed: string, flags: readonly string[], timeZone: string): string {
  const script = join(here, "determinism-run.ts")
  const child = spawnSync(process.execPath, [...flags, "--import", "tsx", script, seed], {
    encoding: "utf8",
    timeout: 60_000,
    cwd: join(here, "../../.."),
    env: {
      PATH: process.env["PATH"],
      TZ: timeZone,
      TSX_TSCONFIG_PATH: join(here, "sources.tsconfig.json"),
    },
  })
  if (child.status !== 0) throw new Error(child.stderr)
  return child.stdout.trim()
}

describe("a seed", () => {
  it("gives the same run twice, and another seed another run", async () => {
    const first = await run("a")
    expect(await run("a")).toBe(first)
    expect(await run("b")).not.toBe(first)
  }, 60_000)

  it("gives the same run in another process, whatever its compiler and clock", async () => {
    const here = await run("a")
    expect(runElsewhere("a", [], "UTC")).toBe(here)
    expect(runElsewhere("a", ["--no-opt"], "Asia/Tokyo")).toBe(here)
  }, 120_000)
})
