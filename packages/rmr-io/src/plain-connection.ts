/**
 * One framed connection on `node:net`.
 *
 * Node reads into memory that we name (`onread`): a buffer that all connections share, because a
 * chunk is taken apart at once, or the place of a large payload itself. So a connection at rest
 * holds no buffer, and a read makes none.
 */
import net from "node:net"
import type { Lease, RmrError as RmrErrorType } from "@rmr/core"
import { RmrError } from "@rmr/core"
import { FrameReceiver } from "./frame-receiver.js"
import { FrameSender } from "./frame-sender.js"
import type { PlainEngine } from "./plain-engine.js"
import type { SocketAddress } from "./socket-address.js"
import type { ConnectionEvents, FrameConnection, ReceiveLimits } from "./socket-engine.js"

/** The kernel asks an idle peer after so long, and drops a connection that stays without answer. */
const KEEP_ALIVE_MS = 60_000

export class PlainConnection implements FrameConnection {
  readonly id: number
  receiptCount = 0
  isOpen = true
  events: ConnectionEvents | undefined
  private readonly engine: PlainEngine
  private readonly socket: net.Socket
  private readonly receiver: FrameReceiver
  private readonly sender: FrameSender
  private direct: Uint8Array | undefined
  private isDirty = false

  constructor(engine: PlainEngine, id: number, limits: ReceiveLimits, handle?: unknown) {
    this.id = id
    this.engine = engine
    const { memory, shape, inbox, buffers, views } = engine
    this.receiver = new FrameReceiver({
      connectionId: id,
      shape,
      memory,
      inbox,
      limits,
      onFrame: () => engine.wake(),
      onPaused: () => undefined,
      onResumed: () => this.socket.resume(),
      onBroken: (cause) => this.end(cause),
    })
    const write = (pieces: readonly Uint8Array[]): void => this.write(pieces)
    this.sender = new FrameSender({ shape, memory, buffers, views, write }, limits.queuedFramesMax)
    this.sender.isPayloadSummed = limits.isPayloadSummed
    const onread = { buffer: this.nextPlace, callback: this.onChunk }
    // `handle` is how node:net itself makes the socket of a connection that was accepted.
    const options = { onread, ...(handle === undefined ? {} : { handle }) }
    this.socket = new net.Socket(options as net.SocketConstructorOpts)
    this.socket.on("end", () => this.end(lost("the other side ended it")))
    this.socket.on("error", (error) => this.end(lost(error.message, error)))
    this.socket.on("close", () => this.end(lost("it was closed")))
    if (handle !== undefined) this.tune()
  }

  get isWaitingForMemory(): boolean {
    return this.receiver.isWaiting
  }

  get unsentCount(): number {
    return this.sender.unsentCount
  }

  get peer(): SocketAddress | undefined {
    const { remoteAddress: host, remotePort: port } = this.socket
    return host === undefined || port === undefined ? undefined : { host, port }
  }

  get localPort(): number {
    return this.socket.localPort ?? 0
  }

  connect(to: SocketAddress): void {
    this.socket.connect({ host: to.host, port: to.port, noDelay: true }, () => {
      if (!this.isOpen) return
      this.tune()
      this.events?.onConnected()
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
    this.engine.addDirty(this)
  }

  pump(): void {
    this.isDirty = false
    if (this.isOpen && !this.socket.connecting) this.sender.pump()
  }

  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.socket.destroy()
    // The descriptor is closed: the kernel reads and writes none of our memory any more.
    this.receiver.close()
    this.sender.close()
    this.engine.forget(this)
  }

  /** It is over, by the other side or by the network: it is reported in the engine's turn. */
  private end(cause: RmrErrorType): void {
    if (!this.isOpen) return
    this.close()
    this.engine.addEnded(this, cause)
  }

  private tune(): void {
    this.socket.setNoDelay(true)
    this.socket.setKeepAlive(true, KEEP_ALIVE_MS)
  }

  private readonly nextPlace = (): Uint8Array => {
    this.direct = this.isOpen ? this.receiver?.directPlace() : undefined
    return this.direct ?? this.engine.chunkBytes
  }

  /** Answers whether to go on reading. */
  private readonly onChunk = (count: number): boolean => {
    if (!this.isOpen) return false
    this.receiptCount = (this.receiptCount + 1) | 0
    if (this.direct === undefined) {
      this.receiver.take(this.engine.chunk, this.engine.chunkBytes, count)
    } else this.receiver.tookDirectly(count)
    return this.isOpen && !this.receiver.isWaiting
  }

  private write(pieces: readonly Uint8Array[]): void {
    const last = pieces.length - 1
    if (last === 0) {
      this.socket.write(pieces[0]!, this.onWritten)
      return
    }
    this.socket.cork()
    for (let nth = 0; nth < last; nth++) this.socket.write(pieces[nth]!)
    this.socket.write(pieces[last]!, this.onWritten)
    this.socket.uncork()
  }

  private readonly onWritten = (error?: Error | null): void => {
    if (this.isOpen && !error) this.sender.onWritten()
  }
}

function lost(what: string, cause?: Error): RmrErrorType {
  return new RmrError("link-lost", what, { cause })
}
