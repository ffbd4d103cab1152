/**
 * ForcedFiles: the open files that forced writes go through.
 *
 * Linux tells an error of writing back once to each open file, whoever asks there first. So through
 * the kernel's cache two forced writes in one open file could be told each other's fate, and one
 * that is lost would be told that it is durable. Each has an open file of its own here, and waits
 * while there is none. Past the cache an error is that of the write alone, and one is enough.
 */
import { assert } from "@rmr/core"

export const NO_ROW = -1

export class ForcedFiles {
  private readonly isShared: boolean
  private readonly fds: readonly number[]
  private readonly free: number[]
  /** Rows that wait for one, in order. */
  private readonly waiting: number[] = []

  constructor(fds: readonly number[], isShared: boolean) {
    assert(fds.length > 0, "there is an open file to force writes through")
    this.fds = fds
    this.isShared = isShared
    this.free = [...fds]
  }

  /** The open file for this row; undefined: it waits until `give` answers with it. */
  take(row: number): number | undefined {
    if (this.isShared) return this.fds[0]
    const fd = this.free.pop()
    if (fd === undefined) this.waiting.push(row)
    return fd
  }

  /** A row is over; the one that was answered may try again. */
  give(fd: number): number {
    if (this.isShared) return NO_ROW
    this.free.push(fd)
    return this.waiting.shift() ?? NO_ROW
  }
}
