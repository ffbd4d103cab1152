/**
 * A guest: a connection that somebody made to a listener, until a session has come of it.
 *
 * A guest gets time until a deadline, no payload memory, and a short text; whatever else it sends
 * ends it, and nothing but it (T19). The guest that said HELLO stands for the session that
 * is opening: it holds the key, and the connections that join come to it. All of them are guests
 * until the last has come; then the session is up on this side before the other side hears of it.
 */
import type { Greeting, RmrError as RmrErrorType, Timer } from "@rmr/core"
import { KEY_BYTES, NO_LEASE, negotiate, RmrError, readGreeting, termsOf } from "@rmr/core"
import type { FrameConnection } from "@rmr/io"
import type { TcpEndpoint } from "./endpoint.js"
import {
  frameOf,
  HEAD_BYTES,
  KIND_HELLO,
  KIND_JOIN,
  KIND_READY,
  KIND_WELCOME,
  kindOf,
} from "./framing.js"
import { CHANNEL_LINK, greetingFrame, readJoin, refuseFrame } from "./greeting.js"
import { Line, type LineEvents } from "./line.js"
import type { TcpListener } from "./listener.js"
import type { Opening } from "./opening.js"
import { receiveLimits } from "./terms.js"

export class Guest implements LineEvents {
  readonly line: Line
  /** Those that joined this one. */
  readonly joined: Guest[] = []
  /** The session that it has asked for. */
  opening: Opening | undefined
  private readonly endpoint: TcpEndpoint
  private readonly listener: TcpListener
  private readonly timer: Timer
  /** The guest that it joined. */
  private first: Guest | undefined
  private key = ""
  private isRefused = false
  private isOver = false

  constructor(endpoint: TcpEndpoint, listener: TcpListener, connection: FrameConnection) {
    this.endpoint = endpoint
    this.listener = listener
    this.line = new Line(CHANNEL_LINK, this)
    this.line.connection = connection
    endpoint.adopt(this.line)
    this.timer = endpoint.clock.schedule(endpoint.traits.handshakeMsMax, () => this.end())
  }

  onConnected(): void {
    // It was accepted: there was never a time when it was not connected.
  }

  onEnded(): void {
    this.end()
  }

  onFrame(_: Line, view: DataView, at: number, textBytes: number): void {
    const isFresh = this.opening === undefined && this.first === undefined && !this.isRefused
    const kind = isFresh ? kindOf(view, at) : 0
    const textAt = at + HEAD_BYTES
    const greeting = kind === KIND_HELLO ? readGreeting(view, textAt, textBytes) : undefined
    const join = kind === KIND_JOIN ? readJoin(view, textAt, textBytes) : undefined
    const first = join && this.endpoint.guestsByKey.get(hexOf(join.key))
    if (greeting !== undefined) this.welcome(greeting)
    else if (join !== undefined && first !== undefined) this.join(first, join.channel)
    else this.end()
  }

  /** Hangs up, and all that hangs on it. Idempotent. */
  end(): void {
    if (this.isOver) return
    this.leave()
    this.line.end()
    for (const guest of this.joined) guest.end()
    this.first?.end()
    if (this.opening !== undefined) this.endpoint.dropOpening(this.opening)
  }

  private welcome(theirs: Greeting): void {
    const { endpoint, line } = this
    const key = new Uint8Array(KEY_BYTES)
    endpoint.random.fill(key)
    const ours = endpoint.greeting(this.listener.creditsMax, key)
    const agreement = negotiate(ours.offer, theirs.offer)
    if (agreement instanceof RmrError) {
      this.refuse(agreement)
      return
    }
    const terms = termsOf(theirs, ours)
    const opening = endpoint.open("accepted", theirs.hostName, terms)
    this.opening = opening
    opening.channels.add(CHANNEL_LINK, line.connection)
    line.connection.setLimits(receiveLimits(terms, CHANNEL_LINK, opening.rooms))
    this.key = hexOf(key)
    endpoint.guestsByKey.set(this.key, this)
    const { silenceMs } = terms
    this.say(greetingFrame(KIND_WELCOME, { ...ours, ...terms.limits, silenceMs }))
    this.upWhenWhole()
  }

  /** One more connection of a session that another guest has asked for. */
  private join(first: Guest, channel: number): void {
    const { opening } = first
    if (opening?.channels.missing.includes(channel) !== true) {
      this.end()
      return
    }
    this.first = first
    first.joined.push(this)
    opening.channels.add(channel, this.line.connection)
    this.line.connection.setLimits(receiveLimits(opening.terms, channel, opening.rooms))
    first.upWhenWhole()
  }

  private upWhenWhole(): void {
    const { opening } = this
    if (opening === undefined || opening.channels.missing.length > 0) return
    const { session } = opening
    for (const guest of [this, ...this.joined]) {
      guest.leave()
      guest.line.session = session
    }
    this.endpoint.addUp(opening)
    this.say(frameOf(KIND_READY, new Uint8Array(0)))
  }

  private refuse(error: RmrErrorType): void {
    this.endpoint.log.write("warn", "session.refused", { reason: error.message })
    this.say(refuseFrame(error))
    // It is told before it is hung up on: the deadline ends it, if the other side does not.
    this.isRefused = true
  }

  private say(frame: DataView): void {
    this.line.connection.send(frame, 0, frame.byteLength, NO_LEASE, 0, 0)
  }

  /** It is no guest any more. */
  private leave(): void {
    this.isOver = true
    this.timer.cancel()
    this.listener.guests.delete(this)
    if (this.key !== "") this.endpoint.guestsByKey.delete(this.key)
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}
