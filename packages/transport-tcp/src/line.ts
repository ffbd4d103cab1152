/**
 * A connection and who listens to it: first the dial or the guest that brings a session about, then
 * the session.
 */
import type { Lease, Memory } from "@rmr/core"
import { NO_LEASE, RmrError } from "@rmr/core"
import type { ConnectionEvents, FrameConnection } from "@rmr/io"
import type { TcpSession } from "./session.js"

export interface LineEvents {
  onConnected(line: Line): void
  onFrame(line: Line, view: DataView, at: number, textBytes: number): void
  onEnded(line: Line, cause: RmrError): void
}

export class Line implements ConnectionEvents {
  /** Set by whoever makes the line, before anything can happen on it. */
  connection!: FrameConnection
  /** Which connection of its session it is. */
  readonly channel: number
  /** From when it is up. */
  session: TcpSession | undefined
  /** Where nobody listens any more, what still comes is dropped. */
  isOver = false
  private readonly events: LineEvents

  constructor(channel: number, events: LineEvents) {
    this.channel = channel
    this.events = events
  }

  /** Ends the connection, and whatever came over it in this turn. */
  end(): void {
    this.isOver = true
    this.connection.close()
  }

  onConnected(): void {
    if (!this.isOver) this.events.onConnected(this)
  }

  onFrame(
    view: DataView,
    at: number,
    textBytes: number,
    lease: Lease,
    payloadBytes: number,
    memory: Memory,
  ): void {
    if (this.session?.isUp === true) {
      this.session.onFrame(this.connection, view, at, textBytes, lease, payloadBytes)
      return
    }
    if (lease !== NO_LEASE) memory.release(lease)
    if (this.session === undefined && !this.isOver) this.events.onFrame(this, view, at, textBytes)
  }

  onEnded(cause: RmrError): void {
    if (this.session !== undefined) this.session.goDown(asLinkLost(cause))
    else if (!this.isOver) this.events.onEnded(this, cause)
  }
}

/** Whatever broke the connection, for the session it is a link that was lost. */
function asLinkLost(cause: RmrError): RmrError {
  return cause.code === "link-lost" ? cause : new RmrError("link-lost", cause.detail, { cause })
}
