/**
 * HotExtents: which extents are hot, and until when (rules I1, I2, I3).
 *
 * The store keeps the set durably; this is what a member knows about it in memory: the newest
 * mutation of each hot extent, so that it may cool once everything in it is stable everywhere. An
 * extent counts as hot only when the store has said so; one that is being heated is asked for again
 * by everybody who needs it, which costs the store nothing.
 *
 * The limit is soft. A while before it the member asks for a flush in its replies, and mutations go
 * on. Only where nothing is left but the slots that those in flight may need, the first mutation
 * that needs another extent puts up a fence behind the newest one that was admitted: whatever is
 * newer is `busy` until extents have cooled, also in hot ones, or they would never cool; what is
 * not newer has spare slots. So the stable number always reaches the fence, and cooling never waits
 * for a mutation that waits for cooling (RT-8). What keeps an extent hot is never behind the fence:
 * where a copy brings word of a newer mutation, the fence is behind that one (RT-67).
 *
 * ```
 *   0 ····· ¾ softLimit ····· fenceLimit ··········· copyLimit ············ extentsMax
 *           flush wanted      fence up │ for copies │ for what is not newer │
 * ```
 */
import { assert, FreeRows, longer, NO_FREE_ROW } from "@rmr/core"

export interface HotExtentsOptions {
  /** What the store has room for, spare slots included. */
  readonly extentsMax: number
  /** Hot extents as an admin wants them at most. */
  readonly softLimit: number
  /** Hot extents at which nothing is admitted that is newer than what was. */
  readonly fenceLimit: number
  /** Hot extents at which no copy begins: the slots behind are for mutations. */
  readonly copyLimit: number
}

const NO_SLOT = -1

export class HotExtents {
  readonly softLimit: number
  readonly fenceLimit: number
  private readonly copyLimit: number
  private readonly slots = new Map<number, number>()
  private epochs: Float64Array
  private sequences: Float64Array
  private isDurable: Uint8Array
  /** Copies that are being written into the extent: no mutation, but it must stay hot. */
  private pins: Int32Array
  private readonly free: FreeRows
  private newestEpoch = 0
  private newestSequence = 0
  /** Nothing newer than the newest is admitted. */
  private isFenced = false

  constructor({ extentsMax, softLimit, fenceLimit, copyLimit }: HotExtentsOptions) {
    assert(softLimit <= fenceLimit && fenceLimit <= copyLimit, "the limits are in order")
    assert(copyLimit < extentsMax, "there are slots to spare (I3)")
    this.softLimit = softLimit
    this.fenceLimit = fenceLimit
    this.copyLimit = copyLimit
    this.free = new FreeRows(extentsMax)
    const { rows } = this.free
    this.epochs = new Float64Array(rows)
    this.sequences = new Float64Array(rows)
    this.isDurable = new Uint8Array(rows)
    this.pins = new Int32Array(rows)
  }

  get count(): number {
    return this.slots.size
  }

  /** A good while before the limit, so that a flush is mostly over when that is reached. */
  get isFlushWanted(): boolean {
    return this.slots.size * 4 >= this.softLimit * 3
  }

  /** Only spare slots are left: extents must cool before anything newer is admitted. */
  get isFull(): boolean {
    return this.slots.size >= this.fenceLimit
  }

  /**
   * Whether a mutation of these extents may be admitted: there is room, or others wait for it to be
   * resolved. As long as nobody needs another extent than the hot ones, nobody waits.
   */
  admits(epoch: number, sequence: number, firstExtent: number, count: number): boolean {
    if (!this.isFull) {
      this.isFenced = false
      return true
    }
    if (!this.isFenced) {
      if (this.hasAll(firstExtent, count)) return true
      this.isFenced = true
    }
    return (epoch - this.newestEpoch || sequence - this.newestSequence) <= 0
  }

  /** Whether the store has said that the extent is hot. */
  isHot(extent: number): boolean {
    const slot = this.slots.get(extent)
    return slot !== undefined && this.isDurable[slot] === 1
  }

  /**
   * A mutation is about to change the extent. False where the log has no slot left, which it has
   * for whatever `admits` lets in.
   */
  note(extent: number, epoch: number, sequence: number): boolean {
    const slot = this.slotFor(extent)
    if (slot === NO_SLOT) return false
    this.noteNewest(epoch, sequence)
    const order = epoch - this.epochs[slot]! || sequence - this.sequences[slot]!
    if (order > 0) {
      this.epochs[slot] = epoch
      this.sequences[slot] = sequence
    }
    return true
  }

  /** Whether a copy finds slots for these extents, where others are about to take some. */
  hasRoomToPin(first: number, count: number, promised: number): boolean {
    let missing = 0
    for (let extent = first; extent < first + count; extent++) {
      if (!this.slots.has(extent)) missing++
    }
    return missing === 0 || this.slots.size + promised + missing <= this.copyLimit
  }

  /** Keeps the extent hot while a copy is written into it; false where there is no slot for it. */
  pin(extent: number): boolean {
    if (!this.slots.has(extent) && this.slots.size >= this.copyLimit) return false
    const slot = this.slotFor(extent)
    if (slot === NO_SLOT) return false
    this.pins[slot]!++
    return true
  }

  unpin(extent: number): void {
    const slot = this.slots.get(extent)
    assert(slot !== undefined && this.pins[slot]! > 0, "who unpins an extent has pinned it")
    this.pins[slot]!--
    // A copy that found no slot for its next extent has not asked for this one either.
    const isAsked = this.isDurable[slot] === 1 || this.epochs[slot]! > 0 || this.pins[slot]! > 0
    if (!isAsked) this.forget(extent)
  }

  /** The store has it durably, or had it when it was opened. */
  noteDurable(extent: number): void {
    const slot = this.slotFor(extent)
    assert(slot !== NO_SLOT, "what the store has hot fits the table")
    this.isDurable[slot] = 1
  }

  /**
   * Extents that hold nothing beyond the stable number, and of which `mayCool` says so. They are
   * forgotten: cool them.
   */
  takeStable(
    epoch: number,
    sequence: number,
    mayCool: (extent: number) => boolean = () => true,
  ): number[] {
    const cooled: number[] = []
    for (const [extent, slot] of this.slots) {
      if (this.isDurable[slot] === 0 || this.pins[slot]! > 0) continue
      const isStable = this.epochs[slot]! < epoch || this.sequences[slot]! <= sequence
      if (this.epochs[slot]! > epoch || !isStable) continue
      if (mayCool(extent)) cooled.push(extent)
    }
    for (const extent of cooled) this.forget(extent)
    return cooled
  }

  /** All that the store has hot, ascending. */
  all(): number[] {
    return [...this.slots.keys()].sort((a, b) => a - b)
  }

  private hasAll(first: number, count: number): boolean {
    for (let extent = first; extent < first + count; extent++) {
      if (!this.slots.has(extent)) return false
    }
    return true
  }

  private noteNewest(epoch: number, sequence: number): void {
    if ((epoch - this.newestEpoch || sequence - this.newestSequence) <= 0) return
    this.newestEpoch = epoch
    this.newestSequence = sequence
  }

  private slotFor(extent: number): number {
    const known = this.slots.get(extent)
    if (known !== undefined) return known
    const slot = this.free.take()
    if (slot === NO_FREE_ROW) return NO_SLOT
    if (slot >= this.epochs.length) this.grow(this.free.rows)
    this.slots.set(extent, slot)
    this.epochs[slot] = 0
    this.sequences[slot] = 0
    this.isDurable[slot] = 0
    this.pins[slot] = 0
    return slot
  }

  private forget(extent: number): void {
    const slot = this.slots.get(extent)
    assert(slot !== undefined, "only a hot extent cools")
    this.slots.delete(extent)
    this.free.give(slot)
  }

  private grow(rows: number): void {
    this.epochs = longer(this.epochs, rows)
    this.sequences = longer(this.sequences, rows)
    this.isDurable = longer(this.isDurable, rows)
    this.pins = longer(this.pins, rows)
  }
}
