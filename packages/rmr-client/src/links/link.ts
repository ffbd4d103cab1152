/**
 * Link: the way to one storage node, shared by pools of this process that have a member there: all
 * that are of one shard.
 *
 * It dials, greets (HELLO), carries commands as promises with a deadline, and says when it is down.
 * IO does not pass through it: a leg takes the session and submits on it, and completions find
 * their way back by the token (link-registry.ts). A link that went down is dialed again only when
 * somebody asks; what to think of it meanwhile is the pool's business.
 */
import type {
  Agreement,
  Command,
  CommandKind,
  CommandOf,
  Env,
  LaneCredits,
  Lease,
  Memory,
  ReplyOf,
  Session,
  SpareLease,
} from "@rmr/core"
import {
  commandPayloadBytes,
  decodeReply,
  encodeCommand,
  LANE_CONTROL,
  LANE_SYNC,
  type Lane,
  leaseBytes,
  NO_LEASE,
  NO_SLOT,
  negotiate,
  type Offer,
  PAYLOAD_BACK,
  PAYLOAD_OUT,
  POOL_METADATA_BYTES_MAX,
  Refused,
  RmrError,
  STATUS_OK,
  specOf,
  ZERO_UUID,
} from "@rmr/core"

export interface LinkParts {
  readonly env: Env
  readonly memory: Memory
  /** For commands, shared by the links to this address. */
  readonly spare: SpareLease
  readonly offer: Offer
  readonly credits: LaneCredits
  dial(address: string, deadlineMs: number, credits: LaneCredits): Promise<Session>
  /** A token for a command, and who gets its completion. */
  takeToken(onDone: CommandDone): number
}

/** Runs inside a delivery: header bytes are valid only during the call. */
export type CommandDone = (
  status: number,
  headers: DataView,
  headerAt: number,
  headerBytes: number,
  payloadBytes: number,
) => void

export interface AskOptions {
  /**
   * For the answer's payload; default all that the command may answer, up to this process's room.
   */
  readonly roomBytes?: number
  readonly deadlineMs: number
}

interface Waiting {
  readonly lane: Lane
  /** Its deadline is over, and nobody waits for its answer: it is not sent any more. */
  isOver: boolean
  send(): boolean
}

export class Link {
  readonly address: string
  private readonly parts: LinkParts
  private sessionNow: Session | undefined
  private agreementNow: Agreement | undefined
  private dialing: Promise<void> | undefined
  private waiting: Waiting[] = []
  private readonly listeners = new Set<(cause: RmrError) => void>()
  private isClosed = false

  constructor(address: string, parts: LinkParts) {
    this.address = address
    this.parts = parts
  }

  /** The session, while it is up and greeted. */
  get session(): Session | undefined {
    return this.agreementNow === undefined ? undefined : this.sessionNow
  }

  get isUp(): boolean {
    return this.session !== undefined
  }

  /** Runs at every loss of the session. The result ends it. */
  onDown(run: (cause: RmrError) => void): () => void {
    this.listeners.add(run)
    return () => this.listeners.delete(run)
  }

  /** Up when fulfilled. Fails with `unreachable`, `bad-version`, `unsupported` or `closed`. */
  connect(deadlineMs: number): Promise<void> {
    if (this.isUp) return Promise.resolve()
    this.dialing ??= this.dialAndGreet(deadlineMs).finally(() => {
      this.dialing = undefined
    })
    return this.dialing
  }

  /**
   * Asks and awaits the answer. Fails with `link-lost`, `closed`, `deadline`, `bad-message`, or
   * with what the other side refuses.
   */
  async ask<K extends CommandKind>(
    command: CommandOf<K>,
    options: AskOptions,
  ): Promise<ReplyOf<K> & { readonly outcome: "ok" }> {
    const reply = await this.exchange(command, options)
    if (reply.outcome === "ok") return reply as ReplyOf<K> & { readonly outcome: "ok" }
    throw new RmrError(reply.outcome, (reply as { readonly detail: string }).detail)
  }

  /** The same, with a refusal as an answer. */
  exchange<K extends CommandKind>(
    command: CommandOf<K>,
    { deadlineMs, roomBytes }: AskOptions,
  ): Promise<ReplyOf<K>> {
    const session = this.sessionNow
    if (session === undefined || !session.isUp) {
      return Promise.reject(new RmrError("link-lost", `no session with ${this.address}`))
    }
    return new Promise<ReplyOf<K>>((resolve, reject) => {
      const timer = this.parts.env.clock.schedule(deadlineMs, () => {
        request.isOver = true
        const words = `${this.address} has not answered ${command.kind} for ${deadlineMs} ms`
        reject(new RmrError("deadline", words))
      })
      const settle = (outcome: ReplyOf<K> | RmrError): void => {
        timer.cancel()
        if (outcome instanceof RmrError) reject(outcome)
        else resolve(outcome)
      }
      const { lane } = specOf(command.kind)
      const request: Waiting = {
        lane: lane === "sync" ? LANE_SYNC : LANE_CONTROL,
        isOver: false,
        send: () => request.isOver || this.send(session, request.lane, command, roomBytes, settle),
      }
      if (!request.send()) this.waiting.push(request)
    })
  }

  /** A command has ended, or memory is free: whoever waits for a credit or for memory goes on. */
  private readonly sendWaiting = (): void => {
    const { waiting } = this
    this.waiting = []
    for (const request of waiting) if (!request.send()) this.waiting.push(request)
  }

  /** False where it has to wait for a credit or for memory. */
  private send<K extends CommandKind>(
    session: Session,
    lane: Lane,
    command: CommandOf<K>,
    roomBytes: number | undefined,
    settle: (outcome: ReplyOf<K> | RmrError) => void,
  ): boolean {
    if (!session.isUp) {
      settle(new RmrError("link-lost", `the session with ${this.address} is down`))
      return true
    }
    const { memory, spare } = this.parts
    const out = commandPayloadBytes(command)
    const most = Math.min(
      specOf(command.kind).resultPayload.bytesMax,
      session.limits.payloadBytesMax,
    )
    const room = out > 0 ? 0 : Math.min(roomBytes ?? ROOM_BYTES, most)
    const bytes = out > 0 ? out : room
    const lease = bytes === 0 ? NO_LEASE : spare.take(bytes, this.sendWaiting)
    if (bytes > 0 && lease === NO_LEASE) return false
    const slot = session.reserve(lane)
    if (slot === NO_SLOT) {
      spare.give(lease)
      return false
    }
    const payload = out > 0 ? leaseBytes(memory, lease, 0, out) : new Uint8Array(0)
    const headerBytes = encodeCommand(session.slots, slot, command, payload)
    const token = this.parts.takeToken((status, headers, at, length, payloadBytes) => {
      settle(this.read(command, lease, status, headers, at, length, payloadBytes))
      spare.give(lease)
      this.sendWaiting()
    })
    const direction = out > 0 ? PAYLOAD_OUT : PAYLOAD_BACK
    session.submit(slot, headerBytes, token, direction, lease, 0, bytes)
    return true
  }

  private read<K extends CommandKind>(
    command: CommandOf<K>,
    lease: Lease,
    status: number,
    headers: DataView,
    at: number,
    length: number,
    payloadBytes: number,
  ): ReplyOf<K> | RmrError {
    if (status !== STATUS_OK) {
      return RmrError.ofStatus(status, `the session with ${this.address} ended`)
    }
    const { memory } = this.parts
    // What an answer refers to may look into its payload, and the lease goes back now.
    const payload =
      payloadBytes === 0 || commandPayloadBytes(command) > 0
        ? new Uint8Array(0)
        : leaseBytes(memory, lease, 0, payloadBytes).slice()
    const reply = decodeReply(command.kind, headers, at, length, payload)
    if (reply instanceof Refused) return this.readRefusal(headers, at, length, reply)
    return reply as ReplyOf<K>
  }

  /** What a node cannot even read it refuses as if it were a query. */
  private readRefusal(headers: DataView, at: number, length: number, why: Refused): RmrError {
    const other = decodeReply("query", headers, at, length)
    if (!(other instanceof Refused) && other.outcome !== "ok") {
      return new RmrError(other.outcome, `${this.address}: ${other.detail}`)
    }
    return new RmrError("bad-message", `${this.address} answers nonsense: ${why.toError().detail}`)
  }

  /** The registry heard that this session went down. */
  noteDown(session: Session, cause: RmrError): void {
    if (this.sessionNow !== session) return
    this.sessionNow = undefined
    this.agreementNow = undefined
    const { waiting } = this
    this.waiting = []
    for (const request of waiting) request.send()
    for (const run of [...this.listeners]) run(cause)
  }

  owns(session: Session): boolean {
    return this.sessionNow === session
  }

  /**
   * Ends the session, and with it everything that is under way on it; whoever asks dials anew. All
   * pools that share it lose it for a moment.
   */
  async dropSession(): Promise<void> {
    await this.sessionNow?.close()
  }

  async close(): Promise<void> {
    this.isClosed = true
    await this.sessionNow?.close()
  }

  private async dialAndGreet(deadlineMs: number): Promise<void> {
    const { env, memory, spare, offer, credits, dial } = this.parts
    const startMs = env.clock.nowMs()
    const session = await dial(this.address, deadlineMs, credits)
    if (this.isClosed) {
      await session.close()
      throw new RmrError("closed", "the link was closed meanwhile")
    }
    if (!spare.keep(spareBytesOf(memory))) {
      await session.close()
      throw new RmrError("out-of-memory", "no payload memory for the commands of one more session")
    }
    this.sessionNow = session
    const leftMs = Math.max(1, deadlineMs - (env.clock.nowMs() - startMs))
    try {
      const hello = await this.ask(HELLO_OF(offer), { deadlineMs: leftMs })
      const agreement = negotiate(offer, hello.result)
      if (agreement instanceof RmrError) throw agreement
      this.agreementNow = agreement
    } catch (thrown) {
      await session.close()
      throw RmrError.from(thrown)
    }
  }
}

/** Enough for a view record of a common pool; whoever needs more says so. */
const ROOM_BYTES = 64 * 1024

function HELLO_OF(offer: Offer): Command & CommandOf<"hello"> {
  return {
    kind: "hello",
    groupId: 0,
    mapVersion: { lineage: ZERO_UUID, epoch: 0, version: 0 },
    sessionGeneration: 0,
    senderMemberId: 0,
    body: offer,
    payload: undefined,
  }
}

/** Of small memories the spare leases must not be the largest part. */
const SPARE_SHARE_MAX = 1 / 32

/** A spare lease has room for a record, which writes may wait for. */
function spareBytesOf(memory: Memory): number {
  const share = Math.floor(memory.stats().arenaBytes * SPARE_SHARE_MAX)
  return Math.max(1, Math.min(POOL_METADATA_BYTES_MAX, share, memory.leaseBytesMax))
}
