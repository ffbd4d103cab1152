/**
 * The system calls under a block file, as a table, so that a test can let any of them fail.
 *
 * What the kernel keeps in its cache is read and written at once, on this thread: it costs a
 * microsecond or two, and handing it to another thread costs ten. What can wait for a device goes
 * to Node's threads and comes back by a callback.
 */
import fs from "node:fs"

/** The part of Node's error that is looked at; users of this package need no types of Node. */
export interface FileFailure {
  readonly code?: string | undefined
  readonly message: string
}

export type Ended = (error: FileFailure | null, count: number) => void

export interface FileCalls {
  readSync(fd: number, into: Uint8Array, at: number, bytes: number, offset: number): number
  writeSync(fd: number, from: Uint8Array, at: number, bytes: number, offset: number): number
  read(fd: number, into: Uint8Array, at: number, bytes: number, offset: number, end: Ended): void
  write(fd: number, from: Uint8Array, at: number, bytes: number, offset: number, end: Ended): void
  flush(fd: number, end: Ended): void
}

export const NODE_CALLS: FileCalls = {
  readSync: fs.readSync,
  writeSync: fs.writeSync,
  read: fs.read,
  write: fs.write,
  flush(fd, end) {
    fs.fdatasync(fd, (error) => end(error, 0))
  },
}
