/**
 * Places in the file system where a daemon wants to listen.
 *
 * The socket of a process that was killed stays behind, and would keep the next one from listening:
 * it is removed. One that somebody answers at is his, and what is no socket at all is somebody's
 * file: neither is touched.
 */
import { rmSync, statSync } from "node:fs"
import { connect } from "node:net"
import { RmrError } from "@rmr/core"

/** What `connect` says of a socket whose process is gone, and of none. */
const DEAD: ReadonlySet<string | undefined> = new Set(["ECONNREFUSED", "ENOENT"])

/** Fails with `busy` where a process listens, with `invalid-argument` where a file is no socket. */
export async function freeSocketPath(path: string): Promise<void> {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) {
    throw new RmrError("invalid-argument", `${path} is there and is no socket; name another place`)
  }
  if (await isAnswered(path)) {
    throw new RmrError("busy", `a daemon answers at ${path} already; stop it, or name another`)
  }
  rmSync(path, { force: true })
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    // Somebody who has no time now, or lets nobody in, is alive all the same.
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(!DEAD.has(error.code)))
  })
}
