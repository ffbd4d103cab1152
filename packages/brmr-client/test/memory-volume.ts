/**
 * A volume in memory that keeps the promises of the port: completions come as one batch in a turn
 * of their own, each operation completes once, and what is illegal is refused as the port says.
 *
 * A test may hold operations back, to look at what happens meanwhile, and let one fail.
 */
import type { Clock, Lease, Memory, Volume, VolumeOpen, VolumeRange, VolumeSource } from "@rmr/core"
import {
  assert,
  assertLeaseRange,
  BLOCK_BAD_AT,
  BLOCK_FUA,
  BLOCK_STATUS,
  BLOCK_STRIDE,
  BLOCK_TOKEN,
  isBlockRange,
  statusOf,
} from "@rmr/core"

export interface MemoryVolumeOptions {
  readonly clock: Clock
  readonly memory: Memory
  readonly sizeBytes: number
  readonly blockBytes?: number
  readonly ioBytesMax?: number
  readonly canUnmap?: boolean
}

/** With a status, that is what it ends with. */
type Run = (status?: number) => void
const CLOSED = statusOf("closed")

/** The medium; every handle that is opened shares it. */
export class MemoryVolumes implements VolumeSource {
  readonly name = "memory"
  sizeBytes: number
  bytes: Uint8Array
  readonly options: MemoryVolumeOptions
  /** Kinds of operations, in order, while it is defined. */
  trace: string[] | undefined
  isHeld = false
  failWith: ((kind: string, offset: number) => number) | undefined
  dirty: readonly (readonly [from: number, to: number])[] = []
  openCount = 0
  private heldRuns: Run[] = []

  constructor(options: MemoryVolumeOptions) {
    this.options = options
    this.sizeBytes = options.sizeBytes
    this.bytes = new Uint8Array(options.sizeBytes)
  }

  resize(sizeBytes: number): void {
    const grown = new Uint8Array(sizeBytes)
    grown.set(this.bytes.subarray(0, sizeBytes))
    this.bytes = grown
    this.sizeBytes = sizeBytes
  }

  open(open: VolumeOpen): Volume {
    this.openCount++
    return new MemoryVolume(this, open)
  }

  /** Lets go of what was held back. */
  go(status?: number): void {
    this.isHeld = false
    for (const run of this.heldRuns.splice(0)) run(status)
  }

  whenLetGo(run: Run): void {
    if (this.isHeld) this.heldRuns.push(run)
    else run()
  }
}

class MemoryVolume implements Volume {
  readonly name: string
  readonly blockBytes: number
  readonly atomicBytes = 512
  readonly ioBytesMax: number
  readonly inFlightMax: number
  readonly optimalIoBytes: number = 128 * 1024
  readonly canUnmap: boolean
  private readonly of: MemoryVolumes
  private readonly opened: VolumeOpen
  private inFlightCount = 0
  private doneCount = 0
  private readonly words: Int32Array
  private isArmed = false
  private isClosed = false
  private onIdle: Run | undefined
  private readonly complete = (): void => this.tell()

  constructor(of: MemoryVolumes, opened: VolumeOpen) {
    this.of = of
    this.opened = opened
    this.name = of.name
    this.blockBytes = of.options.blockBytes ?? 4096
    this.ioBytesMax = of.options.ioBytesMax ?? 1024 * 1024
    this.canUnmap = of.options.canUnmap ?? true
    this.inFlightMax = opened.inFlightMax
    this.words = new Int32Array(opened.inFlightMax * BLOCK_STRIDE)
  }

  get sizeBytes(): number {
    return this.of.sizeBytes
  }

  read(token: number, offset: number, lease: Lease, at: number, bytes: number): void {
    this.checkLease(lease, at, bytes)
    const status = this.begin("read", offset, bytes, 0)
    if (status === 0) {
      const target = this.of.options.memory.arenaOf(lease).bytes
      const start = this.of.options.memory.offsetOf(lease) + at
      target.set(this.of.bytes.subarray(offset, offset + bytes), start)
    }
    this.end(token, status)
  }

  write(
    token: number,
    offset: number,
    lease: Lease,
    at: number,
    bytes: number,
    flags: number,
  ): void {
    this.checkLease(lease, at, bytes)
    const status = this.begin("write", offset, bytes, flags)
    if (status === 0) {
      const { memory } = this.of.options
      const start = memory.offsetOf(lease) + at
      this.of.bytes.set(memory.arenaOf(lease).bytes.subarray(start, start + bytes), offset)
    }
    this.end(token, status)
  }

  zero(token: number, offset: number, bytes: number, flags: number): void {
    const status = this.begin(flags > BLOCK_FUA ? "unmap" : "zero", offset, bytes, flags)
    if (status === 0) this.of.bytes.fill(0, offset, offset + bytes)
    this.end(token, status)
  }

  flush(token: number): void {
    this.end(token, this.begin("flush", 0, this.blockBytes, 0))
  }

  submit(): void {}

  ranges(offset: number, bytes: number, countMax: number): readonly VolumeRange[] {
    const found: VolumeRange[] = []
    let at = offset
    const end = offset + bytes
    while (at < end && found.length < countMax) {
      const here = this.of.dirty.find(([from, to]) => from <= at && at < to)
      const next = this.of.dirty.find(([from]) => from > at)
      const to = Math.min(end, here?.[1] ?? next?.[0] ?? end)
      found.push({ bytes: to - at, isDirty: here !== undefined })
      at = to
    }
    return found
  }

  close(withinMs?: number): Promise<void> {
    this.isClosed = true
    if (withinMs === 0) this.of.go(CLOSED)
    if (this.inFlightCount === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.onIdle = () => resolve()
    })
  }

  private begin(kind: string, offset: number, bytes: number, flags: number): number {
    assert(!this.isClosed, "a closed volume takes nothing")
    assert(this.inFlightCount < this.inFlightMax, "no more operations than were agreed")
    assert(flags >= 0 && flags <= 3, "flags exist")
    this.inFlightCount++
    if (this.of.trace !== undefined) {
      const fua = (flags & BLOCK_FUA) !== 0 ? "+fua" : ""
      this.of.trace.push(`${kind}${fua} ${offset} ${bytes}`)
    }
    if (!isBlockRange(this, offset, bytes)) return statusOf("invalid-range")
    return this.of.failWith?.(kind, offset) ?? 0
  }

  private checkLease(lease: Lease, at: number, bytes: number): void {
    assertLeaseRange(this.of.options.memory, this.blockBytes, lease, at, bytes)
  }

  private end(token: number, status: number): void {
    if (this.of.isHeld) this.of.whenLetGo((other = status) => this.ended(token, other))
    else this.ended(token, status)
  }

  private ended(token: number, status: number): void {
    const row = this.doneCount++ * BLOCK_STRIDE
    this.words[row + BLOCK_TOKEN] = token
    this.words[row + BLOCK_STATUS] = status
    this.words[row + BLOCK_BAD_AT] = status === 0 ? 0 : 512
    if (this.isArmed) return
    this.isArmed = true
    this.of.options.clock.endOfTurn(this.complete)
  }

  private tell(): void {
    this.isArmed = false
    const count = this.doneCount
    this.doneCount = 0
    this.inFlightCount -= count
    // What is submitted meanwhile is told in another batch.
    const words = this.words.slice(0, count * BLOCK_STRIDE)
    this.opened.events.onCompletions({ count, words })
    if (this.inFlightCount === 0) this.onIdle?.()
  }
}
