/**
 * The daemon's end of the control socket. A caller that talks nonsense is answered, and dropped.
 */
import { chmodSync, rmSync } from "node:fs"
import { createServer, type Server, type Socket } from "node:net"
import { RmrError } from "@rmr/core"
import { freeSocketPath } from "../daemon/socket-path.js"
import { type ControlReply, type ControlRequest, LINE_BYTES_MAX } from "./protocol.js"

export type Verbs = Readonly<Record<string, (args: ControlRequest["args"]) => Promise<unknown>>>

export class ControlServer {
  private readonly server: Server
  private readonly path: string
  private readonly sockets = new Set<Socket>()

  private constructor(server: Server, path: string) {
    this.server = server
    this.path = path
  }

  /** Fails with what `freeSocketPath` says of the place. */
  static async listen(path: string, verbs: Verbs): Promise<ControlServer> {
    await freeSocketPath(path)
    const server = createServer()
    const control = new ControlServer(server, path)
    server.on("connection", (socket) => control.serve(socket, verbs))
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => {
        const words = `${path} cannot be listened at: ${error.message}`
        reject(new RmrError("invalid-argument", `${words}; make its folder, or name another`))
      })
      server.listen(path, () => resolve())
    })
    chmodSync(path, 0o600)
    return control
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise<void>((resolve) => this.server.close(() => resolve()))
    rmSync(this.path, { force: true })
  }

  private serve(socket: Socket, verbs: Verbs): void {
    this.sockets.add(socket)
    socket.on("close", () => this.sockets.delete(socket))
    socket.on("error", () => socket.destroy())
    let text = ""
    socket.setEncoding("utf8")
    socket.on("data", (chunk: string) => {
      text += chunk
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        const line = text.slice(0, end)
        text = text.slice(end + 1)
        void answer(line, verbs).then((reply) => {
          if (!socket.destroyed) socket.write(`${JSON.stringify(reply)}\n`)
        })
      }
      if (text.length > LINE_BYTES_MAX) socket.destroy()
    })
  }
}

async function answer(line: string, verbs: Verbs): Promise<ControlReply> {
  let id = 0
  try {
    const request = parseRequest(line)
    id = request.id
    const verb = Object.hasOwn(verbs, request.verb) ? verbs[request.verb] : undefined
    if (verb === undefined) throw new RmrError("unsupported", `this daemon has no ${request.verb}`)
    return { id, ok: true, result: await verb(request.args) }
  } catch (thrown) {
    const { code, detail } = RmrError.from(thrown)
    return { id, ok: false, error: { code, detail } }
  }
}

function parseRequest(line: string): ControlRequest {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (thrown) {
    throw new RmrError("bad-message", "a request is one JSON object on one line", { cause: thrown })
  }
  const { id, verb, args } = (value ?? {}) as Partial<ControlRequest>
  const isWhole = Number.isSafeInteger(id) && typeof verb === "string"
  if (!isWhole) throw new RmrError("bad-message", "a request has an id and a verb")
  const isArgs = args === undefined || (typeof args === "object" && args !== null)
  if (!isArgs) throw new RmrError("bad-message", "args of a request are an object")
  return { id: id!, verb: verb!, args: args ?? {} }
}
