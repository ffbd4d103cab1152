/**
 * One connection of a stream protocol: it talks first, and is framed then.
 */
import type { Lease } from "@rmr/core"
import { assert } from "@rmr/core"
import { type ByteSocket, lost } from "./byte-socket.js"
import { copyBytes } from "./copy-bytes.js"
import { EngineConnection } from "./engine-connection.js"
import { FrameSender } from "./frame-sender.js"
import type { HeadEngine } from "./head-engine.js"
import { HeadReceiver } from "./head-receiver.js"
import type { StreamConnection, StreamEvents, StreamLimits } from "./stream-engine.js"
import { STREAM_HEAD_BYTES_MAX } from "./stream-engine.js"

/** Talk that the kernel has not taken: who goes on asking without listening is not waited for. */
const SAID_BYTES_MAX = 1024 * 1024
const NO_HEADS = new DataView(new ArrayBuffer(0))

export class HeadConnection extends EngineConnection implements StreamConnection {
  writtenCount = 0
  events: StreamEvents | undefined
  private readonly engine: HeadEngine
  protected readonly socket: ByteSocket
  protected readonly receiver: HeadReceiver
  protected readonly sender: FrameSender
  /** Heads of queued frames, each at its place of the sender's ring. */
  private heads = NO_HEADS
  private openFramesMax = 0
  /** Frames that were delivered and are not over. */
  private openCount = 0
  private isFramed = false
  private isLeaving = false

  constructor(engine: HeadEngine, id: number, handle: unknown) {
    super(id, engine.turns)
    this.engine = engine
    const { memory, shape, turns, buffers, views } = engine
    this.receiver = new HeadReceiver({
      connectionId: id,
      shape,
      memory,
      views,
      inbox: turns.inbox,
      onFrame: () => this.onFrame(),
      onPaused: () => undefined,
      onResumed: () => this.socket.resume(),
      onBroken: (cause) => this.end(cause),
    })
    const write = (pieces: readonly Uint8Array[], count: number): boolean =>
      this.write(pieces, count)
    this.sender = new FrameSender({ sealed: undefined, memory, buffers, views, write }, 0)
    this.socket = engine.sockets.adopt(this.socketEvents(), handle)
  }

  get isWaitingForMemory(): boolean {
    return this.receiver.isWaitingForMemory
  }

  get isInFrame(): boolean {
    return this.receiver.isInFrame
  }

  say(bytes: Uint8Array): void {
    if (!this.isOpen) return
    assert(!this.isFramed, "a connection that is framed does not talk")
    if (this.socket.unsentBytes > SAID_BYTES_MAX) {
      this.end(lost("the other side does not take what it asked for"))
      return
    }
    this.socket.say(bytes)
  }

  startFrames(limits: StreamLimits): void {
    assert(!this.isFramed, "frames start once")
    this.isFramed = true
    const places = limits.openFramesMax * limits.answersMax
    this.openFramesMax = limits.openFramesMax
    this.receiver.payloadBytesMax = limits.payloadBytesMax
    this.heads = new DataView(new ArrayBuffer(places * STREAM_HEAD_BYTES_MAX))
    this.sender.grow(places)
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
    assert(!this.sender.isFull, "a frame has as many answers as were agreed, and before it is over")
    const headAt = this.sender.nextPlace * STREAM_HEAD_BYTES_MAX
    copyBytes(source, at, this.heads, headAt, bytes)
    this.sender.queue(this.heads, headAt, bytes, lease, leaseAt, payloadBytes)
    this.setDirty()
  }

  finishFrame(): void {
    if (!this.isOpen) return
    assert(this.openCount > 0, "a frame is over once")
    this.openCount--
    this.setDirty()
  }

  closeWhenSent(): void {
    this.isLeaving = true
    this.receiver.close()
    this.setDirty()
  }

  protected pumpOpen(): void {
    this.sender.pump()
    if (this.isLeaving) this.leave()
    else if (this.hasRoom()) this.receiver.unhold()
  }

  private write(pieces: readonly Uint8Array[], count: number): boolean {
    const isTaken = this.socket.write(pieces, count)
    if (isTaken) this.writtenCount = (this.writtenCount + 1) | 0
    return isTaken
  }

  private hasRoom(): boolean {
    return this.openCount + this.sender.unsentCount < this.openFramesMax
  }

  private leave(): void {
    if (this.sender.unsentCount > 0 || this.openCount > 0) return
    this.socket.whenSaid(() => this.end(lost("everything was sent")))
  }

  /** Answers whether another frame may come. */
  private onFrame(): boolean {
    this.openCount++
    this.engine.turns.wake()
    return this.hasRoom()
  }

  /** What somebody else has read of it, before anything is read here. */
  takeFirst(bytes: Uint8Array): void {
    if (!this.isOpen || this.isLeaving) return
    this.receiptCount = (this.receiptCount + 1) | 0
    if (this.isFramed) this.takeRest(bytes)
    else this.hear(bytes)
  }

  protected onRead(count: number, isDirect: boolean): boolean {
    if (!this.isOpen || this.isLeaving) return false
    this.receiptCount = (this.receiptCount + 1) | 0
    if (isDirect) this.receiver.tookDirectly(count)
    else if (this.isFramed)
      this.receiver.take(this.engine.sockets.chunk, this.engine.sockets.chunkBytes, count, 0)
    else this.hear(this.engine.sockets.chunkBytes.slice(0, count))
    return this.isOpen && !this.isLeaving && !this.receiver.isWaiting
  }

  private hear(heard: Uint8Array): void {
    const taken = this.events?.onTalk(heard) ?? heard.length
    if (taken === heard.length || !this.isOpen || this.isLeaving) return
    assert(this.isFramed, "talk is taken whole")
    this.takeRest(heard.subarray(taken))
  }

  private takeRest(rest: Uint8Array): void {
    const view = new DataView(rest.buffer, rest.byteOffset, rest.length)
    this.receiver.take(view, rest, rest.length, 0)
  }

  protected onWritten(): void {
    if (!this.isOpen) return
    this.writtenCount = (this.writtenCount + 1) | 0
    this.sender.onWritten()
    if (this.isLeaving) this.leave()
    else if (this.hasRoom()) this.receiver.unhold()
  }
}
