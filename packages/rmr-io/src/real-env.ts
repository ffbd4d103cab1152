/**
 * The real Env: the clock, chance and log of a process.
 *
 * The end of a loop turn is one `setImmediate`: libuv runs immediates in its check phase, right
 * after the poll phase in which everything that had arrived was handled, so what a turn gathered
 * leaves in one go and at once. No microtask and no `nextTick` is involved; both would run after
 * each single event.
 */
import { performance } from "node:perf_hooks"
import type { Clock, Env, Log, Timer } from "@rmr/core"
import { silentLog } from "@rmr/core"
import { CryptoRandom } from "./crypto-random.js"

export interface RealEnvOptions {
  /** Default: silence. */
  readonly log?: Log
}

export function realEnv(options: RealEnvOptions = {}): Env {
  return { clock: new RealClock(), random: new CryptoRandom(), log: options.log ?? silentLog }
}

/** What `setTimeout` takes; a longer wait is made of several. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1

class RealClock implements Clock {
  private readonly ends: (() => void)[] = []
  private isArmed = false
  private readonly runEnds = (): void => this.endTurn()

  nowMs(): number {
    return performance.now()
  }

  wallMs(): number {
    return Date.now()
  }

  schedule(delayMs: number, run: () => void): Timer {
    return new RealTimer(delayMs, run)
  }

  endOfTurn(run: () => void): void {
    this.ends.push(run)
    this.arm()
  }

  private arm(): void {
    if (this.isArmed) return
    this.isArmed = true
    setImmediate(this.runEnds)
  }

  private endTurn(): void {
    let done = 0
    try {
      // Those that are added meanwhile run in the same end.
      while (done < this.ends.length) this.ends[done++]?.()
    } finally {
      this.ends.splice(0, done)
      this.isArmed = false
      // One that threw must not take the others with it.
      if (this.ends.length > 0) this.arm()
    }
  }
}

class RealTimer implements Timer {
  private readonly dueMs: number
  private readonly run: () => void
  private timeout: NodeJS.Timeout

  constructor(delayMs: number, run: () => void) {
    this.dueMs = performance.now() + delayMs
    this.run = run
    this.timeout = this.armed(delayMs)
  }

  cancel(): void {
    clearTimeout(this.timeout)
  }

  private armed(delayMs: number): NodeJS.Timeout {
    return setTimeout(this.fire, Math.min(Math.ceil(delayMs), TIMEOUT_MS_MAX))
  }

  /** The loop's own clock counts whole milliseconds, and may be one ahead. */
  private readonly fire = (): void => {
    const leftMs = this.dueMs - performance.now()
    if (leftMs > 0) this.timeout = this.armed(leftMs)
    else this.run()
  }
}
