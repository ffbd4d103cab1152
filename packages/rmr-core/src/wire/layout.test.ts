/** Layouts: a table that is wrong cannot be made, and the IO codec is what its table says. */
import fc from "fast-check"
import { ioRecord, ioReply } from "../../scripts/io-arbitraries.js"
import { AssertionError } from "../assert.js"
import { HEADER_BYTES_MAX } from "../limits.js"
import { COMMAND_KINDS, specOf } from "./command.js"
import { COMMAND_HEADER } from "./command-codec.js"
import { reserved, U8, U16, U32 } from "./field-types.js"
import { CRC_BYTES, TYPE_IO, TYPE_IO_RSP, TYPE_MD } from "./header.js"
import { encodeIo, IO_BYTES } from "./io.js"
import { IO_LAYOUT } from "./io-layout.js"
import { absentMemberAt, type IoRecord, isMetadataOperation, lineageOf } from "./io-record.js"
import { encodeIoReply, IO_REPLY_BYTES_MAX, IO_REPLY_LAYOUT } from "./io-reply.js"
import { struct } from "./layout.js"
import { Refused } from "./refusal.js"
import { DETAIL, REPLY_HEADER } from "./reply.js"
import { bytesTail } from "./tails.js"

interface Pair {
  readonly a: number
  readonly b: number
}

describe("a table", () => {
  it.each([
    [
      "a gap",
      () =>
        struct<Pair>("t", 4, [
          ["a", 0, U8, "a"],
          ["b", 2, U16, "b"],
        ]),
    ],
    [
      "an overlap",
      () =>
        struct<Pair>("t", 3, [
          ["a", 0, U16, "a"],
          ["b", 1, U16, "b"],
        ]),
    ],
    [
      "another size than it says",
      () =>
        struct<Pair>("t", 4, [
          ["a", 0, U8, "a"],
          ["b", 1, U16, "b"],
        ]),
    ],
    [
      "a field twice",
      () =>
        struct<Pair>("t", 2, [
          ["a", 0, U8, "a"],
          ["a", 1, U8, "a"],
        ]),
    ],
    ["a field without a purpose", () => struct<Pair>("t", 1, [["a", 0, U8, ""]])],
  ])("with %s cannot be made", (_what, make) => {
    expect(make).toThrow(AssertionError)
  })

  it("reads exactly its bytes, and says which field is wrong", () => {
    const pair = struct<Pair>("pair", 8, [
      ["a", 0, U8, "a"],
      ["reserved", 1, reserved(3), "must be zero"],
      ["b", 4, U32, "b"],
    ])
    const view = new DataView(new ArrayBuffer(16))
    expect(pair.write(view, 3, { a: 1, b: 0xfedcba98 })).toBe(8)
    expect(pair.read(view, 3, 8)).toEqual({ a: 1, b: 0xfedcba98 })
    expect(pair.read(view, 3, 7)).toEqual(new Refused("short"))
    expect(pair.read(view, 3, 9)).toEqual(new Refused("long"))
    view.setUint8(3 + 2, 1)
    expect(pair.read(view, 3, 8)).toEqual(new Refused("reserved", "reserved"))
  })

  it("has its tail behind the fields, as long as the rest of the message", () => {
    const tailed = struct<{ a: number; rest: Uint8Array }>(
      "tailed",
      1,
      [["a", 0, U8, "a"]],
      ["rest", 1, bytesTail(4), "the rest"],
    )
    const view = new DataView(Uint8Array.of(7, 1, 2, 3, 4, 5).buffer)
    expect(tailed.bytesMax).toBe(5)
    expect(tailed.read(view, 0, 1)).toEqual({ a: 7, rest: new Uint8Array(0) })
    expect(tailed.read(view, 0, 4)).toEqual({ a: 7, rest: Uint8Array.of(1, 2, 3) })
    expect(tailed.read(view, 0, 6)).toEqual(new Refused("long"))
  })
})

describe("every message", () => {
  it.each(COMMAND_KINDS)("fits a header slot at its longest: %s", (kind) => {
    const { body, result } = specOf(kind)
    for (const [header, rest] of [
      [COMMAND_HEADER, body],
      [REPLY_HEADER, result],
      [REPLY_HEADER, DETAIL],
    ] as const) {
      expect(header.bytes + rest.bytesMax + CRC_BYTES).toBeLessThanOrEqual(HEADER_BYTES_MAX)
    }
  })
})

describe("the IO codec, read by hand, is what its table says", () => {
  const view = new DataView(new ArrayBuffer(IO_BYTES))
  const room = new DataView(new ArrayBuffer(IO_REPLY_BYTES_MAX))

  it("request: every field at its offset", () => {
    fc.assert(
      fc.property(ioRecord, (io) => {
        encodeIo(view, 0, io)
        const { lineage, absentMembers, ...fields } = valuesOf(io)
        const read = IO_LAYOUT.read(view, 0, IO_BYTES)
        expect(read).toMatchObject({ ...fields, lineage, absentMembers })
        const type = isMetadataOperation(io.operation) ? TYPE_MD : TYPE_IO
        expect(read).toMatchObject({ type, version: 1 })
        expect(Object.keys(read)).toHaveLength(IO_LAYOUT.fields.length)
      }),
      { numRuns: 500, seed: 1 },
    )
  })

  it("answer: every field at its offset", () => {
    fc.assert(
      fc.property(ioReply, ({ reply, lastIo }) => {
        const bytes = encodeIoReply(room, 0, reply, lastIo)
        const { digest0, digest1, digest2, digest3, lastIoCount, ...fields } = reply
        const words = new DataView(new ArrayBuffer(16))
        for (const [word, value] of [digest0, digest1, digest2, digest3].entries()) {
          words.setUint32(word * 4, value, true)
        }
        const digest = Buffer.from(words.buffer).toString("hex")
        const read = IO_REPLY_LAYOUT.read(room, 0, bytes - CRC_BYTES)
        expect(read).toMatchObject({ ...fields, digest, lastIo, type: TYPE_IO_RSP, version: 1 })
        expect(lastIo).toHaveLength(lastIoCount)
      }),
      { numRuns: 500, seed: 1 },
    )
  })
})

/** A record as the table names its fields. */
function valuesOf(io: IoRecord): Record<string, unknown> {
  const { lineage0, lineage1, lineage2, lineage3, absent0, absent1, ...fields } = io
  const absentMembers: number[] = []
  for (let index = 0; absentMemberAt(io, index) !== 0; index++) {
    absentMembers.push(absentMemberAt(io, index))
  }
  return { ...fields, lineage: lineageOf(io), absentMembers }
}
