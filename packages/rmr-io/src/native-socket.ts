/**
 * Sockets of the native addon: a read is one call into JavaScript, a write one call out of it.
 *
 * `node:net` still finds addresses, connects and accepts; once there is a connection, a copy of its
 * descriptor is ours and Node's own is closed. What the kernel does not take at once waits here,
 * and leaves when the loop says that there is room.
 */
import net from "node:net"
import { getSystemErrorMap } from "node:util"
import { assert } from "@rmr/core"
import { NO_SLOT, slotOfMemory } from "./arena-slots.js"
import {
  type ByteSocket,
  type ByteSocketEvents,
  type ByteSockets,
  CHUNK_BYTES,
  lost,
} from "./byte-socket.js"
import type { FrameShape } from "./frame-shape.js"
import { type FrameSums, NativeFrameSums } from "./frame-sums.js"
import {
  GATHERED_MAX,
  type NativeAddon,
  SOCKET_CHUNK,
  SOCKET_DIRECT,
  SOCKET_ENDED,
  SOCKET_FAILED,
  SOCKET_ROOM,
  type SocketWords,
} from "./native-addon.js"
import { peerOf, tune } from "./plain-socket.js"
import type { SocketAddress } from "./socket-address.js"
import { turnEnds } from "./turn-ends.js"

const NO_NUMBER = -1

export class NativeSockets implements ByteSockets {
  readonly chunkBytes: Uint8Array = new Uint8Array(CHUNK_BYTES)
  readonly chunk: DataView = new DataView(this.chunkBytes.buffer)
  readonly addon: NativeAddon
  private readonly words: SocketWords
  private readonly place: Float64Array
  private readonly byNumber: (NativeSocket | undefined)[] = []
  /** Sockets whose writes wait for `send`, the first `gatheredCount`. */
  private readonly gathered: (NativeSocket | undefined)[] = []
  private gatheredCount = 0
  private readonly results = new Int32Array(GATHERED_MAX)
  isGathering = false

  constructor(addon: NativeAddon) {
    this.addon = addon
    addon.startTurns(() => turnEnds.release())
    this.words = addon.openSockets(this.chunkBytes.buffer, this.onEvent)
    this.place = new Float64Array(this.words, 0, 5)
  }

  sumsOf(shape: FrameShape): FrameSums {
    return new NativeFrameSums(this.addon, this.words, shape)
  }

  open(events: ByteSocketEvents): ByteSocket {
    return new NativeSocket(this, events)
  }

  adopt(events: ByteSocketEvents, handle: unknown): ByteSocket {
    const socket = new NativeSocket(this, events)
    // Node does not read from it, since a descriptor has one reader.
    const options = { handle, pauseOnCreate: true } as net.SocketConstructorOpts
    socket.take(new net.Socket(options))
    return socket
  }

  gather(): void {
    this.isGathering = true
  }

  send(): void {
    this.isGathering = false
    this.sendGathered()
  }

  /** Before any socket is closed, too: native code knows those that are gathered. */
  sendGathered(): void {
    const { gatheredCount } = this
    if (gatheredCount === 0) return
    this.gatheredCount = 0
    this.addon.sendGathered(this.words.engine, this.results)
    for (let nth = 0; nth < gatheredCount; nth++) {
      this.gathered[nth]!.onSent(Math.max(0, this.results[nth]!))
    }
  }

  /** False: it has to be written now. */
  keep(
    socket: NativeSocket,
    number: number,
    pieces: readonly Uint8Array[],
    count: number,
  ): boolean {
    if (!this.isGathering || !this.addon.gatherWrite(number, pieces, count)) return false
    this.gathered[this.gatheredCount++] = socket
    return true
  }

  close(): void {
    this.sendGathered()
    this.addon.closeSockets(this.words.engine)
  }

  /** A number for a copy of the descriptor. */
  give(socket: NativeSocket, fd: number): number {
    const number = this.addon.openSocket(this.words.engine, fd)
    if (number >= 0) this.byNumber[number] = socket
    return number
  }

  forget(number: number): void {
    this.byNumber[number] = undefined
  }

  /**
   * Where the next read goes, and what of it is looked at. Only memory that the addon knows by
   * number is read to directly.
   */
  name(events: ByteSocketEvents): void {
    const direct = events.directPlace()
    this.place[3] = events.checks()
    this.place[4] = events.checksFrom()
    const slot = direct === undefined ? NO_SLOT : slotOfMemory(direct.buffer)
    this.place[0] = slot
    if (direct === undefined || slot === NO_SLOT) return
    this.place[1] = direct.byteOffset
    this.place[2] = direct.length
  }

  private readonly onEvent = (number: number, kind: number, value: number): boolean => {
    turnEnds.hold()
    return this.byNumber[number]?.onEvent(kind, value) ?? false
  }
}

class NativeSocket implements ByteSocket {
  peer: SocketAddress | undefined
  localPort = 0
  isConnecting = false
  private readonly all: NativeSockets
  private readonly events: ByteSocketEvents
  private number = NO_NUMBER
  /** Node's own, until it is connected. */
  private dialing: net.Socket | undefined
  /** What the kernel has not taken, without the first `skip` bytes of it. */
  private readonly left: Uint8Array[] = []
  private skip = 0
  private isWriting = false
  /** A write that waits to be sent with others. */
  private kept: readonly Uint8Array[] = []
  private keptCount = 0
  private saidThen: (() => void) | undefined

  constructor(all: NativeSockets, events: ByteSocketEvents) {
    this.all = all
    this.events = events
  }

  get unsentBytes(): number {
    let bytes = 0
    for (const piece of this.left) bytes += piece.length
    return bytes - this.skip
  }

  connect(to: SocketAddress, onConnected: () => void): void {
    const socket = new net.Socket()
    this.dialing = socket
    this.isConnecting = true
    socket.on("error", (error) => this.events.onEnd(lost(error.message, error)))
    socket.on("close", () => {
      if (this.isConnecting) this.events.onEnd(lost("it was closed"))
    })
    socket.pause()
    socket.connect({ host: to.host, port: to.port, noDelay: true }, () => {
      if (socket.destroyed) return
      this.isConnecting = false
      this.dialing = undefined
      if (this.take(socket)) onConnected()
    })
  }

  /** The connection of a socket of Node's is this one's from now on. */
  take(socket: net.Socket): boolean {
    tune(socket)
    this.peer = peerOf(socket)
    this.localPort = socket.localPort ?? 0
    const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle
    this.number = this.all.give(this, fd)
    socket.destroy()
    if (this.number < 0) {
      this.events.onEnd(failed(-this.number))
      return false
    }
    this.resume()
    return true
  }

  write(pieces: readonly Uint8Array[], count: number): boolean {
    assert(!this.isWriting, "one write at a time")
    if (this.number < 0) return false
    if (this.left.length === 0) {
      if (this.all.keep(this, this.number, pieces, count)) {
        this.kept = pieces
        this.keptCount = count
        this.isWriting = true
        return false
      }
      // A failure is told by the loop, when nobody is in the middle of something.
      const taken = this.all.addon.writeSocket(this.number, pieces, count, 0)
      if (this.keepRest(pieces, count, Math.max(0, taken))) return true
    } else this.left.push(...pieces.slice(0, count))
    this.isWriting = true
    return false
  }

  /** The write that was kept: so many bytes of it have been taken. */
  onSent(taken: number): void {
    if (this.number < 0 || !this.keepRest(this.kept, this.keptCount, taken)) return
    this.isWriting = false
    this.events.onWritten()
  }

  say(bytes: Uint8Array): void {
    if (this.number < 0 || bytes.length === 0) return
    this.left.push(bytes)
    if (this.left.length === 1) this.writeOn()
  }

  whenSaid(then: () => void): void {
    if (this.left.length === 0) then()
    else this.saidThen = then
  }

  resume(): void {
    if (this.number < 0) return
    this.all.name(this.events)
    this.all.addon.readSocket(this.number)
  }

  destroy(): void {
    this.dialing?.destroy()
    const { number } = this
    if (number < 0) return
    // First, so that nobody is told of what leaves now and gathers more, which outlives the socket.
    this.number = NO_NUMBER
    this.all.sendGathered()
    this.all.addon.closeSocket(number)
    this.all.forget(number)
    this.left.length = 0
    this.saidThen = undefined
  }

  onEvent(kind: number, value: number): boolean {
    const { events } = this
    switch (kind) {
      case SOCKET_CHUNK:
      case SOCKET_DIRECT: {
        const goesOn = events.onRead(value, kind === SOCKET_DIRECT)
        if (goesOn) this.all.name(events)
        return goesOn
      }
      case SOCKET_ENDED:
        events.onEnd(lost("the other side ended it"))
        return false
      case SOCKET_FAILED:
        events.onEnd(failed(value))
        return false
      case SOCKET_ROOM:
        this.onRoom()
        return false
      default:
        return false
    }
  }

  private onRoom(): void {
    const error = this.writeOn()
    if (error !== 0) {
      this.events.onEnd(failed(error))
      return
    }
    if (this.left.length > 0) return
    const { saidThen } = this
    this.saidThen = undefined
    if (this.isWriting) {
      this.isWriting = false
      this.events.onWritten()
    }
    saidThen?.()
  }

  /** Writes of what is left. Answers an errno, or 0. */
  private writeOn(): number {
    if (this.number < 0 || this.left.length === 0) return 0
    const taken = this.all.addon.writeSocket(this.number, this.left, this.left.length, this.skip)
    if (taken < 0) return -taken
    let bytes = taken + this.skip
    let count = 0
    while (count < this.left.length && bytes >= this.left[count]!.length) {
      bytes -= this.left[count++]!.length
    }
    this.left.splice(0, count)
    this.skip = bytes
    return 0
  }

  /** Keeps what was not taken; true if there is nothing. */
  private keepRest(pieces: readonly Uint8Array[], count: number, taken: number): boolean {
    let bytes = taken
    for (let nth = 0; nth < count; nth++) {
      const piece = pieces[nth]!
      if (this.left.length === 0 && bytes >= piece.length) {
        bytes -= piece.length
        continue
      }
      if (this.left.length === 0) this.skip = bytes
      this.left.push(piece)
    }
    return this.left.length === 0
  }
}

function failed(errno: number): ReturnType<typeof lost> {
  const [name, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, "unknown"]
  return lost(`${name}: ${text}`)
}
