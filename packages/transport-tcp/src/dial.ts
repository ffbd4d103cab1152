/**
 * A dial: from the first connection to a session, or to one reason why there is none.
 *
 * | step | waits for | then |
 * |---|---|---|
 * | 1 | the first connection | says HELLO |
 * | 2 | WELCOME | makes the session, and the other connections to where the first one led |
 * | 3 | each connection | says JOIN |
 * | 4 | READY | the session is up |
 *
 * At every step it can be given up, run out of time, or be refused; each ends all of its
 * connections.
 */
import type { DialOptions, Greeting, RmrError as RmrErrorType, Session, Timer } from "@rmr/core"
import {
  areWithin,
  type ErrorCode,
  KEY_BYTES,
  NO_LEASE,
  negotiate,
  RmrError,
  readGreeting,
  readRefusal,
  termsOf,
} from "@rmr/core"
import type { SocketAddress } from "@rmr/io"
import type { TcpEndpoint } from "./endpoint.js"
import {
  HEAD_BYTES,
  KIND_BEAT,
  KIND_HELLO,
  KIND_READY,
  KIND_REFUSE,
  KIND_WELCOME,
  kindOf,
} from "./framing.js"
import { CHANNEL_LINK, greetingFrame, joinFrame } from "./greeting.js"
import { Line, type LineEvents } from "./line.js"
import type { Opening } from "./opening.js"
import { receiveLimits, STRANGER_LIMITS } from "./terms.js"

export class Dial implements LineEvents {
  readonly promise: Promise<Session>
  private readonly endpoint: TcpEndpoint
  private readonly options: DialOptions
  private readonly address: string
  private readonly ours: Greeting
  private readonly lines: Line[] = []
  private readonly timer: Timer
  private opening: Opening | undefined
  private key: Uint8Array = new Uint8Array(0)
  private isOver = false
  private resolve!: (session: Session) => void
  private reject!: (error: RmrErrorType) => void

  constructor(endpoint: TcpEndpoint, address: string, options: DialOptions) {
    this.endpoint = endpoint
    this.address = address
    this.options = options
    this.ours = endpoint.greeting(options.credits, new Uint8Array(KEY_BYTES))
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.timer = endpoint.clock.schedule(options.deadlineMs, () =>
      this.fail("unreachable", `no session within ${options.deadlineMs} ms`),
    )
    options.signal?.addEventListener("abort", this.giveUp)
  }

  start(to: SocketAddress): void {
    this.connect(to, CHANNEL_LINK, STRANGER_LIMITS)
  }

  /** Ends it without a session. Idempotent, also once it is through. */
  fail(code: ErrorCode, detail: string, cause?: RmrErrorType): void {
    if (this.isOver) return
    this.settle()
    for (const line of this.lines) line.end()
    if (this.opening !== undefined) this.endpoint.dropOpening(this.opening)
    this.reject(new RmrError(code, `${this.address}: ${detail}`, { cause }))
  }

  onConnected(line: Line): void {
    const frame =
      line.channel === CHANNEL_LINK
        ? greetingFrame(KIND_HELLO, this.ours, this.options.shard)
        : joinFrame(this.key, line.channel, this.options.shard)
    line.connection.send(frame, 0, frame.byteLength, NO_LEASE, 0, 0)
  }

  onEnded(_: Line, cause: RmrErrorType): void {
    if (cause.code === "bad-message") this.failForeign(cause)
    else this.fail("unreachable", cause.detail, cause)
  }

  onFrame(line: Line, view: DataView, at: number, textBytes: number): void {
    const kind = kindOf(view, at)
    if (kind === KIND_BEAT) return
    const textAt = at + HEAD_BYTES
    const isLink = line.channel === CHANNEL_LINK
    const isFirst = isLink && this.opening === undefined
    const refusal =
      isFirst && kind === KIND_REFUSE ? readRefusal(view, textAt, textBytes) : undefined
    if (refusal !== undefined) this.fail("unsupported", refusal.message, refusal)
    else if (isFirst && kind === KIND_WELCOME) {
      this.open(line, readGreeting(view, textAt, textBytes))
    } else if (isLink && this.opening !== undefined && kind === KIND_READY) this.up(this.opening)
    else this.failForeign()
  }

  private readonly giveUp = (): void => this.fail("closed", "the dial was given up")

  private connect(to: SocketAddress, channel: number, limits: typeof STRANGER_LIMITS): void {
    const line = new Line(channel, this)
    line.connection = this.endpoint.engine.connect(to, limits, line)
    this.lines.push(line)
    this.endpoint.adopt(line)
    this.opening?.channels.add(channel, line.connection)
  }

  /** The listener has said what the session is: the other connections go to the same place. */
  private open(link: Line, theirs: Greeting | undefined): void {
    const to = link.connection.peer
    if (theirs === undefined || !areWithin(theirs, this.ours) || to === undefined) {
      this.failForeign()
      return
    }
    const agreement = negotiate(this.ours.offer, theirs.offer)
    if (agreement instanceof RmrError) {
      this.fail("unsupported", agreement.message, agreement)
      return
    }
    const terms = termsOf(theirs, this.ours)
    const opening = this.endpoint.open("dialed", theirs.hostName, terms)
    this.opening = opening
    this.key = theirs.key
    const { channels, rooms } = opening
    channels.add(CHANNEL_LINK, link.connection)
    link.connection.setLimits(receiveLimits(terms, CHANNEL_LINK, rooms))
    for (const channel of channels.missing) {
      this.connect(to, channel, receiveLimits(terms, channel, rooms))
    }
  }

  private up(opening: Opening): void {
    this.settle()
    for (const line of this.lines) line.session = opening.session
    this.endpoint.watch(opening)
    this.resolve(opening.session)
  }

  private settle(): void {
    this.isOver = true
    this.timer.cancel()
    this.options.signal?.removeEventListener("abort", this.giveUp)
    this.endpoint.forgetDial(this)
  }

  private failForeign(cause?: RmrErrorType): void {
    this.fail("unsupported", "whoever answers there does not speak this protocol", cause)
  }
}
