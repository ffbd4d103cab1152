/**
 * One opener of a file at a time.
 *
 * Node has no `flock`. What it has, and what also dies with its holder however it dies, is a socket
 * with an abstract name: the name of the file's device and inode can be listened on once per
 * network namespace of a machine. Everybody takes that one, so a program with the native addon and
 * one without it keep each other out. Two containers that share a file and not a network are not
 * kept apart by it; those that have the addon also take a `flock`, which reaches the whole machine
 * (`lockAcross`). The README and `fileSource` say so.
 *
 * A device needs no `flock`: the kernel itself refuses its second opener, and programs that look
 * for file systems on new devices take that lock for a moment.
 */
import net from "node:net"
import { RmrError } from "@rmr/core"
import type { FileCalls } from "./file-calls.js"

const HELD = "is open in another program, or twice in this one"
/** A file system that knows no such lock: then the socket has to do. */
const NO_SUCH_LOCK: ReadonlySet<string | undefined> = new Set(["ENOTSUP", "ENOSYS", "ENOLCK"])

export interface FileLock {
  release(): Promise<void>
}

/** Fails with `busy` where somebody has it. */
export function lockFile(path: string, device: number, inode: number): Promise<FileLock> {
  const server = net.createServer((stranger) => stranger.destroy())
  // The lock alone keeps no process alive.
  server.unref()
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const isHeld = error.code === "EADDRINUSE"
      const detail = isHeld ? HELD : error.message
      reject(new RmrError(isHeld ? "busy" : "io-error", `${path} ${detail}`, { cause: error }))
    })
    server.listen({ path: `\0rmr-file-${device}-${inode}` }, () => {
      resolve({ release: () => new Promise((done) => server.close(() => done())) })
    })
  })
}

/** The second lock, on the open file: it ends with the descriptor. Fails with `busy`. */
export function lockAcross(path: string, fd: number, calls: FileCalls): void {
  const failure = calls.lock(fd)
  if (failure === null || NO_SUCH_LOCK.has(failure.code)) return
  if (failure.code === "EAGAIN") throw new RmrError("busy", `${path} ${HELD}`)
  throw new RmrError("io-error", `${path} cannot be locked: ${failure.message}`)
}
