/**
 * A queue pair that speaks RTRS: what has been posted to it, and who hears what comes.
 *
 * First the dial hears it, then the session. When `end` returns, the queue pair is no more: nothing
 * reaches memory of ours through it, and leases that it had are free.
 */
import type { Lease, Memory } from "@rmr/core"
import { CountedRing } from "../counted-ring.js"
import type { Verbs } from "../verbs.js"
import { POST_RAW } from "../verbs-table.js"
import { beatTold } from "./immediate.js"

export interface RawLineOwner {
  onRouted(line: RawLine): void
  /** Private data, or what was sent, lies in the view. */
  onConnected(line: RawLine, view: DataView, at: number, bytes: number): void
  onSaid(line: RawLine, view: DataView, at: number, bytes: number): void
  /** Immediate data, and what was sent with it; no bytes where it was written. */
  onTold(line: RawLine, told: number, view: DataView, at: number, bytes: number): void
  onOver(
    line: RawLine,
    why: number,
    detail: number,
    view: DataView,
    at: number,
    bytes: number,
  ): void
}

export class RawLine {
  /** Of native code. */
  readonly number: number
  /** In its session; 0 is for beats and for what is no IO. */
  readonly place: number
  owner: RawLineOwner
  isConnected = false
  heardCount = 0
  private readonly verbs: Verbs
  private readonly memory: Memory
  private readonly forget: (line: RawLine) => void
  private postCount = 0
  private sentCount = 0
  private isOver = false
  /** Until what was posted is sent. */
  private readonly leases = new CountedRing()

  constructor(
    verbs: Verbs,
    memory: Memory,
    number: number,
    place: number,
    owner: RawLineOwner,
    forget: (line: RawLine) => void,
  ) {
    this.verbs = verbs
    this.memory = memory
    this.number = number
    this.place = place
    this.owner = owner
    this.forget = forget
  }

  /** Posts that its device has not told of. */
  get unsentCount(): number {
    return (this.postCount - this.sentCount) | 0
  }

  /** Tells a number, and nothing else. */
  beat(type: number): void {
    this.request(0, 0, -1, 0, 0, beatTold(type), 0, 0, 0)
  }

  /**
   * A head to this address, behind a payload if the arena is one. The device tells where it lets go
   * of a lease; and always on the first line, where beats wait for what is not sent.
   */
  request(
    headAt: number,
    headBytes: number,
    arena: number,
    at: number,
    bytes: number,
    told: number,
    key: number,
    low: number,
    high: number,
  ): void {
    this.verbs.posts.add(
      this.number,
      POST_RAW,
      headAt,
      headBytes,
      arena,
      at,
      bytes,
      told,
      key,
      low,
      high,
      false,
      arena >= 0 || this.place === 0,
    )
    this.postCount = (this.postCount + 1) | 0
    this.verbs.postsAdded()
  }

  /** The lease is held until what was just posted is sent, whenever it is answered. */
  holdUntilSent(lease: Lease): void {
    this.memory.retain(lease)
    this.leases.push(this.postCount, lease, 0)
  }

  onSent(count: number): void {
    this.sentCount = count
    this.verbs.posts.onRoom(this.number)
    while (this.leases.isDue(count)) this.releaseFirst()
  }

  end(): void {
    if (this.isOver) return
    this.isOver = true
    this.forget(this)
    while (!this.leases.isEmpty) this.releaseFirst()
  }

  private releaseFirst(): void {
    const lease = this.leases.value as Lease
    this.leases.shift()
    this.memory.release(lease)
  }
}
