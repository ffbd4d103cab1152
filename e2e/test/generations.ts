/**
 * Blocks that know what they are: every sector names its block and the generation of the write that
 * made it, so that bytes found anywhere, at any time, can be told apart from all others that were
 * ever written there.
 *
 * A block is written by one writer, which waits for an answer before it writes the block again. So
 * its generations are in order, and whatever was durable last is the oldest that may be found (S7).
 * Positions say when: how far a log of writes had come, or nothing where there is no log.
 */

export const BLOCK_BYTES = 4096
export const SECTOR_BYTES = 512
const SECTORS = BLOCK_BYTES / SECTOR_BYTES
const MAGIC = 0x524d5267

interface Version {
  readonly isZero: boolean
  /** Where the log was when it was asked for; nothing of it was on the disk before. */
  readonly issuedAt: number
  isAnswered: boolean
  /** Where the log was, at the latest, when it had become durable. */
  durableAt: number
}

/** What a block was found to hold. */
export interface Found {
  /** Empty where it is one of the things that it may hold. */
  readonly wrong: string
  /** Whether it holds anything that was not durable. */
  readonly isNewer: boolean
}

export class Generations {
  /** Writes of blocks. */
  answeredCount = 0
  /** Generation 0 of every block are the zeroes of a new volume. */
  private readonly versions = new Map<number, Version[]>()
  private readonly position: () => number

  constructor(position: () => number = () => 0) {
    this.position = position
  }

  /** In ascending order. */
  get blocks(): readonly number[] {
    return [...this.versions.keys()].sort((a, b) => a - b)
  }

  /** The next generation of a block, before it is asked for. */
  begin(block: number, isZero = false): number {
    let all = this.versions.get(block)
    if (all === undefined) {
      all = [{ isZero: true, issuedAt: 0, isAnswered: true, durableAt: 0 }]
      this.versions.set(block, all)
    }
    const issuedAt = this.position()
    all.push({ isZero, issuedAt, isAnswered: false, durableAt: Number.POSITIVE_INFINITY })
    return all.length - 1
  }

  answer(block: number, generation: number): void {
    this.version(block, generation).isAnswered = true
    this.answeredCount++
  }

  /** A flush that followed, or the write itself with FUA, was answered just now. */
  makeDurable(block: number, generation: number): void {
    const version = this.version(block, generation)
    version.durableAt = Math.min(version.durableAt, this.position())
  }

  bytesOf(block: number, generation: number): Buffer {
    const bytes = Buffer.alloc(BLOCK_BYTES)
    for (let sector = 0; sector < SECTORS; sector++) {
      this.sectorOf(block, generation, sector).copy(bytes, sector * SECTOR_BYTES)
    }
    return bytes
  }

  /** After deaths of processes: what was answered last, or newer, of what nobody answered. */
  judgeAnswered(block: number, bytes: Buffer): string {
    const oldest = this.versionsOf(block).findLastIndex(({ isAnswered }) => isAnswered)
    return this.judge(block, bytes, oldest, Number.POSITIVE_INFINITY).wrong
  }

  /** After a power cut at this position of the log: what was durable last, or newer (S7). */
  judgeAt(position: number, block: number, bytes: Buffer): Found {
    const oldest = this.versionsOf(block).findLastIndex(({ durableAt }) => durableAt <= position)
    return this.judge(block, bytes, oldest, position)
  }

  /** Sector by sector: what no disk tears is one of them. */
  private judge(block: number, bytes: Buffer, oldest: number, position: number): Found {
    const all = this.versionsOf(block)
    let isNewer = false
    for (let sector = 0; sector < SECTORS; sector++) {
      const piece = bytes.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES)
      if (piece.equals(this.sectorOf(block, oldest, sector))) continue
      isNewer = true
      const fits = all.some(
        (version, generation) =>
          generation > oldest &&
          version.issuedAt <= position &&
          piece.equals(this.sectorOf(block, generation, sector)),
      )
      if (fits) continue
      const wrong =
        `block ${block} had generation ${oldest} for certain, of ${all.length - 1}; ` +
        `found is ${this.nameOf(block, bytes)}`
      return { wrong, isNewer }
    }
    return { wrong: "", isNewer }
  }

  private version(block: number, generation: number): Version {
    const version = this.versionsOf(block)[generation]
    if (version === undefined) throw new Error(`block ${block} has no generation ${generation}`)
    return version
  }

  private versionsOf(block: number): readonly Version[] {
    const all = this.versions.get(block)
    if (all === undefined) throw new Error(`nothing was ever written to block ${block}`)
    return all
  }

  private sectorOf(block: number, generation: number, sector: number): Buffer {
    if (this.versionsOf(block)[generation]!.isZero) return Buffer.alloc(SECTOR_BYTES)
    return sectorBytes(block, generation, sector)
  }

  /** The generation of each sector, as far as they say. */
  private nameOf(block: number, bytes: Buffer): string {
    const names: string[] = []
    for (let sector = 0; sector < SECTORS; sector++) {
      const piece = bytes.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES)
      const generation = piece.readUInt32LE(8)
      if (piece.equals(Buffer.alloc(SECTOR_BYTES))) names.push("zero")
      else if (piece.equals(sectorBytes(block, generation, sector))) names.push(`${generation}`)
      else names.push(`bytes of block ${piece.readUInt32LE(4)}, or none`)
    }
    return names.join(", ")
  }
}

function sectorBytes(block: number, generation: number, sector: number): Buffer {
  const { imul } = Math
  const words = new Uint32Array(SECTOR_BYTES / 4)
  const count = words.length
  words[0] = MAGIC
  words[1] = block
  words[2] = generation
  words[3] = sector
  let state = imul(block, 0x9e3779b1) ^ imul(generation, 0x85ebca6b) ^ sector
  for (let nth = 4; nth < count; nth++) {
    state = (imul(state, 1_664_525) + 1_013_904_223) | 0
    words[nth] = state
  }
  return Buffer.from(words.buffer)
}
