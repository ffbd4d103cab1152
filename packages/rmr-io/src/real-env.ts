/**
 * The real Env: the clock, chance and log of a process. What the end of a turn is, turn-ends.ts
 * says.
 */
import { performance } from "node:perf_hooks"
import type { Clock, Env, Log, Timer } from "@rmr/core"
import { silentLog } from "@rmr/core"
import { CryptoRandom } from "./crypto-random.js"
import { turnEnds } from "./turn-ends.js"

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
    turnEnds.add(run)
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
