/**
 * A listener: it accepts guests, and what becomes a session is no longer its business (T11).
 *
 * A device that is taken away takes its listeners with it, and waits for them. Such a listener
 * listens again as soon as a device has its address.
 */
import type { LaneCredits, Listener, Timer } from "@rmr/core"
import type { SocketAddress } from "@rmr/io"
import { rdmaAddress } from "./address.js"
import { reasonOf } from "./codes.js"
import type { RdmaEndpoint } from "./endpoint.js"
import type { Guest } from "./guest.js"

const RETRY_MS = 500

export class RdmaListener implements Listener {
  /** Those who are no session yet. */
  readonly guests: Set<Guest> = new Set()
  readonly creditsMax: LaneCredits
  number: number
  private readonly endpoint: RdmaEndpoint
  private readonly at: SocketAddress
  private retry: Timer | undefined
  private isClosed = false

  constructor(endpoint: RdmaEndpoint, number: number, at: SocketAddress, creditsMax: LaneCredits) {
    this.endpoint = endpoint
    this.number = number
    this.at = at
    this.creditsMax = creditsMax
  }

  get address(): string {
    return rdmaAddress(this.at)
  }

  /** Its device was taken away, and it was closed. */
  onGone(): void {
    if (this.isClosed) return
    this.endpoint.nameListener(this.number, undefined)
    this.endpoint.log.write("warn", "listener.gone", { address: this.address })
    this.retry = this.endpoint.clock.schedule(RETRY_MS, this.listenAgain)
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    const { native, engine } = this.endpoint.verbs
    if (this.retry === undefined) {
      this.endpoint.nameListener(this.number, undefined)
      native.closeListener(engine, this.number)
    }
    this.retry?.cancel()
    for (const guest of [...this.guests]) guest.end()
    this.endpoint.forgetListener(this)
  }

  private readonly listenAgain = (): void => {
    const { native, engine } = this.endpoint.verbs
    const number = native.listen(engine, this.at.host, this.at.port)
    if (number < 0) {
      const fields = { address: this.address, reason: reasonOf(-number) }
      this.endpoint.log.write("debug", "listener.waits", fields)
      this.retry = this.endpoint.clock.schedule(RETRY_MS, this.listenAgain)
      return
    }
    this.retry = undefined
    this.number = number
    this.endpoint.nameListener(number, this)
    this.endpoint.log.write("info", "listener.back", { address: this.address })
  }
}
