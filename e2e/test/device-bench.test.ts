/**
 * The device bench still runs, in every shape: targets start, take one second of one job and end.
 * What it measures in so short a time is worth nothing, and is not judged.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Row } from "../../bench/device/compare.js"
import { POOL } from "../../bench/device/pool.js"
import { QUORUM } from "../../bench/device/qemu.js"
import { NBDKIT, RAW } from "../../bench/device/single-copies.js"
import { isThere, missingTools } from "../../bench/device/tools.js"
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
    const nbdkit = isThere("nbdkit") ? [NBDKIT] : []
    const targets = ["QEMU, one copy", ...nbdkit, RAW, QUORUM, "ours, one copy", POOL]
    const rows = await smoke([])
    expect(rows.map(({ target }) => target)).toEqual(targets)
    for (const { run: figures } of rows) expect(figures.iops).toBeGreaterThan(0)
    expect(readdirSync(folder)).toEqual([])
  })

  itWhere("measures a pool that lacks a member, and one that syncs", why, async () => {
    const shape = ["--members", "1,2", "--states", "degraded,resyncing", "--connections", "4"]
    const rows = await smoke(["--targets", "quorum,pool", ...shape])
    const name = "4k randwrite, depth 32, 4 connections"
    expect(rows.map(({ job, target }) => [job.name, target])).toEqual([
      [`${name}, degraded`, QUORUM],
      [`${name}, degraded`, POOL],
      [`${name}, resyncing`, QUORUM],
      [`${name}, resyncing`, POOL],
    ])
    for (const { run: figures } of rows) expect(figures.iops).toBeGreaterThan(0)
    expect(readdirSync(folder)).toEqual([])
  })
})

async function smoke(more: readonly string[]): Promise<readonly Row[]> {
  const words = ["--import", "tsx", at("bench/device/main.ts"), "--smoke", "--json"]
  const result = await run(process.execPath, [...words, "--folder", folder, ...more], {
    cwd: at(),
    env: { ...toolEnv(), TSX_TSCONFIG_PATH: at("tsconfig.run.json") },
    timeoutMs: RUN_MS_MAX,
  })
  if (!result.ok) throw new Error(failureText(result))
  return JSON.parse(result.stdout) as readonly Row[]
}
