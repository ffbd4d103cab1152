/**
 * What two ends say to each other before there is a session, whatever carries it: who they are,
 * what they speak, what they ask and give. Frames and their order are the transport's own.
 */
import { codeOfStatus, RmrError, statusOf } from "../errors.js"
import { HOST_NAME_BYTES_MAX } from "../limits.js"
import type { LaneCredits } from "../ports/transport.js"
import { Refused } from "../wire/index.js"
import { OFFER, type Offer, refuseOffer } from "../wire/negotiation.js"

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

export function greetingText(greeting: Greeting): Uint8Array {
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
  return text
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

const REASON_BYTES_MAX = 200

/** Of a refusal: a status, and why. */
export function refusalText(error: RmrError): Uint8Array {
  const text = new Uint8Array(2 + Math.min(error.detail.length, REASON_BYTES_MAX))
  new DataView(text.buffer).setUint16(0, statusOf(error.code), true)
  for (let at = 2; at < text.length; at++) text[at] = visible(error.detail.charCodeAt(at - 2))
  return text
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

export function bytesAt(view: DataView, at: number, bytes: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, bytes).slice()
}
