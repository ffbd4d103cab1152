/**
 * Sockets on `node:net`: Node reads into memory that we name (`onread`).
 */
import net from "node:net"
import {
  type ByteSocket,
  type ByteSocketEvents,
  type ByteSockets,
  CHUNK_BYTES,
  KEEP_ALIVE_MS,
  lost,
} from "./byte-socket.js"
import type { FrameShape } from "./frame-shape.js"
import { type FrameSums, PlainFrameSums } from "./frame-sums.js"
import type { SocketAddress } from "./socket-address.js"

export class PlainSockets implements ByteSockets {
  readonly chunkBytes: Uint8Array = new Uint8Array(CHUNK_BYTES)
  readonly chunk: DataView = new DataView(this.chunkBytes.buffer)

  sumsOf(shape: FrameShape): FrameSums {
    return new PlainFrameSums(shape)
  }

  open(events: ByteSocketEvents): ByteSocket {
    return new PlainSocket(events, this.chunkBytes)
  }

  adopt(events: ByteSocketEvents, handle: unknown): ByteSocket {
    return new PlainSocket(events, this.chunkBytes, handle)
  }

  gather(): void {
    // Node writes each by itself.
  }

  send(): void {
    // Nothing waits.
  }

  close(): void {
    // Each socket is Node's own.
  }
}

class PlainSocket implements ByteSocket {
  private readonly socket: net.Socket
  private readonly events: ByteSocketEvents
  private readonly chunkBytes: Uint8Array
  private direct: Uint8Array | undefined

  constructor(events: ByteSocketEvents, chunkBytes: Uint8Array, handle?: unknown) {
    this.events = events
    this.chunkBytes = chunkBytes
    const onread = { buffer: this.nextPlace, callback: this.onChunk }
    const options = { onread, ...(handle === undefined ? {} : { handle }) }
    this.socket = new net.Socket(options as net.SocketConstructorOpts)
    this.socket.on("end", () => events.onEnd(lost("the other side ended it")))
    this.socket.on("error", (error) => events.onEnd(lost(error.message, error)))
    this.socket.on("close", () => events.onEnd(lost("it was closed")))
    if (handle !== undefined) tune(this.socket)
  }

  get isConnecting(): boolean {
    return this.socket.connecting
  }

  get unsentBytes(): number {
    return this.socket.writableLength
  }

  get peer(): SocketAddress | undefined {
    return peerOf(this.socket)
  }

  get localPort(): number {
    return this.socket.localPort ?? 0
  }

  connect(to: SocketAddress, onConnected: () => void): void {
    this.socket.connect({ host: to.host, port: to.port, noDelay: true }, () => {
      if (this.socket.destroyed) return
      tune(this.socket)
      onConnected()
    })
  }

  write(pieces: readonly Uint8Array[], count: number): boolean {
    const last = count - 1
    if (last === 0) {
      this.socket.write(pieces[0]!, this.written)
      return false
    }
    this.socket.cork()
    for (let nth = 0; nth < last; nth++) this.socket.write(pieces[nth]!)
    this.socket.write(pieces[last]!, this.written)
    this.socket.uncork()
    return false
  }

  say(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  whenSaid(then: () => void): void {
    if (this.socket.writableLength > 0) this.socket.end(then)
    else then()
  }

  resume(): void {
    this.socket.resume()
  }

  destroy(): void {
    this.socket.destroy()
  }

  private readonly nextPlace = (): Uint8Array => {
    this.direct = this.events.directPlace()
    return this.direct ?? this.chunkBytes
  }

  private readonly onChunk = (count: number): boolean =>
    this.events.onRead(count, this.direct !== undefined)

  private readonly written = (error?: Error | null): void => {
    if (!error) this.events.onWritten()
  }
}

export function tune(socket: net.Socket): void {
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
}

export function peerOf({ remoteAddress, remotePort }: net.Socket): SocketAddress | undefined {
  if (remoteAddress === undefined || remotePort === undefined) return undefined
  return { host: remoteAddress, port: remotePort }
}
