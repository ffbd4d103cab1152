/**
 * A listener: it accepts guests, and what becomes a session is no longer its business (T11).
 */
import type { LaneCredits, Listener } from "@rmr/core"
import type { ConnectionEvents, FrameConnection, SocketListener } from "@rmr/io"
import { tcpAddress } from "./address.js"
import type { TcpEndpoint } from "./endpoint.js"
import { Guest } from "./guest.js"

export class TcpListener implements Listener {
  /** Those who are no session yet. */
  readonly guests: Set<Guest> = new Set()
  readonly creditsMax: LaneCredits
  private readonly endpoint: TcpEndpoint
  private socket: SocketListener | undefined
  private isClosed = false

  constructor(endpoint: TcpEndpoint, creditsMax: LaneCredits) {
    this.endpoint = endpoint
    this.creditsMax = creditsMax
  }

  get address(): string {
    return this.socket === undefined ? "" : tcpAddress(this.socket.address)
  }

  /** The socket that brings it guests. */
  open(socket: SocketListener): void {
    this.socket = socket
    if (this.isClosed) socket.close()
  }

  accept(connection: FrameConnection): ConnectionEvents {
    const guest = new Guest(this.endpoint, this, connection)
    const isFull = this.guests.size >= this.endpoint.traits.guestsMax
    if (this.isClosed || isFull) guest.end()
    else this.guests.add(guest)
    return guest.line
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    this.socket?.close()
    for (const guest of [...this.guests]) guest.end()
    this.endpoint.forgetListener(this)
  }
}
