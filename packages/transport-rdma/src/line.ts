/**
 * A line: a queue pair, who listens to it, and what of ours its device still has.
 *
 * First the dial or the guest that brings a session about hears what happens, then the session.
 */
import type { Lease, Memory, RmrError } from "@rmr/core"
import { lineError } from "./codes.js"
import { CountedRing } from "./counted-ring.js"
import type { Path } from "./path.js"
import type { RdmaSession } from "./session.js"
import type { Verbs } from "./verbs.js"

export interface LineEvents {
  /** Of a dialed line: it has a device. */
  onRouted(line: Line): void
  /** What the other side gave with it lies in the view. */
  onConnected(line: Line, view: DataView, at: number, bytes: number): void
  onSaid(line: Line, view: DataView, at: number, bytes: number): void
  /** The view has what the other side gave with a refusal; no bytes where it is none. */
  onOver(line: Line, cause: RmrError, why: number, view: DataView, at: number, bytes: number): void
}

export class Line {
  readonly number: number
  readonly channel: number
  /** From when it is up; of a path of this session. */
  session: RdmaSession | undefined
  path: Path | undefined
  isConnected = false
  /** Nothing comes any more: its device said so. */
  isBroken = false
  /** Frames and words that have come. */
  heardCount = 0
  /** Posts that may wait for room in its queue: all that an honest other side can cause. */
  waitingMax = 0
  /** Posts, counted since ever, and how many of them the device is through with. */
  postCount = 0
  sentCount = 0
  private readCount = 0
  private readonly verbs: Verbs
  private readonly memory: Memory
  private readonly events: LineEvents
  private isOver = false
  /** Leases until something was sent; requests whose payloads are read, with their frames. */
  private readonly leases = new CountedRing()
  private readonly reads = new CountedRing()

  constructor(verbs: Verbs, memory: Memory, number: number, channel: number, events: LineEvents) {
    this.verbs = verbs
    this.memory = memory
    this.number = number
    this.channel = channel
    this.events = events
  }

  /** What it has waited for since when, to see whether anything moves. */
  get waitsFor(): number {
    return this.leases.isEmpty && this.reads.isEmpty ? 0 : this.leases.taken + this.reads.taken + 1
  }

  /** Nothing comes or goes over it any more, and the leases that it had are free. */
  end(): void {
    if (this.isOver) return
    this.isOver = true
    this.isConnected = false
    this.verbs.closeLine(this)
    while (!this.leases.isEmpty) this.releaseFirst()
  }

  /** The lease, of this request's answer, is held until what was just posted is sent. */
  holdUntilSent(lease: Lease, id: number): void {
    this.memory.retain(lease)
    this.leases.push(this.postCount, lease, id)
  }

  /** Each lease that is held has a new holder. */
  handOverHeld(take: (lease: Lease, id: number) => void): void {
    while (!this.leases.isEmpty) {
      take(this.leases.value as Lease, this.leases.other)
      this.leases.shift()
    }
  }

  /** The frame at this place, of this request, comes again when what was just posted is read. */
  visitWhenRead(id: number, frame: number): void {
    this.readCount = (this.readCount + 1) | 0
    this.reads.push(this.readCount, id, frame)
  }

  onRouted(): void {
    if (!this.isOver) this.events.onRouted(this)
  }

  onConnected(view: DataView, at: number, bytes: number): void {
    this.isConnected = true
    if (!this.isOver) this.events.onConnected(this, view, at, bytes)
  }

  onSaid(view: DataView, at: number, bytes: number): void {
    if (this.isOver) return
    this.heardCount++
    // In a session nothing is said; the rules are broken, or it comes late.
    if (this.session === undefined) this.events.onSaid(this, view, at, bytes)
  }

  onOver(why: number, detail: number, view: DataView, at: number, bytes: number): void {
    if (this.isOver) return
    this.isBroken = true
    const cause = lineError(why, detail)
    if (this.session !== undefined) this.session.losePath(this.path!, cause)
    else this.events.onOver(this, cause, why, view, at, bytes)
  }

  /** The device is through with so many posts, counted since ever. */
  onSent(count: number): void {
    if (((count - this.sentCount) | 0) > 0) this.sentCount = count
    this.verbs.posts.onRoom(this.number)
    while (this.leases.isDue(this.sentCount)) this.releaseFirst()
  }

  /** So many reads are done, counted since ever. */
  onRead(count: number): void {
    this.verbs.posts.onRoom(this.number)
    while (this.reads.isDue(count)) {
      const id = this.reads.value
      const frame = this.reads.other
      this.reads.shift()
      this.session?.onFetched(this, id, frame)
    }
  }

  private releaseFirst(): void {
    const lease = this.leases.value as Lease
    this.leases.shift()
    this.memory.release(lease)
  }
}
