/**
 * What two ends agree on, computed by the listener from both greetings and checked by the dialer.
 */
import type { LaneCredits, Offer, SessionLimits } from "@rmr/core"
import { FEATURES } from "@rmr/core"
import type { ReceiveLimits, RoomTable } from "@rmr/io"
import { CHANNEL_LINK, GREETING_BYTES_MAX, type Greeting } from "./greeting.js"

/** What a session is made of. */
export interface Terms {
  readonly limits: SessionLimits
  readonly silenceMs: number
  readonly isSummed: boolean
}

/** Room in a queue for greetings and beats. */
const FRAMES_BESIDE = 8

/** Of a connection before it belongs to a session: no payload. */
export const STRANGER_LIMITS: ReceiveLimits = {
  textBytesMax: GREETING_BYTES_MAX,
  payloadBytesMax: 0,
  isPayloadSummed: false,
  rooms: undefined,
  queuedFramesMax: FRAMES_BESIDE,
}

export function cutCredits(a: LaneCredits, b: LaneCredits): LaneCredits {
  return Object.freeze([Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.min(a[2], b[2])] as const)
}

/** What both can take, of what the other side says and we have. */
export function termsOf(theirs: Greeting, ours: Greeting): Terms {
  const limits = Object.freeze({
    credits: cutCredits(theirs.credits, ours.credits),
    headerBytesMax: Math.min(theirs.headerBytesMax, ours.headerBytesMax),
    payloadBytesMax: Math.min(theirs.payloadBytesMax, ours.payloadBytesMax),
  })
  const silenceMs = Math.min(theirs.silenceMs, ours.silenceMs)
  return { limits, silenceMs, isSummed: requiresSum(theirs.offer) || requiresSum(ours.offer) }
}

/** Whether the listener welcomed us to no more than we had asked for. */
export function areWithin(theirs: Greeting, asked: Greeting): boolean {
  return (
    theirs.credits.every((count, lane) => count <= asked.credits[lane]!) &&
    theirs.headerBytesMax <= asked.headerBytesMax &&
    theirs.payloadBytesMax <= asked.payloadBytesMax &&
    theirs.silenceMs <= asked.silenceMs
  )
}

/** What a connection of the session receives. Nothing on the link has a payload. */
export function receiveLimits(terms: Terms, channel: number, rooms: RoomTable): ReceiveLimits {
  const { headerBytesMax, payloadBytesMax, credits } = terms.limits
  const count = channel === CHANNEL_LINK ? credits[2] : credits[channel - 1]!
  return {
    textBytesMax: headerBytesMax,
    payloadBytesMax: channel === CHANNEL_LINK ? 0 : payloadBytesMax,
    isPayloadSummed: terms.isSummed,
    rooms,
    queuedFramesMax: count + FRAMES_BESIDE,
  }
}

function requiresSum(offer: Offer): boolean {
  return (offer.requiredFeatures & FEATURES["payload-checksum"]) !== 0
}
