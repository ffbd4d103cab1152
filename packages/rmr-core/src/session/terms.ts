/**
 * What two ends agree on, computed by the listener from both greetings and checked by the dialer.
 */
import type { LaneCredits, SessionLimits } from "../ports/transport.js"
import { FEATURES, type Offer } from "../wire/negotiation.js"
import type { Greeting } from "./greeting.js"

/** What a session is made of. */
export interface Terms {
  readonly limits: SessionLimits
  readonly silenceMs: number
  readonly isSummed: boolean
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

function requiresSum(offer: Offer): boolean {
  return (offer.requiredFeatures & FEATURES["payload-checksum"]) !== 0
}
