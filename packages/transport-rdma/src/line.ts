/**
 * A line: a queue pair, who listens to it, and what of ours its device still has.
 *
 * First the dial or the guest that brings a session about hears what happens, then the session.
 */
import type { Lease, Memory, RmrError } from "@rmr/core"
import { NO_LEASE } from "@rmr/core"
import { lineError } from "./codes.js"
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

/** Columns of what is under way. */
const SENT_COUNT = 0
const SENT_LEASE = 1
/** Of a read: the request whose payload it is, and the frame that waits; -1 is none. */
const SENT_ID = 2
const SENT_FRAME = 3
const SENT_STRIDE = 4
const NO_FRAME = -1

export class Line {
  readonly number: number
  readonly channel: number
  /** From when it is up. */
  session: RdmaSession | undefined
  isConnected = false
  /** Frames and beats that have come. */
  heardCount = 0
  /** Posts, counted since ever, and how many of them the device is through with. */
  postCount = 0
  sentCount = 0
  private readonly verbs: Verbs
  private readonly memory: Memory
  private readonly events: LineEvents
  private isOver = false
  /** A ring of leases until something was sent, and of frames until something was read. */
  private rows = new Int32Array(16 * SENT_STRIDE)
  private first = 0
  private count = 0

  constructor(verbs: Verbs, memory: Memory, number: number, channel: number, events: LineEvents) {
    this.verbs = verbs
    this.memory = memory
    this.number = number
    this.channel = channel
    this.events = events
  }

  /** Nothing comes or goes over it any more, and the leases that it had are free. */
  end(): void {
    if (this.isOver) return
    this.isOver = true
    this.verbs.closeLine(this)
    while (this.count > 0) this.releaseFirst()
  }

  /** The lease is held until what was just posted is sent. */
  holdUntilSent(lease: Lease): void {
    this.memory.retain(lease)
    this.push(lease, 0, NO_FRAME)
  }

  /** The frame at this place, of this request, comes again when what was just posted is read. */
  visitWhenRead(id: number, frame: number): void {
    this.push(NO_LEASE, id, frame)
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
    const cause = lineError(why, detail)
    if (this.session !== undefined) this.session.goDown(cause)
    else this.events.onOver(this, cause, why, view, at, bytes)
  }

  /** The device is through with so many posts, counted since ever. */
  onSent(count: number): void {
    this.sentCount = count
    while (this.count > 0) {
      const row = this.first * SENT_STRIDE
      if (((count - this.rows[row + SENT_COUNT]!) | 0) < 0) return
      const id = this.rows[row + SENT_ID]!
      const frame = this.rows[row + SENT_FRAME]!
      this.releaseFirst()
      if (frame !== NO_FRAME) this.session?.onFetched(this, id, frame)
    }
  }

  private push(lease: Lease, id: number, frame: number): void {
    const capacity = this.rows.length / SENT_STRIDE
    if (this.count === capacity) this.grow()
    const at = ((this.first + this.count) % (this.rows.length / SENT_STRIDE)) * SENT_STRIDE
    this.rows[at + SENT_COUNT] = this.postCount
    this.rows[at + SENT_LEASE] = lease
    this.rows[at + SENT_ID] = id
    this.rows[at + SENT_FRAME] = frame
    this.count++
  }

  private grow(): void {
    const grown = new Int32Array(this.rows.length * 2)
    const head = this.rows.subarray(this.first * SENT_STRIDE)
    grown.set(head)
    grown.set(this.rows.subarray(0, this.first * SENT_STRIDE), head.length)
    this.rows = grown
    this.first = 0
  }

  private releaseFirst(): void {
    const lease = this.rows[this.first * SENT_STRIDE + SENT_LEASE]! as Lease
    this.first = (this.first + 1) % (this.rows.length / SENT_STRIDE)
    this.count--
    if (lease !== NO_LEASE) this.memory.release(lease)
  }
}
