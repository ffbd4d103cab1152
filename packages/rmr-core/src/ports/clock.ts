/**
 * The clock port: the only source of time, and the only way to wait.
 *
 * Code that takes its time from here runs the same in production and in a simulated world, where an
 * hour passes in milliseconds and every run of one seed is identical.
 */

export interface Timer {
  /** After this the callback never runs. Idempotent, also after it ran. */
  cancel(): void
}

export interface Clock {
  /** Monotonic milliseconds, with fractions; the origin means nothing. Decisions use this. */
  nowMs(): number
  /**
   * Wall-clock milliseconds since 1970, for people and records. It may jump; nothing is decided by
   * it.
   */
  wallMs(): number
  /**
   * Runs `run` once, no earlier than `delayMs` from now. Equal deadlines run in order of
   * scheduling.
   */
  schedule(delayMs: number, run: () => void): Timer
  /**
   * Runs `run` once after everything that has arrived in this loop turn was handled, and before the
   * next turn. This is where a batch leaves. Calls run in order; one made meanwhile runs in the
   * same end.
   */
  endOfTurn(run: () => void): void
}
