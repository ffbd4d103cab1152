/**
 * Errors that RTRS tells: one number of Linux, without a word beside it.
 */
import type { ErrorCode, RmrError as RmrErrorType } from "@rmr/core"
import { RmrError } from "@rmr/core"

/** Where a number means one thing; all others are `io-error`. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  2: "not-found",
  12: "out-of-memory",
  16: "busy",
  17: "exists",
  19: "not-found",
  22: "invalid-argument",
  28: "no-space",
  61: "media-error",
  95: "unsupported",
  107: "not-open",
}

export function errnoError(errno: number, detail: string): RmrErrorType {
  return new RmrError(CODES[errno] ?? "io-error", `${detail} (errno ${errno})`)
}
