/**
 * The buffers of the other side, and what lies where in one.
 *
 * The number of a buffer is the credit: whoever has it may write one request into it, and has it
 * back with the answer. A request lies as
 *
 *     [payload, or room for what is read][header of the user][head of RTRS]
 *
 * from the start of the buffer on; the other side is told where the head is, and counts backwards.
 */
import { RmrError } from "@rmr/core"
import type { RtrsTerms } from "./handshake.js"
import { buffersBytes, pieceAt, READ_HEAD_BYTES, TYPE_BUFFERS } from "./messages.js"

const WORD = 2 ** 32
const ADDRESSES = 2n ** 64n

export class RtrsBuffers {
  readonly terms: RtrsTerms
  private readonly lows: Uint32Array
  private readonly highs: Uint32Array
  private readonly keys: Int32Array
  /** Those that are free, in a stack. */
  private readonly free: Int32Array
  private freeCount = 0

  /** All of them free; where they are is said in a message. Fails with `bad-message`. */
  constructor(terms: RtrsTerms, view: DataView, at: number, bytes: number) {
    const { bufferCount } = terms
    this.terms = terms
    this.lows = new Uint32Array(bufferCount)
    this.highs = new Uint32Array(bufferCount)
    this.keys = new Int32Array(bufferCount)
    this.free = new Int32Array(bufferCount)
    this.place(view, at, bytes)
    for (let buffer = bufferCount - 1; buffer >= 0; buffer--) this.give(buffer)
  }

  get count(): number {
    return this.terms.bufferCount
  }

  get isAnyFree(): boolean {
    return this.freeCount > 0
  }

  /** One that is free; there must be one. */
  take(): number {
    return this.free[--this.freeCount]!
  }

  give(buffer: number): void {
    this.free[this.freeCount++] = buffer
  }

  keyOf(buffer: number): number {
    return this.keys[buffer]!
  }

  renewKey(buffer: number, key: number): void {
    this.keys[buffer] = key
  }

  /** Low word of the address of this byte of a buffer. */
  lowOf(buffer: number, at: number): number {
    return (this.lows[buffer]! + at) | 0
  }

  highOf(buffer: number, at: number): number {
    return (this.highs[buffer]! + (this.lows[buffer]! + at >= WORD ? 1 : 0)) | 0
  }

  /** Whether a request of such a size goes into a buffer. */
  takes(payloadBytes: number, userBytes: number): boolean {
    const { payloadBytesMax, bufferBytes } = this.terms
    if (payloadBytes > payloadBytesMax) return false
    return payloadBytes + userBytes + READ_HEAD_BYTES <= bufferBytes
  }

  /** Pieces of one buffer each, or of several that lie side by side; together all of them. */
  private place(view: DataView, at: number, bytes: number): void {
    const { bufferCount, bufferBytes } = this.terms
    const isOne = bytes >= pieceAt(0) && view.getUint16(at, true) === TYPE_BUFFERS
    const pieceCount = isOne ? view.getUint16(at + 2, true) : 0
    if (pieceCount === 0 || bytes !== buffersBytes(pieceCount)) {
      throw new RmrError("bad-message", "it does not say where its buffers are")
    }
    let buffer = 0
    for (let nth = 0; nth < pieceCount; nth++) {
      const piece = at + pieceAt(nth)
      const address = view.getBigUint64(piece, true)
      const pieceBytes = view.getUint32(piece + 12, true)
      const count = pieceBytes / bufferBytes
      const isWhole = Number.isInteger(count) && count > 0 && buffer + count <= bufferCount
      if (!isWhole || address + BigInt(pieceBytes) > ADDRESSES) {
        throw new RmrError("bad-message", `piece ${nth} of its memory is of no buffers`)
      }
      for (let end = buffer + count, to = address; buffer < end; buffer++) {
        this.lows[buffer] = Number(to & 0xffffffffn)
        this.highs[buffer] = Number(to >> 32n)
        this.keys[buffer] = view.getInt32(piece + 8, true)
        to += BigInt(bufferBytes)
      }
    }
    if (buffer !== bufferCount) {
      throw new RmrError("bad-message", `it has memory for ${buffer} buffers of ${bufferCount}`)
    }
  }
}
