/**
 * What a stage of `npm test` reports, whatever it ran.
 *
 * A stage never throws for what it found; it counts. What went wrong is in `text`, with everything
 * a person needs to mend it, because nothing else of the stage's output is shown.
 */

export interface Skip {
  readonly title: string
  readonly reason: string
}

export interface StageOutcome {
  readonly passed: number
  readonly failed: number
  readonly skips: readonly Skip[]
  /** Printed as it is; empty where there is nothing to say. */
  readonly text: string
}

export interface StageContext {
  /** Shows progress of a long stage. */
  readonly say: (line: string) => void
}

export interface Stage {
  /** Bounded in time by itself. */
  run(context: StageContext): Promise<StageOutcome>
}

/** One thing went wrong that is not a test: a crash, a missing file, no tests at all. */
export function broken(text: string): StageOutcome {
  return { passed: 0, failed: 1, skips: [], text }
}

export function sum(outcomes: readonly StageOutcome[]): StageOutcome {
  return {
    passed: outcomes.reduce((total, { passed }) => total + passed, 0),
    failed: outcomes.reduce((total, { failed }) => total + failed, 0),
    skips: outcomes.flatMap(({ skips }) => skips),
    text: outcomes.flatMap(({ text }) => (text === "" ? [] : [text])).join("\n"),
  }
}

/** `3 passed, 0 failed`, and `, 1 skipped` where something was. */
export function countsLine({ passed, failed, skips }: StageOutcome): string {
  const skipped = skips.length === 0 ? "" : `, ${skips.length} skipped`
  return `${passed} passed, ${failed} failed${skipped}`
}
