/**
 * The sessions of one endpoint, and what its user is told of them in a turn: ups, requests and
 * completions, then downs.
 *
 * A session that a dial has made is not reported down in the turn in which it came up: its dial is
 * fulfilled first.
 */
import type { RmrError } from "../errors.js"
import type { EndpointEvents, EndpointOptions, SessionIdSource } from "../ports/transport.js"
import type { CreditedSession } from "./credited-session.js"
import { Deliveries } from "./deliveries.js"
import { SessionIds } from "./session-ids.js"

interface Down {
  readonly session: CreditedSession
  readonly cause: RmrError
}

export class EndpointSessions {
  readonly deliveries: Deliveries
  readonly ids: SessionIdSource
  private readonly events: EndpointEvents
  private readonly wake: () => void
  private readonly sessions = new Set<CreditedSession>()
  /** Sessions that came up in this turn. */
  private readonly fresh = new Set<CreditedSession>()
  private downs: Down[] = []

  /** `wake` asks for a turn, in which `endTurn` is called. */
  constructor({ events, sessionIds }: EndpointOptions, wake: () => void) {
    this.events = events
    this.ids = sessionIds ?? new SessionIds()
    this.deliveries = new Deliveries(events)
    this.wake = wake
  }

  /** From now on it is a session. */
  add(session: CreditedSession): void {
    this.sessions.add(session)
    this.fresh.add(session)
  }

  /** The same, and the user hears of it: somebody else has dialed. */
  addUp(session: CreditedSession): void {
    this.add(session)
    this.deliveries.ups.push(session)
  }

  readonly onDown = (session: CreditedSession, cause: RmrError): void => {
    this.downs.push({ session, cause })
    this.wake()
  }

  endTurn(): void {
    if (this.downs.length > 0) this.endWithDowns()
    else this.deliveries.hand()
    if (this.fresh.size > 0) this.fresh.clear()
    if (this.downs.length > 0) this.wake()
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.sessions].map((session) => session.close()))
  }

  private endWithDowns(): void {
    const leaving = this.takeDowns()
    for (const { session, cause } of leaving) session.leave(cause)
    this.deliveries.hand()
    for (const { session, cause } of leaving) {
      this.sessions.delete(session)
      this.ids.give(session.id)
      this.events.onSessionDown(session, cause)
      session.settleClose()
    }
  }

  /** Those that may be reported: a dial must have been fulfilled before its session is down. */
  private takeDowns(): readonly Down[] {
    const leaving = this.downs.filter(({ session }) => !this.fresh.has(session))
    this.downs = this.downs.filter(({ session }) => this.fresh.has(session))
    return leaving
  }
}
