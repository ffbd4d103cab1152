/**
 * Lifecycle traits: one operation, run in every state that its subject can be in.
 *
 * Defects hide where somebody calls `dial` on a closed endpoint or reads from a store that is
 * closing. A suite names the states of its subject once, with the way into each, and then states
 * per operation what becomes of it in each state. That one row turns into one clause per state, so
 * no combination is forgotten and a new state makes every row incomplete for the compiler.
 */
import type { ErrorCode } from "@rmr/core"
import { AssertionError, RmrError } from "@rmr/core"
import { check } from "./check.js"
import type { Clause } from "./clause.js"

/** `done`, `refused` by assertion as our own mistake, or failed with a code. */
export type TraitResult = "done" | "refused" | ErrorCode

export interface Lifecycle<Harness, State extends string, Subject> {
  readonly states: readonly State[]
  /** Makes a fresh subject and brings it into the state. */
  enter(harness: Harness, state: State): Subject | Promise<Subject>
}

export interface Trait<Harness, State extends string, Subject> {
  readonly promise: string
  /** As a gerund: "dialing", "submitting a write". */
  readonly operation: string
  readonly results: Readonly<Record<State, TraitResult>>
  /** Ends when the operation has ended; throws or rejects with what it failed with. */
  run(subject: Subject, harness: Harness): void | Promise<void>
}

/** One clause per trait and state. */
export function traitClauses<Harness, State extends string, Subject>(
  lifecycle: Lifecycle<Harness, State, Subject>,
  traits: readonly Trait<Harness, State, Subject>[],
): Clause<Harness>[] {
  return traits.flatMap((trait) =>
    lifecycle.states.map((state) => ({
      promise: trait.promise,
      title: `${trait.operation} while ${state}: ${describe(trait.results[state])}`,
      run: async (harness: Harness) => {
        const subject = await lifecycle.enter(harness, state)
        await runTrait(trait, state, subject, harness)
      },
    })),
  )
}

async function runTrait<Harness, State extends string, Subject>(
  trait: Trait<Harness, State, Subject>,
  state: State,
  subject: Subject,
  harness: Harness,
): Promise<void> {
  let result: TraitResult = "done"
  try {
    await trait.run(subject, harness)
  } catch (thrown) {
    result = resultOf(thrown)
  }
  const expected = trait.results[state]
  const what = `${trait.operation} while ${state}`
  check(result === expected, `${what}: ${describe(expected)} (in truth, ${describe(result)})`)
}

/** Anything else than our two kinds of wrong is a defect and stays what it is. */
function resultOf(thrown: unknown): TraitResult {
  if (thrown instanceof RmrError) return thrown.code
  if (thrown instanceof AssertionError) return "refused"
  throw thrown
}

function describe(result: TraitResult): string {
  if (result === "done") return "it is done"
  return result === "refused" ? "it is refused by assertion" : `it fails with ${result}`
}
