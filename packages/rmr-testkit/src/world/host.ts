/**
 * A host: one simulated process, with its own opinion about time, and lives that end.
 *
 * The world has one true clock. A host sees it through its own: it may drift, its wall clock may be
 * wrong, the process may be stopped for a while (SIGSTOP, a suspended guest) and it may be killed.
 * Each life has an `Env` of its own. When a life ends, its timers and ends of turn are gone, and
 * whatever its code still does in promise chains reaches nobody: its clock schedules nothing and
 * its log is silent.
 *
 * Devices that belong to a life (sockets, open files) learn of its end by `onDeath`.
 */
import type { Clock, Env, Log, Timer } from "@rmr/core"
import { assert, silentLog } from "@rmr/core"
import { NOT_QUEUED } from "./event-queue.js"
import type { SeededRandom } from "./seeded-random.js"
import type { ClockEvent, VirtualClock } from "./virtual-clock.js"

export interface PauseOptions {
  /** `runs`: the process is stopped (default). `stops`: the machine is, and its clock with it. */
  readonly clock?: "runs" | "stops"
}

export interface Host {
  readonly name: string
  /** Time, chance and log of the current life. */
  readonly env: Env
  /** 1 for the first life, one more after each `restart`. */
  readonly life: number
  readonly isAlive: boolean
  readonly isPaused: boolean
  /** Ends this life without a goodbye. Idempotent. */
  kill(): void
  /** A new life, after `kill`. */
  restart(): Env
  /** What is due waits until `resume`, then happens in order. */
  pause(options?: PauseOptions): void
  resume(): void
  /** Local milliseconds per true one, from now on: 1.0001 gains 100 ppm. */
  setClockRate(rate: number): void
  /** Moves the wall clock; the monotonic one is untouched. */
  skewWall(byMs: number): void
  /** Runs once when the current life ends, in order of asking. */
  onDeath(run: () => void): void
}

export interface HostParts {
  readonly name: string
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly log: Log
}

/** The wall clock of a world begins on 2024-01-01, so that no run depends on the day it is run. */
const WALL_START_MS = 1_704_067_200_000
/** A timer that came too early by the host's clock is tried again no sooner than this. */
const RETRY_MS_MIN = 0.001

export function simHost(parts: HostParts): Host {
  return new SimHost(parts)
}

class SimHost implements Host {
  life = 0
  private readonly parts: HostParts
  private readonly local: LocalTime
  private current: Life

  constructor(parts: HostParts) {
    this.parts = parts
    this.local = new LocalTime(parts.clock)
    this.current = this.beginLife()
  }

  get name(): string {
    return this.parts.name
  }

  get env(): Env {
    return this.current.env
  }

  get isAlive(): boolean {
    return this.current.isAlive
  }

  get isPaused(): boolean {
    return this.current.isPaused
  }

  kill(): void {
    this.current.end()
  }

  restart(): Env {
    assert(!this.isAlive, `host ${this.name} is still alive`)
    this.local.resume()
    this.current = this.beginLife()
    return this.env
  }

  pause(options: PauseOptions = {}): void {
    assert(this.isAlive && !this.isPaused, `host ${this.name} is not running`)
    if (options.clock === "stops") this.local.stop()
    this.current.isPaused = true
  }

  resume(): void {
    assert(this.isAlive && this.isPaused, `host ${this.name} is not paused`)
    this.local.resume()
    this.current.unpark()
  }

  setClockRate(rate: number): void {
    assert(rate > 0 && Number.isFinite(rate), `a clock does not run at rate ${rate}`)
    this.local.setRate(rate)
  }

  skewWall(byMs: number): void {
    this.local.wallSkewMs += byMs
  }

  onDeath(run: () => void): void {
    this.current.onDeath(run)
  }

  private beginLife(): Life {
    this.life++
    const { name, clock, random, log } = this.parts
    const fields = { host: name, life: this.life }
    return new Life(clock, this.local, random.fork(`life-${this.life}`), log.child(fields))
  }
}

/** The host's reading of the true clock: a straight line that may be bent from now on. */
class LocalTime {
  wallSkewMs = 0
  private readonly clock: VirtualClock
  private rate = 1
  private isStopped = false
  /** The line goes through this point. */
  private trueMs = 0
  private localMs = 0

  constructor(clock: VirtualClock) {
    this.clock = clock
  }

  nowMs(): number {
    if (this.isStopped) return this.localMs
    return this.localMs + (this.clock.nowMs - this.trueMs) * this.rate
  }

  /** When the true clock will stand where the local one reads `localMs`, as far as known today. */
  trueAt(localMs: number): number {
    return this.trueMs + (localMs - this.localMs) / this.rate
  }

  setRate(rate: number): void {
    this.bend()
    this.rate = rate
  }

  stop(): void {
    this.bend()
    this.isStopped = true
  }

  resume(): void {
    if (!this.isStopped) return
    this.isStopped = false
    this.trueMs = this.clock.nowMs
  }

  private bend(): void {
    this.localMs = this.nowMs()
    this.trueMs = this.clock.nowMs
  }
}

class Life implements Clock {
  readonly env: Env
  isAlive = true
  isPaused = false
  private readonly clock: VirtualClock
  private readonly local: LocalTime
  private deaths: (() => void)[] = []
  /** What came due while paused, in order. */
  private parked: LifeEvent[] = []

  constructor(clock: VirtualClock, local: LocalTime, random: SeededRandom, log: Log) {
    this.clock = clock
    this.local = local
    this.env = { clock: this, random, log: this.mortal(log) }
  }

  nowMs(): number {
    return this.local.nowMs()
  }

  wallMs(): number {
    return WALL_START_MS + this.local.nowMs() + this.local.wallSkewMs
  }

  schedule(delayMs: number, run: () => void): Timer {
    assert(Number.isFinite(delayMs), `a timer cannot wait ${delayMs} ms`)
    const event = new LifeEvent(this, this.local.nowMs() + Math.max(delayMs, 0), run)
    if (this.isAlive) this.clock.add(event, this.local.trueAt(event.dueMs))
    return event
  }

  endOfTurn(run: () => void): void {
    if (!this.isAlive) return
    this.clock.atEndOfTurn(() => {
      if (!this.isAlive) return
      if (this.isPaused) this.parked.push(new LifeEvent(this, this.local.nowMs(), run))
      else run()
    })
  }

  /** An event of this life is due: run it, keep it for later, or wait for the host's own clock. */
  due(event: LifeEvent): void {
    if (this.isPaused) {
      this.parked.push(event)
      return
    }
    const earlyMs = event.dueMs - this.local.nowMs()
    if (earlyMs <= 0) event.fire()
    else this.clock.add(event, this.clock.nowMs + Math.max(earlyMs, RETRY_MS_MIN))
  }

  forget(event: LifeEvent): void {
    this.clock.remove(event)
  }

  unpark(): void {
    this.isPaused = false
    const parked = this.parked
    this.parked = []
    for (const event of parked) {
      if (!event.isCancelled) this.clock.add(event, this.clock.nowMs)
    }
  }

  onDeath(run: () => void): void {
    assert(this.isAlive, "this life has ended")
    this.deaths.push(run)
  }

  end(): void {
    if (!this.isAlive) return
    this.isAlive = false
    this.isPaused = false
    this.parked = []
    this.clock.removeWhere((event) => event instanceof LifeEvent && event.life === this)
    const deaths = this.deaths
    this.deaths = []
    for (const run of deaths) run()
  }

  private mortal(log: Log): Log {
    const alive = (): Log => (this.isAlive ? log : silentLog)
    return {
      enabled: (level) => alive().enabled(level),
      write: (level, event, fields) => alive().write(level, event, fields),
      child: (fields) => this.mortal(log.child(fields)),
    }
  }
}

class LifeEvent implements ClockEvent, Timer {
  atMs = 0
  order = 0
  place: number = NOT_QUEUED
  isCancelled = false
  readonly life: Life
  /** By the host's clock. */
  readonly dueMs: number
  private run: (() => void) | undefined

  constructor(life: Life, dueMs: number, run: () => void) {
    this.life = life
    this.dueMs = dueMs
    this.run = run
  }

  happen(): void {
    this.life.due(this)
  }

  fire(): void {
    const run = this.run
    this.isCancelled = true
    this.run = undefined
    run?.()
  }

  cancel(): void {
    if (this.isCancelled) return
    this.isCancelled = true
    this.run = undefined
    this.life.forget(this)
  }
}
