/**
 * Files in a folder that are written, cut, renamed and deleted at random, and what they should
 * hold.
 *
 * What is settled is on the device: it is there after a crash too. Of what has changed since, a
 * crash may leave anything.
 */
import { type FileHandle, open, readdir, readFile, rename, unlink } from "node:fs/promises"
import { join } from "node:path"
import { MIB, seededBytes } from "./nbd-tools.js"

const FILES_MAX = 24
const FILE_BYTES_MAX = MIB
const WRITE_BYTES_MAX = 128 * 1024

export class Churn {
  private readonly place: string
  private readonly content = new Map<string, Buffer>()
  /** As they are on the device for certain: nothing has touched them since. */
  private readonly settled = new Map<string, Buffer>()
  private readonly seed: number
  private state: number
  private made = 0

  constructor(place: string, seed: number) {
    this.place = place
    this.seed = seed
    this.state = seed
  }

  /** So many changes. */
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
  }

  /** Every change is on the device afterwards, names too. */
  async settle(): Promise<void> {
    for (const name of this.content.keys()) {
      if (!this.settled.has(name)) await this.change(name, (file) => file.sync())
    }
    const folder = await open(this.place, "r")
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
    for (const [name, content] of this.content) this.settled.set(name, content)
  }

  /** Each file is there, no other is, and all hold what they should. */
  async expectAll(): Promise<void> {
    const there = (await readdir(this.place)).filter((name) => name !== "lost+found").sort()
    expect(there).toEqual([...this.content.keys()].sort())
    for (const name of there) await this.expectOne(name)
  }

  /**
   * After a crash: what was settled and not touched since, wherever it is mounted now. Answers how
   * many files that were.
   */
  async expectSettled(place: string): Promise<number> {
    for (const name of this.settled.keys()) await this.expectOne(name, this.settled, place)
    return this.settled.size
  }

  private async expectOne(
    name: string,
    contents = this.content,
    place = this.place,
  ): Promise<void> {
    const wanted = contents.get(name)
    if (wanted === undefined) return
    const found = await readFile(join(place, name))
    if (found.equals(wanted)) return
    const at = wanted.findIndex((byte, nth) => byte !== found[nth])
    const sizes = `${found.length} bytes, not ${wanted.length}`
    throw new Error(`${name} differs at byte ${at} (${sizes}), seed ${this.seed}`)
  }

  private async write(name: string, isSynced: boolean): Promise<void> {
    const bytes = seededBytes(this.below(2 ** 31), 4 * (1 + this.below(WRITE_BYTES_MAX / 4)))
    const at = this.below(FILE_BYTES_MAX - bytes.length)
    const before = this.touch(name)
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
    const before = this.touch(name)
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
    this.touch(name)
    this.touch(to)
    await rename(join(this.place, name), join(this.place, to))
    this.content.delete(name)
    this.content.set(to, content)
  }

  private async remove(name: string): Promise<void> {
    this.touch(name)
    if (this.content.delete(name)) await unlink(join(this.place, name))
  }

  /** It is about to change; what it held. */
  private touch(name: string): Buffer {
    this.settled.delete(name)
    return this.content.get(name) ?? Buffer.alloc(0)
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
