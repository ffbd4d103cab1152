/**
 * A clock that knows what was asked of it and has neither run nor been cancelled: what a subject
 * leaves behind after `close` shows here.
 */
import type { Clock, Timer } from "@rmr/core"

export class CountingClock implements Clock {
  /** Timers that are armed, and ends of turn that are still to come. */
  pendingCount = 0
  private readonly clock: Clock

  constructor(clock: Clock) {
    this.clock = clock
  }

  nowMs(): number {
    return this.clock.nowMs()
  }

  wallMs(): number {
    return this.clock.wallMs()
  }

  schedule(delayMs: number, run: () => void): Timer {
    let isPending = true
    const end = (): void => {
      if (isPending) this.pendingCount--
      isPending = false
    }
    this.pendingCount++
    const timer = this.clock.schedule(delayMs, () => {
      end()
      run()
    })
    return {
      cancel: () => {
        end()
        timer.cancel()
      },
    }
  }

  endOfTurn(run: () => void): void {
    this.pendingCount++
    this.clock.endOfTurn(() => {
      this.pendingCount--
      run()
    })
  }
}
