/**
 * Header slots of a session, one per credit, in one piece of memory. In front of each is room for
 * the head of the frame that will carry it.
 */
export class Slots {
  readonly view: DataView
  private readonly count: number
  private readonly headBytes: number
  private readonly stride: number

  constructor(count: number, headBytes: number, headerBytesMax: number) {
    this.count = count
    this.headBytes = headBytes
    this.stride = headBytes + ((headerBytesMax + 7) & ~7)
    this.view = new DataView(new ArrayBuffer(count * this.stride))
  }

  /** Where the header of this index is encoded. */
  slotOf(index: number): number {
    return index * this.stride + this.headBytes
  }

  /** Negative for what is no slot. */
  indexOf(slot: number): number {
    const index = ((slot - this.headBytes) / this.stride) | 0
    const isSlot = this.slotOf(index) === slot && index >= 0 && index < this.count
    return isSlot ? index : -1
  }
}
