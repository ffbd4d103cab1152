/** Buffers of the other side: each has its place, and memory that does not fit is refused whole. */
import { RtrsBuffers } from "./buffers.js"
import type { RtrsTerms } from "./handshake.js"

const BYTES = 131_072
const TERMS: RtrsTerms = {
  bufferCount: 4,
  payloadBytesMax: BYTES - 4096,
  bufferBytes: BYTES,
  renewsKeys: true,
}
type Piece = readonly [address: bigint, key: number, bytes: number]

function message(pieces: readonly Piece[], type = 1): DataView {
  const view = new DataView(new ArrayBuffer(8 + 16 * pieces.length))
  view.setUint16(0, type, true)
  view.setUint16(2, pieces.length, true)
  for (const [nth, [address, key, bytes]] of pieces.entries()) {
    view.setBigUint64(8 + 16 * nth, address, true)
    view.setUint32(16 + 16 * nth, key, true)
    view.setUint32(20 + 16 * nth, bytes, true)
  }
  return view
}

function buffersOf(view: DataView, bytes = view.byteLength): RtrsBuffers {
  return new RtrsBuffers(TERMS, view, 0, bytes)
}

function addressOf(buffers: RtrsBuffers, buffer: number, at: number): bigint {
  const [low, high] = [buffers.lowOf(buffer, at), buffers.highOf(buffer, at)]
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
}

it("finds each buffer in pieces of one or of several, past any word", () => {
  const first = 0xffff_8888_ffff_0000n
  const buffers = buffersOf(
    message([
      [first, 0x9000_0001, 3 * BYTES],
      [0x1000n, 7, BYTES],
    ]),
  )
  for (const nth of [0, 1, 2]) {
    for (const at of [0, 1, BYTES - 1]) {
      expect(addressOf(buffers, nth, at)).toBe(first + BigInt(nth * BYTES + at))
    }
    expect(buffers.keyOf(nth) >>> 0).toBe(0x9000_0001)
  }
  expect([addressOf(buffers, 3, 5), buffers.keyOf(3)]).toEqual([0x1005n, 7])
  buffers.renewKey(3, 8)
  expect([buffers.keyOf(2) >>> 0, buffers.keyOf(3)]).toEqual([0x9000_0001, 8])
})

it("refuses memory of fewer or more buffers, of parts of them, or past the last address", () => {
  const refused: readonly DataView[] = [
    message([]),
    message([[0n, 1, 4 * BYTES]], 2),
    message([[0n, 1, 3 * BYTES]]),
    message([[0n, 1, 5 * BYTES]]),
    message([[0n, 1, 4 * BYTES - 1]]),
    message([
      [0n, 1, 4 * BYTES],
      [0n, 1, 0],
    ]),
    message([
      [0n, 1, 4 * BYTES],
      [0n, 1, BYTES],
    ]),
    message([[2n ** 64n - BigInt(4 * BYTES) + 1n, 1, 4 * BYTES]]),
  ]
  for (const view of refused) expect(() => buffersOf(view)).toThrow("bad-message")
  const view = message([[0n, 1, 4 * BYTES]])
  for (let bytes = 0; bytes < view.byteLength; bytes++) {
    expect(() => buffersOf(view, bytes)).toThrow("bad-message")
  }
  expect(() => buffersOf(view)).not.toThrow()
})

it("gives each buffer out once", () => {
  const buffers = buffersOf(message([[0n, 1, 4 * BYTES]]))
  expect([0, 1, 2, 3].map(() => buffers.take())).toEqual([0, 1, 2, 3])
  expect(buffers.isAnyFree).toBe(false)
  buffers.give(2)
  expect([buffers.isAnyFree, buffers.take()]).toEqual([true, 2])
})

it("takes what has place beside both heads", () => {
  const buffers = buffersOf(message([[0n, 1, 4 * BYTES]]))
  expect(buffers.takes(TERMS.payloadBytesMax, 480)).toBe(true)
  expect(buffers.takes(TERMS.payloadBytesMax + 1, 32)).toBe(false)
  expect(buffers.takes(TERMS.payloadBytesMax, 4096 - 23)).toBe(false)
})
