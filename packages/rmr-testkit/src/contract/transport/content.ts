/**
 * Headers and payloads that tell where they come from: a byte in the wrong place names its own
 * story.
 */
import { LANE_CONTROL, LANE_IO, LANE_SYNC, type Lane } from "@rmr/core"

export const LANES: readonly Lane[] = [LANE_IO, LANE_SYNC, LANE_CONTROL]

/** Different tags, different bytes; equal tags, equal bytes, whatever the length. */
export function patterned(tag: number, bytes: number): Uint8Array {
  const made = new Uint8Array(bytes)
  for (let at = 0; at < bytes; at++) {
    made[at] = Math.imul(Math.imul(tag, 0x9e37_79b1) ^ at, 0x85eb_ca6b) >>> 24
  }
  return made
}

/** What the other side answers to this header, so that each reply fits one request. */
export function answerTo(header: Uint8Array): Uint8Array {
  return header.map((byte) => byte ^ 0x5a)
}

/** The payload that is read with this header. */
export function payloadFor(header: Uint8Array, bytes: number): Uint8Array {
  let tag = header.length
  for (const byte of header) tag = Math.imul(tag ^ byte, 0x0100_0193)
  return patterned(tag, bytes)
}

export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}
