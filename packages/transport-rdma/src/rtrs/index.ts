/**
 * RTRS, the kernel's own protocol over RDMA, for those who dial: `rtrs()`.
 *
 * It is no transport: who speaks it may only call, has one queue of requests instead of lanes, and
 * memory of as many buffers as the other side wants. RNBD goes over it.
 */
import { RtrsClient } from "./client.js"
import type { RtrsOptions } from "./options.js"

export type { RtrsClient } from "./client.js"
export type { RtrsDialOptions, RtrsOptions, RtrsPayload } from "./options.js"
export type { RtrsSession } from "./session.js"

/** Fails with `unsupported` where there is no RDMA on this machine, and says why. */
export function rtrs(options: RtrsOptions): RtrsClient {
  return new RtrsClient(options)
}
