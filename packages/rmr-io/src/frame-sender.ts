/**
 * What one connection has to send: a ring of frames that lie where their owners wrote them.
 *
 * A frame becomes bytes only when the kernel is ready for it. One write is under way at a time;
 * what is queued meanwhile leaves together with the next. So memory is bounded by one output
 * buffer, whatever the peer does, and the slower it is, the larger are the batches.
 *
 * Heads, texts and small payloads are copied together into the output buffer; a large payload goes
 * from its lease, which is held until the kernel has all of it.
 */
import type { Lease, Memory } from "@rmr/core"
import { assert, NO_LEASE } from "@rmr/core"
import { copyBytes } from "./copy-bytes.js"
import { fastChecksum } from "./fast-checksum.js"
import type { FrameShape } from "./frame-shape.js"
import type { FrameSums } from "./frame-sums.js"
import { type OutputBuffer, type OutputBuffers, SMALL_OUTPUT_BYTES } from "./output-buffers.js"
import type { ViewCache } from "./view-cache.js"

/** Up to this size copying is cheaper than one more piece in a write. */
const COPY_BYTES_MAX = 16 * 1024
/** Of a frame without its payload. */
const HEAD_BYTES_MAX = SMALL_OUTPUT_BYTES - COPY_BYTES_MAX
/** Pieces and bytes of one write; what is more, waits for the next. */
const PIECES_MAX = 64
const WRITE_BYTES_MAX = 4 * 1024 * 1024

/** Columns of a queued frame. */
const QUEUED_AT = 0
const QUEUED_BYTES = 1
const QUEUED_LEASE = 2
const QUEUED_LEASE_AT = 3
const QUEUED_PAYLOAD_BYTES = 4
const QUEUED_STRIDE = 5

/** How heads look, and who makes their sums. */
export interface SealedFrames {
  readonly shape: FrameShape
  readonly sums: FrameSums
}

export interface FrameSenderParts {
  /** Of a protocol whose heads carry checksums. */
  readonly sealed: SealedFrames | undefined
  readonly memory: Memory
  readonly buffers: OutputBuffers
  readonly views: ViewCache
  /**
   * Hands the first so many pieces to the kernel. True: it has them all; else `onWritten` is called
   * when.
   */
  readonly write: (pieces: readonly Uint8Array[], count: number) => boolean
}

export class FrameSender {
  isPayloadSummed = false
  private readonly parts: FrameSenderParts
  private readonly checksum = fastChecksum()
  private rows: Int32Array
  private sources: (DataView | undefined)[]
  private capacity: number
  private first = 0
  private queuedCount = 0
  /** What the queued frames have in an output buffer. */
  private queuedBytes = 0
  private writingCount = 0
  private buffer: OutputBuffer | undefined
  /** Of the write that is being made, the first `pieceCount`. */
  private readonly pieces: Uint8Array[] = []
  private pieceCount = 0
  /** Leases of the write that is under way. */
  private readonly held: Lease[] = []
  private isClosed = false

  constructor(parts: FrameSenderParts, framesMax: number) {
    this.parts = parts
    this.capacity = framesMax
    this.rows = new Int32Array(framesMax * QUEUED_STRIDE)
    this.sources = new Array(framesMax).fill(undefined)
  }

  get unsentCount(): number {
    return this.queuedCount + this.writingCount
  }

  get isFull(): boolean {
    return this.queuedCount === this.capacity
  }

  /** Which place of the ring the next frame gets: below the capacity. */
  get nextPlace(): number {
    return (this.first + this.queuedCount) % this.capacity
  }

  /** Room for so many frames from now on; only before anything but greetings was sent. */
  grow(framesMax: number): void {
    if (framesMax <= this.capacity) return
    assert(this.queuedCount === 0, "an empty queue grows")
    this.first = 0
    this.capacity = framesMax
    this.rows = new Int32Array(framesMax * QUEUED_STRIDE)
    this.sources = new Array(framesMax).fill(undefined)
  }

  queue(
    source: DataView,
    at: number,
    bytes: number,
    lease: Lease,
    leaseAt: number,
    payloadBytes: number,
  ): void {
    assert(this.queuedCount < this.capacity, "the queue of a connection has room for its credits")
    assert(bytes <= HEAD_BYTES_MAX, "any output buffer has room for a frame")
    const index = this.nextPlace
    const row = index * QUEUED_STRIDE
    const { rows } = this
    this.sources[index] = source
    rows[row + QUEUED_AT] = at
    rows[row + QUEUED_BYTES] = bytes
    rows[row + QUEUED_LEASE] = lease
    rows[row + QUEUED_LEASE_AT] = leaseAt
    rows[row + QUEUED_PAYLOAD_BYTES] = payloadBytes
    if (lease !== NO_LEASE) this.parts.memory.retain(lease)
    this.queuedCount++
    this.queuedBytes += bufferedBytes(bytes, payloadBytes)
  }

  /** Writes what is queued, as far as the kernel takes it, unless a write is under way. */
  pump(): void {
    while (this.writingCount === 0 && this.queuedCount > 0 && !this.isClosed) {
      if (!this.writeOnce()) return
      this.letGo()
    }
  }

  /** As much as fits one write. Answers whether the kernel has it. */
  private writeOnce(): boolean {
    const buffer = this.parts.buffers.take(this.queuedBytes)
    this.buffer = buffer
    this.pieceCount = 0
    let filled = 0
    let cut = 0
    let largeBytes = 0
    while (this.queuedCount > 0 && this.pieceCount < PIECES_MAX && largeBytes < WRITE_BYTES_MAX) {
      const row = this.first * QUEUED_STRIDE
      const payloadBytes = this.rows[row + QUEUED_PAYLOAD_BYTES]!
      const isCopied = payloadBytes <= COPY_BYTES_MAX
      const needed = bufferedBytes(this.rows[row + QUEUED_BYTES]!, payloadBytes)
      if (filled + needed > buffer.bytes.length) break
      this.putHead(buffer, filled, row)
      filled += this.rows[row + QUEUED_BYTES]!
      if (payloadBytes > 0) {
        const payload = this.payloadOf(row, payloadBytes)
        if (isCopied) {
          buffer.bytes.set(payload, filled)
          filled += payloadBytes
        } else {
          this.addPiece(buffer, cut, filled)
          this.pieces[this.pieceCount++] = payload
          cut = filled
          largeBytes += payloadBytes
        }
      }
      this.shift(row, isCopied)
    }
    if (filled > cut) this.addPiece(buffer, cut, filled)
    this.parts.sealed?.sums.seal()
    return this.parts.write(this.pieces, this.pieceCount)
  }

  private addPiece({ bytes }: OutputBuffer, from: number, to: number): void {
    this.pieces[this.pieceCount++] = this.parts.views.part(bytes, from, to - from)
  }

  /** The kernel has taken the write: its memory is free. */
  onWritten(): void {
    this.letGo()
    this.pump()
  }

  /** Nothing is sent any more, and nothing held. Idempotent; the socket must be closed already. */
  close(): void {
    this.isClosed = true
    this.letGo()
    while (this.queuedCount > 0) this.shift(this.first * QUEUED_STRIDE, true)
    this.writingCount = 0
  }

  private putHead(buffer: OutputBuffer, at: number, row: number): void {
    const { sealed, memory } = this.parts
    const { rows } = this
    const source = this.sources[this.first]!
    const from = rows[row + QUEUED_AT]!
    const bytes = rows[row + QUEUED_BYTES]!
    copyBytes(source, from, buffer.view, at, bytes)
    if (sealed === undefined) return
    const payloadBytes = rows[row + QUEUED_PAYLOAD_BYTES]!
    if (payloadBytes > 0 && this.isPayloadSummed) {
      const lease = rows[row + QUEUED_LEASE]! as Lease
      const start = memory.offsetOf(lease) + rows[row + QUEUED_LEASE_AT]!
      const sum = this.checksum(memory.arenaOf(lease).view, start, payloadBytes)
      buffer.view.setUint32(at + sealed.shape.payloadSumAt, sum, true)
    }
    sealed.sums.add(buffer.view, at, bytes)
  }

  private payloadOf(row: number, bytes: number): Uint8Array {
    const { memory, views } = this.parts
    const lease = this.rows[row + QUEUED_LEASE]! as Lease
    const at = memory.offsetOf(lease) + this.rows[row + QUEUED_LEASE_AT]!
    return views.of(memory.arenaOf(lease), at, bytes)
  }

  /** The first of the queue has left it; its lease is held on for a write that reads from it. */
  private shift(row: number, isLeaseFree: boolean): void {
    const { rows } = this
    const lease = rows[row + QUEUED_LEASE]! as Lease
    if (lease !== NO_LEASE) {
      if (isLeaseFree) this.parts.memory.release(lease)
      else this.held.push(lease)
    }
    this.sources[this.first] = undefined
    this.first = (this.first + 1) % this.capacity
    this.queuedCount--
    this.queuedBytes -= bufferedBytes(rows[row + QUEUED_BYTES]!, rows[row + QUEUED_PAYLOAD_BYTES]!)
    this.writingCount++
  }

  private letGo(): void {
    this.writingCount = 0
    for (let lease = this.held.pop(); lease !== undefined; lease = this.held.pop()) {
      this.parts.memory.release(lease)
    }
    if (this.buffer !== undefined) this.parts.buffers.give(this.buffer)
    this.buffer = undefined
  }
}

/** What a frame has in an output buffer; a large payload goes from its lease. */
function bufferedBytes(bytes: number, payloadBytes: number): number {
  return bytes + (payloadBytes <= COPY_BYTES_MAX ? payloadBytes : 0)
}
