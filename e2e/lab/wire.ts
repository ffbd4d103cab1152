/**
 * A wire between guests, which a test can cut.
 *
 * Guests are QEMU processes whose network cards speak frames over a socket: four bytes of length,
 * then the frame. This end of those sockets is a hub: what one guest sends, all others get, unless
 * one of the two is cut off. A guest that does not take what it gets loses frames, as on a wire.
 */
import { Buffer } from "node:buffer"
import { createServer, type Server, type Socket } from "node:net"
import { join } from "node:path"

const LENGTH_BYTES = 4
/** A frame with all that a card may add to it. */
const FRAME_BYTES_MAX = 256 * 1024
const UNSENT_BYTES_MAX = 4 * 1024 * 1024

export interface Wire {
  /** Where this guest connects, from 1 on. */
  pathFor(guest: number): string
  /** Nothing comes from this guest any more, and nothing reaches it. */
  cut(guest: number): void
  mend(guest: number): void
  close(): Promise<void>
}

/** For so many guests; sockets are in this folder. */
export async function wireIn(folder: string, guestCount: number): Promise<Wire> {
  const hub = new Hub(folder)
  for (let guest = 1; guest <= guestCount; guest++) await hub.listen(guest)
  return hub
}

class Hub implements Wire {
  private readonly folder: string
  private readonly servers: Server[] = []
  private readonly guests = new Map<number, Socket>()
  private readonly cutOff = new Set<number>()

  constructor(folder: string) {
    this.folder = folder
  }

  pathFor(guest: number): string {
    return join(this.folder, `wire-${guest}`)
  }

  listen(guest: number): Promise<void> {
    const server = createServer((socket) => this.take(guest, socket))
    this.servers.push(server)
    return new Promise((resolve, reject) => {
      server.once("error", reject)
      server.listen(this.pathFor(guest), () => resolve())
    })
  }

  cut(guest: number): void {
    this.cutOff.add(guest)
  }

  mend(guest: number): void {
    this.cutOff.delete(guest)
  }

  async close(): Promise<void> {
    for (const socket of this.guests.values()) socket.destroy()
    const closed = (server: Server) => new Promise((resolve) => server.close(resolve))
    await Promise.all(this.servers.map(closed))
  }

  private take(guest: number, socket: Socket): void {
    let rest: Buffer = Buffer.alloc(0)
    this.guests.set(guest, socket)
    socket.on("data", (bytes: Buffer) => {
      rest = this.passOn(guest, rest.length === 0 ? bytes : Buffer.concat([rest, bytes]))
    })
    // A guest that has ended is off the wire; nobody else is to know.
    socket.on("error", () => socket.destroy())
    socket.on("close", () => {
      if (this.guests.get(guest) === socket) this.guests.delete(guest)
    })
  }

  /** Whole frames go to the others; answers what is left of the last. */
  private passOn(from: number, bytes: Buffer): Buffer {
    let at = 0
    while (bytes.length - at >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(at)
      if (length > FRAME_BYTES_MAX) {
        this.guests.get(from)?.destroy(new Error(`a frame of ${length} bytes`))
        return Buffer.alloc(0)
      }
      const end = at + LENGTH_BYTES + length
      if (end > bytes.length) break
      this.send(from, bytes.subarray(at, end))
      at = end
    }
    return bytes.subarray(at)
  }

  private send(from: number, frame: Buffer): void {
    if (this.cutOff.has(from)) return
    for (const [guest, socket] of this.guests) {
      const isTaken = guest !== from && !this.cutOff.has(guest)
      if (isTaken && socket.writableLength < UNSENT_BYTES_MAX) socket.write(frame)
    }
  }
}
