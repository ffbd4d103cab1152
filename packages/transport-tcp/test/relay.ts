/**
 * A relay between two ends on loopback: it can cut, fall silent, and change what passes.
 *
 * It knows nothing of frames. A session is known by the ports that its dialed end calls from.
 */
import net from "node:net"
import type { Listener } from "@rmr/core"

interface Pipe {
  readonly near: net.Socket
  readonly far: net.Socket
  isSilent: boolean
  /** Payload bytes of the next large chunk are changed. */
  isChanging: boolean
}

/** A chunk with a payload is longer than this; greetings and heads without one are shorter. */
const LARGE_BYTES = 480

export class Relay {
  readonly port: number
  private readonly server: net.Server
  private readonly pipes = new Set<Pipe>()

  constructor(to: Listener) {
    const target = Number(to.address.split(":").at(-1))
    this.server = net.createServer((near) => this.accept(near, target))
    // Without a host there is nothing to look up, and the port is known at once.
    this.server.listen(0)
    this.port = (this.server.address() as net.AddressInfo).port
  }

  cut(ports: readonly number[]): void {
    for (const pipe of this.of(ports)) {
      pipe.near.destroy()
      pipe.far.destroy()
    }
  }

  silence(ports: readonly number[]): void {
    for (const pipe of this.of(ports)) pipe.isSilent = true
  }

  changeNext(ports: readonly number[]): void {
    for (const pipe of this.of(ports)) pipe.isChanging = true
  }

  close(): void {
    this.server.close()
    for (const { near, far } of this.pipes) {
      near.destroy()
      far.destroy()
    }
  }

  private of(ports: readonly number[]): Pipe[] {
    return [...this.pipes].filter(({ near }) => ports.includes(near.remotePort ?? 0))
  }

  private accept(near: net.Socket, target: number): void {
    const far = net.connect({ port: target, host: "127.0.0.1", noDelay: true })
    near.setNoDelay(true)
    const pipe: Pipe = { near, far, isSilent: false, isChanging: false }
    this.pipes.add(pipe)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("data", (chunk: Buffer) => this.pass(pipe, chunk, to))
      from.on("error", () => undefined)
      from.on("close", () => {
        if (!pipe.isSilent) to.destroy()
        if (near.destroyed && far.destroyed) this.pipes.delete(pipe)
      })
    }
  }

  private pass(pipe: Pipe, chunk: Buffer, to: net.Socket): void {
    if (pipe.isSilent) return
    if (pipe.isChanging && chunk.length > LARGE_BYTES) {
      pipe.isChanging = false
      chunk[chunk.length - 1]! ^= 0x10
    }
    to.write(chunk)
  }
}
