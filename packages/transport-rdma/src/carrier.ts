/**
 * How the frames of a session travel: written into the room of the other side, which is told where.
 *
 * Whatever is written into our memory stays inside of what was given for it: devices keep the
 * bounds of a region, we those of a frame.
 */
import type { Carrier, CreditedSession, Lane, Lease, PayloadDirection } from "@rmr/core"
import type { Answering } from "./answering.js"
import type { Asking } from "./asking.js"
import type { Lines } from "./lines.js"
import type { Verbs } from "./verbs.js"

export class RdmaCarrier implements Carrier {
  readonly lines: Lines
  readonly asking: Asking
  readonly answering: Answering
  private readonly verbs: Verbs
  /** Heads that leave, and frames that come. */
  private readonly regions: number[] = []

  constructor(verbs: Verbs, lines: Lines, asking: Asking, answering: Answering) {
    this.verbs = verbs
    this.lines = lines
    this.asking = asking
    this.answering = answering
  }

  addRegion(region: number): void {
    this.regions.push(region)
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
    this.asking.send(session, id, lane, direction, slot, headerBytes, lease, at, bytes)
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
    this.lines.end()
    this.asking.closeAll()
    this.answering.closeAll()
    for (const region of this.regions.splice(0)) {
      this.verbs.native.closeRegion(this.verbs.engine, region)
    }
  }
}
