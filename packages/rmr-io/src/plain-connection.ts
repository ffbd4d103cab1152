/**
 * One connection of frames with sums, on `node:net`: a receiver, a sender and the socket.
 */
import type { Lease, RmrError as RmrErrorType } from "@rmr/core"
import { FrameReceiver } from "./frame-receiver.js"
import { FrameSender } from "./frame-sender.js"
import type { PlainEngine } from "./plain-engine.js"
import { lost, PlainSocket } from "./plain-socket.js"
import type { SocketAddress } from "./socket-address.js"
import type { ConnectionEvents, FrameConnection, ReceiveLimits } from "./socket-engine.js"

export class PlainConnection implements FrameConnection {
  readonly id: number
  receiptCount = 0
  isOpen = true
  events: ConnectionEvents | undefined
  private readonly engine: PlainEngine
  private readonly plain: PlainSocket
  private readonly receiver: FrameReceiver
  private readonly sender: FrameSender
  private isDirty = false

  constructor(engine: PlainEngine, id: number, limits: ReceiveLimits, handle?: unknown) {
    this.id = id
    this.engine = engine
    const { memory, shape, turns, buffers, views } = engine
    this.receiver = new FrameReceiver({
      connectionId: id,
      shape,
      memory,
      inbox: turns.inbox,
      limits,
      onFrame: () => turns.wake(),
      onPaused: () => undefined,
      onResumed: () => this.plain.socket.resume(),
      onBroken: (cause) => this.end(cause),
    })
    const write = (pieces: readonly Uint8Array[]): void => this.plain.write(pieces)
    this.sender = new FrameSender({ shape, memory, buffers, views, write }, limits.queuedFramesMax)
    this.sender.isPayloadSummed = limits.isPayloadSummed
    this.plain = new PlainSocket({
      chunkBytes: engine.chunkBytes,
      handle,
      directPlace: () => (this.isOpen ? this.receiver.directPlace() : undefined),
      onRead: (count, isDirect) => this.onRead(count, isDirect),
      onWritten: () => this.onWritten(),
      onEnd: (cause) => this.end(cause),
    })
  }

  get isWaitingForMemory(): boolean {
    return this.receiver.isWaiting
  }

  get unsentCount(): number {
    return this.sender.unsentCount
  }

  get peer(): SocketAddress | undefined {
    const { remoteAddress: host, remotePort: port } = this.plain.socket
    return host === undefined || port === undefined ? undefined : { host, port }
  }

  get localPort(): number {
    return this.plain.socket.localPort ?? 0
  }

  connect(to: SocketAddress): void {
    this.plain.connect(to, () => {
      if (this.isOpen) this.events?.onConnected()
    })
  }

  setLimits(limits: ReceiveLimits): void {
    this.receiver.limits = limits
    this.sender.isPayloadSummed = limits.isPayloadSummed
    this.sender.grow(limits.queuedFramesMax)
  }

  send(
    source: DataView,
    at: number,
    bytes: number,
    lease: Lease,
    leaseAt: number,
    payloadBytes: number,
  ): void {
    if (!this.isOpen) return
    if (this.sender.isFull) {
      // Whoever asks for more answers than it may have waiting is not waited for.
      this.end(lost("the other side does not take what it asked for"))
      return
    }
    this.sender.queue(source, at, bytes, lease, leaseAt, payloadBytes)
    if (this.isDirty) return
    this.isDirty = true
    this.engine.turns.addDirty(this)
  }

  pump(): void {
    this.isDirty = false
    if (this.isOpen && !this.plain.socket.connecting) this.sender.pump()
  }

  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.plain.socket.destroy()
    // The descriptor is closed: the kernel reads and writes none of our memory any more.
    this.receiver.close()
    this.sender.close()
    this.engine.turns.forget(this)
  }

  /** It is over, by the other side or by the network: it is reported in the engine's turn. */
  private end(cause: RmrErrorType): void {
    if (!this.isOpen) return
    this.close()
    this.engine.turns.addEnded(this, cause)
  }

  /** Answers whether to go on reading. */
  private onRead(count: number, isDirect: boolean): boolean {
    if (!this.isOpen) return false
    this.receiptCount = (this.receiptCount + 1) | 0
    if (isDirect) this.receiver.tookDirectly(count)
    else this.receiver.take(this.engine.chunk, this.engine.chunkBytes, count)
    return this.isOpen && !this.receiver.isWaiting
  }

  private onWritten(): void {
    if (this.isOpen) this.sender.onWritten()
  }
}
