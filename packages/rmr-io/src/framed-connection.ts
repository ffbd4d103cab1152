/**
 * One connection of frames with sums: a receiver, a sender and the socket.
 */
import type { Lease, RmrError as RmrErrorType } from "@rmr/core"
import { type ByteSocket, lost } from "./byte-socket.js"
import type { FrameEngine } from "./frame-engine.js"
import { FrameReceiver } from "./frame-receiver.js"
import { FrameSender } from "./frame-sender.js"
import type { SocketAddress } from "./socket-address.js"
import type { ConnectionEvents, FrameConnection, ReceiveLimits } from "./socket-engine.js"

export class FramedConnection implements FrameConnection {
  readonly id: number
  receiptCount = 0
  isOpen = true
  events: ConnectionEvents | undefined
  private readonly engine: FrameEngine
  private readonly socket: ByteSocket
  private readonly receiver: FrameReceiver
  private readonly sender: FrameSender
  private isDirty = false

  constructor(engine: FrameEngine, id: number, limits: ReceiveLimits, handle?: unknown) {
    this.id = id
    this.engine = engine
    const { memory, shape, turns, buffers, views } = engine
    this.receiver = new FrameReceiver({
      connectionId: id,
      shape,
      memory,
      views,
      inbox: turns.inbox,
      limits,
      onFrame: () => turns.wake(),
      onPaused: () => undefined,
      onResumed: () => this.socket.resume(),
      onBroken: (cause) => this.end(cause),
    })
    const write = (pieces: readonly Uint8Array[], count: number): boolean =>
      this.socket.write(pieces, count)
    this.sender = new FrameSender({ shape, memory, buffers, views, write }, limits.queuedFramesMax)
    this.sender.isPayloadSummed = limits.isPayloadSummed
    const socketEvents = {
      directPlace: () => (this.isOpen ? this.receiver.directPlace() : undefined),
      onRead: (count: number, isDirect: boolean) => this.onRead(count, isDirect),
      onWritten: () => this.onWritten(),
      onEnd: (cause: RmrErrorType) => this.end(cause),
    }
    const { sockets } = engine
    this.socket =
      handle === undefined ? sockets.open(socketEvents) : sockets.adopt(socketEvents, handle)
  }

  get isWaitingForMemory(): boolean {
    return this.receiver.isWaiting
  }

  get unsentCount(): number {
    return this.sender.unsentCount
  }

  get peer(): SocketAddress | undefined {
    return this.socket.peer
  }

  get localPort(): number {
    return this.socket.localPort
  }

  connect(to: SocketAddress): void {
    this.socket.connect(to, () => {
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
    if (this.isOpen && !this.socket.isConnecting) this.sender.pump()
  }

  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.socket.destroy()
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
    else this.receiver.take(this.engine.sockets.chunk, this.engine.sockets.chunkBytes, count)
    return this.isOpen && !this.receiver.isWaiting
  }

  private onWritten(): void {
    if (this.isOpen) this.sender.onWritten()
  }
}
