/**
 * What goes with a call of RTRS, and with its answer: 56 bytes each. Little-endian.
 *
 * | at | bytes | call | answer |
 * |---:|---:|---|---|
 * | 0 | 2 | zero: the connection manager writes there | magic 0x1bbd |
 * | 2 | 2 | magic 0x1bbd | version |
 * | 4 | 2 | version, 2.0 | errno of a refusal, negative |
 * | 6 | 2 | number of this queue pair | how many buffers there are, which is how many requests |
 * | 8 | 2 | how many queue pairs | largest payload (4 bytes) |
 * | 10 | 2 | how often it was called before | |
 * | 12 | 16 | UUID of the path | largest head (4 bytes); flags (4 bytes) |
 * | 28 | 16 | UUID of the session, whose paths may be several | |
 * | 44 | 1 | bit 0: the session is new | |
 *
 * A buffer takes the largest payload and the largest head. Everything is checked before any of it
 * is believed: what does not fit together is refused as a whole.
 */
import { RmrError } from "@rmr/core"
import { errnoError } from "./errno.js"
import { isNameable } from "./immediate.js"

export const HANDSHAKE_BYTES = 56
export const UUID_BYTES = 16

const MAGIC = 0x1bbd
const VERSION = 0x0200
const FLAG_RENEWS_KEYS = 2
/** What one message has place for, which says where all buffers are. */
const BUFFERS_MAX = 2047
const BUFFER_BYTES_MAX: number = 2 ** 24
/** Less takes no head of ours. */
const HEAD_BYTES_MIN = 512

export interface RtrsCall {
  readonly number: number
  readonly lineCount: number
  readonly path: Uint8Array
  readonly session: Uint8Array
}

/** What the other side can take. */
export interface RtrsTerms {
  readonly bufferCount: number
  readonly payloadBytesMax: number
  readonly bufferBytes: number
  /** Each answer brings a new key for its buffer. */
  readonly renewsKeys: boolean
}

export function writeCall({ number, lineCount, path, session }: RtrsCall): Uint8Array {
  const bytes = new Uint8Array(HANDSHAKE_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint16(2, MAGIC, true)
  view.setUint16(4, VERSION, true)
  view.setUint16(6, number, true)
  view.setUint16(8, lineCount, true)
  bytes.set(path, 12)
  bytes.set(session, 28)
  view.setUint8(44, 1)
  return bytes
}

/** Fails with `unsupported`, `bad-version` or `bad-message`. What stands behind it is padding. */
export function readTerms(view: DataView, at: number, bytes: number): RtrsTerms {
  checkAnswer(view, at, bytes)
  const errno = view.getInt16(at + 4, true)
  if (errno !== 0) throw errnoError(Math.abs(errno), "it accepts, and says why it does not")
  const bufferCount = view.getUint16(at + 6, true)
  const payloadBytesMax = view.getUint32(at + 8, true)
  const headBytesMax = view.getUint32(at + 12, true)
  const flags = view.getUint32(at + 16, true)
  const bufferBytes = payloadBytesMax + headBytesMax
  const isRight = bufferCount > 0 && payloadBytesMax > 0 && headBytesMax >= HEAD_BYTES_MIN
  if (!isRight) throw new RmrError("bad-message", "buffers that take nothing")
  if (bufferCount > BUFFERS_MAX || bufferBytes > BUFFER_BYTES_MAX) {
    const detail = `${bufferCount} buffers of ${bufferBytes} bytes are more than this side takes`
    throw new RmrError("unsupported", detail)
  }
  if (!isNameable(bufferCount, bufferBytes)) {
    throw new RmrError("bad-message", "more buffers than immediate data can name")
  }
  if ((flags & ~FLAG_RENEWS_KEYS) !== 0) {
    throw new RmrError("unsupported", `flags of the handshake: ${flags}`)
  }
  const renewsKeys = (flags & FLAG_RENEWS_KEYS) !== 0
  return { bufferCount, payloadBytesMax, bufferBytes, renewsKeys }
}

/** Why it does not want us; undefined where that is not in its bytes. */
export function readRefusedErrno(view: DataView, at: number, bytes: number): number | undefined {
  if (bytes < HANDSHAKE_BYTES || view.getUint16(at, true) !== MAGIC) return undefined
  const errno = view.getInt16(at + 4, true)
  return errno < 0 ? -errno : undefined
}

function checkAnswer(view: DataView, at: number, bytes: number): void {
  if (bytes < HANDSHAKE_BYTES || view.getUint16(at, true) !== MAGIC) {
    throw new RmrError("unsupported", "whoever answers there does not speak RTRS")
  }
  const version = view.getUint16(at + 2, true)
  if (version >> 8 === VERSION >> 8) return
  throw new RmrError("bad-version", `it speaks RTRS ${version >> 8}.${version & 0xff}, and not 2.0`)
}
