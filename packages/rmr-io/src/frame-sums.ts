/**
 * FrameSums: the sums of heads that leave together, and what native code says of those that came.
 *
 * Sums of heads are short, and JavaScript makes one in a tenth of a microsecond; several in each
 * IO of each process are a twentieth of all time. With the addon all heads of a write are summed in
 * one call, and those that come while they are read. Without it, and in memory that the addon does
 * not know, JavaScript makes them, with the same results.
 */
import { crc32cSigned } from "@rmr/core"
import { NO_SLOT, slotOfView } from "./arena-slots.js"
import type { FrameShape } from "./frame-shape.js"
import {
  CHECK_NOTHING,
  type NativeAddon,
  SEALS_MAX,
  type SocketWords,
  WORD_CHECKED_COUNT,
  WORD_CHECKED_FROM,
  WORD_CHECKED_WHAT,
  WORD_SEALS,
  WORD_SHAPE,
} from "./native-addon.js"

export interface FrameSums {
  /** Of what was just read into the chunk: so many frames are right, where this was looked at. */
  checkedCount(what: number, from: number): number
  /** A head and its text, that will get its sum at `seal`; all of them lie in one buffer. */
  add(view: DataView, at: number, bytes: number): void
  /** Everything that was added has its sum. */
  seal(): void
}

/** In JavaScript, at once. */
export class PlainFrameSums implements FrameSums {
  private readonly shape: FrameShape

  constructor(shape: FrameShape) {
    this.shape = shape
  }

  checkedCount(): number {
    return 0
  }

  add(view: DataView, at: number, bytes: number): void {
    const { headBytes, headSumAt } = this.shape
    const headSum = crc32cSigned(view, at, headSumAt)
    const sum = crc32cSigned(view, at + headBytes, bytes - headBytes, headSum)
    view.setInt32(at + headSumAt, sum, true)
  }

  seal(): void {
    // Each has its sum since it was added.
  }
}

export class NativeFrameSums implements FrameSums {
  private readonly addon: NativeAddon
  private readonly engine: unknown
  private readonly words: Int32Array
  private readonly plain: PlainFrameSums
  private count = 0
  /** The last buffer: most writes have the same. */
  private buffer: DataView | undefined
  private slot = NO_SLOT

  constructor(addon: NativeAddon, words: SocketWords, shape: FrameShape) {
    this.addon = addon
    this.engine = words.engine
    this.words = new Int32Array(words)
    this.plain = new PlainFrameSums(shape)
    const { magic, headBytes, textBytesAt, payloadBytesAt, payloadSumAt, headSumAt } = shape
    const numbers = [magic, headBytes, textBytesAt, payloadBytesAt, payloadSumAt, headSumAt]
    this.words.set(numbers, WORD_SHAPE)
  }

  checkedCount(what: number, from: number): number {
    const { words } = this
    if (what === CHECK_NOTHING || words[WORD_CHECKED_WHAT] !== what) return 0
    return words[WORD_CHECKED_FROM] === from ? words[WORD_CHECKED_COUNT]! : 0
  }

  add(view: DataView, at: number, bytes: number): void {
    if (view !== this.buffer) {
      this.seal()
      this.buffer = view
      this.slot = slotOfView(view)
    }
    if (this.slot === NO_SLOT) {
      this.plain.add(view, at, bytes)
      return
    }
    if (this.count === SEALS_MAX) this.seal()
    const row = WORD_SEALS + 2 * this.count
    this.words[row] = view.byteOffset + at
    this.words[row + 1] = bytes
    this.count++
  }

  seal(): void {
    const { count } = this
    this.count = 0
    if (count > 0) this.addon.sealFrames(this.engine, this.slot, count)
  }
}
