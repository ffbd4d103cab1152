/**
 * What an endpoint will tell its user in this turn: ups, requests, completions and downs, in this
 * order, each kind in one call.
 *
 * Rows point into the table of frames that they came with, so a header is copied once, when it is
 * received. All rows of a turn are handed over in that turn.
 */
import type { Batch, EndpointEvents, Session } from "../ports/transport.js"
import {
  COMPLETION_HEADER_AT,
  COMPLETION_HEADER_BYTES,
  COMPLETION_LANE,
  COMPLETION_PAYLOAD_BYTES,
  COMPLETION_SESSION,
  COMPLETION_STATUS,
  COMPLETION_STRIDE,
  COMPLETION_TOKEN,
  REQUEST_DIRECTION,
  REQUEST_HEADER_AT,
  REQUEST_HEADER_BYTES,
  REQUEST_LANE,
  REQUEST_LEASE,
  REQUEST_PAYLOAD_BYTES,
  REQUEST_SESSION,
  REQUEST_STRIDE,
  REQUEST_TICKET,
} from "../ports/transport.js"

const ROWS_FIRST = 64
const NO_HEADERS = new DataView(new ArrayBuffer(0))

class Rows implements Batch {
  count = 0
  words: Int32Array
  headers: DataView = NO_HEADERS
  private readonly stride: number

  constructor(stride: number) {
    this.stride = stride
    this.words = new Int32Array(ROWS_FIRST * stride)
  }

  /** Where the next row starts. */
  add(): number {
    const at = this.count++ * this.stride
    if (at + this.stride > this.words.length) {
      const grown = new Int32Array(this.words.length * 2)
      grown.set(this.words)
      this.words = grown
    }
    return at
  }
}

export class Deliveries {
  readonly ups: Session[] = []
  private readonly events: EndpointEvents
  private readonly requests = new Rows(REQUEST_STRIDE)
  private readonly completions = new Rows(COMPLETION_STRIDE)

  constructor(events: EndpointEvents) {
    this.events = events
  }

  /** Where the headers of this turn are. */
  begin(headers: DataView): void {
    this.requests.headers = headers
    this.completions.headers = headers
  }

  addRequest(
    session: number,
    ticket: number,
    lane: number,
    direction: number,
    headerAt: number,
    headerBytes: number,
    lease: number,
    payloadBytes: number,
  ): void {
    const at = this.requests.add()
    const { words } = this.requests
    words[at + REQUEST_SESSION] = session
    words[at + REQUEST_TICKET] = ticket
    words[at + REQUEST_LANE] = lane
    words[at + REQUEST_DIRECTION] = direction
    words[at + REQUEST_HEADER_AT] = headerAt
    words[at + REQUEST_HEADER_BYTES] = headerBytes
    words[at + REQUEST_LEASE] = lease
    words[at + REQUEST_PAYLOAD_BYTES] = payloadBytes
  }

  addCompletion(
    session: number,
    token: number,
    status: number,
    headerAt: number,
    headerBytes: number,
    payloadBytes: number,
    lane: number,
  ): void {
    const at = this.completions.add()
    const { words } = this.completions
    words[at + COMPLETION_SESSION] = session
    words[at + COMPLETION_TOKEN] = token
    words[at + COMPLETION_STATUS] = status
    words[at + COMPLETION_HEADER_AT] = headerAt
    words[at + COMPLETION_HEADER_BYTES] = headerBytes
    words[at + COMPLETION_PAYLOAD_BYTES] = payloadBytes
    words[at + COMPLETION_LANE] = lane
  }

  /** Ups, requests and completions. Nothing is added meanwhile: what a user does comes later. */
  hand(): void {
    if (this.ups.length > 0) this.handUps()
    if (this.requests.count > 0) this.events.onRequests(this.requests)
    if (this.completions.count > 0) this.events.onCompletions(this.completions)
    this.requests.count = 0
    this.completions.count = 0
    this.begin(NO_HEADERS)
  }

  private handUps(): void {
    for (const session of this.ups.splice(0)) this.events.onSessionUp(session)
  }
}
