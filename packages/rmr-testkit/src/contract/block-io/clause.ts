/**
 * Clauses over a rig, and how they become clauses over a harness.
 *
 * A rig clause says which powers it needs. Where the implementation has declared one absent, the
 * clause cannot run; for each such power there is instead one clause that names the reason in its
 * title and fails as soon as a place has the power after all.
 */
import { check } from "../check.js"
import type { Clause } from "../clause.js"
import type {
  AbsentPowers,
  BlockHarness,
  BlockPlace,
  BlockShape,
  BlockSubject,
  PowerName,
} from "./harness.js"
import type { BlockRig } from "./rig.js"

export interface RigClause<Rig> {
  /** The promise's number in the port. */
  readonly promise: string
  /** States the surprise, without the number. */
  readonly title: string
  readonly needs?: readonly PowerName[]
  run(rig: Rig): Promise<void>
}

/** Which promise of a port the clauses prove; each port has a number of its own for it. */
export interface Numbered {
  readonly promise: string
}

/** A clause that holds for block files and stores alike. */
export type BlockClause = RigClause<BlockRig<BlockSubject>>

/** A megabyte in sixteen extents, with as much room again, of which not all can be hot at once. */
export const CLAUSE_SHAPE: BlockShape = {
  sizeBytes: 1024 * 1024,
  mediumBytes: 2 * 1024 * 1024,
  extentBytes: 64 * 1024,
  hotExtentsMax: 24,
}

export type MakeRig<Subject extends BlockSubject, Rig> = (
  harness: BlockHarness<Subject>,
  place: BlockPlace<Subject>,
  shape: BlockShape,
) => Rig

/** Each clause on a fresh place, open when it begins and closed after it. */
export function harnessClauses<Subject extends BlockSubject, Rig extends BlockRig<Subject>>(
  clauses: readonly RigClause<Rig>[],
  makeRig: MakeRig<Subject, Rig>,
  absent: AbsentPowers,
): Clause<BlockHarness<Subject>>[] {
  const isRunnable = (clause: RigClause<Rig>): boolean =>
    (clause.needs ?? []).every((power) => absent[power] === undefined)
  const runnable = clauses.filter(isRunnable).map((clause) => ({
    promise: clause.promise,
    title: clause.title,
    run: async (harness: BlockHarness<Subject>): Promise<void> => {
      const rig = makeRig(harness, await harness.fresh(CLAUSE_SHAPE), CLAUSE_SHAPE)
      await rig.open()
      await clause.run(rig)
      await rig.end()
    },
  }))
  return [...runnable, ...absenceClauses<Subject, Rig>(clauses, absent)]
}

function absenceClauses<Subject extends BlockSubject, Rig>(
  clauses: readonly RigClause<Rig>[],
  absent: AbsentPowers,
): Clause<BlockHarness<Subject>>[] {
  const powers = Object.keys(absent) as PowerName[]
  return powers.flatMap((power) => {
    const lacking = clauses.filter((clause) => clause.needs?.includes(power))
    const promises = [...new Set(lacking.map((clause) => clause.promise))]
    if (promises.length === 0) return []
    return {
      promise: promises[0]!,
      title: `${promises.join(", ")}: not shown where ${power} is needed, because ${absent[power]}`,
      run: async (harness: BlockHarness<Subject>): Promise<void> => {
        const place = await harness.fresh(CLAUSE_SHAPE)
        check(place.powers[power] === undefined, `no power ${power}, as it was declared`)
      },
    }
  })
}
