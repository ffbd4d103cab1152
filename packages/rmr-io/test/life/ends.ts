/**
 * Native sockets and those of Node's that they are connected to, in one thread.
 *
 * Invariant: a socket that is destroyed is told nothing any more; what it is told all the same is
 * an exception.
 */
import net from "node:net"
import { assert } from "@rmr/core"
import type { ByteSocket, ByteSocketEvents } from "../../src/byte-socket.js"
import { CHECK_NOTHING } from "../../src/native-addon.js"
import { NativeSockets } from "../../src/native-socket.js"
import { addonOrThrow } from "./addon.js"

export interface End {
  readonly socket: ByteSocket
  readonly peer: net.Socket
}

/** What a socket has read, and whether it reads on. */
export type OnRead = (bytes: Uint8Array) => boolean

export class Ends {
  readonly sockets: NativeSockets = new NativeSockets(addonOrThrow())
  onRead: OnRead = () => true
  private readonly server = net.createServer({ pauseOnConnect: true, noDelay: true })
  private readonly all: End[] = []
  private readonly destroyed = new Set<ByteSocket>()

  async open(count: number): Promise<readonly End[]> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve))
    for (let nth = 0; nth < count; nth++) this.all.push(await this.connect())
    return this.all
  }

  /** So many bytes there and back, over a peer that sends back what it hears. */
  async exchange({ socket, peer }: End, bytes: Uint8Array): Promise<void> {
    const heard: number[] = []
    const isBack = new Promise<void>((resolve) => {
      this.onRead = (piece) => {
        heard.push(...piece)
        if (heard.length >= bytes.length) resolve()
        return true
      }
    })
    peer.on("data", (piece) => peer.write(piece)).resume()
    socket.say(bytes)
    await isBack
    peer.removeAllListeners("data").pause()
    assert(Buffer.from(heard).equals(bytes), "what came back is what was sent")
  }

  async close(): Promise<void> {
    for (const { socket } of this.all) {
      this.destroyed.add(socket)
      socket.destroy()
    }
    this.sockets.close()
    for (const { peer } of this.all) peer.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private async connect(): Promise<End> {
    const accepted = new Promise<net.Socket>((resolve) => this.server.once("connection", resolve))
    const socket: ByteSocket = this.sockets.open(this.events(() => this.destroyed.has(socket)))
    const { port } = this.server.address() as net.AddressInfo
    await new Promise<void>((resolve) => socket.connect({ host: "127.0.0.1", port }, resolve))
    const peer = await accepted
    peer.on("error", () => undefined)
    return { socket, peer }
  }

  private events(isDestroyed: () => boolean): ByteSocketEvents {
    const open = (): void => assert(!isDestroyed(), "who is destroyed is told nothing")
    return {
      directPlace: () => undefined,
      checks: () => CHECK_NOTHING,
      checksFrom: () => 0,
      onRead: (count) => {
        open()
        return this.onRead(this.sockets.chunkBytes.subarray(0, count))
      },
      onWritten: open,
      onEnd: open,
    }
  }
}
