/**
 * A session that is being opened: everything but the lines of its first path is there.
 */
import type { Terms } from "@rmr/core"
import type { RdmaCarrier } from "./carrier.js"
import type { Path } from "./path.js"
import type { RoomShape } from "./room-shape.js"
import type { RdmaSession } from "./session.js"

export interface Opening {
  readonly session: RdmaSession
  readonly terms: Terms
  readonly shape: RoomShape
  readonly carrier: RdmaCarrier
  readonly firstPath: Path
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

/** An answer has two rows at most: as many of them as there are sends may wait beside the queue. */
export function laneDepths(credits: number): Depths {
  return { sends: 2 * credits + SENDS_BESIDE, receives: credits + RECEIVES_BESIDE }
}
