/**
 * Changes fields of an encoded message by name and repairs its checksums: what a peer would send
 * that lies, or that has another idea of the protocol.
 */
import { COMMAND_HEADER } from "../src/wire/command-codec.js"
import { crc32c, crc32cOf } from "../src/wire/crc32c.js"
import { CRC_BYTES } from "../src/wire/header.js"
import { type Layout, offsetIn } from "../src/wire/layout.js"
import type { Frame } from "./frames.js"

/** Field name → the bytes that stand there instead, as hex, from the field's first byte on. */
export type Changes = Readonly<Record<string, string>>

/** A copy with fields of the header (or, with `body.` in front, of the body) changed. */
export function patched(frame: Frame, body: Layout, changes: Changes): Frame {
  const header = frame.header.slice()
  for (const [name, hex] of Object.entries(changes)) {
    const isInBody = name.startsWith("body.")
    const at = isInBody
      ? COMMAND_HEADER.bytes + offsetOf(body, name.slice("body.".length))
      : offsetOf(COMMAND_HEADER, name)
    header.set(Buffer.from(hex, "hex"), at)
  }
  return { header: sealed(header), payload: frame.payload }
}

/** A copy with another payload, length and checksum included. */
export function withPayload(frame: Frame, payload: Uint8Array): Frame {
  const header = frame.header.slice()
  const view = new DataView(header.buffer)
  view.setUint32(offsetIn(COMMAND_HEADER, "payloadBytes"), payload.length, true)
  const crc = payload.length === 0 ? 0 : crc32cOf(payload)
  view.setUint32(offsetIn(COMMAND_HEADER, "payloadCrc"), crc, true)
  const flagsAt = offsetIn(COMMAND_HEADER, "flags")
  const flags = view.getUint8(flagsAt) & ~2
  view.setUint8(flagsAt, payload.length === 0 ? flags : flags | 2)
  return { header: sealed(header), payload }
}

/** A copy whose message is longer or shorter, its checksum at the new end. */
export function resized(frame: Frame, by: number): Frame {
  const header = new Uint8Array(frame.header.length + by)
  const kept = frame.header.subarray(0, frame.header.length - CRC_BYTES)
  header.set(kept.subarray(0, header.length - CRC_BYTES))
  return { header: sealed(header), payload: frame.payload }
}

function sealed(header: Uint8Array): Uint8Array {
  const view = new DataView(header.buffer)
  const covered = header.length - CRC_BYTES
  view.setUint32(covered, crc32c(view, 0, covered), true)
  return header
}

function offsetOf(layout: Layout, name: string): number {
  return layout.tail?.name === name ? layout.tail.at : offsetIn(layout, name)
}
