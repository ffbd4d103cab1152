/**
 * RangeCheck: reads a part of one extent and holds it against its sums, for whoever looks on
 * purpose. The data path does it for what is read anyway (checked-io.ts).
 */
import type { BlockFile, Lease, Memory } from "@rmr/core"
import { NO_LEASE, RmrError, STATUS_OK, statusOf } from "@rmr/core"
import type { CheckedIo } from "./checked-io.js"
import { type DataSums, type ExtentSums, NOT_KNOWN } from "./data-sums.js"
import { SUM_BLOCK_BYTES as BLOCK } from "./layout.js"
import type { MetaIo } from "./meta-io.js"
import type { Damage } from "./sum-check.js"

const MEDIA_ERROR = statusOf("media-error")
const TRIES_MAX = 4

/** In bytes of the volume. */
export interface DamagedRange {
  readonly offset: number
  readonly bytes: number
}

export interface CheckedPart {
  /** Of blocks that have a sum. */
  readonly checkedBytes: number
  readonly damaged: readonly DamagedRange[]
}

export interface RangeCheckParts {
  readonly io: MetaIo
  readonly file: BlockFile
  readonly memory: Memory
  readonly sums: DataSums
  readonly checked: CheckedIo
  readonly dataStart: number
}

export class RangeCheck {
  private readonly parts: RangeCheckParts

  constructor(parts: RangeCheckParts) {
    this.parts = parts
  }

  /**
   * Inside one extent. Undefined where there is no payload memory just now. Fails with what the
   * file says, but for a media error, which is damage.
   */
  async check(offset: number, bytes: number): Promise<CheckedPart | undefined> {
    const { memory } = this.parts
    const lease = memory.lease(bytes)
    if (lease === NO_LEASE) return undefined
    try {
      return await this.checkInto(lease, offset, bytes)
    } finally {
      memory.release(lease)
    }
  }

  private async checkInto(lease: Lease, offset: number, bytes: number): Promise<CheckedPart> {
    const { sums } = this.parts
    const extent = Math.floor(offset / (sums.slots.count * BLOCK))
    const first = Math.ceil(offset / BLOCK)
    const before = new Int32Array(Math.floor((offset + bytes) / BLOCK) - first)
    let found: CheckedPart = { checkedBytes: 0, damaged: [] }
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      copyOf(await sums.load(extent), first - extent * sums.slots.count, before)
      const known = before.reduce((count, sum) => count + (sum === NOT_KNOWN ? 0 : 1), 0)
      if (known === 0) return { checkedBytes: 0, damaged: [] }
      const damage = await this.readAndCompare(offset, bytes, lease, extent, before)
      found = { checkedBytes: known * BLOCK, damaged: damage.map((one) => inVolume(one, offset)) }
      // What the medium got wrong once may be right at the next attempt.
      if (damage.length === 0 || tries > 0) break
    }
    for (const one of found.damaged) this.parts.checked.noteDamage(one.offset, one.bytes)
    return found
  }

  private async readAndCompare(
    offset: number,
    bytes: number,
    lease: Lease,
    extent: number,
    before: Int32Array,
  ): Promise<readonly Damage[]> {
    const { io, file, memory, sums, checked, dataStart } = this.parts
    const status = await io.run((token) => file.read(token, dataStart + offset, lease, 0, bytes))
    if (status === MEDIA_ERROR) return [{ at: 0, bytes }]
    if (status !== STATUS_OK) throw RmrError.ofStatus(status, "the store cannot be read")
    const { view } = memory.arenaOf(lease)
    const range = { view, start: memory.offsetOf(lease), offset, bytes }
    return checked.check.damageOf(range, await sums.load(extent), before)
  }
}

/** A copy: what is there now may change while the file is read. */
function copyOf({ sums }: ExtentSums, from: number, into: Int32Array): void {
  into.set(sums.subarray(from, from + into.length))
}

function inVolume({ at, bytes }: Damage, offset: number): DamagedRange {
  return { offset: offset + at, bytes }
}
