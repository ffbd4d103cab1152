/**
 * One dial on its way: it ends once, by a session, a refusal, its deadline or its caller.
 *
 * The other side may have accepted long after this side gave up. The late welcome is answered by an
 * end that is over, and the accepted session goes down like any other whose peer has gone.
 */
import type { DialOptions, LaneCredits, Session, Timer } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { SimAddress } from "./sim-transport-address.js"
import type { Caller, Connection } from "./sim-transport-connection.js"
import type { SimEndpoint } from "./sim-transport-endpoint.js"
import type { SimSession } from "./sim-transport-session.js"

/** What the listener made of the dial. */
export interface Welcome {
  readonly connection: Connection
  readonly accepted: SimSession
  readonly peerName: string
}

export class DialAttempt implements Caller {
  readonly promise: Promise<Session>
  readonly credits: LaneCredits
  isOver = false
  readonly endpoint: SimEndpoint
  private readonly address: string
  private readonly options: DialOptions
  private readonly deadline: Timer
  private resolve!: (session: Session) => void
  private reject!: (error: RmrError) => void
  private readonly onAbort = (): void => this.fail("closed", "the dial was given up")
  private readonly onRefused = (): void => {
    if (this.isOver) return
    this.endpoint.clock.schedule(0, () => this.fail("unreachable", "nobody listens there"))
  }

  constructor(endpoint: SimEndpoint, address: string, options: DialOptions) {
    this.endpoint = endpoint
    this.address = address
    this.options = options
    this.credits = options.credits
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.deadline = endpoint.clock.schedule(options.deadlineMs, () =>
      this.fail("unreachable", `no answer within ${options.deadlineMs} ms`),
    )
    options.signal?.addEventListener("abort", this.onAbort)
    if (options.signal?.aborted === true) this.onAbort()
  }

  get hostName(): string {
    return this.endpoint.placeName
  }

  /** Calls; whoever answers there is handed this attempt. */
  call(to: SimAddress): void {
    if (this.isOver) return
    const { network } = this.endpoint
    network.send(this.hostName, to.host, 0, () => {
      const answer = network.answerAt(this.address)
      if (answer !== undefined) answer(this)
      else if (network.isAttached(to.host)) network.send(to.host, this.hostName, 0, this.onRefused)
    })
  }

  /** The other side accepted. The process gets to know when it runs. */
  welcome(welcome: Welcome): void {
    if (this.isOver) welcome.connection.abandon()
    else this.endpoint.clock.schedule(0, () => this.take(welcome))
  }

  /** The process that dialed is no more: nobody waits for the outcome. */
  forget(): void {
    this.isOver = true
  }

  fail(code: "unreachable" | "closed", detail: string): void {
    if (this.isOver) return
    this.end()
    this.reject(new RmrError(code, `${this.address}: ${detail}`))
  }

  private take(welcome: Welcome): void {
    if (this.isOver) {
      welcome.connection.abandon()
      return
    }
    this.end()
    this.resolve(this.endpoint.addDialed(welcome))
  }

  private end(): void {
    this.isOver = true
    this.deadline.cancel()
    this.options.signal?.removeEventListener("abort", this.onAbort)
    this.endpoint.endAttempt(this)
  }
}
