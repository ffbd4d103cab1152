/**
 * Memory for payloads that arrive: a request is handed over when its payload lies in a lease.
 *
 * Where there is no memory, requests wait in the order in which they came, each lane on its own and
 * the smallest lane first, so that a full memory stops writes and not the commands that would help.
 * A release makes room inside somebody else's call, and nothing is delivered from there.
 */
import type { Memory } from "@rmr/core"
import { LANE_COUNT, leaseBytes, NO_LEASE, PAYLOAD_OUT } from "@rmr/core"
import type { SeededRandom } from "./seeded-random.js"
import type { InRequest } from "./sim-transport-messages.js"
import { changed } from "./sim-transport-messages.js"
import type { SimSession } from "./sim-transport-session.js"

export interface ReceiverEvents {
  /** The request can be delivered. */
  readonly onReady: (request: InRequest) => void
  /** Runs this in a turn of its own. */
  readonly later: (run: () => void) => void
}

export class Receiver {
  private readonly memory: Memory
  private readonly random: SeededRandom
  private readonly events: ReceiverEvents
  private readonly waitingByLane: InRequest[][] = Array.from({ length: LANE_COUNT }, () => [])
  private isAsking = false

  constructor(memory: Memory, random: SeededRandom, events: ReceiverEvents) {
    this.memory = memory
    this.random = random
    this.events = events
  }

  admit(request: InRequest): void {
    const waiting = this.waitingByLane[request.lane]!
    if (needsMemory(request) && (waiting.length > 0 || !this.fill(request))) {
      waiting.push(request)
      this.ask()
      return
    }
    if (!needsMemory(request)) this.hand(request)
  }

  /** The session is down: what waits for it will not be delivered. */
  forget(session: SimSession): void {
    for (const [lane, waiting] of this.waitingByLane.entries()) {
      this.waitingByLane[lane] = waiting.filter((request) => request.session !== session)
    }
  }

  private ask(): void {
    if (this.isAsking) return
    this.isAsking = true
    this.memory.whenFree(() => this.events.later(() => this.retry()))
  }

  private retry(): void {
    this.isAsking = false
    for (let lane = LANE_COUNT - 1; lane >= 0; lane--) {
      const waiting = this.waitingByLane[lane]!
      while (waiting.length > 0 && this.fill(waiting[0]!)) waiting.shift()
    }
    if (this.waitingByLane.some((waiting) => waiting.length > 0)) this.ask()
  }

  /** Takes the payload into a lease and hands the request over; false when there is no room. */
  private fill(request: InRequest): boolean {
    const { memory } = this
    const lease = memory.lease(request.payloadBytes)
    if (lease === NO_LEASE) return false
    request.lease = lease
    leaseBytes(memory, lease, 0, request.payloadBytes).set(request.source.read())
    this.hand(request)
    return true
  }

  private hand(request: InRequest): void {
    this.events.onReady(request.isCorrupt ? this.corrupt(request) : request)
  }

  /** Nothing here checks payloads, so a changed byte arrives: in the header, or in the payload. */
  private corrupt(request: InRequest): InRequest {
    const { lease, payloadBytes, header } = request
    if (lease === NO_LEASE || this.random.chance(0.5)) {
      return { ...request, header: changed(header, this.random) }
    }
    const payload = leaseBytes(this.memory, lease, 0, payloadBytes)
    payload.set(changed(payload, this.random))
    return request
  }
}

function needsMemory(request: InRequest): boolean {
  return request.direction === PAYLOAD_OUT && request.payloadBytes > 0
}
