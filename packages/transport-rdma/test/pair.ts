/**
 * A client and a server on one device, for programs that run in guests of the lab (e2e/lab).
 *
 * The server answers at once, or never; both share one memory.
 */
import type { Endpoint, EndpointEvents, Lease, Session } from "@rmr/core"
import {
  buddyMemory,
  LANE_IO,
  leaseBytes,
  NO_LEASE,
  PAYLOAD_BACK,
  PAYLOAD_OUT,
  REQUEST_DIRECTION,
  REQUEST_LEASE,
  REQUEST_PAYLOAD_BYTES,
  REQUEST_STRIDE,
  REQUEST_TICKET,
} from "@rmr/core"
import { realEnv } from "@rmr/io"
import { rdma } from "../src/index.js"

export const DIAL = { deadlineMs: 20_000, credits: [4, 2, 1] } as const
const HEADER_BYTES = 8

export class Pair {
  readonly ends: Endpoint[] = []
  readonly memory = buddyMemory({ arenas: [4 * 1024 * 1024], leaseCountMax: 64 })
  /** The server's end of the session. */
  accepted: Session | undefined
  private answered: () => void = () => undefined
  private readonly isAnswering: boolean

  constructor(isAnswering: boolean) {
    this.isAnswering = isAnswering
  }

  open(): Endpoint {
    const events: EndpointEvents = {
      onSessionUp: (session) => {
        this.accepted = session
      },
      onSessionDown: () => undefined,
      onCompletions: () => this.answered(),
      onRequests: ({ count, words }) => {
        for (let row = 0; row < count; row++) this.onRequest(words, row * REQUEST_STRIDE)
      },
    }
    const { memory } = this
    const end = rdma().open({ env: realEnv(), memory, events, hostName: `end-${this.ends.length}` })
    this.ends.push(end)
    return end
  }

  async connect(host: string): Promise<Session> {
    const listener = await this.open().listen(`rdma://${host}:0`, { creditsMax: DIAL.credits })
    return this.open().dial(listener.address, DIAL)
  }

  /** Fulfilled when it was answered. */
  write(session: Session, bytes: number): Promise<void> {
    const lease = this.filled(bytes)
    session.submit(session.reserve(LANE_IO), HEADER_BYTES, 1, PAYLOAD_OUT, lease, 0, bytes)
    return this.answerTo(lease)
  }

  /** Fulfilled when it was answered. */
  read(session: Session, bytes: number): Promise<void> {
    const lease = this.memory.lease(bytes)
    session.submit(session.reserve(LANE_IO), HEADER_BYTES, 2, PAYLOAD_BACK, lease, 0, bytes)
    return this.answerTo(lease)
  }

  async close(): Promise<void> {
    await Promise.all(this.ends.map((end) => end.close()))
    this.memory.assertNoLeases()
  }

  private onRequest(words: Int32Array, at: number): void {
    const lease = words[at + REQUEST_LEASE]! as Lease
    if (lease !== NO_LEASE) this.memory.release(lease)
    if (!this.isAnswering) return
    const isRead = words[at + REQUEST_DIRECTION] === PAYLOAD_BACK
    this.answer(words[at + REQUEST_TICKET]!, isRead ? words[at + REQUEST_PAYLOAD_BYTES]! : 0)
  }

  private answer(ticket: number, bytes: number): void {
    const slot = this.accepted?.reserveReply(ticket) ?? -1
    if (slot < 0) return
    const lease = bytes === 0 ? NO_LEASE : this.filled(bytes)
    this.accepted?.reply(slot, HEADER_BYTES, ticket, lease, 0, bytes)
    if (lease !== NO_LEASE) this.memory.release(lease)
  }

  private filled(bytes: number): Lease {
    const lease = this.memory.lease(bytes)
    leaseBytes(this.memory, lease, 0, bytes).fill(bytes & 0xff)
    return lease
  }

  private answerTo(lease: Lease): Promise<void> {
    this.memory.release(lease)
    return new Promise((resolve) => {
      this.answered = resolve
    })
  }
}
