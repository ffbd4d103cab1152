/**
 * CheckedIo: data operations of a store that keeps sums, between the file and whoever asked.
 *
 * A write makes the sums of its blocks unknown when it is submitted, and known when it has ended.
 * Two that overlap in flight are carried out in any order, so what they share stays unknown. A read
 * is held against the sums when its bytes are there. Where they differ it is read again, with the
 * sums of that moment beside it: what differs from a sum that was the same before and after is
 * damage, and a media error; anything else raced with a write, and may be either (W1).
 *
 * Nothing is allocated per operation once its slot has seen one as long.
 */
import type { BlockChecksums, BlockFile, Env, Lease, Memory } from "@rmr/core"
import { STATUS_OK, statusOf } from "@rmr/core"
import { type DataSums, type ExtentSums, NOT_KNOWN } from "./data-sums.js"
import { SUM_BLOCK_BYTES as BLOCK } from "./layout.js"
import { type CheckedRange, SumCheck } from "./sum-check.js"

const MEDIA_ERROR = statusOf("media-error")
const NO_OPERATION = 0
const READ = 1
const WRITE = 2
/** A block that is written all the time is not asked for ever. */
const TRIES_MAX = 4
/** Damaged blocks that were told of, so that each is told once. */
const TOLD_MAX = 1024

export interface CheckedIoParts {
  readonly env: Env
  readonly memory: Memory
  readonly file: BlockFile
  readonly sums: DataSums
  readonly blockChecksums: BlockChecksums
  /** Where the volume begins in the file. */
  readonly dataStart: number
  readonly slotCount: number
  /** A read that has ended, in a completion of the file or later. */
  readonly finish: (slot: number, status: number, badAt: number, badBytes: number) => void
}

export class CheckedIo {
  readonly check: SumCheck
  private readonly parts: CheckedIoParts
  private readonly perExtent: number
  private readonly kinds: Uint8Array
  private readonly offsets: Float64Array
  private readonly lengths: Float64Array
  private readonly leases: Int32Array
  /** Where the bytes of a read begin in the arena of its lease. */
  private readonly ats: Float64Array
  private readonly tries: Uint8Array
  private readonly losses: Float64Array
  /** Of a write: what its blocks will have. Of a read that is repeated: what they had before. */
  private readonly words: Int32Array[]
  /** Slots of writes in flight, in any order. */
  private readonly writes: Int32Array
  private writeCount = 0
  private readonly told = new Set<number>()
  private readonly range: { -readonly [Key in keyof CheckedRange]: CheckedRange[Key] }

  constructor(parts: CheckedIoParts) {
    const { slotCount } = parts
    this.parts = parts
    this.perExtent = parts.sums.slots.count
    this.check = new SumCheck(parts.blockChecksums, this.perExtent)
    this.kinds = new Uint8Array(slotCount)
    this.offsets = new Float64Array(slotCount)
    this.lengths = new Float64Array(slotCount)
    this.leases = new Int32Array(slotCount)
    this.ats = new Float64Array(slotCount)
    this.tries = new Uint8Array(slotCount)
    this.losses = new Float64Array(slotCount)
    this.words = Array.from({ length: slotCount }, () => new Int32Array(1))
    this.writes = new Int32Array(slotCount)
    this.range = { view: new DataView(new ArrayBuffer(0)), start: 0, offset: 0, bytes: 0 }
  }

  noteRead(slot: number, offset: number, lease: Lease, at: number, bytes: number): void {
    const { memory, sums } = this.parts
    memory.retain(lease)
    this.kinds[slot] = READ
    this.offsets[slot] = offset
    this.lengths[slot] = bytes
    this.leases[slot] = lease
    this.ats[slot] = at
    this.tries[slot] = 0
    // Beside the data: whichever comes first waits for the other.
    const last = this.lastExtent(slot)
    for (let extent = this.firstExtent(slot); extent <= last; extent++) {
      if (sums.of(extent) === undefined) void sums.load(extent)
    }
  }

  noteWrite(slot: number, offset: number, lease: Lease, at: number, bytes: number): void {
    const { memory } = this.parts
    const first = this.begin(slot, offset, bytes)
    const { view } = memory.arenaOf(lease)
    const start = memory.offsetOf(lease) + at - offset
    const from = Math.ceil(offset / BLOCK)
    const count = Math.floor((offset + bytes) / BLOCK) - from
    if (count > 0) {
      this.check.sum(view, start + from * BLOCK, count, this.words[slot]!, from - first)
    }
    this.enter(slot)
  }

  noteZero(slot: number, offset: number, bytes: number): void {
    const first = this.begin(slot, offset, bytes)
    const from = Math.ceil(offset / BLOCK) - first
    const end = Math.floor((offset + bytes) / BLOCK) - first
    if (end > from) this.words[slot]!.fill(this.check.zeroSum, from, end)
    this.enter(slot)
  }

  /** What the file says of it. True where it has not ended yet: `finish` tells when it has. */
  onEnd(slot: number, status: number): boolean {
    const kind = this.kinds[slot]
    if (kind === READ && status === STATUS_OK) {
      this.verify(slot, this.firstExtent(slot))
      return true
    }
    if (kind === READ) this.parts.memory.release(this.leases[slot] as Lease)
    if (kind === WRITE) this.leave(slot, status)
    this.kinds[slot] = NO_OPERATION
    return false
  }

  /** Counts damage, and writes it down once. */
  noteDamage(offset: number, bytes: number): void {
    this.check.counts.damagedBlocks += bytes / BLOCK
    const first = offset / BLOCK
    let isNew = false
    for (let block = first; block < first + bytes / BLOCK; block++) {
      if (this.told.has(block)) continue
      isNew = true
      if (this.told.size < TOLD_MAX) this.told.add(block)
    }
    if (isNew) this.parts.env.log.write("error", "store.data-damaged", { offset, bytes })
  }

  private begin(slot: number, offset: number, bytes: number): number {
    this.kinds[slot] = WRITE
    this.offsets[slot] = offset
    this.lengths[slot] = bytes
    const first = Math.floor(offset / BLOCK)
    const count = Math.ceil((offset + bytes) / BLOCK) - first
    this.roomFor(slot, count).fill(NOT_KNOWN, 0, count)
    return first
  }

  private roomFor(slot: number, count: number): Int32Array {
    if (this.words[slot]!.length < count) {
      this.words[slot] = new Int32Array(2 ** Math.ceil(Math.log2(count)))
    }
    return this.words[slot]!
  }

  private enter(slot: number): void {
    for (let nth = 0; nth < this.writeCount; nth++) this.part(slot, this.writes[nth]!)
    this.writes[this.writeCount++] = slot
    this.losses[slot] = this.parts.sums.losses
    this.put(slot, false)
  }

  /** What both write ends as one of them, and nobody knows which. */
  private part(one: number, other: number): void {
    const from = Math.max(this.offsets[one]!, this.offsets[other]!)
    const end = Math.min(
      this.offsets[one]! + this.lengths[one]!,
      this.offsets[other]! + this.lengths[other]!,
    )
    if (from >= end) return
    for (const slot of [one, other]) {
      const first = Math.floor(this.offsets[slot]! / BLOCK)
      this.words[slot]!.fill(
        NOT_KNOWN,
        Math.floor(from / BLOCK) - first,
        Math.ceil(end / BLOCK) - first,
      )
    }
  }

  private leave(slot: number, status: number): void {
    for (let nth = 0; nth < this.writeCount; nth++) {
      if (this.writes[nth] !== slot) continue
      this.writes[nth] = this.writes[--this.writeCount]!
      break
    }
    // A flush that failed meanwhile may have cost it.
    this.put(slot, status === STATUS_OK && this.losses[slot] === this.parts.sums.losses)
  }

  /** The sums of its blocks are what it has written, or nobody knows. */
  private put(slot: number, isKnown: boolean): void {
    const { sums } = this.parts
    const first = Math.floor(this.offsets[slot]! / BLOCK)
    const end = Math.ceil((this.offsets[slot]! + this.lengths[slot]!) / BLOCK)
    const words = this.words[slot]!
    for (let extent = Math.floor(first / this.perExtent); extent * this.perExtent < end; extent++) {
      const one = sums.of(extent)
      if (one === undefined) continue
      one.isChanged = true
      const base = extent * this.perExtent
      const stop = Math.min(end, base + this.perExtent)
      for (let block = Math.max(first, base); block < stop; block++) {
        one.sums[block - base] = isKnown ? words[block - first]! : NOT_KNOWN
        if (isKnown && this.told.size > 0) this.told.delete(block)
      }
    }
  }

  /** Goes on with this extent, as far as sums are here; what is not waits for its place. */
  private verify(slot: number, from: number): void {
    const last = this.lastExtent(slot)
    for (let extent = from; extent <= last; extent++) {
      const one = this.parts.sums.of(extent)
      if (one === undefined) {
        void this.parts.sums.load(extent).then((loaded) => {
          if (this.isSound(slot, loaded)) this.verify(slot, extent + 1)
        })
        return
      }
      if (!this.isSound(slot, one)) return
    }
    this.finish(slot, STATUS_OK, 0, 0)
  }

  /** False where it is read again, or has ended. */
  private isSound(slot: number, one: ExtentSums): boolean {
    const { memory } = this.parts
    const lease = this.leases[slot] as Lease
    const { range } = this
    range.view = memory.arenaOf(lease).view
    range.start = memory.offsetOf(lease) + this.ats[slot]!
    range.offset = this.offsets[slot]!
    range.bytes = this.lengths[slot]!
    const { check } = this
    if (check.firstDamage(range, one) === undefined) return true
    const isRepeated = this.tries[slot]! > 0
    const damage = isRepeated ? check.firstDamage(range, one, this.words[slot]) : undefined
    if (damage !== undefined) {
      this.noteDamage(range.offset + damage.at, damage.bytes)
      this.finish(slot, MEDIA_ERROR, damage.at, damage.bytes)
      return false
    }
    if (this.tries[slot] === TRIES_MAX) return true
    this.readAgain(slot)
    return false
  }

  private readAgain(slot: number): void {
    const { sums, file, dataStart } = this.parts
    const offset = this.offsets[slot]!
    const bytes = this.lengths[slot]!
    this.tries[slot]!++
    const first = Math.floor(offset / BLOCK)
    const end = Math.ceil((offset + bytes) / BLOCK)
    const words = this.roomFor(slot, end - first)
    for (let block = first; block < end; block++) {
      const extent = Math.floor(block / this.perExtent)
      words[block - first] = sums.of(extent)?.sums[block - extent * this.perExtent] ?? NOT_KNOWN
    }
    file.read(slot, dataStart + offset, this.leases[slot] as Lease, this.ats[slot]!, bytes)
  }

  private finish(slot: number, status: number, badAt: number, badBytes: number): void {
    this.kinds[slot] = NO_OPERATION
    this.parts.memory.release(this.leases[slot] as Lease)
    this.parts.finish(slot, status, badAt, badBytes)
  }

  private firstExtent(slot: number): number {
    return Math.floor(this.offsets[slot]! / (this.perExtent * BLOCK))
  }

  private lastExtent(slot: number): number {
    return Math.floor((this.offsets[slot]! + this.lengths[slot]! - 1) / (this.perExtent * BLOCK))
  }
}
