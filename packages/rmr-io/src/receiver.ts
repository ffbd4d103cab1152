/**
 * Cuts the stream of one connection into frames, and puts payloads where they belong: what all
 * protocols have in common. What a head says is the subclass's.
 *
 * Bytes come in chunks of a shared buffer that is reused at once. Heads and texts are collected in
 * a small buffer of this connection only where a chunk ends in the middle of them; payloads go from
 * the chunk straight into their lease, and the rest of a large one is read there by the kernel.
 *
 * | state | waits for |
 * |---|---|
 * | head | a whole head and its text |
 * | payload | the rest of a payload, whose place is known |
 * | memory | a lease; what of the chunk lies behind the frame is kept, and nothing more is read |
 * | full | that fewer frames are open; kept and unread as with memory |
 */
import type { Lease, Memory } from "@rmr/core"
import { assert, NO_LEASE, RmrError } from "@rmr/core"
import { copyBytes } from "./copy-bytes.js"
import { CHECK_NOTHING } from "./native-addon.js"
import type { ViewCache } from "./view-cache.js"

/** From so much on, the rest of a payload is read into its place, and not with what follows. */
const DIRECT_BYTES_MIN = 16 * 1024

export interface ReceiverParts {
  readonly memory: Memory
  readonly views: ViewCache
  /** No memory: nothing may be read until `onResumed`. */
  readonly onPaused: () => void
  readonly onResumed: () => void
  readonly onBroken: (cause: RmrError) => void
}

export abstract class Receiver {
  protected state: "head" | "payload" | "memory" | "full" | "closed" = "head"
  /** Head and text of the frame that is being received, where it did not come at once. */
  protected readonly held: DataView
  protected heldBytes = 0
  protected textBytes = 0
  /** The lease of the payload, or NO_LEASE where it goes elsewhere. */
  protected lease: Lease = NO_LEASE
  protected arena = 0
  protected payloadAt = 0
  protected payloadBytes = 0
  protected payloadDone = 0
  /** The sums of the frame at hand are known to be right. */
  protected isChecked = false
  /** Frames of the chunk whose sums are known to be right. */
  private checkedCount = 0
  private readonly memory: Memory
  private readonly views: ViewCache
  private readonly headBytes: number
  private readonly common: ReceiverParts
  /** What came behind a frame that waits for memory. */
  private rest: Uint8Array | undefined

  constructor(parts: ReceiverParts, headBytes: number, textBytesMax: number) {
    this.common = parts
    this.memory = parts.memory
    this.views = parts.views
    this.headBytes = headBytes
    this.held = new DataView(new ArrayBuffer(headBytes + textBytesMax))
  }

  /** The size of head and text; negative for one that is refused. */
  protected abstract sizeOf(view: DataView, at: number): number
  /** Head and text are there: they are checked, and the payload gets a place. */
  protected abstract begin(view: DataView, at: number): void
  /** The frame is whole. It ends with `toNextHead`, or is refused. */
  protected abstract finish(view: DataView, at: number): void

  get isWaiting(): boolean {
    return this.state === "memory" || this.state === "full"
  }

  get isWaitingForMemory(): boolean {
    return this.state === "memory"
  }

  /** A frame has begun that is not whole: the other side owes its rest. */
  get isInFrame(): boolean {
    return this.state === "payload" || (this.state === "head" && this.heldBytes > 0)
  }

  private get isStopped(): boolean {
    return this.isWaiting || this.state === "closed"
  }

  /** What of frames in the next chunk may be looked at before it is taken: CHECK_*. */
  get checks(): number {
    return CHECK_NOTHING
  }

  /** Where in the next chunk its first frame begins: before it comes the rest of a payload. */
  get checksFrom(): number {
    return this.state === "payload" ? this.payloadBytes - this.payloadDone : 0
  }

  /**
   * Takes `count` bytes of a chunk; all that outlives the call is copied. The first `checkedCount`
   * frames that begin in it are whole, and somebody has looked at their sums.
   */
  take(chunk: DataView, bytes: Uint8Array, count: number, checkedCount: number): void {
    assert(!this.isWaiting, "nothing is read while a payload waits for memory")
    this.checkedCount = checkedCount
    this.run(chunk, bytes, 0, count)
    this.checkedCount = 0
  }

  /** Where the kernel may put what comes next: the place of a payload, or undefined. */
  directPlace(): Uint8Array | undefined {
    const left = this.payloadBytes - this.payloadDone
    if (this.state !== "payload" || left < DIRECT_BYTES_MIN) return undefined
    const start = this.payloadAt + this.payloadDone
    return this.memory.arenas[this.arena]!.bytes.subarray(start, start + left)
  }

  /** The kernel has put so many bytes into the direct place. */
  tookDirectly(count: number): void {
    if (this.state !== "payload") return
    this.payloadDone += count
    if (this.payloadDone === this.payloadBytes) this.finish(this.held, 0)
  }

  /** Lets go of everything. Idempotent. */
  close(): void {
    if (this.state === "closed") return
    this.state = "closed"
    this.dropLease()
    this.rest = undefined
  }

  private run(chunk: DataView, bytes: Uint8Array, from: number, to: number): void {
    let at = from
    while (at < to) {
      if (this.state === "head") at = this.takeHead(chunk, bytes, at, to)
      else if (this.state === "payload") at = this.takePayload(bytes, at, to)
      else if (this.isWaiting) {
        this.rest = bytes.slice(at, to)
        return
      } else return
    }
  }

  /** Returns where it stopped. */
  private takeHead(chunk: DataView, bytes: Uint8Array, at: number, to: number): number {
    const { headBytes } = this
    if (this.heldBytes === 0 && to - at >= headBytes) {
      const size = this.sizeOf(chunk, at)
      if (size < 0) return to
      if (to - at >= size) return this.takeFrame(chunk, bytes, at, at + size, to)
    }
    const wanted = this.heldBytes < headBytes ? headBytes : headBytes + this.textBytes
    const step = Math.min(to - at, wanted - this.heldBytes)
    copyBytes(chunk, at, this.held, this.heldBytes, step)
    this.heldBytes += step
    if (this.heldBytes < headBytes) return at + step
    const size = this.sizeOf(this.held, 0)
    if (size < 0) return to
    if (this.heldBytes < size) return at + step
    this.begin(this.held, 0)
    return at + step
  }

  /** A head and text that came whole: the payload may be there as well. */
  private takeFrame(
    chunk: DataView,
    bytes: Uint8Array,
    at: number,
    end: number,
    to: number,
  ): number {
    this.isChecked = this.checkedCount > 0
    if (this.isChecked) this.checkedCount--
    this.begin(chunk, at)
    if (this.state === "closed") return to
    if (this.state === "payload" && to - end >= this.payloadBytes) {
      this.place(bytes, end, this.payloadBytes)
      const next = end + this.payloadBytes
      this.finish(chunk, at)
      this.isChecked = false
      return next
    }
    this.isChecked = false
    if (this.state !== "head") copyBytes(chunk, at, this.held, 0, end - at)
    return end
  }

  private takePayload(bytes: Uint8Array, at: number, to: number): number {
    const step = Math.min(to - at, this.payloadBytes - this.payloadDone)
    this.place(bytes, at, step)
    if (this.payloadDone === this.payloadBytes) this.finish(this.held, 0)
    return at + step
  }

  protected placeInLease(): void {
    const { memory } = this
    this.lease = memory.lease(this.payloadBytes)
    if (this.lease === NO_LEASE) {
      if (this.state !== "memory") this.common.onPaused()
      this.state = "memory"
      memory.whenFree(this.tryAgain)
      return
    }
    this.arena = memory.arenaOf(this.lease).index
    this.payloadAt = memory.offsetOf(this.lease)
    this.state = "payload"
  }

  /** Memory was released: perhaps enough. */
  private readonly tryAgain = (): void => {
    if (this.state !== "memory") return
    this.placeInLease()
    if (!this.isWaiting) this.goOn()
  }

  /** Takes what was kept, and then goes on reading. */
  private goOn(): void {
    const { rest } = this
    this.rest = undefined
    if (rest !== undefined) {
      const view = new DataView(rest.buffer, rest.byteOffset, rest.length)
      this.run(view, rest, 0, rest.length)
    }
    if (!this.isStopped) this.common.onResumed()
  }

  private place(bytes: Uint8Array, at: number, count: number): void {
    const { arenas } = this.memory
    const part = at === 0 && count === bytes.length ? bytes : this.views.part(bytes, at, count)
    arenas[this.arena]!.bytes.set(part, this.payloadAt + this.payloadDone)
    this.payloadDone += count
  }

  /** Nothing more is taken, once the frame at hand is whole, until `unhold`. */
  protected holdFull(): void {
    if (this.state === "head") this.state = "full"
  }

  protected leaveFull(): void {
    if (this.state !== "full") return
    this.state = "head"
    this.goOn()
  }

  protected toNextHead(): void {
    this.lease = NO_LEASE
    this.payloadBytes = 0
    this.payloadDone = 0
    this.heldBytes = 0
    this.textBytes = 0
    this.state = "head"
  }

  protected refuse(what: string): number {
    this.close()
    this.common.onBroken(new RmrError("bad-message", `the other side sent ${what}`))
    return -1
  }

  private dropLease(): void {
    if (this.lease !== NO_LEASE) this.memory.release(this.lease)
    this.lease = NO_LEASE
  }
}
