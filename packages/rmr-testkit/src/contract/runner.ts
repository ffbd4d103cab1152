/**
 * The only file of the suites that knows a test framework: it turns clauses into tests.
 *
 * Jest's globals are typed here, by the little that is used, so that the suites need no types of
 * it; any framework with the same two words (vitest, mocha, node:test) can be handed in instead.
 */
import type { Clause, Fixture } from "./clause.js"
import { clauseTitle, runClause } from "./clause.js"

export interface Runner {
  describe(title: string, body: () => void): void
  it(title: string, body: () => Promise<void>): void
}

declare const describe: Runner["describe"]
declare const it: Runner["it"]

/** Looks the globals up when it is used, so that this file can be imported without Jest. */
export const jestRunner: Runner = {
  describe: (title, body) => describe(title, body),
  it: (title, body) => it(title, body),
}

/** Declares one test per clause, titled by its promise, under the subject's name. */
export function runClauses<Harness>(
  subject: string,
  clauses: readonly Clause<Harness>[],
  fixture: Fixture<Harness>,
  runner: Runner = jestRunner,
): void {
  runner.describe(subject, () => {
    for (const clause of clauses) {
      runner.it(clauseTitle(clause), () => runClause(clause, fixture))
    }
  })
}
