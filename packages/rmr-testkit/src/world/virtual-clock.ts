/**
 * Time that moves only when something happens: turns of one event loop shared by everything
 * simulated.
 *
 * Events run in order of (time, insertion). A *turn* is what a real loop would find waiting: all
 * events of one instant that were scheduled before the turn began. Each runs on its own, so that
 * whoever drives the clock can drain promise chains between two of them; then the turn's end runs;
 * then the next turn begins, at the same instant if something was scheduled meanwhile. A callback
 * that schedules itself with no delay therefore never starves the end of a turn.
 *
 * This file knows no host and no promise. What an event means is the business of whoever queued it.
 */
import { assert } from "@rmr/core"
import type { QueuedEvent } from "./event-queue.js"
import { EventQueue } from "./event-queue.js"

export interface ClockEvent extends QueuedEvent {
  /** Runs it. The clock stands at `atMs`, and the event is no longer queued. */
  happen(): void
}

export interface VirtualClock {
  readonly nowMs: number
  /** Steps done so far. */
  readonly stepCount: number
  readonly pendingCount: number
  /** When the next step happens; undefined when nothing is pending. */
  readonly nextMs: number | undefined
  /** Queues an event at this time, or now when that is past. */
  add(event: ClockEvent, atMs: number): void
  remove(event: ClockEvent): void
  /** Takes out every event for which this holds. */
  removeWhere(isGone: (event: ClockEvent) => boolean): void
  /** Runs `run` when everything of the current turn has happened. */
  atEndOfTurn(run: () => void): void
  /**
   * Makes one thing happen: an event, or the end of a turn. False when nothing is left to happen.
   */
  step(): boolean
  /** Lets time pass in which nothing happens. */
  passTo(atMs: number): void
}

export function virtualClock(): VirtualClock {
  return new TurnClock()
}

class TurnClock implements VirtualClock {
  nowMs = 0
  stepCount = 0
  private readonly events = new EventQueue<ClockEvent>()
  private orderNext = 0
  /** Events of this instant below this order belong to the current turn. */
  private turnOrderEnd = 0
  private ends: (() => void)[] = []
  private endsBusy: (() => void)[] = []

  get pendingCount(): number {
    return this.events.count + this.ends.length
  }

  get nextMs(): number | undefined {
    return this.ends.length > 0 ? this.nowMs : this.events.peek()?.atMs
  }

  add(event: ClockEvent, atMs: number): void {
    assert(Number.isFinite(atMs), `an event needs a time, not ${atMs}`)
    event.atMs = Math.max(atMs, this.nowMs)
    event.order = this.orderNext++
    this.events.push(event)
  }

  remove(event: ClockEvent): void {
    this.events.remove(event)
  }

  removeWhere(isGone: (event: ClockEvent) => boolean): void {
    for (const event of this.events.inOrder()) {
      if (isGone(event)) this.events.remove(event)
    }
  }

  atEndOfTurn(run: () => void): void {
    this.ends.push(run)
  }

  step(): boolean {
    const next = this.events.peek()
    const isOfThisTurn =
      next !== undefined && next.atMs <= this.nowMs && next.order < this.turnOrderEnd
    if (!isOfThisTurn) {
      if (this.ends.length > 0) return this.endTurn()
      if (next === undefined) return false
      this.nowMs = next.atMs
      this.turnOrderEnd = this.orderNext
    }
    this.events.pop()
    this.stepCount++
    next.happen()
    return true
  }

  passTo(atMs: number): void {
    const nextMs = this.nextMs
    assert(nextMs === undefined || nextMs >= atMs, "time does not pass over what is to happen")
    this.nowMs = Math.max(this.nowMs, atMs)
  }

  /** Calls made meanwhile run in this same end; so do those made by promises it settles. */
  private endTurn(): true {
    this.stepCount++
    while (this.ends.length > 0) {
      const running = this.ends
      this.ends = this.endsBusy
      this.endsBusy = running
      try {
        for (const run of running) run()
      } finally {
        running.length = 0
      }
    }
    return true
  }
}
