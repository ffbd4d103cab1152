/**
 * The ends of loop turns, for all clocks and engines of a thread.
 *
 * A turn ends after everything that had arrived was handled, so what it gathered leaves in one go
 * and at once. Where Node hands over arrivals one by one, that is one `setImmediate`: libuv runs
 * immediates in its check phase, right after the poll phase. Where the native addon hands over all
 * that is ready in one batch, the batch ends the turn itself, and no round of the loop lies
 * between. No microtask and no `nextTick` is involved; both would run after each single event.
 */
class TurnEnds {
  /** Arrays keep their length, since making one shorter costs more than running what is in it. */
  private ends: (() => void)[] = []
  private count = 0
  private spare: (() => void)[] = []
  private isArmed = false
  private isHeld = false
  private readonly runArmed = (): void => {
    this.isArmed = false
    this.run()
  }

  /** Runs at the end of this turn; what is added by it runs in the same end. */
  add(run: () => void): void {
    this.ends[this.count++] = run
    this.arm()
  }

  /** A batch has begun: `release` ends the turn. */
  hold(): void {
    this.isHeld = true
  }

  release(): void {
    this.isHeld = false
    this.run()
  }

  private arm(): void {
    if (this.isArmed || this.isHeld) return
    this.isArmed = true
    setImmediate(this.runArmed)
  }

  private run(): void {
    const wasHeld = this.isHeld
    // Nothing is armed for what is added in this end.
    this.isHeld = true
    try {
      while (this.count > 0) this.runOnce()
    } finally {
      this.isHeld = wasHeld
      // One that threw must not take the others with it.
      if (this.count > 0) this.arm()
    }
  }

  private runOnce(): void {
    const { ends, count } = this
    this.ends = this.spare
    this.count = 0
    this.spare = ends
    let done = 0
    try {
      while (done < count) ends[done++]!()
    } finally {
      for (; done < count; done++) this.ends[this.count++] = ends[done]!
    }
  }
}

/** One per thread, as the loop is. */
export const turnEnds: TurnEnds = new TurnEnds()
