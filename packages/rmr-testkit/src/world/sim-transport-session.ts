/**
 * One end of a simulated session: credits, slots, requests in flight and tickets.
 *
 * The dialed end spends credits and keeps each request until it completes; the accepted end keeps a
 * ticket for each until it is answered. Nothing is delivered from here: what ends goes to the inbox
 * of the endpoint, and is handed over in a turn of its own.
 */
import type { Lane, Lease, PayloadDirection, Session, SessionId, SessionLimits } from "@rmr/core"
import {
  assert,
  LANE_COUNT,
  NO_LEASE,
  NO_SLOT,
  PAYLOAD_BACK,
  PAYLOAD_OUT,
  RmrError,
  STATUS_OK,
  statusOf,
} from "@rmr/core"
import type { SeededRandom } from "./seeded-random.js"
import type { Connection } from "./sim-transport-connection.js"
import { lost } from "./sim-transport-connection.js"
import type { SimEndpoint } from "./sim-transport-endpoint.js"
import { HeldPayload } from "./sim-transport-held.js"
import type { Completion, InRequest, OutReply, OutRequest } from "./sim-transport-messages.js"
import { changed } from "./sim-transport-messages.js"
import { SlotPool } from "./sim-transport-slots.js"

export interface SimSessionParts {
  readonly endpoint: SimEndpoint
  readonly connection: Connection
  readonly id: SessionId
  readonly side: "dialed" | "accepted"
  readonly peerName: string
  readonly limits: SessionLimits
  readonly random: SeededRandom
}

/** What a slot was reserved for: a lane, or a ticket. */
interface Reservation {
  readonly lane: Lane | undefined
  readonly ticket: number | undefined
}

const NO_HEADER = new Uint8Array(0)
const TICKETS_MAX = 2 ** 31

export class SimSession implements Session {
  readonly id: SessionId
  readonly side: "dialed" | "accepted"
  readonly peerName: string
  readonly limits: SessionLimits
  readonly slots: DataView
  isUp = true
  /** When the other side was last heard of, by the world's clock. */
  heardMs: number
  private readonly endpoint: SimEndpoint
  private readonly connection: Connection
  private readonly random: SeededRandom
  private readonly pool: SlotPool
  private readonly reserved = new Map<number, Reservation>()
  private readonly usedCredits: number[] = new Array(LANE_COUNT).fill(0)
  private readonly inFlight = new Map<number, OutRequest>()
  private readonly tickets = new Map<number, InRequest>()
  private readonly replies = new Set<OutReply>()
  private serialNext = 0
  private downCause: RmrError | undefined
  private hasLeft = false
  private closing: Promise<void> | undefined
  private closeSettled: (() => void) | undefined

  constructor(parts: SimSessionParts) {
    this.id = parts.id
    this.side = parts.side
    this.peerName = parts.peerName
    this.limits = parts.limits
    this.endpoint = parts.endpoint
    this.connection = parts.connection
    this.random = parts.random
    const slotCount = this.limits.credits.reduce((sum, count) => sum + count, 0)
    this.pool = new SlotPool(slotCount, this.limits.headerBytesMax, parts.random)
    this.slots = this.pool.view
    this.heardMs = this.endpoint.worldNowMs
  }

  get hostName(): string {
    return this.endpoint.placeName
  }

  get beatMs(): number {
    return this.endpoint.beatMs
  }

  freeCredits(lane: Lane): number {
    return this.limits.credits[lane] - this.usedCredits[lane]!
  }

  reserve(lane: Lane): number {
    assert(this.side === "dialed", "only the side that dialed makes requests")
    if (!this.isUp || this.freeCredits(lane) === 0) return NO_SLOT
    const slot = this.pool.take()
    assert(slot !== NO_SLOT, "there is a slot for every credit")
    this.usedCredits[lane]!++
    this.reserved.set(slot, { lane, ticket: undefined })
    return slot
  }

  unreserve(slot: number): void {
    const { lane } = this.takeReservation(slot)
    if (lane !== undefined) this.usedCredits[lane]!--
    this.pool.give(slot)
  }

  submit(
    slot: number,
    headerBytes: number,
    token: number,
    direction: PayloadDirection,
    lease: Lease,
    at: number,
    bytes: number,
  ): void {
    this.assertSizes(headerBytes, bytes)
    assert((token | 0) === token, `token ${token} is not an int32`)
    assert(
      this.reserved.get(slot)?.lane !== undefined,
      `slot ${slot} is not reserved for a request`,
    )
    assert(!this.hasLeft, "a slot is used in the turn in which it was reserved")
    const held = new HeldPayload(this.endpoint.memory, lease, at, bytes)
    const lane = this.takeReservation(slot).lane!
    const serial = this.serialNext++
    const sizes = { slot, headerBytes, held }
    const request: OutRequest = { session: this, serial, lane, token, direction, ...sizes }
    if (this.downCause !== undefined) {
      this.endpoint.complete(failed(request, this.downCause))
      return
    }
    if (direction === PAYLOAD_BACK) held.scribble()
    this.inFlight.set(serial, request)
    this.endpoint.post(this, () => this.send(request))
  }

  reserveReply(ticket: number): number {
    assert(this.side === "accepted", "only the side that accepted answers requests")
    if (!this.isUp) return NO_SLOT
    assert(this.tickets.has(ticket), `ticket ${ticket} is unknown or answered`)
    const slot = this.pool.take()
    assert(slot !== NO_SLOT, "there is a slot for every ticket, and one only")
    this.reserved.set(slot, { lane: undefined, ticket })
    return slot
  }

  reply(
    slot: number,
    headerBytes: number,
    ticket: number,
    lease: Lease,
    at: number,
    bytes: number,
  ): void {
    this.assertSizes(headerBytes, bytes)
    assert(this.reserved.get(slot)?.ticket === ticket, `slot ${slot} is not reserved for ${ticket}`)
    const request = this.tickets.get(ticket)
    if (request !== undefined) assertReplyFits(request, bytes)
    const held = new HeldPayload(this.endpoint.memory, lease, at, bytes)
    this.takeReservation(slot)
    const header = this.pool.read(slot, headerBytes)
    this.pool.give(slot)
    if (request === undefined || !this.isUp) {
      held.release()
      return
    }
    this.tickets.delete(ticket)
    const reply: OutReply = { serial: request.serial, header, held }
    this.replies.add(reply)
    this.endpoint.post(this, () => this.sendReply(reply))
  }

  close(): Promise<void> {
    if (this.closing === undefined) {
      this.closing = this.hasLeft
        ? Promise.resolve()
        : new Promise((resolve) => {
            this.closeSettled = resolve
          })
      this.goDown(closedHere(), true)
    }
    return this.closing
  }

  /** The link is gone, or this side closed: everything in flight ends, and the session is over. */
  goDown(cause: RmrError, isGoodbye: boolean): void {
    if (!this.isUp) return
    this.letGo()
    this.downCause = cause
    for (const request of this.inFlight.values()) this.endpoint.complete(failed(request, cause))
    this.inFlight.clear()
    this.endpoint.reportDown(this, cause)
    this.connection.ended(this, isGoodbye)
  }

  /** The process ended: nobody is left to tell on this side. */
  die(isToldToPeer: boolean): void {
    if (!this.isUp) return
    this.letGo()
    this.inFlight.clear()
    if (isToldToPeer) this.connection.ended(this, true)
  }

  /** Looks whether the other side was heard of; called at every beat. */
  lookForLife(nowMs: number, silentMsMax: number): void {
    if (!this.isUp) return
    const heardMs = this.connection.heardMs(this)
    if (heardMs !== undefined) this.heardMs = Math.max(this.heardMs, Math.min(heardMs, nowMs))
    if (nowMs - this.heardMs > silentMsMax) this.goDown(lost("the other side fell silent"), false)
  }

  /** A completion is about to be delivered: credit and slot are free again. */
  finish(request: OutRequest): void {
    this.usedCredits[request.lane]!--
    this.pool.give(request.slot)
  }

  /** Its end was delivered, and everything that was in flight with it. */
  get isOver(): boolean {
    return this.hasLeft
  }

  /** The end of the session is about to be delivered: its id may name another one. */
  leave(): void {
    this.hasLeft = true
    this.endpoint.forget(this)
  }

  settleClose(): void {
    this.closeSettled?.()
  }

  /** Cuts the session without goodbye, for stories. */
  sever(): void {
    this.connection.sever()
  }

  /** Neither side hears the other any more, for stories. */
  silence(): void {
    this.connection.silence()
  }

  private letGo(): void {
    this.isUp = false
    for (const { direction, held } of this.inFlight.values()) {
      if (direction === PAYLOAD_OUT) held.detach()
    }
    for (const reply of this.replies) {
      reply.held.detach()
      reply.held.release()
    }
    this.replies.clear()
    this.tickets.clear()
    this.endpoint.forgetWaiting(this)
  }

  private send(request: OutRequest): void {
    const header = this.pool.read(request.slot, request.headerBytes)
    const payloadBytes = request.direction === PAYLOAD_OUT ? request.held.bytes : 0
    this.connection.carry(this, header, payloadBytes, (to, isCorrupt) =>
      to.receive(request, header, isCorrupt),
    )
  }

  private receive(request: OutRequest, header: Uint8Array, isCorrupt: boolean): void {
    if (isCorrupt && this.endpoint.isChecked) {
      this.goDown(lost("a checksum is wrong"), false)
      return
    }
    const ticket = this.drawTicket()
    const arrived: InRequest = {
      session: this,
      ticket,
      serial: request.serial,
      lane: request.lane,
      direction: request.direction,
      header,
      source: request.held,
      payloadBytes: request.held.bytes,
      isCorrupt,
      lease: NO_LEASE,
    }
    this.tickets.set(ticket, arrived)
    this.endpoint.admit(arrived)
  }

  private sendReply(reply: OutReply): void {
    this.connection.carry(this, reply.header, reply.held.bytes, (to, isCorrupt) => {
      to.receiveReply(reply, isCorrupt)
      reply.held.release()
      this.replies.delete(reply)
    })
  }

  private receiveReply(reply: OutReply, isCorrupt: boolean): void {
    const request = this.inFlight.get(reply.serial)
    if (request === undefined) return
    if (isCorrupt && this.endpoint.isChecked) {
      this.goDown(lost("a checksum is wrong"), false)
      return
    }
    this.inFlight.delete(reply.serial)
    const bytes = reply.held.read()
    const isHeaderHit = isCorrupt && (bytes.length === 0 || this.random.chance(0.5))
    const header = isHeaderHit ? changed(reply.header, this.random) : reply.header
    const payload = isCorrupt && !isHeaderHit ? changed(bytes, this.random) : bytes
    if (request.direction === PAYLOAD_BACK) request.held.write(payload)
    this.endpoint.complete({ request, status: STATUS_OK, header, payloadBytes: bytes.length })
  }

  private takeReservation(slot: number): Reservation {
    const reservation = this.reserved.get(slot)
    assert(reservation !== undefined, `slot ${slot} is not reserved`)
    this.reserved.delete(slot)
    return reservation
  }

  private assertSizes(headerBytes: number, payloadBytes: number): void {
    const { headerBytesMax, payloadBytesMax } = this.limits
    assert(
      Number.isInteger(headerBytes) && headerBytes >= 1 && headerBytes <= headerBytesMax,
      `a header of ${headerBytes} bytes is not in 1…${headerBytesMax}`,
    )
    assert(
      Number.isInteger(payloadBytes) && payloadBytes >= 0 && payloadBytes <= payloadBytesMax,
      `a payload of ${payloadBytes} bytes is not in 0…${payloadBytesMax}`,
    )
  }

  private drawTicket(): number {
    let ticket = this.random.below(TICKETS_MAX)
    while (this.tickets.has(ticket)) ticket = this.random.below(TICKETS_MAX)
    return ticket
  }
}

function failed(request: OutRequest, cause: RmrError): Completion {
  return { request, status: statusOf(cause.code), header: NO_HEADER, payloadBytes: 0 }
}

function closedHere(): RmrError {
  return new RmrError("closed", "this side closed the session")
}

function assertReplyFits(request: InRequest, bytes: number): void {
  const isBack = request.direction === PAYLOAD_BACK
  assert(bytes === 0 || isBack, "only a request that asked for a payload is answered with one")
  assert(!isBack || bytes <= request.payloadBytes, "a reply fits the room that was asked for")
}
