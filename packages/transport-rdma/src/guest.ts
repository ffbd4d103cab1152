/**
 * A guest: somebody who calls a listener, until a session has come of it.
 *
 * The guest that said HELLO stands for the session that is opening: it holds the key with which the
 * lines of lanes call. From when the session is up, that is for those who bring further paths.
 */
import type { Greeting, RmrError as RmrErrorType } from "@rmr/core"
import {
  greetingText,
  KEY_BYTES,
  negotiate,
  RmrError,
  readGreeting,
  refusalText,
  termsOf,
} from "@rmr/core"
import { CALL_LANE, type Calling } from "./calling.js"
import type { KeyHolder, RdmaEndpoint } from "./endpoint.js"
import { Joins } from "./joins.js"
import type { RdmaListener } from "./listener.js"
import type { Opening } from "./opening.js"
import { PathGuest, type PathGuestEvents } from "./path-guest.js"
import { SAY_HELLO, SAY_REFUSE, SAY_WELCOME } from "./saying.js"

export class Guest implements PathGuestEvents, KeyHolder {
  private readonly endpoint: RdmaEndpoint
  private readonly listener: RdmaListener
  private readonly guest: PathGuest
  private opening: Opening | undefined
  private key = ""
  private isRefused = false

  /** Accepts its call. */
  constructor(endpoint: RdmaEndpoint, listener: RdmaListener, number: number, calling: Calling) {
    this.endpoint = endpoint
    this.listener = listener
    this.guest = new PathGuest(endpoint, number, calling, this)
    listener.guests.add(this)
    this.guest.accept()
  }

  /** One more line of the session that it has asked for. */
  onCall(number: number, { kind, channel, path }: Calling): void {
    if (kind === CALL_LANE && path === 0) this.guest.join(number, channel)
    else this.endpoint.refuseCall(number)
  }

  onSaid(kind: number, view: DataView, textAt: number, textBytes: number): void {
    const isHello = kind === SAY_HELLO && this.opening === undefined && !this.isRefused
    const greeting = isHello ? readGreeting(view, textAt, textBytes) : undefined
    if (greeting === undefined) this.guest.fail()
    else this.welcome(greeting)
  }

  onUp(): void {
    const { endpoint, key } = this
    const opening = this.opening!
    this.leave()
    const joins = new Joins(endpoint, opening, key)
    endpoint.holdersByKey.set(key, joins)
    endpoint.addUp(opening, joins)
  }

  onEnd(): void {
    this.leave()
    if (this.opening !== undefined) this.endpoint.dropOpening(this.opening)
  }

  /** Hangs up. Idempotent. */
  end(): void {
    this.guest.fail()
  }

  private welcome(theirs: Greeting): void {
    const { endpoint } = this
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
    this.guest.complete(opening, opening.firstPath)
    this.key = hexOf(key)
    endpoint.holdersByKey.set(this.key, this)
    const { silenceMs } = terms
    this.guest.say(SAY_WELCOME, greetingText({ ...ours, ...terms.limits, silenceMs }))
  }

  private refuse(error: RmrErrorType): void {
    this.endpoint.log.write("warn", "session.refused", { reason: error.message })
    // It is told before it is hung up on: the deadline ends it, if the other side does not.
    this.isRefused = true
    this.guest.say(SAY_REFUSE, refusalText(error))
  }

  /** It is no guest any more. */
  private leave(): void {
    this.listener.guests.delete(this)
    if (this.key !== "") this.endpoint.holdersByKey.delete(this.key)
  }
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}
