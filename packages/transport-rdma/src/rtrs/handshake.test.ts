/** What goes with a call of RTRS has its places, and an answer that does not fit is refused. */
import fc from "fast-check"
import { HANDSHAKE_BYTES, readRefusedErrno, readTerms, writeCall } from "./handshake.js"

/** What the connection manager makes of an answer: padding behind it. */
const PADDED_BYTES = 196

interface Parts {
  readonly magic?: number
  readonly version?: number
  readonly errno?: number
  readonly count?: number
  readonly payload?: number
  readonly head?: number
  readonly flags?: number
}

function answer(parts: Parts = {}): DataView {
  const view = new DataView(new ArrayBuffer(PADDED_BYTES))
  view.setUint16(0, parts.magic ?? 0x1bbd, true)
  view.setUint16(2, parts.version ?? 0x0200, true)
  view.setInt16(4, parts.errno ?? 0, true)
  view.setUint16(6, parts.count ?? 512, true)
  view.setUint32(8, parts.payload ?? 126_976, true)
  view.setUint32(12, parts.head ?? 4096, true)
  view.setUint32(16, parts.flags ?? 2, true)
  return view
}

function codeOf(view: DataView, bytes = PADDED_BYTES): string {
  try {
    readTerms(view, 0, bytes)
    return "none"
  } catch (thrown) {
    return (thrown as { code: string }).code
  }
}

it("calls as the kernel's own client does", () => {
  const path = new Uint8Array(16).fill(0xaa)
  const session = new Uint8Array(16).fill(0xbb)
  const bytes = writeCall({ number: 1, lineCount: 3, path, session })
  const zeroes = new Array(11).fill(0)
  expect([...bytes.subarray(0, 12)]).toEqual([0, 0, 0xbd, 0x1b, 0, 2, 1, 0, 3, 0, 0, 0])
  expect([...bytes.subarray(12)]).toEqual([...path, ...session, 1, ...zeroes])
  expect(bytes.length).toBe(HANDSHAKE_BYTES)
})

it("reads what the kernel's server takes, of any minor version", () => {
  const terms = { bufferCount: 512, payloadBytesMax: 126_976, bufferBytes: 131_072 }
  expect(readTerms(answer(), 0, PADDED_BYTES)).toEqual({ ...terms, renewsKeys: true })
  const other = answer({ version: 0x0207, flags: 0 })
  expect(readTerms(other, 0, PADDED_BYTES)).toEqual({ ...terms, renewsKeys: false })
})

it("refuses answers of others, of other versions, and those that do not fit together", () => {
  expect(codeOf(answer(), HANDSHAKE_BYTES - 1)).toBe("unsupported")
  expect(codeOf(answer({ magic: 0x1bbe }))).toBe("unsupported")
  expect(codeOf(answer({ version: 0x0100 }))).toBe("bad-version")
  expect(codeOf(answer({ errno: -16 }))).toBe("busy")
  expect(codeOf(answer({ count: 0 }))).toBe("bad-message")
  expect(codeOf(answer({ payload: 0 }))).toBe("bad-message")
  expect(codeOf(answer({ head: 64 }))).toBe("bad-message")
  expect(codeOf(answer({ count: 65_535 }))).toBe("unsupported")
  expect(codeOf(answer({ payload: 0xffff_ffff }))).toBe("unsupported")
  expect(codeOf(answer({ count: 2000, payload: 2 ** 24 - 4096 }))).toBe("bad-message")
  expect(codeOf(answer({ flags: 4 }))).toBe("unsupported")
})

it("believes nothing of random bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: PADDED_BYTES }), (bytes) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
      expect(codeOf(view, bytes.length)).toBe("unsupported")
      expect(readRefusedErrno(view, 0, bytes.length)).toBe(undefined)
    }),
  )
})

it("reads why it is refused", () => {
  expect(readRefusedErrno(answer({ errno: -104 }), 0, PADDED_BYTES)).toBe(104)
  expect(readRefusedErrno(answer(), 0, PADDED_BYTES)).toBe(undefined)
  expect(readRefusedErrno(answer({ errno: -104 }), 0, 8)).toBe(undefined)
})
