/**
 * A door: a listening socket of one thread whose connections are received by others.
 *
 * Who comes is talked with until it is known whose guest it is; then the connection is handed over
 * as the number of a descriptor, which all threads of a process share, with the bytes that were
 * heard and belong to what follows. The door forgets it. Who takes too long is sent away, and so is
 * who comes while too many are being talked with.
 *
 * Node keeps the descriptor that it accepted, so what is handed over is a copy of it, which takes
 * the native addon.
 */
import net from "node:net"
import type { Clock } from "@rmr/core"
import { RmrError } from "@rmr/core"
import { HandleListener } from "./handle-listener.js"
import { type NativeAddon, nativeAddon, nativeStatus } from "./native-addon.js"
import type { StreamAddress } from "./socket-address.js"

/** A connection on its way to another thread, where somebody has to close its descriptor. */
export interface Guest {
  readonly fd: number
  /** What it has said that nobody has taken. */
  readonly bytes: Uint8Array
  /** What was agreed with it, for who receives it; can be sent between threads. */
  readonly note?: unknown
}

/** What a door says to one who came. */
export interface Talk {
  /** Said at once; perhaps nothing. */
  readonly greeting: Uint8Array
  /** What came since the last time. */
  take(bytes: Uint8Array): Promise<TalkStep>
}

export interface TalkStep {
  readonly say: Uint8Array
  /** It goes on; it is sent away; or it is handed over, with the rest of what it has said. */
  readonly next: "on" | "away" | { readonly rest: Uint8Array; readonly note?: unknown }
}

export interface DoorOptions {
  readonly clock: Clock
  readonly deadlineMs: number
  /** Talked with at a time. */
  readonly guestsMax: number
  talk(): Talk
  onGuest(guest: Guest): void
}

export class Door {
  private readonly options: DoorOptions
  private readonly addon: NativeAddon
  private readonly listener: HandleListener
  private readonly visitors = new Set<Visitor>()
  private isClosed = false

  private constructor(addon: NativeAddon, options: DoorOptions) {
    this.addon = addon
    this.options = options
    this.listener = new HandleListener((handle) => this.receive(handle))
  }

  /** Fails with `unsupported` without the addon, and as listeners do. */
  static async open(at: StreamAddress, options: DoorOptions): Promise<Door> {
    const addon = nativeAddon()
    if (addon === undefined) {
      const words = "connections are handed from thread to thread by the native addon"
      throw new RmrError("unsupported", `${words}: ${nativeStatus().reason}`)
    }
    const door = new Door(addon, options)
    await door.listener.open(at)
    return door
  }

  get address(): StreamAddress {
    return this.listener.address
  }

  /** Who was handed over stays. Idempotent. */
  close(): void {
    this.isClosed = true
    this.listener.close()
    for (const visitor of this.visitors) visitor.sendAway()
  }

  private receive(handle: unknown): void {
    const visitor = new Visitor(handle, this.options, this.addon)
    if (this.isClosed || this.visitors.size >= this.options.guestsMax) {
      visitor.sendAway()
      return
    }
    this.visitors.add(visitor)
    visitor.begin(() => this.visitors.delete(visitor))
  }
}

/** Somebody who is being talked with; bytes are read only when the last ones were taken. */
class Visitor {
  private readonly options: DoorOptions
  private readonly addon: NativeAddon
  private readonly socket: net.Socket
  private readonly talk: Talk
  private isBusy = false

  constructor(handle: unknown, options: DoorOptions, addon: NativeAddon) {
    this.options = options
    this.addon = addon
    this.socket = new net.Socket({ handle } as net.SocketConstructorOpts)
    this.socket.on("error", () => this.socket.destroy())
    this.talk = options.talk()
  }

  begin(onGone: () => void): void {
    const { socket, talk, options } = this
    const timer = options.clock.schedule(options.deadlineMs, () => socket.destroy())
    socket.on("close", () => {
      timer.cancel()
      onGone()
    })
    socket.on("end", () => socket.destroy())
    socket.on("readable", () => this.hear())
    if (talk.greeting.length > 0) socket.write(talk.greeting)
  }

  sendAway(): void {
    this.socket.destroy()
  }

  private hear(): void {
    if (this.isBusy) return
    const bytes = this.socket.read() as Uint8Array | null
    if (bytes === null) return
    this.isBusy = true
    this.answer(bytes).then(
      () => {
        this.isBusy = false
        if (!this.socket.destroyed) this.hear()
      },
      () => this.socket.destroy(),
    )
  }

  private async answer(bytes: Uint8Array): Promise<void> {
    const { say, next } = await this.talk.take(bytes)
    if (this.socket.destroyed) return
    if (say.length > 0) await this.written(say)
    if (this.socket.destroyed || next === "on") return
    if (next !== "away") this.handOver(next.rest, next.note)
    this.socket.destroy()
  }

  /** The kernel has it. */
  private written(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()))
    })
  }

  private handOver(rest: Uint8Array, note: unknown): void {
    const more = (this.socket.read() as Uint8Array | null) ?? new Uint8Array(0)
    // In memory of its own, which can be sent to another thread.
    const bytes = new Uint8Array(rest.length + more.length)
    bytes.set(rest)
    bytes.set(more, rest.length)
    const { _handle } = this.socket as unknown as { readonly _handle: { readonly fd: number } }
    const fd = this.addon.copyFd(_handle.fd)
    // Who has no descriptor to spare has no room for a guest.
    if (fd >= 0) this.options.onGuest({ fd, bytes, note })
  }
}
