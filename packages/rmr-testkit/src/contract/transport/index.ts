/**
 * @rmr/testkit/contract/transport: the promises T1… of the transport port, as clauses.
 *
 * ```ts
 * import { transportContract } from "@rmr/testkit/contract/transport"
 * transportContract("mine", { open: () => myTransportHarness() })   // in a test file
 * ```
 *
 * A harness makes processes and hurts what lies between them (harness.ts). What it cannot do is
 * declared as absent, with the reason, and the titles say so.
 */
import type { Clause, Fixture } from "../clause.js"
import { type Runner, runClauses } from "../runner.js"
import { batchClauses } from "./batches.js"
import { harnessClauses, type RigClause } from "./clause.js"
import { closeClauses, lateReplyClauses } from "./close.js"
import { connectClauses } from "./connect.js"
import { crossTalkClauses, exchangeClauses } from "./exchange.js"
import { flowClauses } from "./flow.js"
import { givingUpClauses } from "./giving-up.js"
import type { AbsentPowers, TransportHarness } from "./harness.js"
import { laneClauses } from "./lanes.js"
import { leakClauses } from "./leaks.js"
import { leaseClauses } from "./leases.js"
import { lifecycleClauses } from "./lifecycle.js"
import { limitClauses } from "./limits.js"
import { listenerClauses } from "./listener.js"
import { randomLoadClauses } from "./random-load.js"
import { severClauses } from "./sever.js"
import { sizeClauses } from "./sizes.js"
import { strangerClauses } from "./strangers.js"

export type {
  AbsentPowers,
  PowerName,
  TransportHarness,
  TransportPowers,
  TransportProcess,
} from "./harness.js"

export type TransportClause = Clause<TransportHarness>

const RIG_CLAUSES: readonly RigClause[] = [
  ...connectClauses,
  ...exchangeClauses,
  ...randomLoadClauses,
  ...sizeClauses,
  ...leaseClauses,
  ...flowClauses,
  ...closeClauses,
  ...severClauses,
  ...listenerClauses,
  ...crossTalkClauses,
  ...givingUpClauses,
  ...limitClauses,
  ...leakClauses,
  ...batchClauses,
  ...laneClauses,
  ...lateReplyClauses,
  ...strangerClauses,
]

/** The whole suite, for an implementation whose harness lacks these powers. */
export function transportClauses(absent: AbsentPowers = {}): TransportClause[] {
  return [...harnessClauses(RIG_CLAUSES, absent), ...lifecycleClauses]
}

export interface TransportContract extends Fixture<TransportHarness> {
  readonly absent?: AbsentPowers
}

/** Declares one test per clause. */
export function transportContract(
  subject: string,
  contract: TransportContract,
  runner?: Runner,
): void {
  runClauses(`transport ${subject}`, transportClauses(contract.absent), contract, runner)
}
