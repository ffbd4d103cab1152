/**
 * The socket engine: framed connections in batches, whatever stands behind them.
 *
 * Frames that arrive in a loop turn come as one table; frames that are sent in a turn leave with
 * one write per connection. Bytes are cut, checked and placed by the engine, by the protocol's
 * `FrameShape`; no object, closure or promise exists per frame. The plain engine stands on
 * `node:net`; a native one can stand behind the same interface.
 */
import type { Env, Lease, Memory, RmrError } from "@rmr/core"
import type { FrameShape, RoomTable } from "./frame-shape.js"
import type { SocketAddress } from "./socket-address.js"

/** Columns of a frame that arrived. */
export const FRAME_CONNECTION = 0
/** Where its head starts; its text follows. */
export const FRAME_HEAD_AT = 1
export const FRAME_TEXT_BYTES = 2
/** A lease with the payload at its start; its one reference is now the protocol's. Or NO_LEASE. */
export const FRAME_LEASE = 3
export const FRAME_PAYLOAD_BYTES = 4
export const FRAME_STRIDE = 8

/** Valid during the call. */
export interface FrameBatch {
  readonly count: number
  readonly words: Int32Array
  readonly bytes: DataView
}

/** The protocol's end. Calls come in turns of the engine's own, but for `onConnected`. */
export interface SocketTurns {
  /** What arrived in this turn, of all connections; not called with nothing. */
  onFrames(batch: FrameBatch): void
  /** The last of a turn, after frames and ends. What is sent in a turn leaves when it is over. */
  onTurnEnd(): void
}

export interface ConnectionEvents {
  onConnected(): void
  /** It is gone, by no doing of this side; in a turn, after its frames. */
  onEnded(cause: RmrError): void
}

/** Bounds of what a connection receives; nothing larger is ever waited for or given memory. */
export interface ReceiveLimits {
  readonly textBytesMax: number
  /** 0 as long as the other side is a stranger. */
  readonly payloadBytesMax: number
  /** Whether payload checksums are made and verified. */
  readonly isPayloadSummed: boolean
  readonly rooms: RoomTable | undefined
  /** Frames that wait to be sent, at most. */
  readonly queuedFramesMax: number
}

export interface FrameConnection {
  /** Small; another connection may have it in a later turn. */
  readonly id: number
  readonly isOpen: boolean
  /** It receives nothing now, because a payload waits for memory. */
  readonly isWaitingForMemory: boolean
  /** Frames that are queued or on their way to the kernel. */
  readonly unsentCount: number
  /** Counts receipts of anything: whoever wants to know of silence compares. */
  readonly receiptCount: number
  /** Where the other side really is. */
  readonly peer: SocketAddress | undefined
  /** This side's port, as the other side sees it. */
  readonly localPort: number
  setLimits(limits: ReceiveLimits): void
  /**
   * Sends a frame whose head and text are `bytes` bytes from `at` on, with this payload of a lease.
   * They are read later, and stay as they are until the frame was sent or the connection is closed.
   * The engine holds the lease so long. The engine fills in the checksums.
   */
  send(
    source: DataView,
    at: number,
    bytes: number,
    lease: Lease,
    leaseAt: number,
    payloadBytes: number,
  ): void
  /** Ends it at once: nothing is read or written any more, and no lease of it is held. */
  close(): void
}

export interface SocketListener {
  readonly address: SocketAddress
  close(): void
}

export interface SocketEngineOptions {
  readonly env: Env
  readonly memory: Memory
  readonly shape: FrameShape
  readonly turns: SocketTurns
}

/** How a protocol gets an engine with its shape and turns in it. */
export type SocketEngineSource = (options: SocketEngineOptions) => SocketEngine

export interface SocketEngine {
  connect(to: SocketAddress, limits: ReceiveLimits, events: ConnectionEvents): FrameConnection
  /** Fails with `busy` or `invalid-argument`. */
  listen(
    at: SocketAddress,
    limits: ReceiveLimits,
    onAccepted: (connection: FrameConnection) => ConnectionEvents,
  ): Promise<SocketListener>
  /** Asks for a turn, though nothing may have arrived. */
  wake(): void
  /** Sends what is queued now, instead of at the end of the turn. */
  flush(): void
  /**
   * Closes connections and listeners at once; there are no turns any more. Once fulfilled, nothing
   * of it is left with the clock. Idempotent.
   */
  close(): Promise<void>
}
