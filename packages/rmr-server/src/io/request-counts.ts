/** What a member has done for its pool since it was opened: counters, for people and metrics. */
import { isMutation, OP_FLUSH, OP_READ, OP_SYNC_READ, OP_WRITE, STATUS_OK } from "@rmr/core"

export class RequestCounts {
  reads = 0
  readBytes = 0
  writes = 0
  writtenBytes = 0
  /** Zeroes and discards. */
  zeroes = 0
  flushes = 0
  /** Chunks, or parts of them, that peers have fetched from here. */
  syncReads = 0
  /** Requests that waited for a copy of a chunk first. */
  copyWaits = 0
  /** Answered with anything but success. */
  failures = 0
  /** Not admitted: another view, another client, out of range, no room. */
  refusals = 0

  noteEnd(operation: number, status: number, bytes: number): void {
    if (status !== STATUS_OK) {
      this.failures++
    } else if (operation === OP_READ) {
      this.reads++
      this.readBytes += bytes
    } else if (operation === OP_WRITE) {
      this.writes++
      this.writtenBytes += bytes
    } else if (operation === OP_FLUSH) this.flushes++
    else if (operation === OP_SYNC_READ) this.syncReads++
    else if (isMutation(operation)) this.zeroes++
  }
}

/** As others see them. */
export type MemberCounts = Readonly<Omit<RequestCounts, "noteEnd">>
