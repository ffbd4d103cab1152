/**
 * The drive of a simulated disk: who has it open, what is being carried out, and how long it takes.
 *
 * It lives in true time, not in the time of the process that uses it: a stopped process does not
 * stop its disk. Each operation has its own delay, so operations end in any order. When the user
 * dies, what was being carried out happened, in part or not at all, and nobody is told.
 */
import type { BlockFileCapabilities, Clock, Timer } from "@rmr/core"
import { assert } from "@rmr/core"
import type { DiskParts, DiskRequest, DiskVerdict } from "./disk-operation.js"
import { OperationInProgress } from "./disk-operation.js"
import type { SeededRandom } from "./seeded-random.js"

/** Uniform between the two, in milliseconds. */
export type DelayRange = readonly [leastMs: number, mostMs: number]

export interface DiskTiming {
  readonly read: DelayRange
  readonly write: DelayRange
  readonly flush: DelayRange
  /** What a `slow` fault takes. */
  readonly slow: DelayRange
}

export interface DriveOptions {
  readonly parts: DiskParts
  readonly supports: BlockFileCapabilities
  readonly atomicBytes: number
  /** True time. */
  readonly clock: Clock
  readonly random: SeededRandom
  readonly timing: DiskTiming
  readonly ioBytesMax: number
  readonly inFlightMax: number
  readonly splitProbability: number
}

/** The one who has the disk open. */
export interface DriveUser {
  /** The process is gone: nothing may be delivered any more. */
  onLost(): void
}

interface RunningOperation {
  readonly operation: OperationInProgress
  readonly onEnd: (verdict: DiskVerdict, operation: OperationInProgress) => void
  timer: Timer | undefined
}

export class DiskDrive {
  readonly options: DriveOptions
  private timing: DiskTiming
  private user: DriveUser | undefined
  private isStuck = false
  private readonly running = new Set<RunningOperation>()
  /** Those of `running` that wait for `release`, in order. */
  private held: RunningOperation[] = []

  constructor(options: DriveOptions) {
    this.options = options
    this.timing = options.timing
  }

  get isOpen(): boolean {
    return this.user !== undefined
  }

  /** False when somebody else has it. */
  lock(user: DriveUser): boolean {
    if (this.user !== undefined) return false
    this.user = user
    return true
  }

  unlock(user: DriveUser): void {
    assert(this.user === user && this.running.size === 0, "the user gives up an idle disk")
    this.user = undefined
    this.options.parts.medium.dropOrphans()
  }

  /** How long it takes to look something up. */
  lookDelayMs(): number {
    return this.draw(this.timing.read)
  }

  /** Begins to carry it out; `onEnd` is called once, later, unless the user is lost before. */
  start(request: DiskRequest, onEnd: RunningOperation["onEnd"]): void {
    const { parts, random, splitProbability, clock } = this.options
    const operation = new OperationInProgress(parts, request)
    const running: RunningOperation = { operation, onEnd, timer: undefined }
    this.running.add(running)
    if (this.isStuck || parts.dice.strikes("stuck")) {
      this.held.push(running)
      return
    }
    const delayMs = this.draw(this.delayRange(request))
    if (operation.blockCount > 1 && random.chance(splitProbability)) {
      const firstMs = delayMs * random.unit()
      const blocks = random.between(1, operation.blockCount - 1)
      running.timer = clock.schedule(firstMs, () => {
        operation.advanceTo(blocks)
        running.timer = clock.schedule(delayMs - firstMs, () => this.end(running))
      })
    } else running.timer = clock.schedule(delayMs, () => this.end(running))
  }

  stick(): void {
    this.isStuck = true
  }

  release(): void {
    this.isStuck = false
    const held = this.held
    this.held = []
    for (const running of held) {
      running.timer = this.options.clock.schedule(0, () => this.end(running))
    }
  }

  setTiming(timing: Partial<DiskTiming>): void {
    this.timing = { ...this.timing, ...timing }
  }

  /**
   * The process dies, the kernel lives: an operation was not begun, is half done, or goes through.
   */
  kill(): void {
    const { random, parts } = this.options
    for (const { operation } of this.running) {
      if (operation.isMutation) operation.advanceTo(blocksAtDeath(operation.blockCount, random))
    }
    this.abandon()
    parts.medium.dropOrphans()
  }

  /** Kills only on behalf of the life that opened it. */
  killUser(user: DriveUser): void {
    if (this.user === user) this.kill()
  }

  /** Everything in flight becomes a write that the power cut may keep or lose. */
  losePower(): void {
    for (const { operation } of this.running) {
      if (operation.isMutation) operation.advanceTo(operation.blockCount)
    }
    this.abandon()
  }

  private end(running: RunningOperation): void {
    if (this.isStuck) {
      this.held.push(running)
      return
    }
    this.running.delete(running)
    running.onEnd(running.operation.finish(), running.operation)
  }

  private abandon(): void {
    for (const { timer } of this.running) timer?.cancel()
    this.running.clear()
    this.held = []
    const user = this.user
    this.user = undefined
    user?.onLost()
  }

  private delayRange({ on }: DiskRequest): DelayRange {
    if (this.options.parts.dice.strikes("slow")) return this.timing.slow
    return on === "zero" ? this.timing.write : this.timing[on]
  }

  private draw([leastMs, mostMs]: DelayRange): number {
    return leastMs + (mostMs - leastMs) * this.options.random.unit()
  }
}

function blocksAtDeath(blockCount: number, random: SeededRandom): number {
  switch (random.below(3)) {
    case 0:
      return 0
    case 1:
      return random.below(blockCount + 1)
    default:
      return blockCount
  }
}
