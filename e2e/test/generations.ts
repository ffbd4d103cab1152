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
const ZEROES = Buffer.alloc(BLOCK_BYTES)
const MAGIC = 0x524d5267

interface Version {
  readonly isZero: boolean
  /** Where the log was when it was asked for; nothing of it was on the disk before. */
  readonly issuedAt: number
  isAnswered: boolean
  /** Where the log was, at the latest, when it had become durable. */
  durableAt: number
  /** Made once: it is compared with many images. */
  bytes: Buffer | undefined
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
      all = [{ isZero: true, issuedAt: 0, isAnswered: true, durableAt: 0, bytes: undefined }]
      this.versions.set(block, all)
    }
    const issuedAt = this.position()
    const durableAt = Number.POSITIVE_INFINITY
    all.push({ isZero, issuedAt, isAnswered: false, durableAt, bytes: undefined })
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
    const version = this.version(block, generation)
    version.bytes ??= version.isZero ? ZEROES : blockBytes(block, generation)
    return version.bytes
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
    if (bytes.equals(this.bytesOf(block, oldest))) return { wrong: "", isNewer: false }
    const newer = all.flatMap(({ issuedAt }, generation) => {
      return generation > oldest && issuedAt <= position ? [this.bytesOf(block, generation)] : []
    })
    const may = [this.bytesOf(block, oldest), ...newer]
    for (let at = 0; at < BLOCK_BYTES; at += SECTOR_BYTES) {
      const end = at + SECTOR_BYTES
      if (may.some((one) => bytes.compare(one, at, end, at, end) === 0)) continue
      const wrong =
        `block ${block} had generation ${oldest} for certain, of ${all.length - 1}; ` +
        `found is ${nameOf(block, bytes)}`
      return { wrong, isNewer: true }
    }
    return { wrong: "", isNewer: true }
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
}

/** The generation of each sector, as far as they say. */
function nameOf(block: number, bytes: Buffer): string {
  const names: string[] = []
  for (let at = 0; at < BLOCK_BYTES; at += SECTOR_BYTES) {
    const end = at + SECTOR_BYTES
    const generation = bytes.readUInt32LE(at + 8)
    const isWhole = bytes.compare(blockBytes(block, generation), at, end, at, end) === 0
    if (bytes.compare(ZEROES, at, end, at, end) === 0) names.push("zero")
    else if (isWhole) names.push(`${generation}`)
    else names.push(`bytes of block ${bytes.readUInt32LE(at + 4)}, or of none`)
  }
  return names.join(", ")
}

function blockBytes(block: number, generation: number): Buffer {
  const { imul } = Math
  const words = new Uint32Array(BLOCK_BYTES / 4)
  const count = words.length
  const sectorWords = SECTOR_BYTES / 4
  let state = imul(block, 0x9e3779b1) ^ imul(generation, 0x85ebca6b)
  for (let nth = 0; nth < count; nth++) {
    state = (imul(state, 1_664_525) + 1_013_904_223) | 0
    words[nth] = state
  }
  for (let first = 0; first < count; first += sectorWords) {
    words.set([MAGIC, block, generation, first / sectorWords], first)
  }
  return Buffer.from(words.buffer)
}
