/**
 * Cuts the stream of one connection into frames, checks them, and puts payloads where they belong.
 *
 * Bytes come in chunks of a shared buffer that is reused at once. Heads and texts are collected in
 * a small buffer of this connection only where a chunk ends in the middle of them; payloads go from
 * the chunk straight into their lease, and the rest of a large one is read there by the kernel.
 *
 * | state | waits for |
 * |---|---|
 * | head | a whole head and its text |
 * | payload | the rest of a payload, whose place is known |
 * | memory | a lease; what of the chunk lies behind the frame is kept, and nothing more is read |
 */
import type { Lease, Memory } from "@rmr/core"
import { assert, crc32cSigned, NO_LEASE, RmrError } from "@rmr/core"
import { copyBytes } from "./copy-bytes.js"
import type { FrameInbox } from "./frame-inbox.js"
import type { FrameShape } from "./frame-shape.js"
import type { ReceiveLimits } from "./socket-engine.js"

/** From so much on, the rest of a payload is read into its place, and not with what follows. */
const DIRECT_BYTES_MIN = 16 * 1024
/** No protocol has longer texts. */
export const TEXT_BYTES_MAX = 1024

export interface FrameReceiverParts {
  readonly connectionId: number
  readonly shape: FrameShape
  readonly memory: Memory
  readonly inbox: FrameInbox
  readonly limits: ReceiveLimits
  /** A frame was put into the inbox. */
  readonly onFrame: () => void
  /** No memory: nothing may be read until `onResumed`. */
  readonly onPaused: () => void
  readonly onResumed: () => void
  readonly onBroken: (cause: RmrError) => void
}

export class FrameReceiver {
  limits: ReceiveLimits
  private readonly parts: FrameReceiverParts
  private state: "head" | "payload" | "memory" | "closed" = "head"
  /** Head and text of the frame that is being received, where it did not come at once. */
  private readonly held: DataView
  private heldBytes = 0
  private textBytes = 0
  /** The lease of the payload, or NO_LEASE where it goes into a room. */
  private lease: Lease = NO_LEASE
  private arena = 0
  private payloadAt = 0
  private payloadBytes = 0
  private payloadDone = 0
  /** What came behind a frame that waits for memory. */
  private rest: Uint8Array | undefined

  constructor(parts: FrameReceiverParts) {
    this.parts = parts
    this.limits = parts.limits
    const { headBytes } = parts.shape
    this.held = new DataView(new ArrayBuffer(headBytes + TEXT_BYTES_MAX))
  }

  get isWaiting(): boolean {
    return this.state === "memory"
  }

  private get isStopped(): boolean {
    return this.state === "memory" || this.state === "closed"
  }

  /** Takes `count` bytes of a chunk; all that outlives the call is copied. */
  take(chunk: DataView, bytes: Uint8Array, count: number): void {
    assert(!this.isWaiting, "nothing is read while a payload waits for memory")
    this.run(chunk, bytes, 0, count)
  }

  /** Where the kernel may put what comes next: the place of a payload, or undefined. */
  directPlace(): Uint8Array | undefined {
    const left = this.payloadBytes - this.payloadDone
    if (this.state !== "payload" || left < DIRECT_BYTES_MIN) return undefined
    const start = this.payloadAt + this.payloadDone
    return this.parts.memory.arenas[this.arena]!.bytes.subarray(start, start + left)
  }

  /** The kernel has put so many bytes into the direct place. */
  tookDirectly(count: number): void {
    if (this.state !== "payload") return
    this.payloadDone += count
    if (this.payloadDone === this.payloadBytes) this.finish(this.held, 0)
  }

  /** Lets go of everything. Idempotent. */
  close(): void {
    if (this.state === "closed") return
    this.state = "closed"
    this.dropLease()
    this.rest = undefined
  }

  private run(chunk: DataView, bytes: Uint8Array, from: number, to: number): void {
    let at = from
    while (at < to) {
      if (this.state === "head") at = this.takeHead(chunk, bytes, at, to)
      else if (this.state === "payload") at = this.takePayload(bytes, at, to)
      else if (this.state === "memory") {
        this.rest = bytes.slice(at, to)
        return
      } else return
    }
  }

  /** Returns where it stopped. */
  private takeHead(chunk: DataView, bytes: Uint8Array, at: number, to: number): number {
    const { headBytes } = this.parts.shape
    if (this.heldBytes === 0 && to - at >= headBytes) {
      const size = this.sizeOf(chunk, at)
      if (size < 0) return to
      if (to - at >= size) return this.takeFrame(chunk, bytes, at, at + size, to)
    }
    const wanted = this.heldBytes < headBytes ? headBytes : headBytes + this.textBytes
    const step = Math.min(to - at, wanted - this.heldBytes)
    copyBytes(chunk, at, this.held, this.heldBytes, step)
    this.heldBytes += step
    if (this.heldBytes < headBytes) return at + step
    const size = this.sizeOf(this.held, 0)
    if (size < 0) return to
    if (this.heldBytes < size) return at + step
    this.begin(this.held, 0)
    return at + step
  }

  /** A head and text that came whole: the payload may be there as well. */
  private takeFrame(
    chunk: DataView,
    bytes: Uint8Array,
    at: number,
    end: number,
    to: number,
  ): number {
    this.begin(chunk, at)
    if (this.state === "closed") return to
    if (this.state === "payload" && to - end >= this.payloadBytes) {
      this.place(bytes, end, this.payloadBytes)
      const next = end + this.payloadBytes
      this.finish(chunk, at)
      return next
    }
    if (this.state !== "head") copyBytes(chunk, at, this.held, 0, end - at)
    return end
  }

  private takePayload(bytes: Uint8Array, at: number, to: number): number {
    const step = Math.min(to - at, this.payloadBytes - this.payloadDone)
    this.place(bytes, at, step)
    if (this.payloadDone === this.payloadBytes) this.finish(this.held, 0)
    return at + step
  }

  /** The size of head and text; negative for one that is refused. */
  private sizeOf(view: DataView, at: number): number {
    const { magic, headBytes, textBytesAt } = this.parts.shape
    if (view.getUint16(at, true) !== magic) return this.refuse("what is not this protocol")
    const textBytes = view.getUint16(at + textBytesAt, true)
    if (textBytes > this.limits.textBytesMax) return this.refuse(`a text of ${textBytes} bytes`)
    this.textBytes = textBytes
    return headBytes + textBytes
  }

  /** Head and text are there: they are checked, and the payload gets a place. */
  private begin(view: DataView, at: number): void {
    const { shape } = this.parts
    const { headBytes, headSumAt } = shape
    const sum = crc32cSigned(view, at, headSumAt)
    if (
      crc32cSigned(view, at + headBytes, this.textBytes, sum) !==
      view.getInt32(at + headSumAt, true)
    ) {
      this.refuse("a checksum of a head is wrong")
      return
    }
    const payloadBytes = view.getInt32(at + shape.payloadBytesAt, true)
    if (payloadBytes < 0 || payloadBytes > this.limits.payloadBytesMax) {
      this.refuse(`a payload of ${payloadBytes >>> 0} bytes`)
      return
    }
    this.payloadBytes = payloadBytes
    this.payloadDone = 0
    if (payloadBytes === 0) this.finish(view, at)
    else if (view.getUint8(at + shape.kindAt) === shape.roomKind) this.placeInRoom(view, at)
    else this.placeInLease()
  }

  private placeInRoom(view: DataView, at: number): void {
    const id = view.getInt32(at + this.parts.shape.idAt, true)
    const { rooms } = this.limits
    if (rooms?.takes(id, this.payloadBytes) !== true) {
      this.refuse("a payload for which there is no room")
      return
    }
    this.lease = NO_LEASE
    this.arena = rooms.arenaOf(id)
    this.payloadAt = rooms.atOf(id)
    rooms.close(id)
    this.state = "payload"
  }

  private placeInLease(): void {
    const { memory } = this.parts
    this.lease = memory.lease(this.payloadBytes)
    if (this.lease === NO_LEASE) {
      if (this.state !== "memory") this.parts.onPaused()
      this.state = "memory"
      memory.whenFree(this.tryAgain)
      return
    }
    this.arena = memory.arenaOf(this.lease).index
    this.payloadAt = memory.offsetOf(this.lease)
    this.state = "payload"
  }

  /** Memory was released: perhaps enough. */
  private readonly tryAgain = (): void => {
    if (this.state !== "memory") return
    this.placeInLease()
    if (this.isWaiting) return
    const { rest } = this
    this.rest = undefined
    if (rest !== undefined) {
      const view = new DataView(rest.buffer, rest.byteOffset, rest.length)
      this.run(view, rest, 0, rest.length)
    }
    if (!this.isStopped) this.parts.onResumed()
  }

  private place(bytes: Uint8Array, at: number, count: number): void {
    const { arenas } = this.parts.memory
    const part = at === 0 && count === bytes.length ? bytes : bytes.subarray(at, at + count)
    arenas[this.arena]!.bytes.set(part, this.payloadAt + this.payloadDone)
    this.payloadDone += count
  }

  /** The frame is whole: it is delivered, unless its payload was changed on its way. */
  private finish(view: DataView, at: number): void {
    const { shape, inbox, connectionId, memory, onFrame } = this.parts
    const { payloadBytes } = this
    if (payloadBytes > 0 && this.limits.isPayloadSummed) {
      const sum = crc32cSigned(memory.arenas[this.arena]!.view, this.payloadAt, payloadBytes)
      if (sum !== view.getInt32(at + shape.payloadSumAt, true)) {
        this.refuse("a checksum of a payload is wrong")
        return
      }
    }
    const { headBytes } = shape
    inbox.filling.append(
      connectionId,
      view,
      at,
      headBytes,
      this.textBytes,
      payloadBytes === 0 ? NO_LEASE : this.lease,
      payloadBytes,
    )
    this.lease = NO_LEASE
    this.payloadBytes = 0
    this.payloadDone = 0
    this.heldBytes = 0
    this.textBytes = 0
    this.state = "head"
    onFrame()
  }

  private refuse(what: string): number {
    this.close()
    this.parts.onBroken(new RmrError("bad-message", `the other side sent ${what}`))
    return -1
  }

  private dropLease(): void {
    if (this.lease !== NO_LEASE) this.parts.memory.release(this.lease)
    this.lease = NO_LEASE
  }
}
