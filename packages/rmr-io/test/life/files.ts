/**
 * A file past the cache where there is such a thing, and much that is under way in it.
 *
 * Invariant: a close is over when everything was told once and no lease is held.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import {
  assert,
  BLOCK_FUA,
  BLOCK_STATUS,
  BLOCK_STRIDE,
  BLOCK_TOKEN,
  BLOCK_UNMAP,
  type BlockFile,
  buddyMemory,
  type Lease,
  type Memory,
} from "@rmr/core"
import { createFile, fileSource, pageArenas, realEnv } from "../../src/index.js"

export const IO_BYTES = 64 * 1024
const IO_COUNT = 8
/** From this size on the file system is asked to make a range zero. */
const HOLE_BYTES = 256 * 1024
const FILE_BYTES = 8 * 1024 * 1024
const LEASES_MAX = 64

export class Load {
  readonly memory: Memory = buddyMemory({
    arenas: pageArenas([4 * 1024 * 1024]),
    leaseCountMax: LEASES_MAX,
  })
  /** How many of the operations went well. */
  goodCount = 0
  private readonly told = new Set<number>()
  private startedCount = 0
  private look: () => void = () => undefined
  private file: BlockFile | undefined

  async open(folder: string, name: string): Promise<void> {
    const path = join(folder, name)
    if (!existsSync(path)) await createFile(path, FILE_BYTES)
    const onCompletions = ({ count, words }: { count: number; words: Int32Array }): void => {
      for (let at = 0; at < count * BLOCK_STRIDE; at += BLOCK_STRIDE) {
        this.tell(words[at + BLOCK_TOKEN]!, words[at + BLOCK_STATUS]!)
      }
    }
    const { memory } = this
    this.file = await fileSource(path).open({ env: realEnv(), memory, events: { onCompletions } })
  }

  /** Writes, forced writes, reads and flushes; the last of the calls has started them. */
  startMoves(): void {
    for (let nth = 0; nth < IO_COUNT; nth++) {
      const lease = this.lease(nth)
      const offset = nth * IO_BYTES
      this.opened.write(this.token(), offset, lease, 0, IO_BYTES, nth % 4 === 0 ? BLOCK_FUA : 0)
      this.opened.read(this.token(), FILE_BYTES / 2 + offset, this.lease(nth), 0, IO_BYTES)
      if (nth % 4 === 0) this.opened.flush(this.token())
    }
    for (const lease of this.leases.splice(0)) this.memory.release(lease)
    this.opened.submit()
  }

  startHoles(): void {
    for (let nth = 0; nth < IO_COUNT; nth++) {
      const flags = nth % 2 === 0 ? BLOCK_UNMAP : BLOCK_FUA
      this.opened.zero(this.token(), nth * HOLE_BYTES, HOLE_BYTES, flags)
    }
    this.opened.submit()
  }

  /** Everything that was started went well. */
  async allEnded(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.look = () => {
        if (this.told.size === this.startedCount) resolve()
      }
      this.look()
    })
    assert(this.goodCount === this.startedCount, "all of them went well")
  }

  async close(): Promise<void> {
    await this.opened.close()
    assert(this.told.size === this.startedCount, "a close waits for what is under way")
    assert(this.memory.stats().leaseCount === 0, "and no lease is held afterwards")
  }

  private readonly leases: Lease[] = []

  private get opened(): BlockFile {
    assert(this.file !== undefined, "it is open")
    return this.file
  }

  private token(): number {
    return this.startedCount++
  }

  private lease(seed: number): Lease {
    const lease = this.memory.lease(IO_BYTES)
    const at = this.memory.offsetOf(lease)
    this.memory.arenaOf(lease).bytes.fill(seed + 1, at, at + IO_BYTES)
    this.leases.push(lease)
    return lease
  }

  private tell(token: number, status: number): void {
    assert(!this.told.has(token), "each is told once")
    this.told.add(token)
    if (status === 0) this.goodCount++
    this.look()
  }
}
