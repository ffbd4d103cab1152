/**
 * Why a line is over, or something cannot be had, as the native part says it (native/codes.h), for
 * people and as errors of the port.
 */
import type { ErrorCode, RmrError as RmrErrorType } from "@rmr/core"
import { RmrError } from "@rmr/core"

export const WHY_BUSY = 2
export const WHY_NO_DEVICE = 3
export const WHY_INVALID = 4
export const WHY_REFUSED = 7

/** By number; the first is no reason. */
const REASONS: readonly string[] = [
  "no reason was given",
  "the device or the connection manager failed",
  "somebody listens at this address",
  "no RDMA device has this address, or a way to it (rdma link show lists devices)",
  "the device takes no such thing",
  "no memory, or more than may be locked (ulimit -l, LimitMEMLOCK)",
  "this user may not use the device",
  "the other side refuses",
  "nobody can be reached there",
  "what was under way ended with the queue pair",
  "the other side's device does not answer",
  "the other side's device refuses access to its memory",
  "our device refuses access to our memory",
  "the other side hung up",
  "the device was taken away, or is broken",
  "the port of the device is down",
  "the other side sent what is no frame",
]

export function reasonOf(why: number, detail = 0): string {
  const text = REASONS[why] ?? `reason ${why}`
  return detail === 0 ? text : `${text} (${detail})`
}

/** Of a line that is over. */
export function lineError(why: number, detail: number): RmrErrorType {
  return new RmrError("link-lost", reasonOf(why, detail))
}

/** Of a listener that cannot be had. */
export function listenError(address: string, why: number): RmrErrorType {
  const codes: Readonly<Record<number, ErrorCode>> = {
    [WHY_BUSY]: "busy",
    [WHY_NO_DEVICE]: "invalid-argument",
    [WHY_INVALID]: "invalid-argument",
  }
  return new RmrError(codes[why] ?? "unsupported", `${address}: ${reasonOf(why)}`)
}
