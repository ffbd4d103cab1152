/**
 * A session over TCP: frames of its connections, and what they say to it.
 */
import type { Lease, Memory, SessionParts } from "@rmr/core"
import { CreditedSession, NO_LEASE, RmrError } from "@rmr/core"
import type { FrameConnection } from "@rmr/io"
import type { TcpCarrier } from "./carrier.js"
import type { Channels } from "./channels.js"
import {
  HEAD_BYTES,
  idIn,
  KIND_BEAT,
  KIND_REPLY,
  KIND_REQUEST,
  kindOf,
  roomBytesOf,
  wayOf,
} from "./framing.js"

export interface TcpSessionParts extends SessionParts {
  readonly carrier: TcpCarrier
}

export class TcpSession extends CreditedSession {
  readonly channels: Channels
  private readonly carrier: TcpCarrier
  private readonly payloads: Memory

  constructor(parts: TcpSessionParts) {
    super(parts)
    this.carrier = parts.carrier
    this.channels = parts.carrier.channels
    this.payloads = parts.memory
  }

  /** A frame of one of the session's connections. */
  onFrame(
    connection: FrameConnection,
    view: DataView,
    at: number,
    textBytes: number,
    lease: Lease,
    payloadBytes: number,
  ): void {
    const kind = kindOf(view, at)
    let isRight = kind === KIND_BEAT
    if (kind === KIND_REPLY) {
      isRight = this.takeReply(idIn(view, at), at + HEAD_BYTES, textBytes, payloadBytes)
    } else if (kind === KIND_REQUEST) {
      isRight = this.takeFrame(connection, view, at, textBytes, lease, payloadBytes)
    }
    if (isRight) return
    if (lease !== NO_LEASE) this.payloads.release(lease)
    this.goDown(new RmrError("link-lost", `the other side broke the rules: a frame of ${kind}`))
  }

  private takeFrame(
    connection: FrameConnection,
    view: DataView,
    at: number,
    textBytes: number,
    lease: Lease,
    payloadBytes: number,
  ): boolean {
    const way = wayOf(view, at)
    const lane = way & 3
    if (!this.carrier.mayCome(connection, lane, payloadBytes)) return false
    const id = idIn(view, at)
    const rooms = roomBytesOf(view, at)
    const text = at + HEAD_BYTES
    return this.takeRequest(id, lane, way >> 2, text, textBytes, lease, payloadBytes, rooms)
  }
}
