/**
 * A place where sessions are accepted. It knows its callers by what they hand it, and drops the
 * rest.
 */
import type { Listener, ListenOptions } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { SimAddress } from "./sim-transport-address.js"
import { simAddress } from "./sim-transport-address.js"
import { DialAttempt } from "./sim-transport-dial.js"
import type { SimEndpoint } from "./sim-transport-endpoint.js"

/** The first port that is given to a listener who did not choose one. */
const PORT_CHOSEN_MIN = 1024

export class SimListener implements Listener {
  readonly address: string
  private readonly endpoint: SimEndpoint
  private readonly options: ListenOptions
  private isOpen = true

  /** Fails with `busy` where somebody listens, with `invalid-argument` on another host. */
  constructor(endpoint: SimEndpoint, at: SimAddress, options: ListenOptions) {
    this.endpoint = endpoint
    this.options = options
    if (at.host !== endpoint.placeName) {
      throw new RmrError("invalid-argument", `${at.host} is not this host, ${endpoint.placeName}`)
    }
    this.address = this.bind(at)
  }

  async close(): Promise<void> {
    if (!this.isOpen) return
    this.forget()
    this.endpoint.endListener(this)
  }

  /** The address is free again. */
  forget(): void {
    if (this.isOpen) this.endpoint.network.unbind(this.address)
    this.isOpen = false
  }

  private bind(at: SimAddress): string {
    const { network } = this.endpoint
    let port = at.port === 0 ? PORT_CHOSEN_MIN : at.port
    for (;;) {
      const address = simAddress(at.host, port)
      if (network.bind(address, (call) => this.answer(call))) return address
      if (at.port !== 0) throw new RmrError("busy", `somebody listens at ${address}`)
      port++
    }
  }

  /** The process gets to know of a caller when it runs; a stranger's bytes mean nothing to it. */
  private answer(call: unknown): void {
    if (!(call instanceof DialAttempt)) return
    this.endpoint.clock.schedule(0, () => {
      if (this.isOpen) this.endpoint.accept(call, this.options)
    })
  }
}

export function closedError(what: string): RmrError {
  return new RmrError("closed", `${what} was closed by this side`)
}
