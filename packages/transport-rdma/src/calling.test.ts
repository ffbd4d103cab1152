/** What goes with a call: read back as written, and refused where it is of somebody else. */
import { KEY_BYTES } from "@rmr/core"
import fc from "fast-check"
import {
  CALL_LANE,
  CALLING_VERSION,
  REFUSED_NONSENSE,
  REFUSED_VERSION,
  readCalling,
  writeCalling,
} from "./calling.js"

/** What the connection manager takes. */
const PRIVATE_BYTES_MAX = 56

const calling = fc.record({
  kind: fc.integer({ min: 1, max: 5 }),
  channel: fc.integer({ min: 0, max: 3 }),
  tellsBySend: fc.boolean(),
  shard: fc.integer({ min: 0, max: 15 }),
  why: fc.integer({ min: 0, max: 65535 }),
  key: fc.uint8Array({ minLength: KEY_BYTES, maxLength: KEY_BYTES }),
  path: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
})

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

it("is read as it was written, with whatever padding behind it", () => {
  fc.assert(
    fc.property(calling, fc.integer({ min: 0, max: 24 }), ({ kind, ...parts }, padding) => {
      const bytes = writeCalling(kind, parts)
      expect(bytes.length).toBeLessThanOrEqual(PRIVATE_BYTES_MAX)
      const padded = new Uint8Array(bytes.length + padding).fill(0xee)
      padded.set(bytes)
      expect(readCalling(viewOf(padded), 0, padded.length)).toEqual({ kind, ...parts })
    }),
  )
})

it("is refused where it is of another version, short, or of somebody else", () => {
  const bytes = writeCalling(CALL_LANE)
  for (let length = 0; length < bytes.length; length++) {
    expect(readCalling(viewOf(bytes), 0, length)).toBe(REFUSED_NONSENSE)
  }
  const later = bytes.slice()
  viewOf(later).setUint16(4, CALLING_VERSION + 1, true)
  expect(readCalling(viewOf(later), 0, later.length)).toBe(REFUSED_VERSION)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: PRIVATE_BYTES_MAX }), (random) => {
      const read = readCalling(viewOf(random), 0, random.length)
      expect([REFUSED_NONSENSE, REFUSED_VERSION].includes(read as number)).toBe(true)
    }),
  )
})
