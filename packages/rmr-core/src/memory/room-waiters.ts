/**
 * Who waits for room (promise A5), and when it is worth waking them.
 *
 * A waiter runs when there is more room than when it asked: more bytes free, or a larger free
 * block. With no more room than then, what failed would fail again. The same rule keeps waking
 * finite: a waiter that takes a lease, finds that it needs another one, gives the first back and
 * asks again has made no room for anybody, itself included.
 *
 * Waiters run in order of asking, inside the release that made room, until the room is gone. One
 * that asks again while it runs keeps its place before those who ask later.
 */

interface Waiter {
  readonly run: () => void
  /** What was free when it asked. */
  readonly pageCount: number
  readonly largestOrder: number
}

/** How much room there is; both are -1 where not even the smallest lease can be had. */
export interface Room {
  readonly freePageCount: number
  readonly largestFreeOrder: number
}

export class RoomWaiters {
  private waiting: Waiter[] = []
  private isWaking = false

  get count(): number {
    return this.waiting.length
  }

  add(room: Room, run: () => void): void {
    const { freePageCount: pageCount, largestFreeOrder: largestOrder } = room
    this.waiting.push({ run, pageCount, largestOrder })
  }

  /** Room was made. A call from inside a waiter adds to the pass that is under way. */
  wake(room: Room): void {
    if (this.isWaking || this.waiting.length === 0) return
    this.isWaking = true
    try {
      for (let at = this.firstToRun(room); at >= 0; at = this.firstToRun(room)) {
        const [waiter] = this.waiting.splice(at, 1)
        waiter?.run()
      }
    } finally {
      this.isWaking = false
    }
  }

  private firstToRun(room: Room): number {
    const { freePageCount, largestFreeOrder } = room
    if (largestFreeOrder < 0) return -1
    return this.waiting.findIndex(
      (waiter) => freePageCount > waiter.pageCount || largestFreeOrder > waiter.largestOrder,
    )
  }
}
