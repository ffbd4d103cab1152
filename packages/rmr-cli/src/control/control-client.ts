/** An admin's end of the control socket: one request, one answer. */
import { connect } from "node:net"
import { type ErrorCode, RmrError } from "@rmr/core"
import type { ControlReply } from "./protocol.js"

const DEADLINE_MS = 60_000

/**
 * Fails with `unreachable` where no daemon is, with `deadline` where one says nothing, and with
 * what the daemon refuses.
 */
export function askDaemon(
  path: string,
  verb: string,
  args: Readonly<Record<string, unknown>> = {},
  deadlineMs: number = DEADLINE_MS,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new RmrError("deadline", `the daemon at ${path} did not answer ${verb}`))
    }, deadlineMs)
    const end = (run: () => void): void => {
      clearTimeout(timer)
      socket.destroy()
      run()
    }
    let text = ""
    socket.setEncoding("utf8")
    socket.once("connect", () => socket.write(`${JSON.stringify({ id: 1, verb, args })}\n`))
    socket.once("error", (error) => {
      const words = `no daemon answers at ${path}: ${error.message}; start one, or say --socket`
      end(() => reject(new RmrError("unreachable", words)))
    })
    socket.on("close", () => {
      end(() => reject(new RmrError("link-lost", `the daemon at ${path} ended before it answered`)))
    })
    socket.on("data", (chunk: string) => {
      text += chunk
      const line = text.indexOf("\n")
      if (line < 0) return
      const reply = JSON.parse(text.slice(0, line)) as ControlReply
      end(() => {
        if (reply.ok) resolve(reply.result)
        else reject(new RmrError(reply.error.code as ErrorCode, reply.error.detail))
      })
    })
  })
}
