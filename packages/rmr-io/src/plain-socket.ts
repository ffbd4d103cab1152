/**
 * One connection on `node:net`, as bytes.
 *
 * Node reads into memory that we name (`onread`): a buffer that all connections share, because a
 * chunk is taken apart at once, or the place of a large payload itself. So a connection at rest
 * holds no buffer, and a read makes none.
 */
import net from "node:net"
import type { RmrError as RmrErrorType } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { SocketAddress } from "./socket-address.js"

/** The kernel asks an idle peer after so long, and drops a connection that stays without answer. */
const KEEP_ALIVE_MS = 60_000

export interface PlainSocketParts {
  /** Where reads go that have no place of their own. */
  readonly chunkBytes: Uint8Array
  /** How node:net itself makes the socket of a connection that was accepted. */
  readonly handle: unknown
  /** The place of a payload, where that is what comes next. */
  readonly directPlace: () => Uint8Array | undefined
  /** So many bytes were read to the place that was named last. Answers whether to go on reading. */
  readonly onRead: (count: number, isDirect: boolean) => boolean
  readonly onWritten: () => void
  /** It is over, by the other side or by the network. May be called again. */
  readonly onEnd: (cause: RmrErrorType) => void
}

export class PlainSocket {
  readonly socket: net.Socket
  private readonly parts: PlainSocketParts
  private direct: Uint8Array | undefined

  constructor(parts: PlainSocketParts) {
    this.parts = parts
    const { handle } = parts
    const onread = { buffer: this.nextPlace, callback: this.onChunk }
    const options = { onread, ...(handle === undefined ? {} : { handle }) }
    this.socket = new net.Socket(options as net.SocketConstructorOpts)
    this.socket.on("end", () => parts.onEnd(lost("the other side ended it")))
    this.socket.on("error", (error) => parts.onEnd(lost(error.message, error)))
    this.socket.on("close", () => parts.onEnd(lost("it was closed")))
    if (handle !== undefined) this.tune()
  }

  connect(to: SocketAddress, onConnected: () => void): void {
    this.socket.connect({ host: to.host, port: to.port, noDelay: true }, () => {
      if (this.socket.destroyed) return
      this.tune()
      onConnected()
    })
  }

  /** `onWritten` is called when the kernel has them all. */
  write(pieces: readonly Uint8Array[]): void {
    const last = pieces.length - 1
    if (last === 0) {
      this.socket.write(pieces[0]!, this.written)
      return
    }
    this.socket.cork()
    for (let nth = 0; nth < last; nth++) this.socket.write(pieces[nth]!)
    this.socket.write(pieces[last]!, this.written)
    this.socket.uncork()
  }

  private tune(): void {
    this.socket.setNoDelay(true)
    this.socket.setKeepAlive(true, KEEP_ALIVE_MS)
  }

  private readonly nextPlace = (): Uint8Array => {
    this.direct = this.parts.directPlace()
    return this.direct ?? this.parts.chunkBytes
  }

  private readonly onChunk = (count: number): boolean =>
    this.parts.onRead(count, this.direct !== undefined)

  private readonly written = (error?: Error | null): void => {
    if (!error) this.parts.onWritten()
  }
}

export function lost(what: string, cause?: Error): RmrErrorType {
  return new RmrError("link-lost", what, { cause })
}
