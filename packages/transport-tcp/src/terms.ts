/**
 * What connections of TCP receive, before there is a session and in it.
 */
import { GREETING_BYTES_MAX, type Terms } from "@rmr/core"
import type { ReceiveLimits, RoomTable } from "@rmr/io"
import { CHANNEL_LINK } from "./greeting.js"

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
