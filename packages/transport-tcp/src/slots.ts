/**
 * Header slots of a session, one per credit, in one piece of memory. In front of each is the head
 * of the frame that will carry it.
 */
import { HEAD_BYTES } from "./framing.js"

export class Slots {
  readonly view: DataView
  private readonly stride: number

  constructor(count: number, headerBytesMax: number) {
    this.stride = HEAD_BYTES + ((headerBytesMax + 7) & ~7)
    this.view = new DataView(new ArrayBuffer(count * this.stride))
  }

  /** Where the header of this index is encoded. */
  slotOf(index: number): number {
    return index * this.stride + HEAD_BYTES
  }

  /** Negative for what is no slot. */
  indexOf(slot: number): number {
    const index = (slot - HEAD_BYTES) / this.stride
    const isSlot = Number.isInteger(index) && index >= 0 && slot < this.view.byteLength
    return isSlot ? index : -1
  }
}
