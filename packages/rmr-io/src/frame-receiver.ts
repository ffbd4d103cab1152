/**
 * The receiver of frames that a `FrameShape` describes: checks sums, and knows rooms.
 */
import { crc32cSigned, NO_LEASE } from "@rmr/core"
import { fastChecksum } from "./fast-checksum.js"
import type { FrameInbox } from "./frame-inbox.js"
import type { FrameShape } from "./frame-shape.js"
import { CHECK_ALL, CHECK_HEADS, CHECK_NOTHING } from "./native-addon.js"
import { Receiver, type ReceiverParts } from "./receiver.js"
import type { ReceiveLimits } from "./socket-engine.js"

/** No protocol has longer texts. */
export const TEXT_BYTES_MAX = 1024

export interface FrameReceiverParts extends ReceiverParts {
  readonly connectionId: number
  readonly shape: FrameShape
  readonly inbox: FrameInbox
  readonly limits: ReceiveLimits
  /** A frame was put into the inbox. */
  readonly onFrame: () => void
}

export class FrameReceiver extends Receiver {
  limits: ReceiveLimits
  private readonly parts: FrameReceiverParts
  private readonly checksum = fastChecksum()

  constructor(parts: FrameReceiverParts) {
    super(parts, parts.shape.headBytes, TEXT_BYTES_MAX)
    this.parts = parts
    this.limits = parts.limits
  }

  override get checks(): number {
    const isAtEnd = this.state === "payload" || (this.state === "head" && this.heldBytes === 0)
    if (!isAtEnd) return CHECK_NOTHING
    return this.limits.isPayloadSummed ? CHECK_ALL : CHECK_HEADS
  }

  protected override sizeOf(view: DataView, at: number): number {
    const { magic, headBytes, textBytesAt } = this.parts.shape
    if (view.getUint16(at, true) !== magic) return this.refuse("what is not this protocol")
    const textBytes = view.getUint16(at + textBytesAt, true)
    if (textBytes > this.limits.textBytesMax) return this.refuse(`a text of ${textBytes} bytes`)
    this.textBytes = textBytes
    return headBytes + textBytes
  }

  protected override begin(view: DataView, at: number): void {
    const { shape } = this.parts
    if (!this.isChecked && !this.isHeadGood(view, at)) {
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

  private isHeadGood(view: DataView, at: number): boolean {
    const { headBytes, headSumAt } = this.parts.shape
    const headSum = crc32cSigned(view, at, headSumAt)
    const sum = crc32cSigned(view, at + headBytes, this.textBytes, headSum)
    return sum === view.getInt32(at + headSumAt, true)
  }

  private isPayloadGood(view: DataView, at: number): boolean {
    const { shape, memory } = this.parts
    const sum = this.checksum(memory.arenas[this.arena]!.view, this.payloadAt, this.payloadBytes)
    return sum === view.getUint32(at + shape.payloadSumAt, true)
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

  /** The frame is whole: it is delivered, unless its payload was changed on its way. */
  protected override finish(view: DataView, at: number): void {
    const { shape, inbox, connectionId, onFrame } = this.parts
    const { payloadBytes } = this
    const isSummed = payloadBytes > 0 && this.limits.isPayloadSummed && !this.isChecked
    if (isSummed && !this.isPayloadGood(view, at)) {
      this.refuse("a checksum of a payload is wrong")
      return
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
    this.toNextHead()
    onFrame()
  }
}
