/**
 * Words and their wire numbers: here, and nowhere else.
 *
 * Error codes have their numbers in errors.ts, because stores use them too; this file says which of
 * them a message may carry. A word that is added anywhere without a number here does not compile,
 * and a number is never given to another word.
 */
import { codeOfStatus, type ErrorCode, STATUS_OK, statusOf } from "../errors.js"
import type { RestartClass } from "../ports/store.js"
import type { MemberRole, RangeKind } from "../rules/pool-metadata.js"
import type { ServerPoolState } from "../states/server-pool-state.js"
import type { StoreLifecycleState } from "../states/store-lifecycle.js"

/** Success, or the code of what went wrong. */
export type Outcome = "ok" | ErrorCode

/** Whether this version knows the status. */
export function isKnownStatus(status: number): boolean {
  return status === STATUS_OK || codeOfStatus(status) !== undefined
}

export function statusOfOutcome(outcome: Outcome): number {
  return outcome === "ok" ? STATUS_OK : statusOf(outcome)
}

/** Undefined for a status that this version does not know. */
export function outcomeOfStatus(status: number): Outcome | undefined {
  return status === STATUS_OK ? "ok" : codeOfStatus(status)
}

/** A mutation that met one of these was missed: the member has marked its own chunks (W2, S8). */
export const STATUS_MEDIA_ERROR: number = statusOf("media-error")
export const STATUS_NO_CLEAN_COPY: number = statusOf("no-clean-copy")

export const SERVER_POOL_STATE_NUMBERS: Readonly<Record<ServerPoolState, number>> = {
  empty: 1,
  registered: 2,
  created: 3,
  normal: 4,
  "no-io": 5,
}

export const STORE_LIFECYCLE_NUMBERS: Readonly<Record<StoreLifecycleState, number>> = {
  closed: 1,
  open: 2,
  mapped: 3,
}

export const RESTART_NUMBERS: Readonly<Record<RestartClass, number>> = {
  none: 1,
  process: 2,
  "cache-lost": 3,
}

export const MEMBER_ROLE_NUMBERS: Readonly<Record<MemberRole, number>> = {
  data: 1,
  maintenance: 2,
}

export const RANGE_KIND_NUMBERS: Readonly<Record<RangeKind, number>> = {
  unresolved: 1,
  uncertain: 2,
}
