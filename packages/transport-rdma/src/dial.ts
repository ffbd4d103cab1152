/**
 * A dial in progress: a link by which both ends say who they are, then the other lines of the first
 * path, in one piece: whatever ends it, nothing is left of it (T2, T13).
 *
 * An address with several paths is dialed by one after the other, until somebody answers; the
 * others join the session that comes of it (ways.ts).
 */
import type {
  DialOptions,
  ErrorCode,
  Greeting,
  RmrError as RmrErrorType,
  Session,
  Timer,
} from "@rmr/core"
import {
  areWithin,
  greetingText,
  KEY_BYTES,
  negotiate,
  RmrError,
  readGreeting,
  readRefusal,
  termsOf,
} from "@rmr/core"
import type { Route } from "./address.js"
import { CALL_LINK, writeCalling } from "./calling.js"
import type { RdmaEndpoint } from "./endpoint.js"
import type { Opening } from "./opening.js"
import { PathDial, type PathDialEvents } from "./path-dial.js"
import { SAY_HELLO, SAY_REFUSE, SAY_WELCOME } from "./saying.js"
import { Ways } from "./ways.js"

export class Dial implements PathDialEvents {
  readonly promise: Promise<Session>
  private readonly endpoint: RdmaEndpoint
  private readonly options: DialOptions
  private readonly address: string
  private readonly ours: Greeting
  private readonly timer: Timer
  private routes: readonly Route[] = []
  /** Which of them is tried, and until when. */
  private nth = 0
  private tryTimer: Timer | undefined
  private dialed: PathDial | undefined
  private opening: Opening | undefined
  private key: Uint8Array = new Uint8Array(0)
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

  /** Their hosts are addresses, no names. */
  start(routes: readonly Route[]): void {
    if (this.isOver) return
    this.routes = routes
    this.tryNext()
  }

  /** Nothing comes of it. Idempotent. */
  fail(code: ErrorCode, detail: string, cause?: RmrErrorType): void {
    if (this.isOver) return
    this.settle()
    this.dialed?.end()
    if (this.opening !== undefined) this.endpoint.dropOpening(this.opening)
    this.reject(new RmrError(code, `${this.address}: ${detail}`, { cause }))
  }

  linkCall(tellsBySend: boolean): Uint8Array {
    return writeCalling(CALL_LINK, { tellsBySend, shard: this.options.shard ?? 0 })
  }

  onLink(): void {
    this.dialed!.say(SAY_HELLO, greetingText(this.ours))
  }

  onSaid(kind: number, view: DataView, textAt: number, textBytes: number): void {
    const refusal = kind === SAY_REFUSE ? readRefusal(view, textAt, textBytes) : undefined
    if (refusal !== undefined) this.fail("unsupported", refusal.message, refusal)
    else if (kind === SAY_WELCOME && this.opening === undefined) {
      this.open(readGreeting(view, textAt, textBytes))
    } else this.dialed!.failForeign()
  }

  onUp(peerRoomBytes: number): void {
    const { endpoint, routes, key, nth } = this
    const opening = this.opening!
    opening.carrier.asking.open(peerRoomBytes)
    this.settle()
    const ways = routes.length > 1 ? new Ways(endpoint, opening, key, routes, nth) : undefined
    endpoint.watch(opening, ways)
    this.resolve(opening.session)
  }

  onFail(code: ErrorCode, detail: string, cause?: RmrErrorType): void {
    const isLast = this.nth + 1 >= this.routes.length
    if (code !== "unreachable" || isLast || this.opening !== undefined) {
      this.fail(code, detail, cause)
    } else if (!this.isOver) this.tryAnother()
  }

  private readonly giveUp = (): void => this.fail("closed", "the dial was given up")

  private tryAnother(): void {
    this.dialed?.end()
    this.nth++
    this.tryNext()
  }

  /** The last one has all the time that is left. */
  private tryNext(): void {
    const { endpoint, routes, nth } = this
    this.tryTimer?.cancel()
    if (nth + 1 < routes.length) {
      const ms = this.options.deadlineMs / routes.length
      this.tryTimer = endpoint.clock.schedule(ms, () => {
        if (this.opening === undefined) this.tryAnother()
      })
    }
    this.dialed = new PathDial(endpoint, routes[nth]!, this)
    this.dialed.start()
  }

  /** The listener has said what the session is. */
  private open(theirs: Greeting | undefined): void {
    if (theirs === undefined || !areWithin(theirs, this.ours)) {
      this.dialed!.failForeign()
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
    this.dialed!.complete(opening, opening.firstPath, theirs.key)
  }

  private settle(): void {
    this.isOver = true
    this.timer.cancel()
    this.tryTimer?.cancel()
    this.options.signal?.removeEventListener("abort", this.giveUp)
    this.endpoint.forgetDial(this)
  }
}
