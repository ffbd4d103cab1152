/**
 * CommandMemory: where the payloads of a link's commands are.
 *
 * Payload memory may be full of the very writes that wait for a view change; were its record to
 * wait for memory as well, they would wait for each other. So each link keeps a lease to spare,
 * large enough for a record, from its first session to its close (rule W8). A transport is done
 * with a lease when the operation completes, so the spare one is then free for the next command.
 */
import { type Lease, type Memory, NO_LEASE, POOL_METADATA_BYTES_MAX, RmrError } from "@rmr/core"

/** Of small memories the spare leases of all links must not be the largest part. */
const SHARE_MAX = 1 / 32

export class CommandMemory {
  private readonly memory: Memory
  private spare: Lease = NO_LEASE
  private isSpareOut = false
  private isHungry = false

  constructor(memory: Memory) {
    this.memory = memory
  }

  /** Fails with `out-of-memory`. Idempotent. */
  keepSpare(): void {
    if (this.spare !== NO_LEASE) return
    const share = this.memory.stats().arenaBytes * SHARE_MAX
    const bytes = Math.min(POOL_METADATA_BYTES_MAX, share, this.memory.leaseBytesMax)
    this.spare = this.memory.lease(Math.max(1, Math.floor(bytes)))
    if (this.spare === NO_LEASE) {
      throw new RmrError("out-of-memory", "no payload memory for the commands of one more session")
    }
  }

  /** NO_LEASE where there is none; `onRoom` then runs once when there may be. */
  take(bytes: number, onRoom: () => void): Lease {
    const lease = this.memory.lease(bytes)
    if (lease !== NO_LEASE) return lease
    const isThere = this.spare !== NO_LEASE && !this.isSpareOut
    if (isThere && bytes <= this.memory.capacityOf(this.spare)) {
      this.isSpareOut = true
      return this.spare
    }
    if (!this.isHungry) {
      this.isHungry = true
      this.memory.whenFree(() => {
        this.isHungry = false
        onRoom()
      })
    }
    return NO_LEASE
  }

  give(lease: Lease): void {
    if (lease === NO_LEASE) return
    if (lease === this.spare) this.isSpareOut = false
    else this.memory.release(lease)
  }

  /** A spare lease that is still out is released when it comes back. */
  close(): void {
    if (this.spare !== NO_LEASE && !this.isSpareOut) this.memory.release(this.spare)
    this.spare = NO_LEASE
  }
}
