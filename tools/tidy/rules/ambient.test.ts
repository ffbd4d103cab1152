/**
 * Simulatable code: each way to time, chance or IO is found, and no comment hides it.
 */
import { ambient } from "./ambient.js"
import { findingsOf } from "./findings.js"

const inCore = (text: string): string[] =>
  findingsOf(ambient, { "packages/rmr-core/src/a.ts": text })

describe("ambient", () => {
  it.each([
    "const now = Date.now()",
    "let when: Date",
    "performance.now()",
    "setTimeout(f, 1)",
    "const later = setImmediate",
    "const x = Math.random()",
    "const { random } = Math",
    "const { random: max } = Math",
    "const { max, ...rest } = Math",
    "f(Math)",
    'const x = Math["random"]()',
    "globalThis.setTimeout(f, 1)",
    "process.exit(1)",
    "Buffer.from(x)",
    "AbortSignal.timeout(1)",
    "console.log(1)",
    "import.meta.url",
    'import { readFile } from "node:fs"',
    'import type { Socket } from "node:net"',
    'import fs from "fs"',
    'const fs = await import("node:fs")',
    'type S = import("node:net").Socket',
    'export { x } from "node:os"',
    "function f(process: number) {}\nprocess.exit(1)",
    "{ const process = 1 }\nprocess.exit(1)",
    "declare const setImmediate: (run: () => void) => void",
    "// biome-ignore lint/style/noRestrictedGlobals: a very good reason\nDate.now()",
  ])("finds %s", (text) => {
    expect(inCore(text)).not.toEqual([])
  })

  it.each([
    "// Date.now() and setTimeout are not used here",
    'const restart = "process"',
    "interface X { process: number; crypto(): void }",
    "const x = { process: 1, Date: 2 }",
    "env.clock.schedule(1, x.setTimeout)",
    "const x = Math.max(1, 2)",
    "const { imul, max: most } = Math",
    'import { x } from "./process.js"',
    "function f(process: number) { return process + 1 }",
    "const f = ({ process }) => process.name",
    "interface X { reach(process: Process): string }",
    "for (const process of all) process.kill()",
    "const process = f()\nprocess.kill()",
    'import { process } from "./processes.js"\nprocess.kill()',
    "try { f() } catch (performance) { g(performance) }",
  ])("leaves %s alone", (text) => {
    expect(inCore(text)).toEqual([])
  })

  it("holds for what runs in a simulated world, and not for what touches the real one", () => {
    const text = "Date.now()"
    const found = findingsOf(ambient, {
      "packages/rmr-client/src/a.ts": text,
      "packages/brmr-store/src/a.ts": text,
      "packages/brmr-store/src/node-block-file.ts": text,
      "packages/rmr-testkit/src/world/a.ts": text,
      "packages/rmr-testkit/src/node/a.ts": text,
      "packages/rmr-core/src/a.test.ts": text,
      "packages/transport-tcp/src/a.ts": text,
      "tools/a.ts": text,
    })
    expect(found.map((line) => line.split(":")[0])).toEqual([
      "packages/rmr-client/src/a.ts",
      "packages/brmr-store/src/a.ts",
      "packages/rmr-testkit/src/world/a.ts",
    ])
  })
})
