/**
 * How the frames of a session travel: written into the room of the other side, which is told where.
 *
 * Whatever is written into our memory stays inside of what was given for it: devices keep the
 * bounds of a region, we those of a frame.
 */
import type { Carrier, CreditedSession, Lane, Lease, PayloadDirection } from "@rmr/core"
import type { Answering } from "./answering.js"
import type { Asking } from "./asking.js"
import type { Paths } from "./paths.js"
import type { RdmaSession } from "./session.js"

export class RdmaCarrier implements Carrier {
  readonly paths: Paths
  readonly asking: Asking
  readonly answering: Answering
  private room: ArrayBuffer | undefined

  constructor(paths: Paths, asking: Asking, answering: Answering) {
    this.paths = paths
    this.asking = asking
    this.answering = answering
  }

  /** What the other side may write, on whatever path. */
  roomOf(bytes: number): ArrayBuffer {
    this.room ??= new ArrayBuffer(bytes)
    return this.room
  }

  sendRequest(
    session: CreditedSession,
    id: number,
    lane: Lane,
    direction: PayloadDirection,
    slot: number,
    headerBytes: number,
    lease: Lease,
    at: number,
    bytes: number,
  ): void {
    this.asking.send(
      session as RdmaSession,
      id,
      lane,
      direction,
      slot,
      headerBytes,
      lease,
      at,
      bytes,
    )
  }

  sendReply(
    session: CreditedSession,
    id: number,
    lane: Lane,
    direction: PayloadDirection,
    slot: number,
    headerBytes: number,
    lease: Lease,
    at: number,
    bytes: number,
  ): void {
    this.answering.send(session, id, lane, direction, slot, headerBytes, lease, at, bytes)
  }

  closeRoom(id: number): void {
    this.asking.close(id)
  }

  /** Queue pairs first: what they could reach is closed when nothing reaches it any more. */
  close(): void {
    this.paths.end()
    this.asking.closeAll()
    this.answering.closeAll()
  }
}
