/**
 * A guest: somebody who calls a listener, until a session has come of it.
 *
 * A guest gets time until a deadline and a queue pair for what is said; no key of any memory, and
 * whatever it does against the rules ends it, and nothing but it (T19). The guest that said HELLO
 * stands for the session that is opening: it holds the key with which the lines of lanes call.
 */
import type { Greeting, RmrError as RmrErrorType, Timer } from "@rmr/core"
import {
  greetingText,
  KEY_BYTES,
  negotiate,
  RmrError,
  readGreeting,
  refusalText,
  termsOf,
} from "@rmr/core"
import { CALL_WELCOME, type Calling, writeCalling } from "./calling.js"
import { reasonOf } from "./codes.js"
import type { RdmaEndpoint } from "./endpoint.js"
import type { Line, LineEvents } from "./line.js"
import { CHANNEL_LINK } from "./lines.js"
import type { RdmaListener } from "./listener.js"
import { type Depths, handOver, LINK_DEPTHS, laneDepths, type Opening } from "./opening.js"
import { furnish, openRooms } from "./rooms.js"
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

export class Guest implements LineEvents {
  private readonly endpoint: RdmaEndpoint
  private readonly listener: RdmaListener
  private readonly link: Line
  private readonly timer: Timer
  private readonly tellsBySend: boolean
  private opening: Opening | undefined
  private key = ""
  /** Where the room of the other side is, as soon as it has said so. */
  private peerRoom: Int32Array | undefined
  private isRefused = false
  private isOver = false

  /** Accepts its call. */
  constructor(endpoint: RdmaEndpoint, listener: RdmaListener, number: number, calling: Calling) {
    this.endpoint = endpoint
    this.listener = listener
    this.tellsBySend = calling.tellsBySend || endpoint.tellsBySend(number)
    this.link = endpoint.verbs.addLine(number, CHANNEL_LINK, this)
    this.timer = endpoint.clock.schedule(endpoint.traits.handshakeMsMax, () => this.end())
    listener.guests.add(this)
    const welcome = writeCalling(CALL_WELCOME, { tellsBySend: this.tellsBySend })
    this.accept(this.link, welcome, LINK_DEPTHS)
  }

  /** One more line of the session that it has asked for. */
  join(number: number, channel: number): void {
    const { opening, endpoint } = this
    if (
      opening === undefined ||
      channel === CHANNEL_LINK ||
      !opening.lines.missing.includes(channel)
    ) {
      endpoint.refuseCall(number)
      return
    }
    const line = endpoint.verbs.addLine(number, channel, this)
    opening.lines.add(line)
    const depths = laneDepths(opening.terms.limits.credits[channel - 1]!)
    const welcome = writeCalling(CALL_WELCOME, { channel, tellsBySend: this.tellsBySend })
    this.accept(line, welcome, depths)
  }

  onRouted(): void {
    // Only who dials looks for a way.
  }

  onConnected(): void {
    this.upWhenWhole()
  }

  onSaid(line: Line, view: DataView, at: number, bytes: number): void {
    const kind = saidKind(view, at, bytes)
    const text = saidTextAt(at)
    const textBytes = saidTextBytes(bytes)
    const isLink = line === this.link && !this.isRefused
    if (isLink && kind === SAY_HELLO && this.opening === undefined) {
      const greeting = readGreeting(view, text, textBytes)
      if (greeting === undefined) this.end()
      else this.welcome(greeting)
    } else if (isLink && kind === SAY_ROOM && this.opening !== undefined) {
      this.peerRoom = readRoom(view, text, textBytes)
      if (this.peerRoom === undefined) this.end()
      else this.upWhenWhole()
    } else this.end()
  }

  onOver(): void {
    this.end()
  }

  /** Hangs up, and all that hangs on it. Idempotent. */
  end(): void {
    if (this.isOver) return
    this.leave()
    if (this.opening === undefined) this.link.end()
    else this.endpoint.dropOpening(this.opening)
  }

  private accept(line: Line, welcome: Uint8Array, depths: Depths): void {
    const why = this.endpoint.accept(line, welcome, depths, this.tellsBySend)
    if (why === 0) return
    this.endpoint.log.write("warn", "session.refused", { reason: reasonOf(why) })
    this.end()
  }

  private welcome(theirs: Greeting): void {
    const { endpoint, link } = this
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
    opening.lines.add(link)
    this.key = hexOf(key)
    endpoint.guestsByKey.set(this.key, this)
    const { silenceMs } = terms
    this.say(SAY_WELCOME, greetingText({ ...ours, ...terms.limits, silenceMs }))
  }

  private upWhenWhole(): void {
    const { opening, peerRoom, endpoint } = this
    if (opening === undefined || peerRoom === undefined || !opening.lines.areConnected) return
    try {
      const rooms = openRooms(endpoint.verbs, opening)
      furnish(endpoint.verbs, opening, rooms, peerRoom)
      this.leave()
      handOver(opening)
      endpoint.addUp(opening)
      this.say(SAY_READY, roomText(rooms.words))
    } catch (thrown) {
      endpoint.log.write("warn", "session.refused", { reason: RmrError.from(thrown).message })
      this.end()
    }
  }

  private refuse(error: RmrErrorType): void {
    this.endpoint.log.write("warn", "session.refused", { reason: error.message })
    this.say(SAY_REFUSE, refusalText(error))
    // It is told before it is hung up on: the deadline ends it, if the other side does not.
    this.isRefused = true
  }

  private say(kind: number, text: Uint8Array): void {
    const { native, engine } = this.endpoint.verbs
    if (!native.say(engine, this.link.number, said(kind, text))) this.end()
  }

  /** It is no guest any more. */
  private leave(): void {
    this.isOver = true
    this.timer.cancel()
    this.listener.guests.delete(this)
    if (this.key !== "") this.endpoint.guestsByKey.delete(this.key)
  }
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}
