/** What a pool's client has done since it was opened: counters, for people and metrics. */
import { OP_WRITE, STATUS_OK } from "@rmr/core"
import { KIND_FLUSH, KIND_READ } from "./io-rows.js"

export class IoCounts {
  reads = 0
  readBytes = 0
  writes = 0
  writtenBytes = 0
  /** Zeroes and discards. */
  zeroes = 0
  flushes = 0
  failures = 0
  /** Reads that one member could not serve, and that went to another. */
  readRetries = 0
  /** Requests that were sent again to a member that did not take them, or whose session ended. */
  resends = 0
  /** Views that became effective. */
  viewChanges = 0
  /** Times that a leg was put out of the view because it was slow, or late with something. */
  slowLegs = 0

  noteEnd(kind: number, operation: number, status: number, bytes: number): void {
    if (status !== STATUS_OK) this.failures++
    else if (kind === KIND_READ) {
      this.reads++
      this.readBytes += bytes
    } else if (kind === KIND_FLUSH) this.flushes++
    else if (operation === OP_WRITE) {
      this.writes++
      this.writtenBytes += bytes
    } else this.zeroes++
  }
}

/** As others see them. */
export type PoolCounts = Readonly<Omit<IoCounts, "noteEnd">>
