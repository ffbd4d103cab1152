/**
 * A listening socket on `node:net`. It hands on the handles of what it accepts, and keeps none: a
 * listener that is closed leaves its connections alone, and is not kept open by them.
 *
 * A socket file that nobody listens at any more was left by a process that died: it is replaced.
 * What is no socket is somebody's file, though it answers like one whose process died: it stays.
 */
import { lstatSync, rmSync } from "node:fs"
import net from "node:net"
import { RmrError } from "@rmr/core"
import { type Acceptor, NOTHING_READ, type OnHandle } from "./acceptor.js"
import { formatSocketAddress, isUnixAddress, type StreamAddress } from "./socket-address.js"
import { takeHandle } from "./take-handle.js"

/** Connections that the kernel keeps for us while the loop is busy. */
const WAITING_MAX = 1024

export class HandleListener implements Acceptor {
  private readonly server: net.Server
  private isClosed = false

  constructor(onHandle: OnHandle) {
    this.server = net.createServer({ pauseOnConnect: true }, (socket) => {
      if (this.isClosed) {
        socket.destroy()
        return
      }
      // The socket that Node made reads into buffers of its own; ours will take its place.
      onHandle(takeHandle(socket), NOTHING_READ, undefined)
    })
  }

  get address(): StreamAddress {
    const bound = this.server.address()
    if (bound === null) throw new RmrError("closed", "not listening")
    return typeof bound === "string" ? { path: bound } : { host: bound.address, port: bound.port }
  }

  /** Fails with `busy` or `invalid-argument`. */
  async open(at: StreamAddress): Promise<void> {
    try {
      await this.bind(at)
    } catch (thrown) {
      const error = thrown as NodeJS.ErrnoException
      if (error.code !== "EADDRINUSE" || !isUnixAddress(at)) throw errorOf(error, at)
      requireSocket(at.path)
      if (!(await isDead(at.path))) throw errorOf(error, at)
      rmSync(at.path, { force: true })
      await this.bind(at).catch((again) => Promise.reject(errorOf(again, at)))
    }
    // Accepting may fail for want of descriptors; whoever called will call again.
    this.server.on("error", () => undefined)
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.server.close()
  }

  private bind(at: StreamAddress): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once("error", reject)
      this.server.listen({ ...at, backlog: WAITING_MAX }, () => {
        this.server.off("error", reject)
        resolve()
      })
    })
  }
}

/** Not of the file that a link leads to: the link is what lies here, and what would go. */
function requireSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== false) return
  throw new RmrError("invalid-argument", `${path} is there and is no socket; name another place`)
}

/** Whether nobody listens at this socket file. */
function isDead(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path }, () => {
      socket.destroy()
      resolve(false)
    })
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"))
  })
}

function errorOf(error: NodeJS.ErrnoException, at: StreamAddress): RmrError {
  const where = isUnixAddress(at) ? at.path : formatSocketAddress(at)
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
