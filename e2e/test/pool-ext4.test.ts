/**
 * A file system on the device of a pool: files are written, cut, renamed and deleted at random, and
 * what they should hold is kept beside. Afterwards the file system is whole for its own checker,
 * and every file holds what it should, also for a reader that has nothing in its caches, and also
 * where a storage node was killed meanwhile.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Churn } from "./churn.js"
import { FileSystem, whyNoFileSystem } from "./file-system.js"
import { expectSameStores, itWhere, MIB, withVictim } from "./nbd-tools.js"
import { startPool } from "./pool-processes.js"

const SIZE_BYTES = 96 * MIB
const STEPS = 250
const seed = Number(process.env["RMR_SEED"])

jest.setTimeout(240_000)

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-ext4-"))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Makes a file system, lets it be used, and looks at everything afterwards. */
async function withFileSystem(use: (parts: Parts) => Promise<readonly string[]>): Promise<void> {
  process.stdout.write(`ext4: RMR_SEED=${seed}\n`)
  const pool = await startPool(folder, 3, SIZE_BYTES)
  const disk = new FileSystem(folder)
  let live: readonly string[]
  try {
    await disk.attach(pool.uri)
    await disk.make()
    await disk.mount()
    const churn = new Churn(disk.place, seed)
    live = await use({ pool, churn })
    await churn.expectAll()
    await disk.unmount()
    // Whoever comes now finds what the pool holds, and nothing that was kept in between.
    await disk.detach()
    await disk.attach(pool.tcpUri)
    const { code, output } = await disk.check()
    expect(`${code} ${code === 0 ? "" : output}`).toBe("0 ")
    await disk.mount()
    await churn.expectAll()
  } finally {
    await disk.detach()
    await pool.stop()
  }
  await expectSameStores(live)
}

interface Parts {
  readonly pool: Awaited<ReturnType<typeof startPool>>
  readonly churn: Churn
}

describe("ext4 on the device of a pool", () => {
  const why = whyNoFileSystem()

  itWhere("P1: holds what was written, cut and renamed", why, async () => {
    await withFileSystem(async ({ pool, churn }) => {
      await churn.run(STEPS)
      await churn.settle()
      return pool.stores
    })
  })

  itWhere("P2: holds it though a storage node was killed", why, async () => {
    await withFileSystem(({ pool, churn }) => {
      return withVictim(pool, 2, async () => {
        await churn.run(STEPS)
        await churn.settle()
      })
    })
  })
})
