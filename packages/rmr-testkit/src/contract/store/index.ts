/**
 * @rmr/testkit/contract/store: the promises S1… of the store port, as clauses.
 *
 * ```ts
 * import { storeContract } from "@rmr/testkit/contract/store"
 * storeContract("mine", { open: () => myStoreHarness() })   // in a test file: one test per clause
 * ```
 *
 * A harness makes fresh places and processes (block-io/harness.ts). What it cannot do to its
 * stores, such as cutting their power, is declared as absent, with the reason.
 */
import type { Store } from "@rmr/core"
import { harnessClauses, type RigClause } from "../block-io/clause.js"
import { closeClauses, exclusiveClauses, reopenClauses } from "../block-io/closing.js"
import { completionClauses } from "../block-io/completions.js"
import { crashClauses, flushClauses } from "../block-io/durability.js"
import { errorClauses } from "../block-io/errors.js"
import { geometryClauses, growClauses } from "../block-io/growth.js"
import type { AbsentPowers, BlockHarness, BlockPlace } from "../block-io/harness.js"
import { leakClauses, leaseClauses } from "../block-io/leaks.js"
import { overlapClauses } from "../block-io/overlap.js"
import { rangeClauses } from "../block-io/ranges.js"
import { readWriteClauses } from "../block-io/read-write.js"
import { zeroClauses } from "../block-io/zero.js"
import type { Clause, Fixture } from "../clause.js"
import { type Runner, runClauses } from "../runner.js"
import { cellCrashClauses } from "./cell-crash.js"
import { cellClauses } from "./cells.js"
import { damageClauses } from "./damage.js"
import { storeGeometryClauses, unwrittenClauses } from "./geometry.js"
import { hotExtentClauses } from "./hot-extents.js"
import { storeLifecycleClauses } from "./lifecycle.js"
import { oracleClauses } from "./oracle.js"
import { restartClauses } from "./restart.js"
import { type StoreRig, storeRig } from "./rig.js"

export type {
  AbsentPowers,
  BlockPowers,
  BlockProcess,
  BlockShape,
  PowerName,
} from "../block-io/harness.js"
export type { StoreRig } from "./rig.js"

export type StoreHarness = BlockHarness<Store>
export type StorePlace = BlockPlace<Store>
export type StoreClause = Clause<StoreHarness>

const STORE_RIG_CLAUSES: readonly RigClause<StoreRig>[] = [
  ...geometryClauses({ promise: "S1" }),
  ...growClauses({ promise: "S1" }),
  ...storeGeometryClauses,
  ...unwrittenClauses,
  ...readWriteClauses({ promise: "S3" }),
  ...rangeClauses({ promise: "S4" }),
  ...overlapClauses({ promise: "S5" }),
  ...flushClauses({ promise: "S6" }),
  ...crashClauses({ promise: "S7" }),
  ...zeroClauses({ promise: "S8" }),
  ...cellClauses,
  ...cellCrashClauses,
  ...reopenClauses({ promise: "S10" }),
  ...exclusiveClauses({ promise: "S11" }),
  ...closeClauses({ promise: "S12" }),
  ...errorClauses({ promise: "S13" }),
  ...oracleClauses,
  ...leaseClauses({ promise: "S15" }),
  ...leakClauses({ promise: "S15" }),
  ...hotExtentClauses,
  ...restartClauses,
  ...completionClauses({ promise: "S18" }),
  ...damageClauses,
]

/** The whole suite, for an implementation that lacks these powers. */
export function storeClauses(absent: AbsentPowers = {}): StoreClause[] {
  return [...harnessClauses(STORE_RIG_CLAUSES, storeRig, absent), ...storeLifecycleClauses]
}

export interface StoreContract extends Fixture<StoreHarness> {
  readonly absent?: AbsentPowers
}

/** Declares one test per clause. */
export function storeContract(subject: string, contract: StoreContract, runner?: Runner): void {
  runClauses(`store ${subject}`, storeClauses(contract.absent), contract, runner)
}
