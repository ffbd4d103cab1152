/**
 * One entry point for bytes that may be any message: refuse, or answer what it is.
 *
 * A machine that runs knows what it expects: requests come by their lane and type, answers to a
 * token. So the data path calls `decodeIo` and `decodeIoReply` directly. This is for what does not
 * know: the handler of requests that are not IO, traces, tools and the fuzzer.
 */
import type { Command } from "./command.js"
import { commandOfCode } from "./command.js"
import { COMMAND_HEADER, decodeCommand, NO_BYTES } from "./command-codec.js"
import { type Checksum, crc32c } from "./crc32c.js"
import {
  NO_TYPE,
  peekType,
  TYPE_CMD,
  TYPE_CMD_RSP,
  TYPE_IO,
  TYPE_IO_RSP,
  TYPE_MAP_ADD,
  TYPE_MAP_CLEAR,
  TYPE_MD,
} from "./header.js"
import { decodeIo } from "./io.js"
import { IoRecord } from "./io-record.js"
import { decodeIoReply, IoReplyRecord, lastIoOf } from "./io-reply.js"
import type { LastIoEntry } from "./last-io-entry.js"
import { offsetIn } from "./layout.js"
import { ACCEPTED, Refused, reasonOf } from "./refusal.js"
import { decodeReply, REPLY_HEADER, type Reply } from "./reply.js"

export type Message =
  | { readonly type: "io"; readonly io: IoRecord }
  | {
      readonly type: "io-reply"
      readonly reply: IoReplyRecord
      readonly lastIo: readonly LastIoEntry[]
    }
  | { readonly type: "command"; readonly command: Command }
  | { readonly type: "reply"; readonly reply: Reply }

const AT_COMMAND = offsetIn(REPLY_HEADER, "command")

/**
 * The message in exactly `bytes` bytes. The payload of an IO or its answer is not looked at: its
 * bytes are the volume's, and are checked where they are (`refusePayloadBytes`).
 */
export function decodeMessage(
  view: DataView,
  at: number,
  bytes: number,
  payload: Uint8Array = NO_BYTES,
  checksum: Checksum = crc32c,
): Message | Refused {
  switch (peekType(view, at, bytes)) {
    case TYPE_IO:
    case TYPE_MD: {
      const io = new IoRecord()
      const refusal = decodeIo(view, at, bytes, io)
      return refusal === ACCEPTED ? { type: "io", io } : new Refused(reasonOf(refusal), "io")
    }
    case TYPE_IO_RSP: {
      const reply = new IoReplyRecord()
      const refusal = decodeIoReply(view, at, bytes, reply)
      if (refusal !== ACCEPTED) return new Refused(reasonOf(refusal), "io-reply")
      return { type: "io-reply", reply, lastIo: lastIoOf(view, at, reply) }
    }
    case TYPE_CMD:
    case TYPE_MAP_ADD:
    case TYPE_MAP_CLEAR: {
      const command = decodeCommand(view, at, bytes, payload, checksum)
      return command instanceof Refused ? command : { type: "command", command }
    }
    case TYPE_CMD_RSP: {
      if (bytes < COMMAND_HEADER.bytes) return new Refused("short", "reply")
      const kind = commandOfCode(view.getUint8(at + AT_COMMAND))
      if (kind === undefined) return new Refused("command", "reply")
      const reply = decodeReply(kind, view, at, bytes, payload, checksum)
      return reply instanceof Refused ? reply : { type: "reply", reply: reply as Reply }
    }
    case NO_TYPE:
      return new Refused("short")
    default:
      return new Refused("type")
  }
}
