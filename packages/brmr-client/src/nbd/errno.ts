/**
 * What a status of ours is for an NBD client. Clients know few numbers, and take what they do not
 * know for EINVAL; what they cannot help is EIO, because no client takes that for its own mistake.
 */
import { type ErrorCode, statusOf } from "@rmr/core"
import { EINVAL, EIO, ENOMEM, ENOSPC, ENOTSUP, EPERM, ESHUTDOWN } from "./protocol.js"

const ERRNO_BY_CODE: Readonly<Record<string, number>> = {
  unsupported: ENOTSUP,
  "invalid-argument": EINVAL,
  "invalid-range": EINVAL,
  closed: ESHUTDOWN,
  // Another client writes now: whoever sits above must not go on, and not try again.
  fenced: EPERM,
  "no-space": ENOSPC,
  "out-of-memory": ENOMEM,
}

const ERRNO_BY_STATUS: ReadonlyMap<number, number> = new Map(
  Object.entries(ERRNO_BY_CODE).map(([code, errno]) => [statusOf(code as ErrorCode), errno]),
)

/** 0 for success. */
export function errnoOf(status: number): number {
  return status === 0 ? 0 : (ERRNO_BY_STATUS.get(status) ?? EIO)
}
