/** Messages by name, so that a story can say which one comes late. */
import {
  ACCEPTED,
  type CommandKind,
  commandOfCode,
  decodeIo,
  IoRecord,
  OP_NAMES,
  peekType,
  TYPE_CMD,
  TYPE_CMD_RSP,
  TYPE_IO,
  TYPE_IO_RSP,
  TYPE_MAP_ADD,
  TYPE_MAP_CLEAR,
} from "@rmr/core"

type AnswerName = "answer" | "answer to io" | `answer to ${CommandKind}`
export type MessageName = CommandKind | AnswerName | "write" | "read" | "flush" | "sync-read"

/** Whether a header is of such a message; of IO, whether it begins at this byte. */
export function isMessage(name: MessageName, offset?: number): (header: Uint8Array) => boolean {
  return (header) => {
    const view = new DataView(header.buffer, header.byteOffset, header.length)
    const type = peekType(view, 0, header.length)
    if (name === "answer") return type === TYPE_IO_RSP || type === TYPE_CMD_RSP
    if (name === "answer to io") return type === TYPE_IO_RSP
    if (type === TYPE_CMD_RSP) return name === `answer to ${commandOf(view)}`
    if (type === TYPE_IO) return isIo(view, name, offset)
    if (type !== TYPE_CMD && type !== TYPE_MAP_ADD && type !== TYPE_MAP_CLEAR) return false
    return name === commandOf(view)
  }
}

/** Requests and answers have it at the same place. */
function commandOf(view: DataView): CommandKind | undefined {
  return commandOfCode(view.getUint8(AT_COMMAND))
}

const AT_COMMAND = 44

function isIo(view: DataView, name: MessageName, offset: number | undefined): boolean {
  const io = new IoRecord()
  if (decodeIo(view, 0, view.byteLength, io) !== ACCEPTED) return false
  return OP_NAMES[io.operation] === name && (offset === undefined || io.offset === offset)
}
