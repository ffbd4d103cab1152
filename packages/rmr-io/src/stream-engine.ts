/**
 * The stream engine: connections of a protocol that others have designed, in batches.
 *
 * A connection has two lives. First it talks: bytes in, bytes out, ordinary code (a handshake).
 * Then it is framed: heads of one size, each perhaps with a payload, come as one table per loop
 * turn with payloads in leases already; what is sent in a turn leaves with one write. No object,
 * closure or promise exists per frame. `StreamShape` is data, so that an engine in any language can
 * cut the stream by itself.
 *
 * Memory of a connection is bounded: `openFramesMax` frames that were delivered and are not over,
 * or whose answers are unsent. It is not read from while there are more, or while a payload waits
 * for memory.
 */
import type { Env, Lease, Memory, RmrError } from "@rmr/core"
import { assert } from "@rmr/core"
import type { StreamAddress } from "./socket-address.js"
import type { SocketTurns } from "./socket-engine.js"

/** Offsets are in the head; all integers are big-endian, as in protocols of the Internet. */
export interface StreamShape {
  readonly headBytes: number
  /** u32 at offset 0. */
  readonly magic: number
  /** u16. */
  readonly kindAt: number
  /** The kind that a payload follows. */
  readonly payloadKind: number
  /** u32. */
  readonly payloadBytesAt: number
}

/** The longest head that `send` takes. */
export const STREAM_HEAD_BYTES_MAX = 64

export interface StreamEvents {
  /**
   * What came before frames began. Answers how many bytes of it were taken: all, unless
   * `startFrames` was called and frames begin behind them. Valid during the call, which comes when
   * the bytes do and not in a turn.
   */
  onTalk(bytes: Uint8Array): number
  /** It is gone, by no doing of this side; in a turn, after its frames. */
  onEnded(cause: RmrError): void
}

export interface StreamLimits {
  /** A larger payload ends the connection. */
  readonly payloadBytesMax: number
  readonly openFramesMax: number
  /** Answers to one frame, at most. */
  readonly answersMax: number
}

export interface StreamConnection {
  /** Small; another connection may have it in a later turn. */
  readonly id: number
  readonly isOpen: boolean
  /** It receives nothing now, because a payload waits for memory. */
  readonly isWaitingForMemory: boolean
  /** A frame has begun to come and is not whole. */
  readonly isInFrame: boolean
  /** Frames that are queued or on their way to the kernel. */
  readonly unsentCount: number
  /** Count receipts and finished writes: whoever wants to know of a standstill compares. */
  readonly receiptCount: number
  readonly writtenCount: number
  /** Sends bytes before frames began; they are the engine's from now on. */
  say(bytes: Uint8Array): void
  startFrames(limits: StreamLimits): void
  /** Queues a head of `bytes` bytes, which are copied, with this payload, whose lease is held. */
  send(
    source: DataView,
    at: number,
    bytes: number,
    lease: Lease,
    leaseAt: number,
    payloadBytes: number,
  ): void
  /** A frame that was delivered is over: all its answers are queued. */
  finishFrame(): void
  /** Reads no more, and closes once everything was handed to the kernel. */
  closeWhenSent(): void
  /** Ends it at once: nothing is read or written any more, and no lease of it is held. */
  close(): void
}

export interface StreamListener {
  readonly address: StreamAddress
  close(): void
}

export interface StreamEngineOptions {
  readonly env: Env
  readonly memory: Memory
  readonly shape: StreamShape
  /** `FrameBatch` as with sockets of our own frames; there are no texts. */
  readonly turns: SocketTurns
}

export interface StreamEngine {
  /**
   * Fails with `busy` or `invalid-argument`. Of a connection that came through a door (door.ts)
   * there is a note of what was agreed.
   */
  listen(
    at: StreamAddress,
    onAccepted: (connection: StreamConnection, note: unknown) => StreamEvents,
  ): Promise<StreamListener>
  /** Asks for a turn, though nothing may have arrived. */
  wake(): void
  /** Sends what is queued now, instead of at the end of the turn. */
  flush(): void
  /** As of the socket engine. */
  close(): Promise<void>
}

/** How a protocol gets an engine with its shape and turns in it. */
export type StreamEngineSource = (options: StreamEngineOptions) => StreamEngine

export function assertStreamShape(shape: StreamShape): void {
  const { headBytes, kindAt, payloadBytesAt } = shape
  const isInside = [kindAt + 2, payloadBytesAt + 4].every((end) => end > 4 && end <= headBytes)
  assert(isInside, "fields lie between magic and the end of the head")
}
