/**
 * A dial: from an address to a session, or to one reason why there is none.
 *
 * | step | waits for | then |
 * |---|---|---|
 * | 1 | a route, and with it a device | calls for a link |
 * | 2 | the link | says HELLO |
 * | 3 | WELCOME | makes the session, and calls for a line per lane with its key |
 * | 4 | all lines | says where its room is |
 * | 5 | READY, with the listener's room | the session is up |
 *
 * At every step it can be given up, run out of time, or be refused; each ends all of its lines.
 */
import type { DialOptions, Greeting, RmrError as RmrErrorType, Session, Timer } from "@rmr/core"
import {
  areWithin,
  type ErrorCode,
  greetingText,
  KEY_BYTES,
  negotiate,
  RmrError,
  readGreeting,
  readRefusal,
  termsOf,
} from "@rmr/core"
import type { SocketAddress } from "@rmr/io"
import {
  CALL_LANE,
  CALL_LINK,
  CALL_REFUSAL,
  CALL_WELCOME,
  REFUSED_VERSION,
  readCalling,
  writeCalling,
} from "./calling.js"
import { reasonOf, WHY_REFUSED } from "./codes.js"
import type { RdmaEndpoint } from "./endpoint.js"
import type { Line, LineEvents } from "./line.js"
import { CHANNEL_LINK } from "./lines.js"
import { handOver, LINK_DEPTHS, laneDepths, type Opening } from "./opening.js"
import { furnish, openRooms, type Rooms } from "./rooms.js"
import {
  readRoom,
  roomText,
  SAY_HELLO,
  SAY_READY,
  SAY_REFUSE,
  SAY_ROOM,
  SAY_WELCOME,
  said,
  saidKind,
  saidTextAt,
  saidTextBytes,
} from "./saying.js"

export class Dial implements LineEvents {
  readonly promise: Promise<Session>
  private readonly endpoint: RdmaEndpoint
  private readonly options: DialOptions
  private readonly address: string
  private readonly ours: Greeting
  private readonly lines: Line[] = []
  private readonly timer: Timer
  private to: SocketAddress | undefined
  private opening: Opening | undefined
  private rooms: Rooms | undefined
  private key: Uint8Array = new Uint8Array(0)
  private tellsBySend = false
  private isOver = false
  private resolve!: (session: Session) => void
  private reject!: (error: RmrErrorType) => void

  constructor(endpoint: RdmaEndpoint, address: string, options: DialOptions) {
    this.endpoint = endpoint
    this.address = address
    this.options = options
    this.ours = endpoint.greeting(options.credits, new Uint8Array(KEY_BYTES))
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    const { deadlineMs, signal } = options
    this.timer = endpoint.clock.schedule(deadlineMs, () => {
      this.fail("unreachable", `no session after ${deadlineMs} ms`)
    })
    signal?.addEventListener("abort", this.giveUp)
  }

  /** The host is an address, no name. */
  start(to: SocketAddress): void {
    if (this.isOver) return
    this.to = to
    this.call(CHANNEL_LINK)
  }

  /** Nothing comes of it. Idempotent. */
  fail(code: ErrorCode, detail: string, cause?: RmrErrorType): void {
    if (this.isOver) return
    this.settle()
    for (const line of this.lines) line.end()
    if (this.opening !== undefined) this.endpoint.dropOpening(this.opening)
    this.reject(new RmrError(code, `${this.address}: ${detail}`, { cause }))
  }

  onRouted(line: Line): void {
    const { endpoint, opening } = this
    const isLink = line.channel === CHANNEL_LINK
    if (isLink) this.tellsBySend = endpoint.tellsBySend(line.number)
    const { tellsBySend, key } = this
    const shard = this.options.shard ?? 0
    const calling = isLink
      ? writeCalling(CALL_LINK, { tellsBySend, shard })
      : writeCalling(CALL_LANE, { channel: line.channel, tellsBySend, key })
    const credits = opening?.terms.limits.credits[line.channel - 1] ?? 0
    const why = endpoint.connect(line, calling, isLink ? LINK_DEPTHS : laneDepths(credits))
    if (why !== 0) this.fail("unreachable", reasonOf(why))
  }

  onConnected(line: Line, view: DataView, at: number, bytes: number): void {
    const calling = readCalling(view, at, bytes)
    if (typeof calling === "number" || calling.kind !== CALL_WELCOME) {
      this.failForeign()
      return
    }
    if (line.channel === CHANNEL_LINK) {
      this.tellsBySend = calling.tellsBySend
      this.say(line, SAY_HELLO, greetingText(this.ours))
    }
    if (this.tellsBySend)
      this.endpoint.verbs.native.tellBySend(this.endpoint.verbs.engine, line.number)
    if (this.opening?.lines.areConnected === true) this.sayRoom(this.opening)
  }

  onSaid(line: Line, view: DataView, at: number, bytes: number): void {
    const kind = saidKind(view, at, bytes)
    const text = saidTextAt(at)
    const textBytes = saidTextBytes(bytes)
    const { opening, rooms } = this
    const refusal = kind === SAY_REFUSE ? readRefusal(view, text, textBytes) : undefined
    if (line.channel !== CHANNEL_LINK) this.failForeign()
    else if (refusal !== undefined) this.fail("unsupported", refusal.message, refusal)
    else if (kind === SAY_WELCOME && opening === undefined) {
      this.open(line, readGreeting(view, text, textBytes))
    } else if (kind === SAY_READY && opening !== undefined && rooms !== undefined) {
      const peer = readRoom(view, text, textBytes)
      if (peer === undefined) this.failForeign()
      else this.up(opening, rooms, peer)
    } else this.failForeign()
  }

  onOver(
    _: Line,
    cause: RmrErrorType,
    why: number,
    view: DataView,
    at: number,
    bytes: number,
  ): void {
    const refusal = why === WHY_REFUSED && bytes > 0 ? readCalling(view, at, bytes) : undefined
    const isOther = refusal === REFUSED_VERSION
    const isTold = typeof refusal === "object" && refusal.kind === CALL_REFUSAL
    if (isOther || (isTold && refusal.why === REFUSED_VERSION)) {
      this.fail("unsupported", "whoever answers there speaks another version", cause)
    } else this.fail("unreachable", cause.detail, cause)
  }

  private readonly giveUp = (): void => this.fail("closed", "the dial was given up")

  private call(channel: number): void {
    if (this.isOver) return
    const { verbs } = this.endpoint
    const { host, port } = this.to!
    const number = verbs.native.dialLine(verbs.engine, host, port)
    if (number < 0) {
      this.fail("unreachable", reasonOf(-number))
      return
    }
    const line = verbs.addLine(number, channel, this)
    this.lines.push(line)
    this.opening?.lines.add(line)
  }

  /** The listener has said what the session is: the other lines go to the same place. */
  private open(link: Line, theirs: Greeting | undefined): void {
    if (theirs === undefined || !areWithin(theirs, this.ours)) {
      this.failForeign()
      return
    }
    const agreement = negotiate(this.ours.offer, theirs.offer)
    if (agreement instanceof RmrError) {
      this.fail("unsupported", agreement.message, agreement)
      return
    }
    const opening = this.endpoint.open("dialed", theirs.hostName, termsOf(theirs, this.ours))
    this.opening = opening
    this.key = theirs.key
    opening.lines.add(link)
    for (const channel of opening.lines.missing) this.call(channel)
    if (opening.lines.areConnected) this.sayRoom(opening)
  }

  private sayRoom(opening: Opening): void {
    if (this.rooms !== undefined) return
    try {
      this.rooms = openRooms(this.endpoint.verbs, opening)
    } catch (thrown) {
      const error = RmrError.from(thrown)
      this.fail("unreachable", error.detail, error)
      return
    }
    this.say(this.lines[0]!, SAY_ROOM, roomText(this.rooms.words))
  }

  private up(opening: Opening, rooms: Rooms, peer: Int32Array): void {
    this.settle()
    furnish(this.endpoint.verbs, opening, rooms, peer)
    handOver(opening)
    this.endpoint.watch(opening)
    this.resolve(opening.session)
  }

  private say(line: Line, kind: number, text: Uint8Array): void {
    const { native, engine } = this.endpoint.verbs
    if (!native.say(engine, line.number, said(kind, text))) {
      this.fail("unreachable", "the link broke")
    }
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
