/**
 * Where an operation fails: a device says that a range of many blocks is bad, and not which block.
 *
 * So the same is done again block by block, up to the end of the first bad run. Nobody is in a
 * hurry here, and a bad block may take a disk seconds, so each step waits for the one before on
 * Node's threads and never on the loop.
 */
import type { Ended, FileCalls } from "./file-calls.js"

export interface BadRangeSearch {
  /** What failed: to read or to write. */
  readonly call: FileCalls["read"]
  readonly fd: number
  readonly blockBytes: number
  /** The memory of the failed operation. */
  readonly memory: Uint8Array
  readonly at: number
  readonly offset: number
  readonly bytes: number
}

/** Told in bytes from the start of the range; none if every block is good after all. */
export type BadRangeFound = (badAt: number, badBytes: number) => void

export function findBadRange(search: BadRangeSearch, found: BadRangeFound): void {
  const { call, fd, blockBytes, memory, at, offset, bytes } = search
  let badAt = -1
  let next = 0
  const step = (): void => {
    if (next >= bytes) {
      found(Math.max(badAt, 0), badAt < 0 ? 0 : bytes - badAt)
      return
    }
    call(fd, memory, at + next, blockBytes, offset + next, judge)
  }
  const judge: Ended = (error, count) => {
    const isBad = error !== null || count < blockBytes
    if (isBad && badAt < 0) badAt = next
    if (!isBad && badAt >= 0) {
      found(badAt, next - badAt)
      return
    }
    next += blockBytes
    step()
  }
  step()
}
