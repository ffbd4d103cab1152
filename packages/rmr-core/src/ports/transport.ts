/**
 * The transport port: RTRS's contract between a compute client and a storage node.
 *
 * A session has credits. The side that dialed spends one per request; a request carries a small
 * header and a payload that goes one way: *with* the request (write) or *back* with the reply
 * (read). Every request completes exactly once. That is all; nothing may lean on an accident of
 * TCP, least of all on order.
 *
 * The shape is a batch. Requests are encoded in place, in header slots that belong to the
 * transport; the end of a loop turn sends all of them. What arrived in a turn comes back as one
 * call with a table of descriptors (`Int32Array`, fixed stride), never as an object, closure or
 * promise per IO. Payload is a lease (ports/memory.ts). See docs/adr/0002.
 *
 * Promises (every transport; the contract suite has a test for each):
 * - **T1** Dial and accept meet: both sides get a session with the same limits, and each learns the
 *   other's name. The accepting side hears of a session before its first request.
 * - **T2** A dial that is refused or unanswered fails with `unreachable` inside its deadline.
 * - **T3** Every submitted request completes exactly once, with its reply or with a status, and is
 *   delivered at most once. With a status nobody knows whether it was delivered, or still will be.
 * - **T4** Requests of a session may be delivered, answered and completed in any order.
 * - **T5** Headers of 1…headerBytesMax and payloads of 0…payloadBytesMax arrive whole, unchanged;
 *   a larger one is refused by assertion before a byte leaves.
 * - **T6** The transport holds a payload lease from submit until just before the completion is
 *   delivered, whatever its status, and from reply until it is sent. PAYLOAD_OUT is only read; the
 *   room of a PAYLOAD_BACK may change at any time until then. After that, or outside, nothing does.
 * - **T7** Never more requests in flight on a lane than its credits; a credit is back before its
 *   completion is delivered.
 * - **T8** A receiver that does not reply, or has no memory, stops the sender, loses nothing, and
 *   is not taken for silent.
 * - **T9** Close completes what is in flight with `closed` and reports the session down with it, is
 *   idempotent, and lets the peer see its session go down with `link-lost`.
 * - **T10** A lost link completes everything in flight once with `link-lost`, then the session is
 *   reported down, once, on each side. A peer that falls silent is noticed within `silenceMsMax`.
 * - **T11** Closing a listener ends accepting and keeps its sessions.
 * - **T12** Sessions do not cross-talk: a reply reaches the request it answers, and no other.
 * - **T13** A dial can be given up at any stage; nothing is left of it.
 * - **T14** `supports` is frozen and true. An address of another scheme is refused with
 *   `unsupported`, one that makes no sense with `invalid-argument`.
 * - **T15** After close nothing is left: no timer, session, lease, listener or delivery.
 * - **T16** One delivery call per loop turn and kind, with everything that had arrived, and never
 *   inside a call of the user.
 * - **T17** Lanes are independent: with all credits of one lane in flight, or its payloads waiting
 *   for memory, another still moves (W8).
 * - **T18** A reply to a session that is down is dropped, and its lease given back.
 * - **T19** Bytes of a stranger end the connection they came on, and nothing else (P8).
 */
import type { Lease, SessionId } from "../brand.js"
import type { RmrError } from "../errors.js"
import type { Env } from "./env.js"
import type { Memory } from "./memory.js"

/** Lanes have credits of their own: user IO cannot starve sync, nor sync a view change (W8). */
export const LANE_IO = 0
export const LANE_SYNC = 1
export const LANE_CONTROL = 2
export const LANE_COUNT = 3
export type Lane = typeof LANE_IO | typeof LANE_SYNC | typeof LANE_CONTROL

/** Which way the payload goes. */
export const PAYLOAD_OUT = 0 // with the request: write
export const PAYLOAD_BACK = 1 // with the reply, into the lease of the request: read
export type PayloadDirection = typeof PAYLOAD_OUT | typeof PAYLOAD_BACK

/** The answer of `reserve` when the lane has no credit or the session is down. */
export const NO_SLOT = -1

/** Columns of a completion descriptor. */
export const COMPLETION_SESSION = 0
/** The token that the request was submitted with. */
export const COMPLETION_TOKEN = 1
/** 0, or the status of `link-lost` or `closed` (errors.ts); then there is no reply header. */
export const COMPLETION_STATUS = 2
export const COMPLETION_HEADER_AT = 3
export const COMPLETION_HEADER_BYTES = 4
/** How many bytes of a PAYLOAD_BACK request came back. */
export const COMPLETION_PAYLOAD_BYTES = 5
export const COMPLETION_LANE = 6
export const COMPLETION_STRIDE = 8

/** Columns of a request descriptor on the accepting side. */
export const REQUEST_SESSION = 0
/** Names the request in `reserveReply` and `reply`; of this session only. */
export const REQUEST_TICKET = 1
export const REQUEST_LANE = 2
export const REQUEST_DIRECTION = 3
export const REQUEST_HEADER_AT = 4
export const REQUEST_HEADER_BYTES = 5
/**
 * PAYLOAD_OUT with bytes: a lease of this endpoint's memory, the payload at its start (aligned, fit
 * for direct IO), whose one reference now belongs to the handler. Else `NO_LEASE`.
 */
export const REQUEST_LEASE = 6
/** PAYLOAD_OUT: how much came. PAYLOAD_BACK: how much the requester has room for. */
export const REQUEST_PAYLOAD_BYTES = 7
export const REQUEST_STRIDE = 8

/**
 * A table of descriptors. It and `headers` belong to the transport and are valid only during the
 * call; a header is all that is between HEADER_AT and HEADER_BYTES.
 */
export interface Batch {
  readonly count: number
  readonly words: Int32Array
  /** Where the HEADER_AT columns point. */
  readonly headers: DataView
}

/**
 * Deliveries come in turns of their own. A session's requests lie between its up and its down, and
 * its completions before its down.
 */
export interface EndpointEvents {
  /** Requests of this side that ended in this turn. */
  onCompletions(batch: Batch): void
  /** Requests of other sides that arrived in this turn. */
  onRequests(batch: Batch): void
  /** An accepted session is ready. (A dialed one is the result of `dial`.) */
  onSessionUp(session: Session): void
  /** The session is gone, everything on it has been completed, its dial has been fulfilled. */
  onSessionDown(session: Session, cause: RmrError): void
}

export interface TransportCapabilities {
  /**
   * A payload that was changed on its way is not delivered: the link counts as lost. Where false,
   * the caller adds a checksum.
   */
  readonly payloadChecked: boolean
  /** The largest header and payload that any session of this transport takes. */
  readonly headerBytesMax: number
  readonly payloadBytesMax: number
  /** A silent peer is reported down at the latest after this long (T10). */
  readonly silenceMsMax: number
}

export interface EndpointOptions {
  readonly env: Env
  readonly memory: Memory
  readonly events: EndpointEvents
  /** What the peer learns as our name, and the half of a session name `<client@server>`. */
  readonly hostName: string
  /** Where ids of sessions come from, for who has several endpoints behind one handler. */
  readonly sessionIds?: SessionIdSource
}

export interface SessionIdSource {
  take(): SessionId
  /** Another session may have it. */
  give(id: SessionId): void
}

/** Credits per lane, asked by the dialer and cut to what the listener allows. */
export type LaneCredits = readonly [io: number, sync: number, control: number]

export interface DialOptions {
  /** How long to try, from the call on. */
  readonly deadlineMs: number
  readonly credits: LaneCredits
  /** For pools of this part of the other side (shardOf), below SHARD_COUNT; default 0. */
  readonly shard?: number
  /** Gives up the dial; the promise then fails with `closed`. */
  readonly signal?: DialSignal
}

/** The small part of an AbortSignal that a dial needs; an `AbortSignal` fits. */
export interface DialSignal {
  readonly aborted: boolean
  addEventListener(type: "abort", run: () => void): void
  removeEventListener(type: "abort", run: () => void): void
}

export interface ListenOptions {
  readonly creditsMax: LaneCredits
}

export interface Transport {
  /** `tcp`, `rdma`, `sim`: the scheme of its addresses, which read `scheme:place`. */
  readonly name: string
  readonly supports: TransportCapabilities
  open(options: EndpointOptions): Endpoint
}

/** One process's end of a transport: it dials, listens, and delivers everything to one handler. */
export interface Endpoint {
  /** Fails with `unreachable`, `closed`, `unsupported` or `invalid-argument`. */
  dial(address: string, options: DialOptions): Promise<Session>
  /** Fails with `busy` where somebody listens, `closed`, `unsupported` or `invalid-argument`. */
  listen(address: string, options: ListenOptions): Promise<Listener>
  /** Sends what was submitted now, instead of at the end of the turn. */
  flush(): void
  /** Closes dials, listeners and sessions; once fulfilled, nothing is delivered. Idempotent. */
  close(): Promise<void>
}

export interface Listener {
  /** Where it really listens, for a peer to dial. */
  readonly address: string
  close(): Promise<void>
}

/** The same on both sides: what the transports of both, and the memory that receives, can take. */
export interface SessionLimits {
  readonly credits: LaneCredits
  readonly headerBytesMax: number
  readonly payloadBytesMax: number
}

/**
 * A session is one thing, however many connections carry it. Keep the object, not the id: an object
 * that went down stays down, while its id will name another session.
 *
 * A slot is reserved, filled and used (or given back) within one turn; its bytes are garbage before
 * that and the transport's own after it.
 */
export interface Session {
  /** Among the sessions of this endpoint; another one may have it after `onSessionDown`. */
  readonly id: SessionId
  readonly side: "dialed" | "accepted"
  readonly peerName: string
  readonly limits: SessionLimits
  readonly isUp: boolean
  /** Where header slots are; encode at the offset that `reserve` or `reserveReply` gave. */
  readonly slots: DataView

  freeCredits(lane: Lane): number
  /** Takes a credit and a header slot: its offset in `slots`, or `NO_SLOT`. Dialed side only. */
  reserve(lane: Lane): number
  /** Gives slot and credit back unused. */
  unreserve(slot: number): void
  /**
   * Sends the request in `slot`. `lease` holds `bytes` of payload from `at` on (PAYLOAD_OUT), or
   * room for them (PAYLOAD_BACK); none is `NO_LEASE`, 0, 0. `token` is any int32, handed back.
   */
  submit(
    slot: number,
    headerBytes: number,
    token: number,
    direction: PayloadDirection,
    lease: Lease,
    at: number,
    bytes: number,
  ): void

  /** A header slot for the reply; `NO_SLOT` when the session is down. Accepted side only. */
  reserveReply(ticket: number): number
  /**
   * Sends the reply, once per ticket. A payload (PAYLOAD_BACK only) may be shorter than the room,
   * never longer; what the rest of the room holds is undefined.
   */
  reply(
    slot: number,
    headerBytes: number,
    ticket: number,
    lease: Lease,
    at: number,
    bytes: number,
  ): void

  /** Fulfilled when the session was reported down. Replies that were just given may be lost. */
  close(): Promise<void>
}
