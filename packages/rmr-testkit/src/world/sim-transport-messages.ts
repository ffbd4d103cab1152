/**
 * What travels between two ends of a session, and what waits at each of them.
 *
 * A request is one record from submit to completion. The far end reads header and payload through
 * it, so that nothing is copied before it has to be.
 */
import type { Lane, Lease, PayloadDirection } from "@rmr/core"
import type { SeededRandom } from "./seeded-random.js"
import type { HeldPayload } from "./sim-transport-held.js"
import type { SimSession } from "./sim-transport-session.js"

/** At the side that dialed. */
export interface OutRequest {
  readonly session: SimSession
  /** Unique in the session; how a reply finds its request. */
  readonly serial: number
  readonly lane: Lane
  readonly token: number
  readonly direction: PayloadDirection
  readonly slot: number
  readonly headerBytes: number
  readonly held: HeldPayload
}

/** At the side that accepted: one ticket. */
export interface InRequest {
  readonly session: SimSession
  readonly ticket: number
  readonly serial: number
  readonly lane: Lane
  readonly direction: PayloadDirection
  readonly header: Uint8Array
  /** Where the payload is read from, once there is memory for it. */
  readonly source: HeldPayload
  readonly payloadBytes: number
  readonly isCorrupt: boolean
  /** Set when there was memory. */
  lease: Lease
}

export interface OutReply {
  readonly serial: number
  readonly header: Uint8Array
  readonly held: HeldPayload
}

/** A request that ended: with a reply, or with a status and no header. */
export interface Completion {
  readonly request: OutRequest
  readonly status: number
  readonly header: Uint8Array
  readonly payloadBytes: number
}

/** A copy with one byte changed. There must be one. */
export function changed(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const copy = bytes.slice()
  const at = random.below(copy.length)
  copy[at] = copy[at]! ^ random.between(1, 255)
  return copy
}
