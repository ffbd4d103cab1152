/**
 * A file system on the device of a pool: files are written, cut, renamed and deleted at random, and
 * what they should hold is kept beside. Afterwards the file system is whole for its own checker,
 * and every file holds what it should, also for a reader that has nothing in its caches, and also
 * where a storage node was killed meanwhile.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { type FileHandle, open, readdir, readFile, rename, unlink } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FileSystem, whyNoFileSystem } from "./file-system.js"
import { expectSameStores, itWhere, MIB, seededBytes, withVictim } from "./nbd-tools.js"
import { startPool } from "./pool-processes.js"

const SIZE_BYTES = 96 * MIB
const FILES_MAX = 24
const FILE_BYTES_MAX = MIB
const WRITE_BYTES_MAX = 128 * 1024
const STEPS = 250
const seed = Number(process.env["RMR_SEED"])

jest.setTimeout(240_000)

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rmr-ext4-"))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Files in a folder, and what they should hold. */
class Churn {
  private readonly place: string
  private readonly content = new Map<string, Buffer>()
  private state: number
  private made = 0

  constructor(place: string, from: number) {
    this.place = place
    this.state = from
  }

  /** So many changes, every one of them on the device at the end. */
  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const name = this.pick()
      const what = this.below(20)
      if (what < 12) await this.write(name, what < 3)
      else if (what < 14) await this.truncate(name)
      else if (what < 16) await this.rename(name)
      else if (what < 17 && this.content.size > FILES_MAX / 2) await this.remove(name)
      else await this.expectOne(name)
    }
    for (const name of this.content.keys()) await this.change(name, (file) => file.sync())
  }

  /** Each file is there, no other is, and all hold what they should. */
  async expectAll(): Promise<void> {
    const there = (await readdir(this.place)).filter((name) => name !== "lost+found").sort()
    expect(there).toEqual([...this.content.keys()].sort())
    for (const name of there) await this.expectOne(name)
  }

  private async expectOne(name: string): Promise<void> {
    const wanted = this.content.get(name)
    if (wanted === undefined) return
    const found = await readFile(join(this.place, name))
    if (found.equals(wanted)) return
    const at = wanted.findIndex((byte, nth) => byte !== found[nth])
    const sizes = `${found.length} bytes, not ${wanted.length}`
    throw new Error(`${name} differs at byte ${at} (${sizes}), RMR_SEED=${seed}`)
  }

  private async write(name: string, isSynced: boolean): Promise<void> {
    const bytes = seededBytes(this.below(2 ** 31), 4 * (1 + this.below(WRITE_BYTES_MAX / 4)))
    const at = this.below(FILE_BYTES_MAX - bytes.length)
    const before = this.content.get(name) ?? Buffer.alloc(0)
    const after = Buffer.alloc(Math.max(before.length, at + bytes.length))
    before.copy(after)
    bytes.copy(after, at)
    await this.change(name, async (file) => {
      await file.write(bytes, 0, bytes.length, at)
      if (isSynced) await file.sync()
    })
    this.content.set(name, after)
  }

  private async truncate(name: string): Promise<void> {
    const before = this.content.get(name) ?? Buffer.alloc(0)
    const after = Buffer.alloc(this.below(FILE_BYTES_MAX))
    before.copy(after)
    await this.change(name, (file) => file.truncate(after.length))
    this.content.set(name, after)
  }

  private async rename(name: string): Promise<void> {
    const content = this.content.get(name)
    if (content === undefined) return
    const to = this.below(2) === 0 ? this.pick() : `file-${this.made++}`
    if (to === name) return
    await rename(join(this.place, name), join(this.place, to))
    this.content.delete(name)
    this.content.set(to, content)
  }

  private async remove(name: string): Promise<void> {
    if (this.content.delete(name)) await unlink(join(this.place, name))
  }

  private async change(name: string, run: (file: FileHandle) => Promise<unknown>): Promise<void> {
    const file = await open(join(this.place, name), this.content.has(name) ? "r+" : "w+")
    try {
      await run(file)
    } finally {
      await file.close()
    }
  }

  /** One that is there, or a new name. */
  private pick(): string {
    const names = [...this.content.keys()]
    const nth = this.below(FILES_MAX)
    return names[nth] ?? `file-${this.made++}`
  }

  private below(limit: number): number {
    this.state = (Math.imul(this.state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.state / 2 ** 32) * limit)
  }
}

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
      return pool.stores
    })
  })

  itWhere("P2: holds it though a storage node was killed", why, async () => {
    await withFileSystem(({ pool, churn }) => withVictim(pool, 2, () => churn.run(STEPS)))
  })
})
