/**
 * SuperblockFile: the superblock of an open store, and its two copies in the file.
 *
 * A change writes both copies, one durable after the other, and one change after another. What
 * failed is taken back here; the file may hold it all the same, until the next write that succeeds.
 * Nothing depends on which: each of the two is true of what the file holds.
 */
import { STATUS_OK } from "@rmr/core"
import type { MetaIo } from "./meta-io.js"
import { encodeSuperblock, type Superblock } from "./superblock.js"

export class SuperblockFile {
  private readonly io: MetaIo
  private block: Superblock
  private hasLostCache = false
  private chain: Promise<void> = Promise.resolve()

  constructor(io: MetaIo, block: Superblock) {
    this.io = io
    this.block = block
  }

  get superblock(): Superblock {
    return this.block
  }

  /** S17: from now on every superblock says that the cache was lost. */
  async noteCacheLost(): Promise<void> {
    this.hasLostCache = true
    await this.write({})
  }

  /** Whether it is durable, in both copies. */
  write(change: Partial<Superblock>): Promise<boolean> {
    const done = this.chain.then(() => this.writeCopies(change))
    this.chain = done.then(() => undefined)
    return done
  }

  private async writeCopies(change: Partial<Superblock>): Promise<boolean> {
    const sequence = this.block.sequence + 1
    const lost = this.hasLostCache ? { pending: "cache-lost" as const } : {}
    const next: Superblock = { ...this.block, ...change, ...lost, sequence }
    this.block = { ...this.block, sequence }
    const status = await writeSuperblock(this.io, next)
    if (status !== STATUS_OK) return false
    this.block = next
    return true
  }
}

/** Both copies, the second when the first is durable. */
export async function writeSuperblock(io: MetaIo, block: Superblock): Promise<number> {
  const bytes = encodeSuperblock(block)
  const status = await io.log.writeDurably(0, bytes)
  return status === STATUS_OK ? io.log.writeDurably(block.secondAt, bytes) : status
}
