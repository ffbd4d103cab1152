/**
 * A message as bytes that tests can hold, change and put somewhere else: a header, and a payload
 * beside.
 */
import { HEADER_BYTES_MAX } from "../src/limits.js"
import type { Command } from "../src/wire/command.js"
import { commandPayloadBytes, encodeCommand } from "../src/wire/command-codec.js"
import type { Message } from "../src/wire/decode.js"
import { encodeIo } from "../src/wire/io.js"
import { encodeIoReply } from "../src/wire/io-reply.js"
import { encodeReply, type Reply, replyPayloadBytes } from "../src/wire/reply.js"

export interface Frame {
  readonly header: Uint8Array
  readonly payload: Uint8Array
}

const slot = new Uint8Array(HEADER_BYTES_MAX)
const slotView = new DataView(slot.buffer)

export function frameOfCommand(command: Command): Frame {
  const payload = new Uint8Array(commandPayloadBytes(command))
  const bytes = encodeCommand(slotView, 0, command, payload)
  return { header: slot.slice(0, bytes), payload }
}

export function frameOfReply(reply: Reply): Frame {
  const payload = new Uint8Array(replyPayloadBytes(reply))
  const bytes = encodeReply(slotView, 0, reply, payload)
  return { header: slot.slice(0, bytes), payload }
}

/** The bytes of any message. The payload of an IO is not part of one. */
export function frameOf(message: Message): Frame {
  switch (message.type) {
    case "io":
      return { header: slot.slice(0, encodeIo(slotView, 0, message.io)), payload: NO_PAYLOAD_BYTES }
    case "io-reply": {
      const bytes = encodeIoReply(slotView, 0, message.reply, message.lastIo)
      return { header: slot.slice(0, bytes), payload: NO_PAYLOAD_BYTES }
    }
    case "command":
      return frameOfCommand(message.command)
    case "reply":
      return frameOfReply(message.reply)
  }
}

const NO_PAYLOAD_BYTES = new Uint8Array(0)

/** The same bytes with poison before and behind them. */
export function surrounded(bytes: Uint8Array, before: number, poison: number): DataView {
  const all = new Uint8Array(before + bytes.length + 64).fill(poison)
  all.set(bytes, before)
  return new DataView(all.buffer)
}

/** The same bytes at the very end of memory of their own: reading further throws. */
export function atTheEnd(bytes: Uint8Array, before: number): DataView {
  const all = new Uint8Array(before + bytes.length)
  all.set(bytes, before)
  return new DataView(all.buffer)
}
