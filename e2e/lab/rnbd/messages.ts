/**
 * Messages of RNBD 2, the kernel's block devices over RTRS, as far as a small client needs them.
 * Little-endian; each begins with its type, 2 bytes, and 2 of zeroes.
 *
 * | message | at and fields |
 * |---|---|
 * | hello (0) and its answer (1), 36 bytes | 4: version, 1 |
 * | open (2), 264 bytes | 4: access, 1; 6: path, 255, with a zero behind it |
 * | opened (3), 56 bytes | 4: device, 4; 8: sectors, 8; 36: physical and logical block, 2 each |
 * | io (4), 32 bytes | 4: device, 4; 8: sector, 8; 16: what, 4; 20: bytes, 4; 24: priority, 2 |
 * | close (5), 8 bytes | 4: device, 4 |
 */
import { RmrError } from "@rmr/core"

export const SECTOR_BYTES = 512
export const HELLO_BYTES = 36
export const OPENED_BYTES = 56
const OPEN_BYTES = 264
const IO_BYTES = 32
const CLOSE_BYTES = 8
const PATH_AT = 6
const PATH_BYTES_MAX = 254

const TYPE_HELLO = 0
const TYPE_WELCOME = 1
const TYPE_OPEN = 2
const TYPE_OPENED = 3
const TYPE_IO = 4
const TYPE_CLOSE = 5
const VERSION = 2

export const ACCESS_READ = 0
export const ACCESS_WRITE = 1

export const IO_READ = 0
export const IO_WRITE = 1
export const IO_FLUSH = 2
/** Beside a write: it is durable before it is answered. */
export const IO_DURABLE: number = 1 << 9

export interface OpenedDevice {
  readonly id: number
  readonly sectorCount: number
  readonly blockBytes: number
}

export function helloMessage(): Uint8Array {
  const view = message(HELLO_BYTES, TYPE_HELLO)
  view.setUint8(4, VERSION)
  return bytesOf(view)
}

/** Fails with `bad-message` or `bad-version`. */
export function checkWelcome(view: DataView): void {
  checkType(view, HELLO_BYTES, TYPE_WELCOME)
  const version = view.getUint8(4)
  if (version !== VERSION) throw new RmrError("bad-version", `it speaks RNBD ${version}, and not 2`)
}

/** The path is that of the server. Fails with `invalid-argument`. */
export function openMessage(path: string, access: number): Uint8Array {
  const text = new TextEncoder().encode(path)
  if (text.length === 0 || text.length > PATH_BYTES_MAX || text.includes(0)) {
    throw new RmrError("invalid-argument", `"${path}" is no path of a device`)
  }
  const view = message(OPEN_BYTES, TYPE_OPEN)
  view.setUint8(4, access)
  const bytes = bytesOf(view)
  bytes.set(text, PATH_AT)
  return bytes
}

/** Fails with `bad-message`. */
export function readOpened(view: DataView): OpenedDevice {
  checkType(view, OPENED_BYTES, TYPE_OPENED)
  const sectorCount = Number(view.getBigUint64(8, true))
  const blockBytes = view.getUint16(38, true)
  const isBlock = blockBytes >= SECTOR_BYTES && (blockBytes & (blockBytes - 1)) === 0
  if (!isBlock || !Number.isSafeInteger(sectorCount * SECTOR_BYTES)) {
    throw new RmrError("bad-message", `a device of ${sectorCount} sectors, blocks of ${blockBytes}`)
  }
  return { id: view.getUint32(4, true), sectorCount, blockBytes }
}

export function ioMessage(id: number, what: number, sector: number, bytes: number): Uint8Array {
  const view = message(IO_BYTES, TYPE_IO)
  view.setUint32(4, id, true)
  view.setBigUint64(8, BigInt(sector), true)
  view.setUint32(16, what, true)
  view.setUint32(20, bytes, true)
  return bytesOf(view)
}

export function closeMessage(id: number): Uint8Array {
  const view = message(CLOSE_BYTES, TYPE_CLOSE)
  view.setUint32(4, id, true)
  return bytesOf(view)
}

function message(bytes: number, type: number): DataView {
  const view = new DataView(new ArrayBuffer(bytes))
  view.setUint16(0, type, true)
  return view
}

function bytesOf({ buffer, byteOffset, byteLength }: DataView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function checkType(view: DataView, bytes: number, type: number): void {
  if (view.byteLength >= bytes && view.getUint16(0, true) === type) return
  throw new RmrError("bad-message", `an answer of RNBD that is none of type ${type}`)
}
