/**
 * A session that is being opened: everything but lines is there.
 */
import type { Terms } from "@rmr/core"
import type { RdmaCarrier } from "./carrier.js"
import type { Line } from "./line.js"
import type { Lines } from "./lines.js"
import type { RoomShape } from "./room-shape.js"
import type { RdmaSession } from "./session.js"

export interface Opening {
  readonly session: RdmaSession
  readonly terms: Terms
  readonly shape: RoomShape
  readonly lines: Lines
  readonly carrier: RdmaCarrier
}

/** How deep the queues of a line are. */
export interface Depths {
  readonly sends: number
  readonly receives: number
}

/** What is said before a session, and beats. */
export const LINK_DEPTHS: Depths = { sends: 64, receives: 32 }

/** Works beside frames: moves of exposed memory, and what the device has not told of. */
const SENDS_BESIDE = 64
const RECEIVES_BESIDE = 8

export function laneDepths(credits: number): Depths {
  return { sends: 2 * credits + SENDS_BESIDE, receives: credits + RECEIVES_BESIDE }
}

/** All of a session's lines belong to it now. */
export function handOver(opening: Opening): void {
  for (const line of opening.lines.all as readonly Line[]) line.session = opening.session
}
