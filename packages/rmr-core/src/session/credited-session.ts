/**
 * One end of a session, whatever carries it: slots and credits, requests in flight on the side that
 * dialed, tickets on the side that accepted.
 *
 * Everything a request needs lies in tables by the index of its credit; it travels under an id of
 * index and generation (request-id.ts), so that an answer to an earlier request of the same credit
 * is noticed. A header slot has room for the frame's head in front: what the user encodes is sent
 * from where it lies.
 *
 * A peer that breaks the rules of the session loses it, and nothing else.
 */
import { assert } from "../assert.js"
import type { Lease, SessionId } from "../brand.js"
import { RmrError, STATUS_OK, statusOf } from "../errors.js"
import type { Memory } from "../ports/memory.js"
import { NO_LEASE } from "../ports/memory.js"
import type { Lane, PayloadDirection, Session, SessionLimits } from "../ports/transport.js"
import { NO_SLOT, PAYLOAD_BACK, PAYLOAD_OUT } from "../ports/transport.js"
import { Credits, NO_INDEX } from "./credits.js"
import type { Deliveries } from "./deliveries.js"
import { generationAfter, indexOfRequest, requestId } from "./request-id.js"
import { Slots } from "./slots.js"

/** How the frames of a session travel. Heads are written into the slots, right before headers. */
export interface Carrier {
  /** `bytes` of payload from `at` on in the lease (PAYLOAD_OUT), or room for them there. */
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
  ): void
  /** The lease is held until its bytes have left. */
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
  ): void
  /** A request of this id is complete: an answer to it goes nowhere any more. */
  closeRoom(id: number): void
  /** Once this returns, nothing of the session is read from our memory, or written to it. */
  close(): void
}

export interface SessionParts {
  readonly id: SessionId
  readonly side: "dialed" | "accepted"
  readonly peerName: string
  readonly limits: SessionLimits
  /** Of the head of a frame. */
  readonly headBytes: number
  readonly memory: Memory
  readonly carrier: Carrier
  readonly deliveries: Deliveries
  /** The session is down: its endpoint reports it in a turn, and calls `leave`. */
  readonly onDown: (session: CreditedSession, cause: RmrError) => void
}

/** What a slot is in the middle of. */
const FREE = 0
const RESERVED = 1
/** Dialed: sent and not completed. Accepted: delivered and not answered. */
const OPEN = 2

/** Columns of what is known of a slot. */
const ROW_ID = 0
const ROW_DIRECTION = 1
/** Dialed side. */
const ROW_TOKEN = 2
const ROW_LEASE = 3
/** Accepted side: room of the requester. */
const ROW_ROOM = 2
const ROW_STRIDE = 4

export class CreditedSession implements Session {
  readonly id: SessionId
  readonly side: "dialed" | "accepted"
  readonly peerName: string
  readonly limits: SessionLimits
  readonly slots: DataView
  isUp = true
  private readonly parts: SessionParts
  private readonly memory: Memory
  private readonly credits: Credits
  private readonly places: Slots
  private readonly states: Uint8Array
  private readonly rows: Int32Array
  private hasLeft = false
  private closing: Promise<void> | undefined
  private closeSettled: (() => void) | undefined

  constructor(parts: SessionParts) {
    this.parts = parts
    this.id = parts.id
    this.side = parts.side
    this.peerName = parts.peerName
    this.limits = parts.limits
    this.memory = parts.memory
    this.credits = new Credits(parts.limits.credits)
    this.places = new Slots(this.credits.count, parts.headBytes, parts.limits.headerBytesMax)
    this.slots = this.places.view
    this.states = new Uint8Array(this.credits.count)
    this.rows = new Int32Array(this.credits.count * ROW_STRIDE)
  }

  freeCredits(lane: Lane): number {
    return this.credits.freeCount(lane)
  }

  reserve(lane: Lane): number {
    assert(this.side === "dialed", "only the side that dialed makes requests")
    if (!this.isUp) return NO_SLOT
    const index = this.credits.take(lane)
    if (index === NO_INDEX) return NO_SLOT
    this.states[index] = RESERVED
    return this.places.slotOf(index)
  }

  unreserve(slot: number): void {
    const index = this.reservedIndex(slot)
    if (this.side === "dialed") {
      this.states[index] = FREE
      this.credits.give(index)
    } else this.states[index] = OPEN
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
    assert(this.side === "dialed", "only the side that dialed makes requests")
    const index = this.reservedIndex(slot)
    if ((token | 0) !== token) assert(false, `token ${token} is not an int32`)
    if (direction !== PAYLOAD_OUT && direction !== PAYLOAD_BACK)
      assert(false, `direction ${direction}`)
    assert(!this.hasLeft, "a slot is used in the turn in which it was reserved")
    this.assertSizes(headerBytes, lease, at, bytes)
    if (lease !== NO_LEASE) this.memory.retain(lease)
    const row = index * ROW_STRIDE
    const { rows } = this
    const id = requestId(index, generationAfter(rows[row + ROW_ID]!))
    rows[row + ROW_ID] = id
    rows[row + ROW_DIRECTION] = direction
    rows[row + ROW_TOKEN] = token
    rows[row + ROW_LEASE] = lease
    this.states[index] = OPEN
    if (!this.isUp) return
    const lane = this.credits.laneOf(index)
    const { carrier } = this.parts
    carrier.sendRequest(this, id, lane, direction, slot, headerBytes, lease, at, bytes)
  }

  reserveReply(ticket: number): number {
    assert(this.side === "accepted", "only the side that accepted answers requests")
    if (!this.isUp) return NO_SLOT
    const index = this.indexOfTicket(ticket)
    if (this.states[index] !== OPEN) refuseTicket(ticket)
    this.states[index] = RESERVED
    return this.places.slotOf(index)
  }

  reply(
    slot: number,
    headerBytes: number,
    ticket: number,
    lease: Lease,
    at: number,
    bytes: number,
  ): void {
    assert(this.side === "accepted", "only the side that accepted answers requests")
    const index = this.reservedIndex(slot)
    if (this.indexOfTicket(ticket) !== index) refuseSlot(slot)
    this.assertSizes(headerBytes, lease, at, bytes)
    const row = index * ROW_STRIDE
    const direction = this.rows[row + ROW_DIRECTION]! as PayloadDirection
    const isBack = direction === PAYLOAD_BACK
    assert(bytes === 0 || isBack, "only a request that asked for a payload is answered with one")
    assert(bytes <= this.rows[row + ROW_ROOM]! || !isBack, "a reply fits the room of its request")
    this.states[index] = FREE
    if (!this.isUp) return
    const lane = this.credits.laneOf(index)
    const { carrier } = this.parts
    const payload = bytes > 0 ? lease : NO_LEASE
    carrier.sendReply(this, ticket, lane, direction, slot, headerBytes, payload, at, bytes)
  }

  close(): Promise<void> {
    if (this.closing === undefined) {
      this.closing = this.hasLeft
        ? Promise.resolve()
        : new Promise((resolve) => {
            this.closeSettled = resolve
          })
      this.goDown(new RmrError("closed", "this side closed the session"))
    }
    return this.closing
  }

  /** The link is gone, or this side closed. What is in flight ends when it is reported. */
  goDown(cause: RmrError): void {
    if (!this.isUp) return
    this.isUp = false
    this.parts.carrier.close()
    this.parts.onDown(this, cause)
  }

  /** The end is being reported: everything in flight ends with it. */
  leave(cause: RmrError): void {
    this.hasLeft = true
    if (this.side === "accepted") return
    const status = statusOf(cause.code)
    for (let index = 0; index < this.states.length; index++) {
      if (this.states[index] === OPEN) this.complete(index, status, 0, 0, 0)
    }
  }

  settleClose(): void {
    this.closeSettled?.()
  }

  /** Whether a request of this id is in flight. */
  isAwaited(id: number): boolean {
    const index = indexOfRequest(id)
    const isOpen = index < this.states.length && this.states[index] === OPEN
    return isOpen && this.rows[index * ROW_STRIDE + ROW_ID] === id
  }

  /** The lease of a request in flight: what it sends, or where its answer goes. */
  leaseOf(id: number): Lease {
    return this.rows[indexOfRequest(id) * ROW_STRIDE + ROW_LEASE]! as Lease
  }

  /** False where the other side broke the rules. */
  takeReply(id: number, headerAt: number, headerBytes: number, payloadBytes: number): boolean {
    if (this.side !== "dialed" || !this.isAwaited(id) || headerBytes === 0) return false
    this.parts.carrier.closeRoom(id)
    this.complete(indexOfRequest(id), STATUS_OK, headerAt, headerBytes, payloadBytes)
    return true
  }

  /** Whether a request of this id may come now on this lane. */
  mayRequest(id: number, lane: number): boolean {
    const index = indexOfRequest(id)
    const isFree = id >= 0 && index < this.states.length && this.states[index] === FREE
    return this.side === "accepted" && isFree && this.credits.laneOf(index) === lane
  }

  /** Whether a request of this id was delivered, and no other one of its credit since. */
  wasDelivered(id: number): boolean {
    const index = indexOfRequest(id)
    const isKnown = id >= 0 && index < this.states.length && this.side === "accepted"
    return isKnown && this.rows[index * ROW_STRIDE + ROW_ID] === id
  }

  /** Whether it was answered since. */
  isAnswered(id: number): boolean {
    return this.wasDelivered(id) && this.states[indexOfRequest(id)] === FREE
  }

  /** False where the other side broke the rules. With `true` the lease is the handler's. */
  takeRequest(
    id: number,
    lane: number,
    direction: number,
    headerAt: number,
    headerBytes: number,
    lease: Lease,
    payloadBytes: number,
    roomBytes: number,
  ): boolean {
    if (!this.mayRequest(id, lane) || headerBytes === 0) return false
    if (direction !== PAYLOAD_OUT && direction !== PAYLOAD_BACK) return false
    const isBack = direction === PAYLOAD_BACK
    if (isBack ? payloadBytes > 0 : roomBytes !== 0) return false
    if (roomBytes < 0 || roomBytes > this.limits.payloadBytesMax) return false
    const index = indexOfRequest(id)
    const row = index * ROW_STRIDE
    this.rows[row + ROW_ID] = id
    this.rows[row + ROW_DIRECTION] = direction
    this.rows[row + ROW_ROOM] = roomBytes
    this.states[index] = OPEN
    const bytes = isBack ? roomBytes : payloadBytes
    const { deliveries } = this.parts
    deliveries.addRequest(this.id, id, lane, direction, headerAt, headerBytes, lease, bytes)
    return true
  }

  /** Lease and credit are free; the row says so next. */
  private complete(
    index: number,
    status: number,
    headerAt: number,
    headerBytes: number,
    payloadBytes: number,
  ): void {
    const row = index * ROW_STRIDE
    const lease = this.rows[row + ROW_LEASE]! as Lease
    if (lease !== NO_LEASE) this.memory.release(lease)
    this.states[index] = FREE
    this.credits.give(index)
    this.parts.deliveries.addCompletion(
      this.id,
      this.rows[row + ROW_TOKEN]!,
      status,
      headerAt,
      headerBytes,
      payloadBytes,
      this.credits.laneOf(index),
    )
  }

  private reservedIndex(slot: number): number {
    const index = this.places.indexOf(slot)
    if (index < 0 || this.states[index] !== RESERVED) refuseSlot(slot)
    return index
  }

  private indexOfTicket(ticket: number): number {
    const index = indexOfRequest(ticket)
    const isKnown = index < this.states.length && this.rows[index * ROW_STRIDE + ROW_ID] === ticket
    if (!isKnown) refuseTicket(ticket)
    return index
  }

  private assertSizes(headerBytes: number, lease: Lease, at: number, bytes: number): void {
    const { headerBytesMax, payloadBytesMax } = this.limits
    const isHeader =
      Number.isInteger(headerBytes) && headerBytes >= 1 && headerBytes <= headerBytesMax
    if (!isHeader) refuse("a header", headerBytes, headerBytesMax)
    const isPayload = Number.isInteger(bytes) && bytes >= 0 && bytes <= payloadBytesMax
    if (!isPayload) refuse("a payload", bytes, payloadBytesMax)
    if (bytes === 0) return
    assert(lease !== NO_LEASE, "a payload has a lease")
    const isInside = Number.isInteger(at) && at >= 0 && at + bytes <= this.memory.capacityOf(lease)
    assert(isInside, "a payload lies inside its lease")
  }
}

/*
 * Apart from the checks, so that a message costs nothing where nothing is wrong. In a branch of the
 * check itself it may cost: where two branches make text of the same number, the compiler does that
 * once, before both.
 */
function refuseSlot(slot: number): never {
  assert(false, `slot ${slot} is not reserved for this`)
}

function refuseTicket(ticket: number): never {
  assert(false, `ticket ${ticket} is unknown or answered`)
}

function refuse(what: string, bytes: number, bytesMax: number): never {
  assert(false, `${what} of ${bytes} bytes is not in the session's limits, up to ${bytesMax}`)
}
