/**
 * A listener: it accepts guests, and what becomes a session is no longer its business (T11).
 */
import type { LaneCredits, Listener } from "@rmr/core"
import type { RdmaEndpoint } from "./endpoint.js"
import type { Guest } from "./guest.js"

export class RdmaListener implements Listener {
  /** Those who are no session yet. */
  readonly guests: Set<Guest> = new Set()
  readonly creditsMax: LaneCredits
  readonly address: string
  readonly number: number
  isClosed = false
  private readonly endpoint: RdmaEndpoint

  constructor(endpoint: RdmaEndpoint, number: number, address: string, creditsMax: LaneCredits) {
    this.endpoint = endpoint
    this.number = number
    this.address = address
    this.creditsMax = creditsMax
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    const { native, engine } = this.endpoint.verbs
    native.closeListener(engine, this.number)
    for (const guest of [...this.guests]) guest.end()
    this.endpoint.forgetListener(this)
  }
}
