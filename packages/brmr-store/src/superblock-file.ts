/**
 * SuperblockFile: the superblock of an open store, and its two copies in the file.
 *
 * A change writes both copies, one durable after the other, and one change after another. The copy
 * that is known to be good is written last: a crash may tear the one that is being written, and an
 * earlier crash may have torn the other one. What failed is taken back here; the file may hold it
 * all the same, until the next write that succeeds. Nothing depends on which: each of the two is
 * true of what the file holds.
 */
import { STATUS_OK } from "@rmr/core"
import type { MetaIo } from "./meta-io.js"
import { encodeSuperblock, type Superblock } from "./superblock.js"

export class SuperblockFile {
  private readonly io: MetaIo
  private block: Superblock
  private goodAt: number
  private hasLostCache = false
  private chain: Promise<void> = Promise.resolve()

  constructor(io: MetaIo, { block, goodAt }: GoodSuperblock) {
    this.io = io
    this.block = block
    this.goodAt = goodAt
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
    const bytes = encodeSuperblock(next)
    for (const at of placesInOrder(next.secondAt, this.goodAt)) {
      if ((await this.io.log.writeDurably(at, bytes)) !== STATUS_OK) return false
      this.goodAt = at
    }
    this.block = next
    return true
  }
}

/** A superblock, and where its copy lies that is known to be good. */
export interface GoodSuperblock {
  readonly block: Superblock
  readonly goodAt: number
}

/** Both copies, the good one when the other is durable. */
export async function writeSuperblock(
  io: MetaIo,
  { block, goodAt }: GoodSuperblock,
): Promise<number> {
  return writeCopies(io, placesInOrder(block.secondAt, goodAt), encodeSuperblock(block))
}

/** One durable after the other, up to the first that fails. */
export async function writeCopies(
  io: MetaIo,
  places: readonly number[],
  bytes: Uint8Array,
): Promise<number> {
  for (const at of places) {
    const status = await io.log.writeDurably(at, bytes)
    if (status !== STATUS_OK) return status
  }
  return STATUS_OK
}

export function placesInOrder(secondAt: number, goodAt: number): readonly number[] {
  return goodAt === 0 ? [secondAt, 0] : [0, secondAt]
}
