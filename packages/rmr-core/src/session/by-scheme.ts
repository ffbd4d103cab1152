/**
 * Several transports as one: each address goes to the transport of its scheme, so that a pool may
 * have members behind different ones, and a node listens on all of them.
 *
 * Whoever uses it sees one endpoint with one kind of sessions, whose ids come from one source. What
 * arrives over each transport is handed over as it comes: once a turn and kind for each of them.
 */
import { assert } from "../assert.js"
import { RmrError } from "../errors.js"
import type {
  DialOptions,
  Endpoint,
  EndpointOptions,
  Listener,
  ListenOptions,
  Session,
  Transport,
} from "../ports/transport.js"
import { closedEndpoint } from "./asked.js"
import { SessionIds } from "./session-ids.js"

export function transportsByScheme(transports: readonly Transport[]): Transport {
  assert(transports.length > 0, "at least one transport")
  const all = transports.map(({ supports }) => supports)
  const least = (of: (supports: Transport["supports"]) => number): number =>
    Math.min(...all.map(of))
  return {
    name: transports.map(({ name }) => name).join("+"),
    supports: Object.freeze({
      payloadChecked: all.every(({ payloadChecked }) => payloadChecked),
      headerBytesMax: least(({ headerBytesMax }) => headerBytesMax),
      payloadBytesMax: least(({ payloadBytesMax }) => payloadBytesMax),
      silenceMsMax: Math.max(...all.map(({ silenceMsMax }) => silenceMsMax)),
    }),
    open: (options) => new EndpointByScheme(transports, options),
  }
}

class EndpointByScheme implements Endpoint {
  private readonly transports: readonly Transport[]
  private readonly options: EndpointOptions
  /** Opened when an address asks for them: a machine may lack what one of them stands on. */
  private readonly endpoints = new Map<Transport, Endpoint>()
  private isClosed = false

  constructor(transports: readonly Transport[], options: EndpointOptions) {
    this.transports = transports
    this.options = { ...options, sessionIds: options.sessionIds ?? new SessionIds() }
  }

  async dial(address: string, options: DialOptions): Promise<Session> {
    return this.endpointFor(address).dial(address, options)
  }

  async listen(address: string, options: ListenOptions): Promise<Listener> {
    return this.endpointFor(address).listen(address, options)
  }

  flush(): void {
    for (const endpoint of this.endpoints.values()) endpoint.flush()
  }

  async close(): Promise<void> {
    this.isClosed = true
    await Promise.all([...this.endpoints.values()].map((endpoint) => endpoint.close()))
  }

  private endpointFor(address: string): Endpoint {
    const transport = this.transportFor(address)
    const open = this.endpoints.get(transport)
    if (open !== undefined) return open
    if (this.isClosed) throw closedEndpoint()
    const opened = transport.open(this.options)
    this.endpoints.set(transport, opened)
    return opened
  }

  private transportFor(address: string): Transport {
    const colon = address.indexOf(":")
    const scheme = colon < 0 ? "" : address.slice(0, colon)
    const found = this.transports.find(({ name }) => name === scheme)
    if (found !== undefined) return found
    const known = this.transports.map(({ name }) => `${name}:`).join(", ")
    throw new RmrError("unsupported", `"${address}" has none of the schemes ${known}`)
  }
}
