/**
 * @rmr/testkit/contract/block-file: the promises B1… of the block-file port, as clauses.
 *
 * ```ts
 * import { blockFileContract } from "@rmr/testkit/contract/block-file"
 * blockFileContract("mine", { open: () => myFileHarness() })   // in a test file: a test per clause
 * ```
 */
import type { BlockFile, BlockFileSource } from "@rmr/core"
import { harnessClauses, type RigClause } from "../block-io/clause.js"
import { closeClauses, exclusiveClauses, reopenClauses } from "../block-io/closing.js"
import { completionClauses } from "../block-io/completions.js"
import { crashClauses, flushClauses } from "../block-io/durability.js"
import { errorClauses } from "../block-io/errors.js"
import { geometryClauses, growClauses } from "../block-io/growth.js"
import type { AbsentPowers, BlockHarness, BlockPlace, BlockShape } from "../block-io/harness.js"
import { leakClauses, leaseClauses } from "../block-io/leaks.js"
import { blockLifecycle, blockTraits } from "../block-io/lifecycle.js"
import { overlapClauses } from "../block-io/overlap.js"
import { randomRunClauses } from "../block-io/random-run.js"
import { rangeClauses } from "../block-io/ranges.js"
import { readWriteClauses } from "../block-io/read-write.js"
import { zeroClauses } from "../block-io/zero.js"
import type { Clause, Fixture } from "../clause.js"
import { type Runner, runClauses } from "../runner.js"
import { traitClauses } from "../traits.js"
import { bootClauses } from "./boot.js"
import { type FileRig, fileRig } from "./rig.js"

export type {
  AbsentPowers,
  BlockPowers,
  BlockProcess,
  BlockShape,
  PowerName,
} from "../block-io/harness.js"
export type { FileRig } from "./rig.js"

export interface FilePlace extends BlockPlace<BlockFile> {
  readonly source: BlockFileSource
}

export interface FileHarness extends BlockHarness<BlockFile> {
  fresh(shape: BlockShape): Promise<FilePlace>
}

export type FileClause = Clause<BlockHarness<BlockFile>>

const FILE_RIG_CLAUSES: readonly RigClause<FileRig>[] = [
  ...geometryClauses({ promise: "B1" }),
  ...readWriteClauses({ promise: "B2" }),
  ...rangeClauses({ promise: "B3" }),
  ...overlapClauses({ promise: "B4" }),
  ...flushClauses({ promise: "B5" }),
  ...crashClauses({ promise: "B6" }),
  ...randomRunClauses({ promise: "B2" }, { promise: "B6" }),
  ...zeroClauses({ promise: "B7" }),
  ...reopenClauses({ promise: "B8" }),
  ...exclusiveClauses({ promise: "B9" }),
  ...closeClauses({ promise: "B10" }),
  ...errorClauses({ promise: "B11" }),
  ...growClauses({ promise: "B12" }),
  ...completionClauses({ promise: "B13" }),
  ...leaseClauses({ promise: "B14" }),
  ...leakClauses({ promise: "B15" }),
  ...bootClauses,
]

const FILE_LIFECYCLE_CLAUSES: readonly FileClause[] = traitClauses(
  blockLifecycle(fileRig),
  blockTraits<BlockFile, FileRig>({ promise: "B10" }),
)

/** The whole suite, for an implementation that lacks these powers. */
export function blockFileClauses(absent: AbsentPowers = {}): FileClause[] {
  return [...harnessClauses(FILE_RIG_CLAUSES, fileRig, absent), ...FILE_LIFECYCLE_CLAUSES]
}

export interface FileContract extends Fixture<FileHarness> {
  readonly absent?: AbsentPowers
}

/** Declares one test per clause. */
export function blockFileContract(subject: string, contract: FileContract, runner?: Runner): void {
  const { open, close, absent } = contract
  const fixture: Fixture<BlockHarness<BlockFile>> = {
    open,
    // The harness that comes back is the one that `open` made.
    ...(close === undefined ? {} : { close: (harness) => close(harness as FileHarness) }),
  }
  runClauses(`block file ${subject}`, blockFileClauses(absent), fixture, runner)
}
