/**
 * The receiver of frames that a `StreamShape` describes: a head, and perhaps a payload. It takes no
 * more frames than may be open at a time.
 */
import type { FrameInbox } from "./frame-inbox.js"
import { Receiver, type ReceiverParts } from "./receiver.js"
import type { StreamShape } from "./stream-engine.js"

export interface HeadReceiverParts extends ReceiverParts {
  readonly connectionId: number
  readonly shape: StreamShape
  readonly inbox: FrameInbox
  /** A frame was put into the inbox. Answers whether another one may come. */
  readonly onFrame: () => boolean
}

export class HeadReceiver extends Receiver {
  payloadBytesMax = 0
  private readonly parts: HeadReceiverParts

  constructor(parts: HeadReceiverParts) {
    super(parts, parts.shape.headBytes, 0)
    this.parts = parts
  }

  /** Fewer frames are open: what was kept is taken, and reading goes on. */
  unhold(): void {
    this.leaveFull()
  }

  protected override sizeOf(view: DataView, at: number): number {
    const { magic, headBytes } = this.parts.shape
    if (view.getUint32(at) !== magic) return this.refuse("what is not this protocol")
    return headBytes
  }

  protected override begin(view: DataView, at: number): void {
    const { kindAt, payloadKind, payloadBytesAt } = this.parts.shape
    const hasPayload = view.getUint16(at + kindAt) === payloadKind
    const payloadBytes = hasPayload ? view.getUint32(at + payloadBytesAt) : 0
    if (payloadBytes > this.payloadBytesMax) {
      this.refuse(`a payload of ${payloadBytes} bytes`)
      return
    }
    this.payloadBytes = payloadBytes
    this.payloadDone = 0
    if (payloadBytes === 0) this.finish(view, at)
    else this.placeInLease()
  }

  protected override finish(view: DataView, at: number): void {
    const { shape, inbox, connectionId, onFrame } = this.parts
    const { lease, payloadBytes } = this
    inbox.filling.append(connectionId, view, at, shape.headBytes, 0, lease, payloadBytes)
    this.toNextHead()
    if (!onFrame()) this.holdFull()
  }
}
