/**
 * One opener of a file at a time, in plain Node.
 *
 * Node has no `flock`. What it has, and what also dies with its holder however it dies, is a socket
 * with an abstract name: the name of the file's device and inode can be listened on once per
 * network namespace of a machine. Two containers that share a file and not a network are not kept
 * apart by it; docs and `fileSource` say so.
 */
import net from "node:net"
import { RmrError } from "@rmr/core"

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
      const detail = isHeld ? "is open in another program, or twice in this one" : error.message
      reject(new RmrError(isHeld ? "busy" : "io-error", `${path} ${detail}`, { cause: error }))
    })
    server.listen({ path: `\0rmr-file-${device}-${inode}` }, () => {
      resolve({ release: () => new Promise((done) => server.close(() => done())) })
    })
  })
}
