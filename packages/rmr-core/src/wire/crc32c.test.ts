/** CRC-32C against RFC 3720, against the definition bit by bit, and in pieces. */
import fc from "fast-check"
import { crc32c, crc32cOf, crc32cSigned } from "./crc32c.js"

/** RFC 3720, B.4, and the customary check value. The RFC lists bytes in order of sending. */
const VECTORS: readonly [name: string, bytes: Uint8Array, crc: number][] = [
  ["32 bytes of zeroes", new Uint8Array(32), 0x8a9136aa],
  ["32 bytes of ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["32 incrementing bytes", Uint8Array.from({ length: 32 }, (_, at) => at), 0x46dd794e],
  ["32 decrementing bytes", Uint8Array.from({ length: 32 }, (_, at) => 31 - at), 0x113fdb5c],
  [
    "an iSCSI SCSI Read (10) command",
    Buffer.from(
      "01c00000000000000000000000000000" +
        "14000000000004000000001400000018" +
        "28000000000000000200000000000000",
      "hex",
    ),
    0xd9963a56,
  ],
  ["123456789", Buffer.from("123456789"), 0xe3069283],
  ["nothing", new Uint8Array(0), 0],
]

/** The definition: one bit at a time, no table. */
function byDefinition(bytes: Uint8Array): number {
  let register = 0xffff_ffff
  for (const byte of bytes) {
    register ^= byte
    for (let bit = 0; bit < 8; bit++) {
      register = (register >>> 1) ^ (0x82f63b78 & -(register & 1))
    }
  }
  return ~register >>> 0
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

describe("crc32c", () => {
  it.each(VECTORS)("RFC 3720: %s", (_name, bytes, crc) => {
    expect(crc32cOf(bytes)).toBe(crc)
  })

  it("is what the definition says, for any bytes at any place", () => {
    const bytes = fc.uint8Array({ maxLength: 200 })
    fc.assert(
      fc.property(bytes, fc.nat(20), (data, at) => {
        const all = new Uint8Array(at + data.length + 9).fill(0x5a)
        all.set(data, at)
        const expected = byDefinition(data)
        expect(crc32c(viewOf(all), at, data.length)).toBe(expected)
        expect(crc32cSigned(viewOf(all), at, data.length)).toBe(expected | 0)
      }),
      { numRuns: 2000, seed: 3720 },
    )
  })

  it("goes on from what came before, so that pieces need not be joined", () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 120 })
    fc.assert(
      fc.property(bytes, fc.nat(), (data, cutSeed) => {
        const cut = cutSeed % data.length
        const view = viewOf(data)
        const before = crc32c(view, 0, cut)
        expect(crc32c(view, cut, data.length - cut, before)).toBe(crc32cOf(data))
      }),
      { numRuns: 500, seed: 3720 },
    )
  })

  it("notices every single flipped bit of a header", () => {
    const header = Uint8Array.from({ length: 96 }, (_, at) => (at * 37) & 0xff)
    const whole = crc32cOf(header)
    for (let bit = 0; bit < header.length * 8; bit++) {
      header[bit >> 3]! ^= 1 << (bit & 7)
      expect(crc32cOf(header)).not.toBe(whole)
      header[bit >> 3]! ^= 1 << (bit & 7)
    }
  })
})
