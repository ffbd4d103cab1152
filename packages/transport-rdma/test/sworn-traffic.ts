/**
 * Requests of many sizes both ways between two endpoints of one process, each of which is sworn:
 * what arrives is what was sent, no request is delivered twice, and each one completes once.
 *
 * Whatever is not so is a complaint; whoever uses it looks at them in the end.
 */
import type { Batch, Endpoint, EndpointEvents, Lease, Memory, Session } from "@rmr/core"
import {
  buddyMemory,
  COMPLETION_HEADER_AT,
  COMPLETION_PAYLOAD_BYTES,
  COMPLETION_STATUS,
  COMPLETION_STRIDE,
  COMPLETION_TOKEN,
  LANE_IO,
  leaseBytes,
  NO_LEASE,
  NO_SLOT,
  PAYLOAD_BACK,
  PAYLOAD_OUT,
  REQUEST_DIRECTION,
  REQUEST_HEADER_AT,
  REQUEST_LEASE,
  REQUEST_PAYLOAD_BYTES,
  REQUEST_STRIDE,
  REQUEST_TICKET,
} from "@rmr/core"
import { realEnv } from "@rmr/io"
import { type RdmaOptions, rdma } from "../src/index.js"
import type { RdmaSession } from "../src/session.js"

const CREDITS = [32, 2, 1] as const
const SIZES: readonly number[] = [0, 512, 4096, 4608, 65_536, 70_000, 131_072]
const HEADER_BYTES = 8
const ARENA_BYTES = 16 * 1024 * 1024
const DEADLINE_MS = 10_000

interface Asked {
  readonly lease: Lease
  readonly bytes: number
  readonly direction: number
}

export class SwornTraffic {
  readonly complaints: string[] = []
  session: RdmaSession | undefined
  accepted: RdmaSession | undefined
  /** Requests that are to be made; each completion makes room for one more. */
  wanted = 0
  completedCount = 0
  /** How many completed with a status: of sessions that went down. */
  brokenCount = 0
  downCount = 0
  onIdle: () => void = () => undefined
  private readonly memory: Memory & { assertNoLeases(): void }
  private readonly client: Endpoint
  private readonly server: Endpoint
  private readonly asked = new Map<number, Asked>()
  private readonly delivered = new Set<number>()
  private serial = 0

  constructor(options: RdmaOptions) {
    this.memory = buddyMemory({ arenas: [ARENA_BYTES], leaseCountMax: 1024 })
    this.client = this.open("client", options, {
      onSessionUp: () => this.complaints.push("somebody called the client"),
      onSessionDown: () => this.onDown(),
      onRequests: () => this.complaints.push("a request to the client"),
      onCompletions: (batch) => this.onCompletions(batch),
    })
    this.server = this.open("server", options, {
      onSessionUp: (session) => {
        this.accepted = session as RdmaSession
      },
      onSessionDown: () => undefined,
      onRequests: (batch) => this.onRequests(batch),
      onCompletions: () => this.complaints.push("a completion at the server"),
    })
  }

  get inFlight(): number {
    return this.asked.size
  }

  /** By a path for each of the hosts. */
  async connect(hosts: readonly string[]): Promise<void> {
    const at = hosts.length === 1 ? hosts[0] : "0.0.0.0"
    const { address } = await this.server.listen(`rdma://${at}:0`, { creditsMax: CREDITS })
    const port = address.split(":").at(-1)
    this.dialAddress = `rdma://${hosts.map((host) => `${host}:${port}`).join()}`
    await this.dial()
  }

  async dial(): Promise<void> {
    const options = { deadlineMs: DEADLINE_MS, credits: CREDITS }
    this.session = (await this.client.dial(this.dialAddress, options)) as RdmaSession
  }

  /** As many as there is room for. */
  ask(): void {
    const { session } = this
    while (this.wanted > 0 && session?.isUp === true && this.askOne(session)) this.wanted--
    this.client.flush()
  }

  async close(): Promise<void> {
    await Promise.all([this.client.close(), this.server.close()])
    this.memory.assertNoLeases()
    if (this.asked.size > 0) this.complaints.push(`${this.asked.size} requests never completed`)
  }

  private dialAddress = ""

  private open(hostName: string, options: RdmaOptions, events: EndpointEvents): Endpoint {
    return rdma(options).open({ env: realEnv(), memory: this.memory, events, hostName })
  }

  private askOne(session: Session): boolean {
    const slot = session.reserve(LANE_IO)
    if (slot === NO_SLOT) return false
    const serial = ++this.serial
    const direction = serial % 2 === 0 ? PAYLOAD_OUT : PAYLOAD_BACK
    const bytes = SIZES[serial % SIZES.length]!
    const lease = bytes === 0 ? NO_LEASE : this.memory.lease(bytes)
    if (bytes > 0 && lease === NO_LEASE) {
      session.unreserve(slot)
      return false
    }
    if (direction === PAYLOAD_OUT && bytes > 0) fill(this.memory, lease, bytes, serial)
    session.slots.setUint32(slot, serial)
    session.submit(slot, HEADER_BYTES, serial, direction, lease, 0, bytes)
    this.asked.set(serial, { lease, bytes, direction })
    return true
  }

  private onDown(): void {
    this.downCount++
    if (this.inFlight === 0 && this.wanted === 0) this.onIdle()
  }

  private onCompletions({ count, words, headers }: Batch): void {
    for (let row = 0; row < count * COMPLETION_STRIDE; row += COMPLETION_STRIDE) {
      const serial = words[row + COMPLETION_TOKEN]!
      const asked = this.asked.get(serial)
      if (asked === undefined) {
        this.complaints.push(`request ${serial} completed twice`)
        continue
      }
      this.asked.delete(serial)
      this.completedCount++
      if (words[row + COMPLETION_STATUS] !== 0) this.brokenCount++
      else {
        const header = headers.getUint32(words[row + COMPLETION_HEADER_AT]!)
        if (header !== serial) this.complaints.push(`request ${serial} has the answer of ${header}`)
        this.checkBack(serial, asked, words[row + COMPLETION_PAYLOAD_BYTES]!)
      }
      if (asked.lease !== NO_LEASE) this.memory.release(asked.lease)
    }
    if (this.wanted > 0) this.ask()
    if (this.inFlight === 0 && this.wanted === 0) this.onIdle()
  }

  private checkBack(serial: number, { lease, bytes, direction }: Asked, came: number): void {
    if (direction !== PAYLOAD_BACK) return
    const isRight = came === bytes && (bytes === 0 || isFilled(this.memory, lease, bytes, serial))
    if (!isRight) this.complaints.push(`request ${serial} was answered with other bytes`)
  }

  private onRequests({ count, words, headers }: Batch): void {
    for (let row = 0; row < count * REQUEST_STRIDE; row += REQUEST_STRIDE) {
      const serial = headers.getUint32(words[row + REQUEST_HEADER_AT]!)
      if (this.delivered.has(serial)) this.complaints.push(`request ${serial} came twice`)
      this.delivered.add(serial)
      const lease = words[row + REQUEST_LEASE]! as Lease
      const bytes = words[row + REQUEST_PAYLOAD_BYTES]!
      if (lease !== NO_LEASE) {
        const isRight = isFilled(this.memory, lease, bytes, serial)
        if (!isRight) this.complaints.push(`request ${serial} came with other bytes`)
        this.memory.release(lease)
      }
      const back = words[row + REQUEST_DIRECTION] === PAYLOAD_BACK ? bytes : 0
      const ticket = words[row + REQUEST_TICKET]!
      // Some are answered later, when their path may be another one.
      if (serial % 5 === 0) setTimeout(() => this.answer(ticket, serial, back), serial % 30)
      else this.answer(ticket, serial, back)
    }
    this.server.flush()
  }

  private answer(ticket: number, serial: number, bytes: number): void {
    const session = this.accepted
    if (session?.isUp !== true) return
    const lease = bytes === 0 ? NO_LEASE : this.memory.lease(bytes)
    if (bytes > 0 && lease === NO_LEASE) {
      this.memory.whenFree(() => this.answer(ticket, serial, bytes))
      return
    }
    if (bytes > 0) fill(this.memory, lease, bytes, serial)
    const slot = session.reserveReply(ticket)
    session.slots.setUint32(slot, serial)
    session.reply(slot, HEADER_BYTES, ticket, lease, 0, bytes)
    if (bytes > 0) this.memory.release(lease)
  }
}

/** No two serials have a byte in common at any place nearby. */
function fill(memory: Memory, lease: Lease, bytes: number, serial: number): void {
  const words = wordsOf(memory, lease, bytes)
  words.fill(serial)
  words[words.length - 1] = ~serial
}

function isFilled(memory: Memory, lease: Lease, bytes: number, serial: number): boolean {
  const words = wordsOf(memory, lease, bytes)
  if (words[words.length - 1] !== ~serial) return false
  for (let nth = 0; nth < words.length - 1; nth++) if (words[nth] !== serial) return false
  return true
}

function wordsOf(memory: Memory, lease: Lease, bytes: number): Int32Array {
  const view = leaseBytes(memory, lease, 0, bytes)
  return new Int32Array(view.buffer, view.byteOffset, bytes >> 2)
}
