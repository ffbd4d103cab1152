/**
 * A guest room: what a thread listens with that gets its connections from the door of another one.
 *
 * It stands where a listening socket would: an engine accepts what `take` brings as if it had come
 * to the address that it was told to listen at.
 */
import net from "node:net"
import type { Acceptor, OnHandle } from "./acceptor.js"
import type { Guest } from "./door.js"
import type { StreamAddress } from "./socket-address.js"
import { takeHandle } from "./take-handle.js"

export class GuestRoom {
  /** Of one engine: guests are the same to all of its listeners. */
  private readonly listening = new Set<OnHandle>()

  readonly acceptor = (onHandle: OnHandle): Acceptor => new RoomAcceptor(this.listening, onHandle)

  /** Who comes when nobody listens any more is sent away. */
  take({ fd, bytes, note }: Guest): void {
    // It must not begin to read: its handle is for a socket of ours.
    const options = { fd, readable: true, writable: true, manualStart: true }
    const socket = new net.Socket(options as net.SocketConstructorOpts)
    const [onHandle] = this.listening
    if (onHandle === undefined) {
      socket.destroy()
      return
    }
    onHandle(takeHandle(socket), bytes, note)
  }
}

class RoomAcceptor implements Acceptor {
  address: StreamAddress = { path: "" }
  private readonly listening: Set<OnHandle>
  private readonly onHandle: OnHandle

  constructor(listening: Set<OnHandle>, onHandle: OnHandle) {
    this.listening = listening
    this.onHandle = onHandle
  }

  async open(at: StreamAddress): Promise<void> {
    this.address = at
    this.listening.add(this.onHandle)
  }

  close(): void {
    this.listening.delete(this.onHandle)
  }
}
