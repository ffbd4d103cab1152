/**
 * World: a seed that grows into time, chance and a log, and makes things happen one by one.
 *
 * Everything that happens in a world happens because of its seed, so a run is repeated by repeating
 * the seed; `digest` says in sixteen digits whether two runs were the same. Real code runs in it
 * unchanged, each process on a `host` whose `Env` it is given.
 *
 * Between two steps every promise chain must have come to rest, or code would run in an order that
 * depends on the engine. Only a macrotask proves that, and a world is pure and knows none: the
 * `Pump` that the caller hands in does (`@rmr/testkit/node` has one for Node). Code that uses no
 * promise can be run without, by `runSync`.
 */
import type { Env } from "@rmr/core"
import { AssertionError, assert } from "@rmr/core"
import type { Host } from "./host.js"
import { simHost } from "./host.js"
import type { LogRecord, RecordingLog } from "./recording-log.js"
import { recordingLog } from "./recording-log.js"
import type { Seed, SeededRandom } from "./seeded-random.js"
import { seededRandom } from "./seeded-random.js"
import type { TraceDigest } from "./trace-digest.js"
import { traceDigest } from "./trace-digest.js"
import type { VirtualClock } from "./virtual-clock.js"
import { virtualClock } from "./virtual-clock.js"

/**
 * Calls `step` again and again until it answers false. Before each call, every promise chain that
 * can go on without the world has come to rest. What `step` throws rejects the promise.
 */
export type Pump = (step: () => boolean) => Promise<void>

export interface WorldOptions {
  readonly seed: Seed
  /** Needed by `run` and everything built on it, not by `runSync`. */
  readonly pump?: Pump
  /** Log records kept. Default 10,000. */
  readonly logRecordsMax?: number
}

export interface RunOptions {
  /** Stops as soon as this holds; asked before each step. */
  readonly until?: () => boolean
  /** Stops after this much time, which then has passed, whether or not anything happened. */
  readonly forMs?: number
  /** Stops after this many steps. Default 10 million: a world that never rests is a defect. */
  readonly stepsMax?: number
}

/**
 * Why a run ended: `until` held, nothing is left to happen, `forMs` has passed, `stepsMax` was
 * reached.
 */
export type RunEnd = "met" | "idle" | "time" | "steps"

export interface World {
  readonly seed: Seed
  /** The onlooker's view: true time, never paused, never killed. For tests and devices. */
  readonly env: Env
  readonly random: SeededRandom
  readonly log: RecordingLog
  readonly nowMs: number
  readonly stepCount: number
  /** What is still to happen. */
  readonly pendingCount: number
  /** The host of this name; made at the first call. */
  host(name: string): Host
  /** Makes one thing happen, without draining promises. False when nothing is left to happen. */
  step(): boolean
  run(options?: RunOptions): Promise<RunEnd>
  runSync(options?: RunOptions): RunEnd
  runFor(ms: number): Promise<void>
  /** Runs until nothing is left to happen. */
  settle(): Promise<void>
  /** Runs until the condition holds; fails when it cannot any more, or not within `limitMs`. */
  runUntil(condition: () => boolean, what: string, limitMs?: number): Promise<void>
  /** Runs until the promise is settled, and gives its outcome. */
  settled<T>(promise: PromiseLike<T>, what: string, limitMs?: number): Promise<T>
  /** Adds a remark of the caller to the digest. */
  trace(remark: string, ...values: readonly number[]): void
  /** Sixteen digits over all that happened. */
  digest(): string
}

const STEPS_MAX_DEFAULT = 10_000_000

export function createWorld(options: WorldOptions): World {
  return new SeededWorld(options)
}

class SeededWorld implements World {
  readonly seed: Seed
  readonly env: Env
  readonly random: SeededRandom
  readonly log: RecordingLog
  private readonly clock: VirtualClock = virtualClock()
  private readonly trail: TraceDigest = traceDigest()
  private readonly hostsByName = new Map<string, Host>()
  private readonly pump: Pump | undefined
  private isRunning = false

  constructor(options: WorldOptions) {
    this.seed = options.seed
    this.pump = options.pump
    this.random = seededRandom(options.seed)
    this.log = recordingLog({
      nowMs: () => this.clock.nowMs,
      ...(options.logRecordsMax === undefined ? {} : { recordsMax: options.logRecordsMax }),
      onRecord: (record) => this.traceRecord(record),
    })
    this.env = this.makeHost("world").env
  }

  get nowMs(): number {
    return this.clock.nowMs
  }

  get stepCount(): number {
    return this.clock.stepCount
  }

  get pendingCount(): number {
    return this.clock.pendingCount
  }

  host(name: string): Host {
    const known = this.hostsByName.get(name)
    if (known !== undefined) return known
    const made = this.makeHost(`host/${name}`, name)
    this.hostsByName.set(name, made)
    return made
  }

  step(): boolean {
    const happened = this.clock.step()
    if (happened) {
      this.trail.number(this.clock.nowMs)
      this.trail.word(this.clock.pendingCount)
    }
    return happened
  }

  async run(options: RunOptions = {}): Promise<RunEnd> {
    assert(this.pump !== undefined, "this world has no pump: only runSync works")
    const course = this.begin(options)
    try {
      await this.pump(() => this.advance(course))
    } finally {
      this.isRunning = false
    }
    assert(course.end !== undefined, "the pump stopped on its own")
    return course.end
  }

  runSync(options: RunOptions = {}): RunEnd {
    const course = this.begin(options)
    try {
      while (this.advance(course));
    } finally {
      this.isRunning = false
    }
    assert(course.end !== undefined, "a run has an end")
    return course.end
  }

  async runFor(ms: number): Promise<void> {
    this.mustNotBe("steps", await this.run({ forMs: ms }), `${ms} ms`)
  }

  async settle(): Promise<void> {
    this.mustNotBe("steps", await this.run(), "rest")
  }

  async runUntil(condition: () => boolean, what: string, limitMs?: number): Promise<void> {
    const limit = limitMs === undefined ? {} : { forMs: limitMs }
    const end = await this.run({ until: condition, ...limit })
    if (end !== "met") throw new AssertionError(this.describe(end, what))
  }

  async settled<T>(promise: PromiseLike<T>, what: string, limitMs?: number): Promise<T> {
    let isSettled = false
    const settle = (): void => {
      isSettled = true
    }
    promise.then(settle, settle)
    await this.runUntil(() => isSettled, what, limitMs)
    return promise
  }

  trace(remark: string, ...values: readonly number[]): void {
    this.trail.text(remark)
    for (const value of values) this.trail.number(value)
  }

  digest(): string {
    return this.trail.hex()
  }

  private makeHost(path: string, name: string = path): Host {
    const { clock, log } = this
    return simHost({ name, clock, log, random: this.random.fork(path) })
  }

  private begin(options: RunOptions): Course {
    assert(!this.isRunning, "a world makes one run at a time")
    this.isRunning = true
    const stepsMax = options.stepsMax ?? STEPS_MAX_DEFAULT
    return {
      until: options.until,
      endMs: options.forMs === undefined ? Number.POSITIVE_INFINITY : this.nowMs + options.forMs,
      stepsEnd: this.clock.stepCount + stepsMax,
      end: undefined,
    }
  }

  /** One step of a run; false when the run has come to its end. */
  private advance(course: Course): boolean {
    course.end = this.endOf(course)
    if (course.end === undefined) return this.step()
    if (course.end === "time") this.clock.passTo(course.endMs)
    return false
  }

  private endOf(course: Course): RunEnd | undefined {
    if (course.until?.() === true) return "met"
    const nextMs = this.clock.nextMs
    if (nextMs === undefined && course.endMs === Number.POSITIVE_INFINITY) return "idle"
    if (nextMs === undefined || nextMs > course.endMs) return "time"
    return this.clock.stepCount >= course.stepsEnd ? "steps" : undefined
  }

  private mustNotBe(bad: RunEnd, end: RunEnd, what: string): void {
    if (end === bad) throw new AssertionError(this.describe(end, what))
  }

  private describe(end: RunEnd, what: string): string {
    const where = `at ${this.nowMs} ms of seed ${this.seed}`
    switch (end) {
      case "idle":
        return `nothing is left to happen ${where}, and still no ${what}`
      case "time":
        return `no ${what} within the time given, ${where}`
      default:
        return `no ${what} after ${this.stepCount} steps, ${where}: something never rests`
    }
  }

  private traceRecord(record: LogRecord): void {
    this.trail.text(record.event)
    for (const name of Object.keys(record.fields)) {
      const value = record.fields[name]
      if (typeof value === "number") this.trail.number(value)
      else this.trail.text(String(value))
    }
  }
}

/** One run: what ends it, and what did. */
interface Course {
  readonly until: (() => boolean) | undefined
  readonly endMs: number
  readonly stepsEnd: number
  end: RunEnd | undefined
}
