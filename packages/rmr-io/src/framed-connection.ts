/**
 * One connection of frames with sums: a receiver, a sender and the socket.
 */
import type { Lease } from "@rmr/core"
import { type ByteSocket, lost } from "./byte-socket.js"
import { EngineConnection } from "./engine-connection.js"
import type { FrameEngine } from "./frame-engine.js"
import { FrameReceiver } from "./frame-receiver.js"
import { FrameSender } from "./frame-sender.js"
import type { SocketAddress } from "./socket-address.js"
import type { ConnectionEvents, FrameConnection, ReceiveLimits } from "./socket-engine.js"

export class FramedConnection extends EngineConnection implements FrameConnection {
  events: ConnectionEvents | undefined
  private readonly engine: FrameEngine
  protected readonly socket: ByteSocket
  protected readonly receiver: FrameReceiver
  protected readonly sender: FrameSender

  constructor(engine: FrameEngine, id: number, limits: ReceiveLimits, handle?: unknown) {
    super(id, engine.turns)
    this.engine = engine
    const { memory, shape, sums, turns, buffers, views } = engine
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
    const sealed = { shape, sums }
    this.sender = new FrameSender({ sealed, memory, buffers, views, write }, limits.queuedFramesMax)
    this.sender.isPayloadSummed = limits.isPayloadSummed
    const events = this.socketEvents()
    const { sockets } = engine
    this.socket = handle === undefined ? sockets.open(events) : sockets.adopt(events, handle)
  }

  get isWaitingForMemory(): boolean {
    return this.receiver.isWaiting
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
    this.setDirty()
  }

  protected pumpOpen(): void {
    if (!this.socket.isConnecting) this.sender.pump()
  }

  /** What somebody else has read of it, before anything is read here. */
  takeFirst(bytes: Uint8Array): void {
    if (!this.isOpen) return
    this.receiptCount = (this.receiptCount + 1) | 0
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.receiver.take(view, bytes, bytes.length, 0)
  }

  protected onRead(count: number, isDirect: boolean): boolean {
    if (!this.isOpen) return false
    this.receiptCount = (this.receiptCount + 1) | 0
    if (isDirect) this.receiver.tookDirectly(count)
    else this.takeChunk(count)
    return this.isOpen && !this.receiver.isWaiting
  }

  private takeChunk(count: number): void {
    const { receiver } = this
    const { sockets, sums } = this.engine
    const checkedCount = sums.checkedCount(receiver.checks, receiver.checksFrom)
    receiver.take(sockets.chunk, sockets.chunkBytes, count, checkedCount)
  }

  protected onWritten(): void {
    if (this.isOpen) this.sender.onWritten()
  }
}
