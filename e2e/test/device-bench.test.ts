/**
 * The device bench still runs: every target starts, takes one second of one job and ends. What it
 * measures in so short a time is worth nothing, and is not judged.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Row } from "../../bench/device/compare.js"
import { QUORUM } from "../../bench/device/qemu.js"
import { missingTools } from "../../bench/device/tools.js"
import { at, toolEnv } from "../../tools/setup/paths.js"
import { failureText, run } from "../../tools/setup/run.js"
import { itWhere } from "./nbd-tools.js"

const RUN_MS_MAX = 100_000

jest.setTimeout(120_000)

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-device-bench-"))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe("the device bench", () => {
  const why = missingTools() ?? ""

  itWhere("measures all of its targets, and leaves nothing behind", why, async () => {
    const words = ["--import", "tsx", at("bench/device/main.ts"), "--smoke", "--json"]
    const result = await run(process.execPath, [...words, "--folder", folder], {
      cwd: at(),
      env: { ...toolEnv(), TSX_TSCONFIG_PATH: at("tsconfig.run.json") },
      timeoutMs: RUN_MS_MAX,
    })
    if (!result.ok) throw new Error(failureText(result))
    const rows = JSON.parse(result.stdout) as readonly Row[]
    const targets = ["QEMU, one copy", QUORUM, "ours, one copy", "ours, two copies"]
    expect(rows.map(({ target }) => target)).toEqual(targets)
    for (const { run: figures } of rows) expect(figures.iops).toBeGreaterThan(0)
    expect(readdirSync(folder)).toEqual([])
  })
})
