/** Field types: what they read is what they may write, and nothing else. */
import { AssertionError } from "../assert.js"
import type { MemberId } from "../brand.js"
import {
  BOOL,
  DIGEST,
  EXISTING_VIEW,
  I32,
  integer,
  MAP_VERSION,
  MEMBER_ID,
  OPTIONAL_UUID,
  OPTIONAL_VIEW,
  oneOf,
  powerOfTwo,
  reserved,
  safeInteger,
  U16,
  U32,
  U64,
  UUID,
  VIEW,
} from "./field-types.js"
import { MEMBER_LIST } from "./io-layout.js"
import type { FieldType } from "./layout.js"
import { Refused } from "./refusal.js"

const COLOURS = oneOf({ red: 1, green: 2 })

/** What reading these bytes answers. */
function read<Value>(type: FieldType<Value>, hex: string): Value | Refused {
  const bytes = Buffer.from(hex, "hex")
  expect(bytes).toHaveLength(type.bytes)
  return type.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0)
}

function written<Value>(type: FieldType<Value>, value: Value): string {
  const bytes = Buffer.alloc(type.bytes, 0xee)
  type.write(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, value)
  return bytes.toString("hex")
}

const ACCEPTED: readonly [FieldType<unknown>, hex: string, value: unknown][] = [
  [U16, "0102", 0x0201],
  [U32, "ffffffff", 0xffff_ffff],
  [I32, "eaffffff", -22],
  [integer("u8", 1, 3, 5), "05", 5],
  [U64, "0000000001000000", 2 ** 32],
  [U64, "ffffffff00000000", 2 ** 32 - 1],
  [U64, "ffffffffffff1f00", Number.MAX_SAFE_INTEGER],
  [BOOL, "01", true],
  [BOOL, "00", false],
  [COLOURS, "02", "green"],
  [MEMBER_ID, "ff", 255],
  [powerOfTwo(4096, 8192, true), "00000000", 0],
  [powerOfTwo(4096, 8192, false), "00200000", 8192],
  [UUID, "00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff"],
  [OPTIONAL_UUID, "00".repeat(16), "0".repeat(32)],
  [DIGEST, "00".repeat(16), "0".repeat(32)],
  [VIEW, "0200000001000000", { epoch: 1, version: 2 }],
  [OPTIONAL_VIEW, "0000000000000000", { epoch: 0, version: 0 }],
  [EXISTING_VIEW, "ffffffff01000000", { epoch: 1, version: 0xffff_ffff }],
  [reserved(3), "000000", undefined],
  [MEMBER_LIST, "0307ff0000000000", [3, 7, 255]],
  [MEMBER_LIST, "0102030405060708", [1, 2, 3, 4, 5, 6, 7, 8]],
  [
    MAP_VERSION,
    `0200000001000000${"ab".repeat(16)}`,
    { lineage: "ab".repeat(16), epoch: 1, version: 2 },
  ],
]

const REFUSED: readonly [what: string, FieldType<unknown>, hex: string, Refused][] = [
  ["a bool of 2", BOOL, "02", new Refused("value")],
  ["a number below its range", integer("u8", 1, 3, 5), "02", new Refused("value")],
  ["a number above its range", integer("u16", 2, 3, 5), "0600", new Refused("value")],
  ["2^53", U64, "0000000000002000", new Refused("unsafe")],
  ["2^64-1", U64, "ffffffffffffffff", new Refused("unsafe")],
  ["a u64 above its bound", safeInteger("u64", 9), "0a00000000000000", new Refused("value")],
  [
    "2^53 where the bound is lower",
    safeInteger("u64", 9),
    "0000000000002000",
    new Refused("unsafe"),
  ],
  ["no choice", COLOURS, "00", new Refused("value")],
  ["a choice of a later version", COLOURS, "03", new Refused("value")],
  ["member 0", MEMBER_ID, "00", new Refused("value")],
  ["no power of two", powerOfTwo(4096, 8192, true), "01100000", new Refused("value")],
  ["a power of two too large", powerOfTwo(4096, 8192, true), "00400000", new Refused("value")],
  ["zero where it is not allowed", powerOfTwo(4096, 8192, false), "00000000", new Refused("value")],
  [
    "2^31, which is negative as a signed word",
    powerOfTwo(4096, 8192, false),
    "00000080",
    new Refused("value"),
  ],
  ["a uuid of zeroes", UUID, "00".repeat(16), new Refused("value")],
  ["half a view", OPTIONAL_VIEW, "0000000001000000", new Refused("view")],
  ["the other half", OPTIONAL_VIEW, "0100000000000000", new Refused("view")],
  ["no view where there must be one", EXISTING_VIEW, "0000000000000000", new Refused("view")],
  ["reserved bytes in use", reserved(3), "000001", new Refused("reserved")],
  ["members that descend", MEMBER_LIST, "0703000000000000", new Refused("members")],
  ["a member twice", MEMBER_LIST, "0303000000000000", new Refused("members")],
  ["a hole in the list", MEMBER_LIST, "0300070000000000", new Refused("members")],
]

describe("a field", () => {
  it.each(ACCEPTED)("%o reads and writes %s", (type, hex, value) => {
    expect(read(type, hex)).toEqual(value)
    expect(written(type, value)).toBe(hex)
  })

  it.each(REFUSED)("refuses %s", (_what, type, hex, refused) => {
    expect(read(type, hex)).toEqual(refused)
  })

  it("never writes what it would not read: that is our own mistake", () => {
    const wrong: readonly [FieldType<never>, unknown][] = [
      [U16 as FieldType<never>, 0x1_0000],
      [U32 as FieldType<never>, -1],
      [U32 as FieldType<never>, 1.5],
      [U64 as FieldType<never>, 2 ** 53],
      [U64 as FieldType<never>, Number.NaN],
      [I32 as FieldType<never>, 2 ** 31],
      [COLOURS as FieldType<never>, "blue"],
      [MEMBER_ID as FieldType<never>, 0 as MemberId],
      [UUID as FieldType<never>, "0".repeat(32)],
      [UUID as FieldType<never>, "ABCDEF0123456789ABCDEF0123456789"],
      [powerOfTwo(4096, 8192, false) as FieldType<never>, 4097],
    ]
    for (const [type, value] of wrong) {
      expect(() => written(type, value as never)).toThrow(AssertionError)
    }
  })
})
