/**
 * The native build of the set-up: a machine that cannot build is told why, in a line, and goes on.
 */
import { spawnSync } from "node:child_process"
import { at } from "./paths.js"

const PROGRAM = at("packages/rmr-io/native/build.mjs")

describe("build.mjs", () => {
  it("leaves with 3 and a reason where there is no C compiler, and builds nothing", () => {
    const env = { ...process.env, CC: "no-such-compiler" }
    const result = spawnSync(process.execPath, [PROGRAM], { env, encoding: "utf8" })
    const reason = "there is no C compiler (cc, gcc, clang or $CC)"
    expect(result).toMatchObject({ status: 3, stderr: "" })
    expect(result.stdout).toBe(`no native addon is built: ${reason}\n`)
  })
})
