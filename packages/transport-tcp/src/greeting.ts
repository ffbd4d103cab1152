/**
 * What two ends say to each other before there is a session.
 *
 * The dialer says HELLO on its first connection: what it speaks, who it is, what it asks. The
 * listener answers WELCOME with what the session will be and a random key, or REFUSE with a reason.
 * The dialer opens one more connection for each channel that it needs and says JOIN there with the
 * key; when all have come, the listener says READY on the first one. Nobody who has not been
 * welcomed can join, or be given memory.
 */
import type { Lane, LaneCredits, Offer } from "@rmr/core"
import {
  codeOfStatus,
  HOST_NAME_BYTES_MAX,
  LANE_CONTROL,
  OFFER,
  Refused,
  RmrError,
  refuseOffer,
  statusOf,
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

export const KEY_BYTES = 16

export interface Greeting {
  readonly hostName: string
  readonly offer: Offer
  /** Asked, or given. */
  readonly credits: LaneCredits
  readonly headerBytesMax: number
  readonly payloadBytesMax: number
  readonly silenceMs: number
  /** Of the session; zeroes in HELLO. */
  readonly key: Uint8Array
}

const CREDITS_AT = 0
const ZERO_AT = 6
const HEADER_BYTES_AT = 8
const PAYLOAD_BYTES_AT = 12
const SILENCE_AT = 16
const NAME_BYTES_AT = 20
const OFFER_BYTES_AT = 22
const KEY_AT = 24
const NAME_AT: number = KEY_AT + KEY_BYTES
const NAME = /^[\x21-\x7e]+$/

/** What any text before a session may have. */
export const GREETING_BYTES_MAX: number = NAME_AT + HOST_NAME_BYTES_MAX + OFFER.bytesMax

export function isHostName(name: string): boolean {
  return name.length <= HOST_NAME_BYTES_MAX && NAME.test(name)
}

/** HELLO has the shard for an id, so that a head is enough to know whose guest it is (door.ts). */
export function greetingFrame(kind: number, greeting: Greeting, shard = 0): DataView {
  const { hostName, offer, credits, key } = greeting
  const offerBytes = OFFER.bytesOf(offer)
  const text = new Uint8Array(NAME_AT + hostName.length + offerBytes)
  const view = new DataView(text.buffer)
  for (const lane of [0, 1, 2] as const) view.setUint16(CREDITS_AT + 2 * lane, credits[lane], true)
  view.setUint32(HEADER_BYTES_AT, greeting.headerBytesMax, true)
  view.setUint32(PAYLOAD_BYTES_AT, greeting.payloadBytesMax, true)
  view.setUint32(SILENCE_AT, greeting.silenceMs, true)
  view.setUint16(NAME_BYTES_AT, hostName.length, true)
  view.setUint16(OFFER_BYTES_AT, offerBytes, true)
  text.set(key, KEY_AT)
  for (let at = 0; at < hostName.length; at++) text[NAME_AT + at] = hostName.charCodeAt(at)
  OFFER.write(view, NAME_AT + hostName.length, offer)
  return frameOf(kind, text, shard)
}

/** Undefined for what is no greeting. */
export function readGreeting(view: DataView, at: number, bytes: number): Greeting | undefined {
  if (bytes < NAME_AT) return undefined
  const nameBytes = view.getUint16(at + NAME_BYTES_AT, true)
  const offerBytes = view.getUint16(at + OFFER_BYTES_AT, true)
  if (NAME_AT + nameBytes + offerBytes !== bytes) return undefined
  if (view.getUint16(at + ZERO_AT, true) !== 0) return undefined
  let hostName = ""
  for (let byte = 0; byte < nameBytes; byte++) {
    hostName += String.fromCharCode(view.getUint8(at + NAME_AT + byte))
  }
  const offer = OFFER.read(view, at + NAME_AT + nameBytes, offerBytes)
  if (offer instanceof Refused || refuseOffer(offer) !== undefined) return undefined
  const creditsOf = (lane: number): number => view.getUint16(at + CREDITS_AT + 2 * lane, true)
  const greeting = {
    hostName,
    offer,
    credits: [creditsOf(0), creditsOf(1), creditsOf(2)] as const,
    headerBytesMax: view.getUint32(at + HEADER_BYTES_AT, true),
    payloadBytesMax: view.getUint32(at + PAYLOAD_BYTES_AT, true),
    silenceMs: view.getUint32(at + SILENCE_AT, true),
    key: bytesAt(view, at + KEY_AT, KEY_BYTES),
  }
  const isSense = isHostName(hostName) && greeting.headerBytesMax >= 1 && greeting.silenceMs >= 1
  return isSense ? greeting : undefined
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

const REASON_BYTES_MAX = 200

export function refuseFrame(error: RmrError): DataView {
  const text = new Uint8Array(2 + Math.min(error.detail.length, REASON_BYTES_MAX))
  new DataView(text.buffer).setUint16(0, statusOf(error.code), true)
  for (let at = 2; at < text.length; at++) text[at] = visible(error.detail.charCodeAt(at - 2))
  return frameOf(KIND_REFUSE, text)
}

export function readRefusal(view: DataView, at: number, bytes: number): RmrError | undefined {
  if (bytes < 2) return undefined
  const status = view.getUint16(at, true)
  if (codeOfStatus(status) === undefined) return undefined
  let detail = ""
  for (let byte = 2; byte < bytes; byte++) {
    detail += String.fromCharCode(visible(view.getUint8(at + byte)))
  }
  return RmrError.ofStatus(status, detail)
}

/** What goes to a terminal has no control characters. */
function visible(code: number): number {
  return code >= 0x20 && code <= 0x7e ? code : 0x3f
}

function bytesAt(view: DataView, at: number, bytes: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, bytes).slice()
}
