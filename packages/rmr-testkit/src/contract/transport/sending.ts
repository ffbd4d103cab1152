/**
 * How a party submits: header in a slot, payload in a lease.
 */
import type { Lane, Lease, Memory, PayloadDirection, Session } from "@rmr/core"
import { LANE_IO, leaseBytes, NO_LEASE, NO_SLOT, PAYLOAD_BACK, PAYLOAD_OUT } from "@rmr/core"
import { patterned, payloadFor } from "./content.js"

export interface SendOptions {
  /** Default LANE_IO. */
  readonly lane?: Lane
  /** Default: 16 bytes that name the token. */
  readonly header?: Uint8Array
  /** Of a write, or the room of a read. Default 512; 0 for none. */
  readonly bytes?: number
  /** Where in its lease the payload lies. Default 0. */
  readonly at?: number
  /** Default: one that this party has not used. */
  readonly token?: number
  /** Writes: keeps the sender's reference until the completion. */
  readonly isKept?: boolean
}

/** A request before it has a session. */
export interface Sending {
  readonly token: number
  readonly lane: Lane
  readonly direction: PayloadDirection
  readonly header: Uint8Array
  readonly lease: Lease
  readonly at: number
  readonly bytes: number
  readonly isKept: boolean
}

export const HEADER_BYTES = 16
export const PAYLOAD_BYTES = 512
/** What surrounds a payload in its lease. */
export const SURROUNDING_BYTE = 0xee

/** A write whose payload fits its header. */
export function writeOf(memory: Memory, tokenNext: number, options: SendOptions): Sending {
  const sending = sendingOf(memory, tokenNext, PAYLOAD_OUT, options)
  const { lease, at, header, bytes } = sending
  if (lease !== NO_LEASE) leaseBytes(memory, lease, at, bytes).set(payloadFor(header, bytes))
  return sending
}

export function readOf(memory: Memory, tokenNext: number, options: SendOptions): Sending {
  return sendingOf(memory, tokenNext, PAYLOAD_BACK, { ...options, isKept: true })
}

/** False where the session gives no slot. */
export function submitTo(session: Session, sending: Sending): boolean {
  const { lane, header, token, direction, lease, at, bytes } = sending
  const slot = session.reserve(lane)
  if (slot === NO_SLOT) return false
  putHeader(session.slots, slot, header)
  session.submit(slot, header.length, token, direction, lease, at, bytes)
  return true
}

export function putHeader(slots: DataView, at: number, header: Uint8Array): void {
  for (let byte = 0; byte < header.length; byte++) slots.setUint8(at + byte, header[byte]!)
}

function sendingOf(
  memory: Memory,
  tokenNext: number,
  direction: PayloadDirection,
  options: SendOptions,
): Sending {
  const token = options.token ?? tokenNext
  const bytes = options.bytes ?? PAYLOAD_BYTES
  const at = bytes === 0 ? 0 : (options.at ?? 0)
  const lease = bytes === 0 ? NO_LEASE : memory.lease(at + bytes)
  if (bytes > 0) {
    if (lease === NO_LEASE) throw new Error(`no memory for ${at + bytes} bytes`)
    leaseBytes(memory, lease, 0, memory.capacityOf(lease)).fill(SURROUNDING_BYTE)
  }
  const header = options.header ?? namedHeader(tokenNext)
  const lane = options.lane ?? LANE_IO
  return { token, lane, direction, header, lease, at, bytes, isKept: options.isKept ?? false }
}

function namedHeader(token: number): Uint8Array {
  const header = patterned(token, HEADER_BYTES)
  new DataView(header.buffer).setInt32(0, token, true)
  return header
}
