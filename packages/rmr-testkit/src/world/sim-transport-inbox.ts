/**
 * What has arrived at an endpoint since its process looked last, and how it is handed over.
 *
 * One call per kind and turn, with everything there is, in no order (promises T4 and T16). The
 * table and the headers are poisoned when the call returns, and headers lie at odd offsets: who
 * keeps either, or leans on alignment, is found out.
 */
import type { Batch, EndpointEvents, RmrError } from "@rmr/core"
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
} from "@rmr/core"
import type { SeededRandom } from "./seeded-random.js"
import type { Completion, InRequest } from "./sim-transport-messages.js"
import type { SimSession } from "./sim-transport-session.js"
import { SLOT_POISON_BYTE } from "./sim-transport-slots.js"

export interface SessionDown {
  readonly session: SimSession
  readonly cause: RmrError
}

export class Inbox {
  readonly ups: SimSession[] = []
  readonly completions: Completion[] = []
  readonly requests: InRequest[] = []
  readonly downs: SessionDown[] = []

  get isEmpty(): boolean {
    const { ups, completions, requests, downs } = this
    return ups.length + completions.length + requests.length + downs.length === 0
  }
}

/**
 * Hands all of it over. `isAlive` is asked before each call: a handler may end its own process, and
 * nothing reaches it after that.
 */
export function deliver(
  inbox: Inbox,
  events: EndpointEvents,
  random: SeededRandom,
  isAlive: () => boolean,
): void {
  for (const session of shuffled(inbox.ups, random)) {
    if (isAlive()) events.onSessionUp(session)
  }
  const completionsFirst = random.chance(0.5)
  if (completionsFirst && isAlive()) deliverCompletions(inbox.completions, events, random)
  if (isAlive()) deliverRequests(inbox.requests, events, random)
  if (!completionsFirst && isAlive()) deliverCompletions(inbox.completions, events, random)
  for (const down of shuffled(inbox.downs, random)) {
    if (!isAlive()) return
    down.session.leave()
    events.onSessionDown(down.session, down.cause)
    down.session.settleClose()
  }
}

export function shuffled<T>(list: T[], random: SeededRandom): T[] {
  for (let at = list.length - 1; at > 0; at--) {
    const other = random.below(at + 1)
    const moved = list[at]!
    list[at] = list[other]!
    list[other] = moved
  }
  return list
}

function deliverCompletions(
  completions: Completion[],
  events: EndpointEvents,
  random: SeededRandom,
): void {
  if (completions.length === 0) return
  const batch = new PoisonedBatch(completions.length, COMPLETION_STRIDE, random)
  shuffled(completions, random).forEach((completion, row) => {
    const { request, header } = completion
    request.held.release()
    request.session.finish(request)
    batch.set(row, COMPLETION_SESSION, request.session.id)
    batch.set(row, COMPLETION_TOKEN, request.token)
    batch.set(row, COMPLETION_STATUS, completion.status)
    batch.set(row, COMPLETION_HEADER_AT, batch.addHeader(header))
    batch.set(row, COMPLETION_HEADER_BYTES, header.length)
    batch.set(row, COMPLETION_PAYLOAD_BYTES, completion.payloadBytes)
    batch.set(row, COMPLETION_LANE, request.lane)
  })
  batch.hand((table) => events.onCompletions(table))
}

function deliverRequests(
  requests: InRequest[],
  events: EndpointEvents,
  random: SeededRandom,
): void {
  if (requests.length === 0) return
  const batch = new PoisonedBatch(requests.length, REQUEST_STRIDE, random)
  shuffled(requests, random).forEach((request, row) => {
    batch.set(row, REQUEST_SESSION, request.session.id)
    batch.set(row, REQUEST_TICKET, request.ticket)
    batch.set(row, REQUEST_LANE, request.lane)
    batch.set(row, REQUEST_DIRECTION, request.direction)
    batch.set(row, REQUEST_HEADER_AT, batch.addHeader(request.header))
    batch.set(row, REQUEST_HEADER_BYTES, request.header.length)
    batch.set(row, REQUEST_LEASE, request.lease)
    batch.set(row, REQUEST_PAYLOAD_BYTES, request.payloadBytes)
  })
  batch.hand((table) => events.onRequests(table))
}

/** The largest gap in front of a header. */
const GAP_BYTES_MAX = 7
const POISON_WORD = SLOT_POISON_BYTE * 0x0101_0101

class PoisonedBatch {
  private readonly count: number
  private readonly stride: number
  private readonly words: Int32Array
  private readonly random: SeededRandom
  private readonly headers: Uint8Array[] = []
  private headerBytes = 0

  constructor(count: number, stride: number, random: SeededRandom) {
    this.count = count
    this.stride = stride
    this.random = random
    this.words = new Int32Array(count * stride).fill(POISON_WORD)
  }

  set(row: number, column: number, value: number): void {
    this.words[row * this.stride + column] = value
  }

  /** Where the header will be. */
  addHeader(header: Uint8Array): number {
    const gap = new Uint8Array(this.random.between(0, GAP_BYTES_MAX)).fill(SLOT_POISON_BYTE)
    this.headers.push(gap, header)
    const at = this.headerBytes + gap.length
    this.headerBytes = at + header.length
    return at
  }

  hand(call: (batch: Batch) => void): void {
    const { count, words } = this
    const bytes = new Uint8Array(this.headerBytes)
    let at = 0
    for (const piece of this.headers) {
      bytes.set(piece, at)
      at += piece.length
    }
    try {
      call({ count, words, headers: new DataView(bytes.buffer) })
    } finally {
      words.fill(POISON_WORD)
      bytes.fill(SLOT_POISON_BYTE)
    }
  }
}
