/**
 * A listening socket on `node:net`. It hands on the handles of what it accepts, and keeps none: a
 * listener that is closed leaves its connections alone, and is not kept open by them.
 */
import net from "node:net"
import { RmrError } from "@rmr/core"
import type { SocketAddress } from "./socket-address.js"

/** Connections that the kernel keeps for us while the loop is busy. */
const WAITING_MAX = 1024

export class PlainListener {
  private readonly server: net.Server
  private isClosed = false

  constructor(onHandle: (handle: unknown) => void) {
    this.server = net.createServer({ pauseOnConnect: true }, (socket) => {
      if (this.isClosed) {
        socket.destroy()
        return
      }
      // The socket that Node made reads into buffers of its own; ours will take its place.
      const holder = socket as unknown as { _handle: unknown }
      const handle = holder._handle
      holder._handle = null
      onHandle(handle)
    })
  }

  get address(): SocketAddress {
    const bound = this.server.address()
    if (bound === null || typeof bound === "string") throw new RmrError("closed", "not listening")
    return { host: bound.address, port: bound.port }
  }

  /** Fails with `busy` or `invalid-argument`. */
  open(at: SocketAddress): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException): void => reject(errorOf(error, at))
      this.server.once("error", fail)
      this.server.listen({ host: at.host, port: at.port, backlog: WAITING_MAX }, () => {
        this.server.off("error", fail)
        // Accepting may fail for want of descriptors; whoever called will call again.
        this.server.on("error", () => undefined)
        resolve()
      })
    })
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.server.close()
  }
}

function errorOf(error: NodeJS.ErrnoException, { host, port }: SocketAddress): RmrError {
  const where = `${host} port ${port}`
  const cause = { cause: error }
  if (error.code === "EADDRINUSE") {
    return new RmrError("busy", `somebody listens at ${where} already`, cause)
  }
  if (error.code === "EACCES") {
    return new RmrError("invalid-argument", `this user may not listen at ${where}`, cause)
  }
  const detail = `cannot listen at ${where}: ${error.message}`
  return new RmrError("invalid-argument", detail, cause)
}
