/**
 * A party: one endpoint, and everything that ever happened to it.
 *
 * It trusts nobody. What comes twice, for nobody, after the end, or in the middle of a call is kept
 * for the clauses that ask; nothing is judged here, so that each promise is judged by its own
 * clause.
 */
import type {
  Batch,
  DialOptions,
  Endpoint,
  EndpointEvents,
  LaneCredits,
  Lease,
  Listener,
  Memory,
  RmrError,
  Session,
} from "@rmr/core"
import {
  AssertionError,
  COMPLETION_HEADER_AT,
  COMPLETION_HEADER_BYTES,
  COMPLETION_LANE,
  COMPLETION_PAYLOAD_BYTES,
  COMPLETION_SESSION,
  COMPLETION_STATUS,
  COMPLETION_STRIDE,
  COMPLETION_TOKEN,
  type Lane,
  leaseBytes,
  NO_LEASE,
  PAYLOAD_BACK,
  REQUEST_DIRECTION,
  REQUEST_HEADER_AT,
  REQUEST_HEADER_BYTES,
  REQUEST_LANE,
  REQUEST_LEASE,
  REQUEST_PAYLOAD_BYTES,
  REQUEST_SESSION,
  REQUEST_STRIDE,
  REQUEST_TICKET,
} from "@rmr/core"
import { CountingClock } from "../block-io/counting-clock.js"
import { answerTo, payloadFor } from "./content.js"
import type { TransportHarness, TransportProcess } from "./harness.js"
import type { Call, CallKind, Delivered, Down } from "./records.js"
import { Sent } from "./records.js"
import type { Sending, SendOptions } from "./sending.js"
import { putHeader, readOf, submitTo, writeOf } from "./sending.js"

export const CREDITS: LaneCredits = [4, 2, 2]
const DIAL_MS = 5000

export class Party implements EndpointEvents {
  readonly process: TransportProcess
  readonly memory: Memory
  readonly clock: CountingClock
  readonly endpoint: Endpoint
  readonly ups: Session[] = []
  readonly downs: Down[] = []
  readonly requests: Delivered[] = []
  readonly calls: Call[] = []
  /** Every request that was ever submitted. */
  readonly sent: Sent[] = []
  /** Completions and requests of a session or token that this party does not know. */
  readonly strays: string[] = []
  /** Deliveries that came inside a call of this party. */
  insideCallCount = 0
  onRequest: ((request: Delivered) => void) | undefined
  onCompletion: ((sent: Sent) => void) | undefined
  onDown: ((down: Down) => void) | undefined
  private readonly harness: TransportHarness
  private readonly sessionsById = new Map<number, Session>()
  private readonly openByToken = new Map<Session, Map<number, Sent>>()
  private finishedCount = 0
  private tokenNext = 1
  private orderNext = 0
  private turn = 0
  private isTurnOpen = false
  private depth = 0

  constructor(harness: TransportHarness, name: string) {
    this.harness = harness
    this.process = harness.process(name)
    this.memory = this.process.memory
    this.clock = new CountingClock(this.process.env.clock)
    const env = { ...this.process.env, clock: this.clock }
    this.endpoint = this.process.transport.open({
      env,
      memory: this.memory,
      events: this,
      hostName: name,
    })
  }

  get name(): string {
    return this.process.name
  }

  get unanswered(): Delivered[] {
    return this.requests.filter((request) => !request.isAnswered)
  }

  /** Requests that have not completed. */
  get unfinishedCount(): number {
    return this.sent.length - this.finishedCount
  }

  listen(creditsMax: LaneCredits = CREDITS): Promise<Listener> {
    return this.endpoint.listen(this.harness.listenAddress(this.process), { creditsMax })
  }

  async dial(to: Listener | string, options: Partial<DialOptions> = {}): Promise<Session> {
    const address = typeof to === "string" ? to : this.harness.reach(to)
    const dial = this.endpoint.dial(address, { deadlineMs: DIAL_MS, credits: CREDITS, ...options })
    const session = await dial
    this.sessionsById.set(session.id, session)
    return session
  }

  /** Submits a write; undefined where the session gives no slot. Its lease is let go at once. */
  write(session: Session, options: SendOptions = {}): Sent | undefined {
    return this.submit(session, writeOf(this.memory, this.tokenNext++, options))
  }

  /** Submits a read; the room is kept until the completion. */
  read(session: Session, options: SendOptions = {}): Sent | undefined {
    return this.submit(session, readOf(this.memory, this.tokenNext++, options))
  }

  /**
   * As an echo does: a header, and for reads a payload, that fit the request. False when it is
   * down.
   */
  answer(request: Delivered, bytes: number = request.payloadBytes): boolean {
    request.isAnswered = true
    this.dropLease(request)
    const isRead = request.direction === PAYLOAD_BACK
    const payload = isRead ? payloadFor(request.header, bytes) : new Uint8Array(0)
    return this.answerWith(request, answerTo(request.header), payload)
  }

  answerWith(request: Delivered, header: Uint8Array, payload: Uint8Array): boolean {
    const { session, ticket } = request
    request.isAnswered = true
    const slot = session.reserveReply(ticket)
    if (slot < 0) return false
    putHeader(session.slots, slot, header)
    const lease = this.leased(payload)
    this.inside(() => session.reply(slot, header.length, ticket, lease, 0, payload.length))
    if (lease !== NO_LEASE) this.memory.release(lease)
    return true
  }

  /** Answers everything that is delivered from now on, and what was before. */
  echo(): void {
    this.onRequest = (request) => void this.answer(request)
    for (const request of this.unanswered) this.answer(request)
  }

  /** Gives the lease of a write back. */
  dropLease(request: Delivered): void {
    if (request.isLeaseOurs) this.memory.release(request.lease)
    request.isLeaseOurs = false
  }

  isLive(lease: Lease): boolean {
    try {
      this.memory.offsetOf(lease)
      return true
    } catch (thrown) {
      if (thrown instanceof AssertionError) return false
      throw thrown
    }
  }

  /** A lease full of these bytes, or NO_LEASE for none. */
  leased(bytes: Uint8Array): Lease {
    if (bytes.length === 0) return NO_LEASE
    const lease = this.memory.lease(bytes.length)
    if (lease === NO_LEASE) throw new Error(`${this.name} has no memory for ${bytes.length} bytes`)
    leaseBytes(this.memory, lease, 0, bytes.length).set(bytes)
    return lease
  }

  /** Runs a call into the transport; what is delivered inside it is counted. */
  inside<T>(call: () => T): T {
    this.depth++
    try {
      return call()
    } finally {
      this.depth--
    }
  }

  onSessionUp(session: Session): void {
    this.told()
    this.sessionsById.set(session.id, session)
    this.ups.push(session)
  }

  onSessionDown(session: Session, cause: RmrError): void {
    const down = { session, cause, order: this.told() }
    if (this.sessionsById.get(session.id) === session) this.sessionsById.delete(session.id)
    this.downs.push(down)
    this.onDown?.(down)
  }

  onCompletions({ count, words, headers }: Batch): void {
    this.called("completions", count)
    const done: Sent[] = []
    for (let row = 0; row < count; row++) {
      const column = (nth: number): number => words[row * COMPLETION_STRIDE + nth]!
      const session = this.sessionsById.get(column(COMPLETION_SESSION))
      const token = column(COMPLETION_TOKEN)
      const sent = session === undefined ? undefined : this.openByToken.get(session)?.get(token)
      const order = this.told()
      if (session === undefined || sent === undefined) {
        this.strays.push(`completion of token ${token}`)
        continue
      }
      const payloadBytes = column(COMPLETION_PAYLOAD_BYTES)
      const lane = column(COMPLETION_LANE)
      if (!sent.isDone) this.finishedCount++
      sent.completions.push({
        status: column(COMPLETION_STATUS),
        header: copyOf(headers, column(COMPLETION_HEADER_AT), column(COMPLETION_HEADER_BYTES)),
        payloadBytes,
        payload: this.takeRoom(sent, payloadBytes),
        lane,
        freeCredits: session.freeCredits(lane as Lane),
        isLeaseHeld: sent.lease !== NO_LEASE && this.isLive(sent.lease),
        order,
      })
      done.push(sent)
    }
    for (const sent of done) this.onCompletion?.(sent)
  }

  onRequests({ count, words, headers }: Batch): void {
    this.called("requests", count)
    const arrived: Delivered[] = []
    for (let row = 0; row < count; row++) {
      const column = (nth: number): number => words[row * REQUEST_STRIDE + nth]!
      const session = this.sessionsById.get(column(REQUEST_SESSION))
      const order = this.told()
      if (session === undefined) {
        this.strays.push(`request of session ${column(REQUEST_SESSION)}`)
        continue
      }
      const lease = column(REQUEST_LEASE) as Lease
      const payloadBytes = column(REQUEST_PAYLOAD_BYTES)
      const has = lease !== NO_LEASE
      arrived.push({
        session,
        ticket: column(REQUEST_TICKET),
        lane: column(REQUEST_LANE),
        direction: column(REQUEST_DIRECTION),
        header: copyOf(headers, column(REQUEST_HEADER_AT), column(REQUEST_HEADER_BYTES)),
        lease,
        payloadBytes,
        payload: has ? leaseBytes(this.memory, lease, 0, payloadBytes).slice() : new Uint8Array(0),
        order,
        isAnswered: false,
        isLeaseOurs: has,
      })
    }
    this.requests.push(...arrived)
    for (const request of arrived) this.onRequest?.(request)
  }

  private submit(session: Session, sending: Sending): Sent | undefined {
    const sent = new Sent(session, sending)
    const isAccepted = this.inside(() => submitTo(session, sent))
    if (isAccepted) {
      const byToken = this.openByToken.get(session) ?? new Map<number, Sent>()
      this.openByToken.set(session, byToken.set(sent.token, sent))
      this.sent.push(sent)
    }
    const isOver = !isAccepted || !sent.isKept
    if (isOver && sent.lease !== NO_LEASE) this.memory.release(sent.lease)
    return isAccepted ? sent : undefined
  }

  /** What came into the room, which is then given back; a second completion finds nothing. */
  private takeRoom(sent: Sent, payloadBytes: number): Uint8Array {
    if (!sent.isKept || sent.isDone || sent.lease === NO_LEASE) return new Uint8Array(0)
    const isRead = sent.direction === PAYLOAD_BACK && payloadBytes <= sent.bytes
    const bytes = leaseBytes(this.memory, sent.lease, sent.at, isRead ? payloadBytes : 0).slice()
    this.memory.release(sent.lease)
    return bytes
  }

  private called(kind: CallKind, count: number): void {
    if (!this.isTurnOpen) {
      this.isTurnOpen = true
      this.process.env.clock.endOfTurn(() => {
        this.isTurnOpen = false
        this.turn++
      })
    }
    this.calls.push({ kind, turn: this.turn, count })
  }

  private told(): number {
    if (this.depth > 0) this.insideCallCount++
    return this.orderNext++
  }
}

function copyOf(view: DataView, at: number, bytes: number): Uint8Array {
  const copy = new Uint8Array(bytes)
  for (let byte = 0; byte < bytes; byte++) copy[byte] = view.getUint8(at + byte)
  return copy
}
