/**
 * A session over RDMA: what the rows of a turn say to it.
 *
 * A frame is looked at twice. First it says where its payload goes (`roomFor`): into a fresh lease,
 * or into that of the request which it answers. Then, when the payloads of the turn have been
 * copied and their sums compared, it is taken. One that finds no memory waits in the room of this
 * side, where its sender cannot use its piece again, and is visited when there is some (T8).
 */
import type { Lane, Lease, Memory, RmrError as RmrErrorType, SessionParts } from "@rmr/core"
import { CreditedSession, NO_LEASE, RmrError } from "@rmr/core"
import type { RdmaCarrier } from "./carrier.js"
import type { Failover } from "./failover.js"
import {
  HEAD_BYTES,
  idIn,
  isAgain,
  isExposed,
  KIND_REPLY,
  KIND_REQUEST,
  kindOf,
  roomBytesOf,
  wayOf,
} from "./framing.js"
import type { Line } from "./line.js"
import { channelOf } from "./lines.js"
import type { Path } from "./path.js"
import type { Verbs } from "./verbs.js"
import {
  ARRIVAL_ARENA,
  ARRIVAL_AT,
  ARRIVAL_BYTES,
  ARRIVAL_FRAME,
  ARRIVAL_IS_RIGHT,
  ARRIVAL_PAYLOAD,
  ARRIVAL_TO,
  ARRIVAL_VALUE,
} from "./verbs-table.js"

export interface RdmaSessionParts extends SessionParts {
  readonly carrier: RdmaCarrier
  readonly verbs: Verbs
}

/** The answers of `roomFor` beside a lease: the frame is not taken in this turn; or never. */
export const FRAME_WAITS = -2
export const FRAME_IS_WRONG = -3

export class RdmaSession extends CreditedSession {
  readonly carrier: RdmaCarrier
  /** From when it is up. */
  failover: Failover | undefined
  private readonly verbs: Verbs
  private readonly payloads: Memory

  constructor(parts: RdmaSessionParts) {
    super(parts)
    this.carrier = parts.carrier
    this.verbs = parts.verbs
    this.payloads = parts.memory
  }

  /**
   * Where the payload of the frame in this row goes, into the row; answers the lease that it has
   * then, NO_LEASE where it needs none of its own, or why it is not taken.
   */
  roomFor(line: Line, row: number): number {
    const { arrivals, texts } = this.verbs.table
    const at = arrivals[row + ARRIVAL_AT]!
    const bytes = arrivals[row + ARRIVAL_PAYLOAD]!
    const id = idIn(texts, at)
    if (kindOf(texts, at) === KIND_REPLY) {
      const { asking } = this.carrier
      if (!this.isAwaited(id)) return FRAME_IS_WRONG
      if (!asking.expects(id, arrivals[row + ARRIVAL_FRAME]!, bytes)) return FRAME_IS_WRONG
      if (bytes === 0) return NO_LEASE
      if (isExposed(texts, at) !== asking.hasExposed(id)) return FRAME_IS_WRONG
      arrivals[row + ARRIVAL_ARENA] = asking.arenaOf(id)
      arrivals[row + ARRIVAL_TO] = asking.startOf(id)
      return NO_LEASE
    }
    if (bytes === 0 || this.comesAgain(texts, at, id)) return NO_LEASE
    return this.leaseFor(line, row, id, at, bytes)
  }

  /** The frame of this row, whose payload is where `roomFor` wanted it. */
  onFrame(line: Line, row: number, lease: Lease): void {
    const { arrivals, texts } = this.verbs.table
    const at = arrivals[row + ARRIVAL_AT]!
    const textBytes = arrivals[row + ARRIVAL_BYTES]!
    const payloadBytes = arrivals[row + ARRIVAL_PAYLOAD]!
    const kind = kindOf(texts, at)
    const id = idIn(texts, at)
    if (kind === KIND_REQUEST && this.comesAgain(texts, at, id)) {
      // It has memory where it was delivered by an earlier row of this turn.
      if (lease !== NO_LEASE) this.payloads.release(lease)
      if (!this.carrier.answering.again(this, line, id, texts, at)) {
        this.breakOff("a request that comes again without need")
      }
      return
    }
    const isWhole = payloadBytes === 0 || arrivals[row + ARRIVAL_IS_RIGHT] === 1
    let isRight = false
    if (isWhole && kind === KIND_REPLY) {
      isRight = this.takeReply(id, at + HEAD_BYTES, textBytes, payloadBytes)
    } else if (isWhole && kind === KIND_REQUEST) {
      isRight = this.takeFrame(line, texts, at, textBytes, lease, payloadBytes)
    }
    if (isRight) return
    if (lease !== NO_LEASE) this.payloads.release(lease)
    this.breakOff(isWhole ? `a frame of ${kind}` : "a payload that was changed on its way")
  }

  /** What a frame has exposed is in our memory. */
  onFetched(line: Line, id: number, frame: number): void {
    this.carrier.answering.onFetched(id)
    this.visit(line, frame)
  }

  /** A path is over; the session goes on, if there is another one. */
  losePath(path: Path, cause: RmrErrorType): void {
    if (this.failover === undefined) this.goDown(cause)
    else this.failover.losePath(path, cause)
  }

  override goDown(cause: RmrErrorType): void {
    if (this.isUp) this.failover?.end()
    super.goDown(cause)
  }

  /** Whether this request was delivered already, and its path was lost. */
  private comesAgain(head: DataView, at: number, id: number): boolean {
    return isAgain(head, at) && this.wasDelivered(id)
  }

  breakOff(what: string): void {
    this.goDown(new RmrError("link-lost", `the other side broke the rules: ${what}`))
  }

  private takeFrame(
    line: Line,
    view: DataView,
    at: number,
    textBytes: number,
    lease: Lease,
    payloadBytes: number,
  ): boolean {
    const way = wayOf(view, at)
    const lane = (way & 3) as Lane
    if (line.channel !== channelOf(lane)) return false
    const id = idIn(view, at)
    if (!this.mayRequest(id, lane)) return false
    this.carrier.answering.note(id, view, at, line.path!)
    const rooms = roomBytesOf(view, at)
    const text = at + HEAD_BYTES
    return this.takeRequest(id, lane, way >> 2, text, textBytes, lease, payloadBytes, rooms)
  }

  /** Memory for the payload of a request. */
  private leaseFor(line: Line, row: number, id: number, at: number, bytes: number): number {
    const { arrivals, texts } = this.verbs.table
    const lane = (wayOf(texts, at) & 3) as Lane
    const isHere = line.channel === channelOf(lane) && bytes <= this.limits.payloadBytesMax
    if (!isHere || !this.mayRequest(id, lane)) return FRAME_IS_WRONG
    const { answering } = this.carrier
    const isApart = isExposed(texts, at)
    const isFetched = isApart && answering.isFetching(id)
    // Told once more by the other side, it would take memory twice, or what is not there yet.
    const isOurs = arrivals[row + ARRIVAL_VALUE] === 1
    if (!isOurs && (isFetched || answering.isWaiting(id))) return FRAME_IS_WRONG
    answering.waitNoMore(id)
    answering.succeed(id)
    const lease = isFetched ? answering.takeFetched(id, bytes) : this.payloads.lease(bytes)
    const frame = arrivals[row + ARRIVAL_FRAME]!
    if (lease === NO_LEASE) {
      if (isFetched || !answering.waitForMemory(id, line.path!)) return FRAME_IS_WRONG
      this.visitWhenFree(line, frame)
      return FRAME_WAITS
    }
    if (isApart && !isFetched) {
      answering.fetch(id, line, texts, at, frame, lease, bytes)
      return FRAME_WAITS
    }
    const arena = this.payloads.arenaOf(lease).index
    arrivals[row + ARRIVAL_ARENA] = arena
    arrivals[row + ARRIVAL_TO] = this.verbs.startOf(arena, this.payloads.offsetOf(lease))
    return lease
  }

  /** Apart, since a function that has a closure in it makes an object for it at each call. */
  private visitWhenFree(line: Line, frame: number): void {
    this.payloads.whenFree(() => this.visit(line, frame))
  }

  private visit(line: Line, frame: number): void {
    if (this.isUp) this.verbs.visit(line, frame)
  }
}
