/**
 * What two ends say to each other before there is a session.
 *
 * The dialer says HELLO on its first connection: what it speaks, who it is, what it asks. The
 * listener answers WELCOME with what the session will be and a random key, or REFUSE with a reason.
 * The dialer opens one more connection for each channel that it needs and says JOIN there with the
 * key; when all have come, the listener says READY on the first one. Nobody who has not been
 * welcomed can join, or be given memory.
 */
import {
  bytesAt,
  type Greeting,
  greetingText,
  KEY_BYTES,
  LANE_CONTROL,
  type Lane,
  type RmrError,
  refusalText,
} from "@rmr/core"
import { frameOf, KIND_JOIN, KIND_REFUSE } from "./framing.js"

/** Connections of a session: one for what never waits for memory, and one per lane. */
export const CHANNEL_LINK = 0
export const CHANNEL_COUNT = 4

/**
 * Which channel a frame of a lane takes. A payload may have to wait for memory, and holds up what
 * is behind it on its connection; so each lane has its own, and commands without payload and
 * heartbeats go where nothing ever waits.
 */
export function channelFor(lane: Lane, payloadBytes: number): number {
  return lane === LANE_CONTROL && payloadBytes === 0 ? CHANNEL_LINK : 1 + lane
}

/** HELLO has the shard for an id, so that a head is enough to know whose guest it is (door.ts). */
export function greetingFrame(kind: number, greeting: Greeting, shard = 0): DataView {
  return frameOf(kind, greetingText(greeting), shard)
}

export function refuseFrame(error: RmrError): DataView {
  return frameOf(KIND_REFUSE, refusalText(error))
}

/** With the shard of its HELLO for an id. */
export function joinFrame(key: Uint8Array, channel: number, shard = 0): DataView {
  return frameOf(KIND_JOIN, Uint8Array.of(...key, channel), shard)
}

export interface Join {
  readonly key: Uint8Array
  readonly channel: number
}

export function readJoin(view: DataView, at: number, bytes: number): Join | undefined {
  if (bytes !== KEY_BYTES + 1) return undefined
  const channel = view.getUint8(at + KEY_BYTES)
  if (channel === CHANNEL_LINK || channel >= CHANNEL_COUNT) return undefined
  return { key: bytesAt(view, at, KEY_BYTES), channel }
}
