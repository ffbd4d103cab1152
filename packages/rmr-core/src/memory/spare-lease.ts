/**
 * SpareLease: memory for work that others wait for.
 *
 * Memory may be full of the very operations that wait for this work: were it to wait for memory as
 * well, they would wait for each other (rule W8). So one lease is kept to spare. Work takes from
 * the memory as everybody does, and the spare one where there is nothing else; whoever finds that
 * one taken, too, is called when it comes back or when there is room. Those that share a spare
 * lease may wait for each other, so each must be over in finite time whatever the others do.
 */
import type { Lease } from "../brand.js"
import { type Memory, NO_LEASE } from "../ports/memory.js"

export class SpareLease {
  private readonly memory: Memory
  private spare: Lease = NO_LEASE
  private isOut = false
  private hungry = new Set<() => void>()
  private isAsking = false

  constructor(memory: Memory) {
    this.memory = memory
  }

  /** False where there is no room for it. Idempotent. */
  keep(bytes: number): boolean {
    if (this.spare === NO_LEASE) this.spare = this.memory.lease(bytes)
    return this.spare !== NO_LEASE
  }

  /** NO_LEASE where there is none; `onRoom` then runs once when there may be. */
  take(bytes: number, onRoom: () => void): Lease {
    const lease = this.memory.lease(bytes)
    if (lease !== NO_LEASE) return lease
    const isThere = this.spare !== NO_LEASE && !this.isOut
    if (isThere && bytes <= this.memory.capacityOf(this.spare)) {
      this.isOut = true
      return this.spare
    }
    this.hungry.add(onRoom)
    if (!this.isAsking) {
      this.isAsking = true
      this.memory.whenFree(this.onFree)
    }
    return NO_LEASE
  }

  give(lease: Lease): void {
    if (lease === NO_LEASE) return
    if (lease === this.spare) {
      this.isOut = false
      this.wake()
      return
    }
    this.memory.release(lease)
  }

  /** A spare lease that is out is released when it comes back. */
  close(): void {
    if (this.spare !== NO_LEASE && !this.isOut) this.memory.release(this.spare)
    this.spare = NO_LEASE
    this.isOut = false
  }

  private readonly onFree = (): void => {
    this.isAsking = false
    this.wake()
  }

  /** In order of asking; who finds nothing again asks again, behind the others. */
  private wake(): void {
    if (this.hungry.size === 0) return
    const { hungry } = this
    this.hungry = new Set()
    for (const run of hungry) run()
  }
}
