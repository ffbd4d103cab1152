/**
 * The room of one end of a session: a slot per credit, and pieces behind them. Both ends compute
 * where slots are from what they have agreed on, so nothing of it is said.
 */
import type { SessionLimits, Terms } from "@rmr/core"
import { HEAD_BYTES, PLACE_BYTES } from "./framing.js"
import type { RdmaTraits } from "./options.js"

export interface RoomShape {
  readonly creditCount: number
  /** Of a frame without payload. */
  readonly slotBytes: number
  readonly slotsBytes: number
  /** Of ours, slots and pieces. */
  readonly roomBytes: number
  readonly placedBytesMax: number
  readonly isSummed: boolean
}

export function roomShape({ limits, isSummed }: Terms, traits: RdmaTraits): RoomShape {
  const creditCount = limits.credits[0] + limits.credits[1] + limits.credits[2]
  const slotBytes = slotBytesOf(limits)
  const slotsBytes = creditCount * slotBytes
  // A room without slots would be no memory at all.
  const roomBytes = Math.max(slotsBytes, PLACE_BYTES) + traits.roomBytes
  const { placedBytesMax } = traits
  return { creditCount, slotBytes, slotsBytes, roomBytes, placedBytesMax, isSummed }
}

function slotBytesOf(limits: SessionLimits): number {
  const bytes = HEAD_BYTES + limits.headerBytesMax
  return Math.ceil(bytes / PLACE_BYTES) * PLACE_BYTES
}
