/**
 * A contract suite is data: clauses, each of which proves one numbered promise of a port.
 *
 * Data can be run in two ways. The package of an implementation runs a suite under its test
 * framework (runner.ts). The suite's own tests run it against deliberately broken implementations
 * with `runAll` and ask which promises noticed; a suite without such mutants is only hope.
 *
 * `Harness` is what a suite asks of an implementation: usually functions that make a fresh subject.
 * Every clause gets a fresh harness, and whatever it throws is its failure.
 */
import { AssertionError } from "@rmr/core"

export interface Clause<Harness> {
  /** The promise's number in the port: `T3`. */
  readonly promise: string
  /** States the surprise, without the number. */
  readonly title: string
  run(harness: Harness): void | Promise<void>
}

/** Makes the harness of one clause, and takes it down after the clause, also after a failed one. */
export interface Fixture<Harness> {
  open(): Harness | Promise<Harness>
  close?(harness: Harness): void | Promise<void>
}

export interface ClauseOutcome<Harness> {
  readonly clause: Clause<Harness>
  /** What was thrown; absent where the promise was kept. */
  readonly error?: Error
}

export function clauseTitle<Harness>(clause: Clause<Harness>): string {
  return `${clause.promise} ${clause.title}`
}

/** Runs one clause on a fresh harness; throws what the clause, or else taking down, has thrown. */
export async function runClause<Harness>(
  clause: Clause<Harness>,
  fixture: Fixture<Harness>,
): Promise<void> {
  const harness = await fixture.open()
  try {
    await clause.run(harness)
  } catch (thrown) {
    // Taking down after a failure may fail for the same reason; the first one is the story.
    await takeDown(harness, fixture).catch(() => undefined)
    throw thrown
  }
  await takeDown(harness, fixture)
}

/** Runs all clauses, one after another, without any test framework. */
export async function runAll<Harness>(
  clauses: readonly Clause<Harness>[],
  fixture: Fixture<Harness>,
): Promise<ClauseOutcome<Harness>[]> {
  const outcomes: ClauseOutcome<Harness>[] = []
  for (const clause of clauses) {
    try {
      await runClause(clause, fixture)
      outcomes.push({ clause })
    } catch (thrown) {
      outcomes.push({ clause, error: asError(thrown) })
    }
  }
  return outcomes
}

/** The promises that at least one clause found broken; ascending, each once. */
export function brokenPromises<Harness>(outcomes: readonly ClauseOutcome<Harness>[]): string[] {
  const broken = outcomes.filter((outcome) => outcome.error !== undefined)
  const promises = new Set(broken.map((outcome) => outcome.clause.promise))
  return [...promises].sort((a, b) => numberOf(a) - numberOf(b))
}

async function takeDown<Harness>(harness: Harness, fixture: Fixture<Harness>): Promise<void> {
  await fixture.close?.(harness)
}

function numberOf(promise: string): number {
  return Number.parseInt(promise.replace(/^\D+/, ""), 10)
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new AssertionError(String(thrown))
}
