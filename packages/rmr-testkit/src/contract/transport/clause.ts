/**
 * Clauses over a rig, and how they become clauses over a harness.
 *
 * Where an implementation has declared a power absent, each clause that needs it is replaced by one
 * that carries the reason in its title, and fails as soon as the harness has the power after all.
 */
import { check } from "../check.js"
import type { Clause } from "../clause.js"
import type { AbsentPowers, PowerName, TransportHarness } from "./harness.js"
import { TransportRig } from "./rig.js"

export interface RigClause {
  readonly promise: string
  readonly title: string
  readonly needs?: readonly PowerName[]
  run(rig: TransportRig): Promise<void>
}

export function harnessClauses(
  clauses: readonly RigClause[],
  absent: AbsentPowers,
): Clause<TransportHarness>[] {
  return clauses.map((clause) => {
    const missing = clause.needs?.find((power) => absent[power] !== undefined)
    return missing === undefined ? running(clause) : notShown(clause, missing, absent[missing]!)
  })
}

function running(clause: RigClause): Clause<TransportHarness> {
  const { promise, title } = clause
  return {
    promise,
    title,
    run: async (harness) => {
      const rig = new TransportRig(harness)
      try {
        await clause.run(rig)
      } catch (thrown) {
        // Closing after a failure may fail for the same reason; the first one is the story.
        await rig.end().catch(() => undefined)
        throw thrown
      }
      await rig.end()
    },
  }
}

function notShown(clause: RigClause, power: PowerName, reason: string): Clause<TransportHarness> {
  return {
    promise: clause.promise,
    title: `not shown, for want of ${power} (${reason}): ${clause.title}`,
    run: (harness) => {
      check(harness.powers[power] === undefined, `no power to ${power}, as it was declared`)
    },
  }
}
