/**
 * One connection as bytes: what an engine of this package needs of it, on `node:net` or native.
 *
 * Bytes are read into memory that we name: a chunk that all connections of an engine share, because
 * it is taken apart at once, or the place of a large payload itself. So a connection at rest holds
 * no buffer, and a read makes none.
 */
import type { RmrError as RmrErrorType } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { FrameShape } from "./frame-shape.js"
import type { FrameSums } from "./frame-sums.js"
import type { SocketAddress } from "./socket-address.js"

export interface ByteSocketEvents {
  /** The place of a payload, where that is what comes next. */
  directPlace(): Uint8Array | undefined
  /** What of frames in the chunk may be looked at when the next bytes are there: CHECK_*. */
  checks(): number
  /** Behind so many bytes, which are the end of a payload. */
  checksFrom(): number
  /** So many bytes are in the chunk or in the direct place. Answers whether to go on reading. */
  onRead(count: number, isDirect: boolean): boolean
  /** The kernel has all of a write that it had not at once. */
  onWritten(): void
  /** It is over, by the other side or by the network. May be called again. */
  onEnd(cause: RmrErrorType): void
}

export interface ByteSocket {
  readonly isConnecting: boolean
  /** Bytes that were said and that the kernel has not taken. */
  readonly unsentBytes: number
  /** Where the other side really is; of a connection over the Internet's protocols. */
  readonly peer: SocketAddress | undefined
  /** This side's port, as the other side sees it. */
  readonly localPort: number
  connect(to: SocketAddress, onConnected: () => void): void
  /**
   * Hands the first `count` pieces to the kernel, in order. True: it has them all. False: their
   * memory is read until `onWritten`, and there is no other write before that.
   */
  write(pieces: readonly Uint8Array[], count: number): boolean
  /** Sends bytes that are this socket's from now on; any number at a time. */
  say(bytes: Uint8Array): void
  /** Calls once what was said has been taken. */
  whenSaid(then: () => void): void
  /** Goes on reading, after `onRead` answered no. */
  resume(): void
  /** At once: nothing is read or written any more. */
  destroy(): void
}

/** How an engine makes its sockets. */
export interface ByteSockets {
  /** What reads go to that have no place of their own. */
  readonly chunkBytes: Uint8Array
  readonly chunk: DataView
  /** Who makes and checks the sums of such frames; before any are sent or come. */
  sumsOf(shape: FrameShape): FrameSums
  /** One that will be connected. */
  open(events: ByteSocketEvents): ByteSocket
  /** Of a connection that was accepted: `handle` is how node:net itself makes its socket. */
  adopt(events: ByteSocketEvents, handle: unknown): ByteSocket
  /** Writes from now on may wait for `send`, which leaves with all of them at once. */
  gather(): void
  send(): void
  /** Once all sockets are destroyed. */
  close(): void
}

/** What one read takes at most, unless it goes into the place of a payload. */
export const CHUNK_BYTES: number = 64 * 1024

/** The kernel asks an idle peer after so long, and drops a connection that stays without answer. */
export const KEEP_ALIVE_MS = 60_000

export function lost(what: string, cause?: Error): RmrErrorType {
  return new RmrError("link-lost", what, { cause })
}
