/**
 * The system calls under a block file, as a table, so that a test can let any of them fail.
 *
 * What the kernel keeps in its cache is read and written at once, on this thread, all of a turn
 * together: it costs a microsecond or two, and handing it to another thread costs ten. What can
 * wait for a device goes to a ring or to Node's threads and comes back by a callback.
 */
import fs from "node:fs"
import { MOVE_READ } from "../native-addon.js"
import type { Moves } from "./moves.js"

/** The part of Node's error that is looked at; users of this package need no types of Node. */
export interface FileFailure {
  readonly code?: string | undefined
  readonly message: string
}

export type Ended = (error: FileFailure | null, count: number) => void

export interface FileCalls {
  /** Reads and writes of the table, now: each has its result when this returns. */
  runMoves(moves: Moves): void
  read(fd: number, into: Uint8Array, at: number, bytes: number, offset: number, end: Ended): void
  write(fd: number, from: Uint8Array, at: number, bytes: number, offset: number, end: Ended): void
  /** In an open file with O_DSYNC: what has ended is durable. */
  writeForced(
    fd: number,
    from: Uint8Array,
    at: number,
    bytes: number,
    offset: number,
    end: Ended,
  ): void
  flush(fd: number, end: Ended): void
  /** Whether `zero` gives space back in this open file. It changes nothing. */
  canMakeHoles(fd: number, sizeBytes: number): boolean
  /** Whether `zero` is worth a try at all. */
  readonly canZeroRanges: boolean
  /** Ends with all of `bytes`, or fails with ENOTSUP where zeroes have to be written instead. */
  zero(
    fd: number,
    keepsSpace: boolean,
    offset: number,
    bytes: number,
    isDurable: boolean,
    end: Ended,
  ): void
  /** A lock on an open file against all of the machine, until it is closed. EAGAIN: it is taken. */
  lock(fd: number): FileFailure | null
}

const EIO = 5

/** How many bytes were moved, or a negative errno. */
function runMove(moves: Moves, nth: number): number {
  const [fd, memory, at] = [moves.fdOf(nth), moves.memoryOf(nth), moves.atOf(nth)]
  const [bytes, offset] = [moves.bytesOf(nth), moves.offsetOf(nth)]
  const isRead = moves.kindOf(nth) === MOVE_READ
  try {
    if (isRead) return fs.readSync(fd, memory, at, bytes, offset)
    return fs.writeSync(fd, memory, at, bytes, offset)
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).errno ?? -EIO
  }
}

const NO_ZEROES: FileFailure = { code: "ENOTSUP", message: "plain Node makes no holes" }

/** In plain Node. It makes no holes, and has no other lock than the one of file-lock.ts. */
export const NODE_CALLS: FileCalls = {
  runMoves(moves) {
    for (let nth = 0; nth < moves.count; nth++) moves.setResult(nth, runMove(moves, nth))
  },
  read: fs.read,
  write: fs.write,
  writeForced: fs.write,
  flush(fd, end) {
    fs.fdatasync(fd, (error) => end(error, 0))
  },
  canMakeHoles: () => false,
  canZeroRanges: false,
  zero: (_fd, _keepsSpace, _offset, _bytes, _isDurable, end) => setImmediate(end, NO_ZEROES, 0),
  lock: () => null,
}
