/**
 * One process's end of the simulated transport: its sessions, its turns, its signs of life.
 *
 * What arrives lies in the inbox until the process looks; it looks a little later, in a turn of its
 * own, and finds everything that came meanwhile. What was submitted leaves at the end of a turn, in
 * any order. Signs of life are not sent as messages: every end looks at each beat when the other
 * process last beat, and whether that could have got through. So a process that is paused falls
 * silent by itself.
 */
import type {
  Clock,
  DialOptions,
  Endpoint,
  EndpointEvents,
  EndpointOptions,
  LaneCredits,
  Listener,
  ListenOptions,
  Memory,
  RmrError,
  Session,
  SessionId,
  SessionLimits,
  Timer,
} from "@rmr/core"
import { assert, HOST_NAME_BYTES_MAX } from "@rmr/core"
import type { Host } from "./host.js"
import type { SeededRandom } from "./seeded-random.js"
import type { SimNetwork } from "./sim-network.js"
import { parseSimAddress } from "./sim-transport-address.js"
import { Connection } from "./sim-transport-connection.js"
import type { Welcome } from "./sim-transport-dial.js"
import { DialAttempt } from "./sim-transport-dial.js"
import { deliver, Inbox, shuffled } from "./sim-transport-inbox.js"
import { closedError, SimListener } from "./sim-transport-listener.js"
import type { Completion, InRequest } from "./sim-transport-messages.js"
import { Receiver } from "./sim-transport-receiver.js"
import { SimSession } from "./sim-transport-session.js"

/** What a simulated transport is made with; every field is settled. */
export interface SimTraits {
  readonly network: SimNetwork
  readonly host: Host
  readonly headerBytesMax: number
  readonly payloadBytesMax: number
  readonly creditsMax: LaneCredits
  readonly silenceMsMax: number
  readonly payloadChecked: boolean
  readonly turnMsMax: number
}

/** Beats in the time after which a peer counts as silent. */
const BEATS_PER_SILENCE = 16

interface Outgoing {
  readonly session: SimSession
  readonly send: () => void
}

export class SimEndpoint implements Endpoint {
  readonly traits: SimTraits
  readonly network: SimNetwork
  readonly clock: Clock
  readonly memory: Memory
  readonly random: SeededRandom
  /** Its last sign of life, by the world's clock. */
  beatMs: number
  private readonly events: EndpointEvents
  private readonly hostName: string
  private readonly receiver: Receiver
  private readonly sessions = new Set<SimSession>()
  private readonly sessionIds = new Set<number>()
  private readonly attempts = new Set<DialAttempt>()
  private readonly listeners = new Set<SimListener>()
  private inbox = new Inbox()
  private outbox: Outgoing[] = []
  private bell: Timer | undefined
  private beat: Timer | undefined
  private closing: Promise<void> | undefined
  private isGone = false

  constructor(traits: SimTraits, options: EndpointOptions, random: SeededRandom) {
    const nameBytes = options.hostName.length
    assert(nameBytes >= 1 && nameBytes <= HOST_NAME_BYTES_MAX, "a host name of 1…255 bytes")
    this.traits = traits
    this.network = traits.network
    this.clock = options.env.clock
    this.memory = options.memory
    this.events = options.events
    this.hostName = options.hostName
    this.random = random
    this.beatMs = this.worldNowMs
    this.receiver = new Receiver(this.memory, random, {
      onReady: (request) => {
        this.inbox.requests.push(request)
        this.ring()
      },
      later: (run) => void this.clock.schedule(0, run),
    })
    this.network.attach(this.placeName)
    traits.host.onDeath(() => this.die())
  }

  /** Where it is in the network. */
  get placeName(): string {
    return this.traits.host.name
  }

  get worldNowMs(): number {
    return this.network.world.nowMs
  }

  get isChecked(): boolean {
    return this.traits.payloadChecked
  }

  async dial(address: string, options: DialOptions): Promise<Session> {
    const to = parseSimAddress(address)
    if (this.closing !== undefined) throw closedError("the endpoint")
    const attempt = new DialAttempt(this, address, options)
    if (!attempt.isOver) this.attempts.add(attempt)
    attempt.call(to)
    return attempt.promise
  }

  async listen(address: string, options: ListenOptions): Promise<Listener> {
    const at = parseSimAddress(address)
    if (this.closing !== undefined) throw closedError("the endpoint")
    const listener = new SimListener(this, at, options)
    this.listeners.add(listener)
    return listener
  }

  flush(): void {
    const outbox = this.outbox
    this.outbox = []
    for (const { session, send } of shuffled(outbox, this.random)) {
      // What a session submitted just before its end may have left already, or not. Of an end that
      // was delivered the slots are free: a process that was stopped comes to this too late.
      if (session.isUp || (!session.isOver && this.random.chance(0.5))) send()
    }
  }

  close(): Promise<void> {
    this.closing ??= this.closeAll()
    return this.closing
  }

  /** Somebody dialed one of the listeners: both sides get an end. */
  accept(attempt: DialAttempt, options: ListenOptions): void {
    const connection = new Connection(this.network, attempt, this.random)
    const caller = attempt.endpoint
    const limits = this.limitsFor(caller, attempt.credits, options.creditsMax)
    const accepted = this.addSession("accepted", connection, caller.hostName, limits)
    connection.accepted = accepted
    this.inbox.ups.push(accepted)
    this.ring()
    const welcome: Welcome = { connection, accepted, peerName: this.hostName }
    this.network.send(this.placeName, caller.placeName, 0, () => attempt.welcome(welcome))
  }

  addDialed(welcome: Welcome): SimSession {
    const { connection, accepted, peerName } = welcome
    const dialed = this.addSession("dialed", connection, peerName, accepted.limits)
    connection.dialed = dialed
    return dialed
  }

  endAttempt(attempt: DialAttempt): void {
    this.attempts.delete(attempt)
  }

  endListener(listener: SimListener): void {
    this.listeners.delete(listener)
  }

  /** Sends at the end of the turn, or at `flush`. */
  post(session: SimSession, send: () => void): void {
    if (this.outbox.length === 0) this.clock.endOfTurn(() => this.flush())
    this.outbox.push({ session, send })
  }

  admit(request: InRequest): void {
    this.receiver.admit(request)
  }

  complete(completion: Completion): void {
    this.inbox.completions.push(completion)
    this.ring()
  }

  reportDown(session: SimSession, cause: RmrError): void {
    this.inbox.downs.push({ session, cause })
    this.ring()
  }

  forgetWaiting(session: SimSession): void {
    this.receiver.forget(session)
  }

  /** The session is down and said so. */
  forget(session: SimSession): void {
    this.sessions.delete(session)
    this.sessionIds.delete(session.id)
    if (this.sessions.size > 0) return
    this.beat?.cancel()
    this.beat = undefined
  }

  private async closeAll(): Promise<void> {
    const detail = "this side closed its endpoint"
    for (const attempt of [...this.attempts]) attempt.fail("closed", detail)
    const ends = [...this.listeners, ...this.sessions].map((open) => open.close())
    await Promise.all(ends)
  }

  /** The life of the host ended. Whether anybody is told is not up to this process. */
  private die(): void {
    this.isGone = true
    const kind = this.network.crashKindOf(this.placeName)
    if (kind === "machine") this.network.detach(this.placeName)
    for (const attempt of this.attempts) attempt.forget()
    for (const listener of this.listeners) listener.forget()
    for (const session of this.sessions) session.die(kind === "process")
  }

  private limitsFor(caller: SimEndpoint, asked: LaneCredits, allowed: LaneCredits): SessionLimits {
    const mine = this.traits
    const theirs = caller.traits
    const creditsOf = (lane: 0 | 1 | 2): number =>
      Math.min(asked[lane], allowed[lane], mine.creditsMax[lane], theirs.creditsMax[lane])
    return Object.freeze({
      credits: Object.freeze([creditsOf(0), creditsOf(1), creditsOf(2)] as const),
      headerBytesMax: Math.min(mine.headerBytesMax, theirs.headerBytesMax),
      payloadBytesMax: Math.min(
        mine.payloadBytesMax,
        theirs.payloadBytesMax,
        this.memory.leaseBytesMax,
      ),
    })
  }

  private addSession(
    side: "dialed" | "accepted",
    connection: Connection,
    peerName: string,
    limits: SessionLimits,
  ): SimSession {
    this.beatMs = this.worldNowMs
    let id = 0
    while (this.sessionIds.has(id)) id++
    this.sessionIds.add(id)
    const random = this.random
    const parts = {
      endpoint: this,
      connection,
      id: id as SessionId,
      side,
      peerName,
      limits,
      random,
    }
    const session = new SimSession(parts)
    this.sessions.add(session)
    this.beat ??= this.scheduleBeat()
    return session
  }

  private scheduleBeat(): Timer {
    const { silenceMsMax } = this.traits
    const everyMs = silenceMsMax / BEATS_PER_SILENCE
    // The next look comes one beat later, and what is heard is up to a beat old.
    const silentMsMax = silenceMsMax - 2 * everyMs
    return this.clock.schedule(everyMs, () => {
      this.beat = this.scheduleBeat()
      this.beatMs = this.worldNowMs
      for (const session of this.sessions) session.lookForLife(this.beatMs, silentMsMax)
    })
  }

  /** Something arrived: the process looks soon. */
  private ring(): void {
    if (this.bell !== undefined || this.isGone) return
    this.bell = this.clock.schedule(this.random.unit() * this.traits.turnMsMax, () => {
      this.bell = undefined
      const inbox = this.inbox
      this.inbox = new Inbox()
      deliver(inbox, this.events, this.random, () => !this.isGone)
    })
  }
}
