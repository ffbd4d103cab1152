/** The IO message: PROTOCOL.md 4.1 and 4.2. */
import { samples } from "../../scripts/wire-samples.js"
import { IO_BYTES_MAX, QUEUE_DEPTH_MAX, VOLUME_BYTES_MAX } from "../limits.js"
import { crc32c } from "./crc32c.js"
import { FLAG_PAYLOAD_CRC, FLAG_SYNC } from "./header.js"
import { decodeIo, encodeIo, IO_BYTES } from "./io.js"
import { type IoBounds, refuseIoForPool } from "./io-bounds.js"
import {
  IO_DIGEST,
  IO_FUA,
  IoRecord,
  lineageOf,
  lineageWord,
  setAbsentMembers,
  setLineage,
} from "./io-record.js"
import { refuseIo } from "./io-rules.js"
import { POOL_METADATA_BYTES_MAX } from "./pool-metadata-layout.js"
import { ACCEPTED, REFUSALS, type RefusalReason, reasonOf } from "./refusal.js"

const view = new DataView(new ArrayBuffer(256))

/** A fresh copy of a golden request. */
function sample(name: string): IoRecord {
  const message = samples().get(`IO ${name}`)
  if (message?.type !== "io") throw new Error(`no sample ${name}`)
  return Object.assign(new IoRecord(), message.io)
}

function reason(refusal: number): RefusalReason | "accepted" {
  return refusal === ACCEPTED ? "accepted" : reasonOf(refusal)
}

/** What the decoder says to the bytes that this record would be. */
function decoded(record: IoRecord): RefusalReason | "accepted" {
  encodeIo(view, 0, record)
  return reason(decodeIo(view, 0, IO_BYTES, new IoRecord()))
}

describe("an IO message", () => {
  it("is these bytes, put together by hand", () => {
    const pieces = [
      ["group_id", "179531e6"],
      ["type IO", "0200"],
      ["version, flags", "0102"],
      ["view version 22", "16000000"],
      ["epoch 11", "0b000000"],
      ["lineage", "00112233445566778899aabbccddeeff"],
      ["sequence 2^41 + 1", "0100000000020000"],
      ["offset 2^40 + 4096", "0010000000010000"],
      ["first chunk 2^23", "0000800000000000"],
      ["length 256 KiB", "00000400"],
      ["session generation 61", "3d000000"],
      ["stable sequence 2^37", "0000000020000000"],
      ["stable epoch 10", "0a000000"],
      ["payload crc", "98badcfe"],
      ["absent 3 9 21 40 255", "03091528ff000000"],
      ["unit 62", "3e00"],
      ["3 chunks", "0300"],
      ["write, FUA", "0101"],
      ["from a client, priority 63", "003f"],
    ]
    const covered = Buffer.from(pieces.map(([, hex]) => hex).join(""), "hex")
    expect(covered).toHaveLength(96)
    const crc = crc32c(new DataView(covered.buffer, covered.byteOffset, 96), 0, 96)
    expect(encodeIo(view, 0, sample("write"))).toBe(100)
    expect(Buffer.from(view.buffer, 0, 96)).toEqual(covered)
    expect(view.getUint32(96, true)).toBe(crc)
  })

  it("has one length, and only that", () => {
    encodeIo(view, 0, sample("write"))
    for (let bytes = 0; bytes < 160; bytes++) {
      const expected = bytes < IO_BYTES ? "short" : bytes > IO_BYTES ? "long" : "accepted"
      expect(reason(decodeIo(view, 0, bytes, new IoRecord()))).toBe(expected)
    }
  })

  it("is refused when any one bit of it was flipped on the way", () => {
    encodeIo(view, 8, sample("write"))
    for (let bit = 0; bit < IO_BYTES * 8; bit++) {
      const at = 8 + (bit >> 3)
      view.setUint8(at, view.getUint8(at) ^ (1 << (bit & 7)))
      expect(decodeIo(view, 8, IO_BYTES, new IoRecord())).not.toBe(ACCEPTED)
      view.setUint8(at, view.getUint8(at) ^ (1 << (bit & 7)))
    }
    expect(decodeIo(view, 8, IO_BYTES, new IoRecord())).toBe(ACCEPTED)
  })

  it("of another version is refused as such, before its checksum is believed", () => {
    encodeIo(view, 0, sample("read"))
    view.setUint8(6, 2)
    expect(decodeIo(view, 0, IO_BYTES, new IoRecord())).toBe(REFUSALS.version.number)
  })

  it("keeps a lineage as four words and gives it back", () => {
    const record = new IoRecord()
    setLineage(record, "0123456789abcdeffedcba9876543210")
    expect(record.lineage0).toBe(0x67452301)
    expect(lineageWord("0123456789abcdeffedcba9876543210", 3)).toBe(record.lineage3)
    expect(lineageOf(record)).toBe("0123456789abcdeffedcba9876543210")
  })
})

type Row = readonly [what: string, sample: string, change: Partial<IoRecord>, RefusalReason]

const WRONG: readonly Row[] = [
  ["an operation that there is not", "read", { operation: 8 }, "value"],
  ["an unknown header flag", "write", { flags: 4 }, "flags"],
  ["a payload checksum without payload", "read", { flags: FLAG_PAYLOAD_CRC }, "flags"],
  [
    "a checksum that no flag announces",
    "write without payload checksum",
    { payloadCrc: 1 },
    "flags",
  ],
  ["an unknown io flag", "write", { ioFlags: 4 }, "flags"],
  ["FUA on a read", "read", { ioFlags: IO_FUA }, "flags"],
  ["DIGEST on a client's read", "read", { ioFlags: IO_DIGEST }, "flags"],
  ["SYNC without a sender", "sync-read", { senderMemberId: 0 }, "sender"],
  ["a sender without SYNC", "read", { senderMemberId: 3 }, "sender"],
  ["a write by a storage node", "discard", { flags: FLAG_SYNC, senderMemberId: 3 }, "sender"],
  ["a sync read by a client", "sync-read", { flags: 0, senderMemberId: 0 }, "sender"],
  ["no epoch", "read", { epoch: 0, stableEpoch: 0, stableSequence: 0 }, "view"],
  ["no view", "read", { viewVersion: 0 }, "view"],
  ["no lineage", "read", { lineage0: 0, lineage1: 0, lineage2: 0, lineage3: 0 }, "view"],
  ["a unit that no pool has", "read", { unit: QUEUE_DEPTH_MAX }, "unit"],
  ["no length", "read", { length: 0 }, "range"],
  ["more than one IO may have", "read", { length: IO_BYTES_MAX + 1 }, "range"],
  ["an end behind every volume", "read", { offset: VOLUME_BYTES_MAX - 4096 }, "range"],
  ["an offset of 2^53", "read", { offset: 2 ** 53 }, "unsafe"],
  ["an offset of 2^63", "read", { offset: 2 ** 63 }, "unsafe"],
  ["a first chunk of 2^53", "read", { firstChunk: 2 ** 53 }, "unsafe"],
  ["no chunks", "read", { chunkCount: 0 }, "chunks"],
  ["more chunks than an IO touches", "read", { chunkCount: 8194 }, "chunks"],
  ["chunks behind every volume", "read", { firstChunk: 2 ** 37 - 2 }, "chunks"],
  ["a flush with a range", "flush", { length: 1 }, "range"],
  ["a flush with an offset", "flush", { offset: 1 }, "range"],
  ["a flush with chunks", "flush", { chunkCount: 1 }, "chunks"],
  ["a mutation without a number", "write", { sequence: 0 }, "sequence"],
  ["a read with one", "read", { sequence: 1 }, "sequence"],
  ["a sequence of 2^53", "write", { sequence: 2 ** 53 }, "unsafe"],
  ["a stable number of 2^53", "read", { stableSequence: 2 ** 53 }, "unsafe"],
  ["a stable number of a later epoch", "read", { stableEpoch: 12 }, "sequence"],
  ["a stable number of no epoch", "read", { stableEpoch: 0 }, "sequence"],
  [
    "I2: a mutation that says it is stable itself",
    "write",
    { stableEpoch: 11, stableSequence: 2 ** 41 + 1 },
    "sequence",
  ],
  ["a read that lists absent members", "read", { absent0: 3 }, "members"],
  ["absent members that descend", "write", { absent0: 0x0305, absent1: 0 }, "members"],
  ["an absent member twice", "write", { absent0: 0x0303, absent1: 0 }, "members"],
  ["a hole in the list", "write", { absent0: 0x030000, absent1: 0 }, "members"],
  ["everybody absent", "write", { absent0: 0x04030201, absent1: 0x08070605 }, "members"],
  ["an md-read with chunks", "md-read", { chunkCount: 1 }, "chunks"],
  ["an md-read of nothing", "md-read", { length: 0 }, "range"],
  ["an md-read behind every record", "md-read", { offset: POOL_METADATA_BYTES_MAX }, "range"],
  ["an md-write into the middle", "md-write", { offset: 1 }, "range"],
]

describe("a request is refused with", () => {
  it.each(WRONG)("%s", (_what, name, change, expected) => {
    const record = Object.assign(sample(name), change)
    expect(reason(refuseIo(record))).toBe(expected)
    expect(decoded(record)).toBe(expected)
  })

  it("another type than its operation has", () => {
    for (const [name, type] of [
      ["read", 3],
      ["md-read", 2],
      ["read", 6],
    ] as const) {
      encodeIo(view, 0, sample(name))
      view.setUint16(4, type, true)
      view.setUint32(96, crc32c(view, 0, 96), true)
      expect(reason(decodeIo(view, 0, IO_BYTES, new IoRecord()))).toBe("type")
    }
  })
})

describe("at the edges a request is accepted with", () => {
  it.each<readonly [string, string, Partial<IoRecord>]>([
    ["the last byte of the largest volume", "read", { offset: VOLUME_BYTES_MAX - 1, length: 1 }],
    ["the largest length", "write", { length: IO_BYTES_MAX }],
    ["the most chunks", "write", { chunkCount: 8193 }],
    ["the last chunk", "read", { firstChunk: 2 ** 37 - 3, chunkCount: 3 }],
    ["the last sequence number", "write", { sequence: Number.MAX_SAFE_INTEGER }],
    ["stability up to the mutation before", "write", { stableEpoch: 11, stableSequence: 2 ** 41 }],
    ["stability that begins", "read", { stableEpoch: 11, stableSequence: 0 }],
    ["the highest epoch and view", "read", { epoch: 0xffff_ffff, viewVersion: 0xffff_ffff }],
    ["seven absent members", "write", { absent0: 0x04030201, absent1: 0x070605 }],
  ])("%s", (_what, name, change) => {
    const record = Object.assign(sample(name), change)
    expect(decoded(record)).toBe("accepted")
    const into = new IoRecord()
    decodeIo(view, 0, IO_BYTES, into)
    expect(into).toEqual(record)
  })
})

describe("for its pool a request is checked against", () => {
  const pool: IoBounds = {
    mappedSizeBytes: 3 * 2 ** 40,
    chunkSizeBytes: 128 * 1024,
    queueDepth: 64,
    blockBytes: 4096,
  }
  const chunkAt = (offset: number): number => Math.floor(offset / pool.chunkSizeBytes)

  it.each<readonly [string, Partial<IoRecord>, RefusalReason | "accepted"]>([
    ["everything, and found right", {}, "accepted"],
    ["the queue depth", { unit: 64 }, "unit"],
    ["the size", { offset: 3 * 2 ** 40 - 4096, firstChunk: chunkAt(3 * 2 ** 40 - 4096) }, "range"],
    ["the block, by offset", { offset: 2 ** 40 + 512 }, "range"],
    ["the block, by length", { length: 262144 + 512 }, "range"],
    ["the block, far above 2^32", { offset: 2 ** 41 + 1, firstChunk: 2 ** 24 }, "range"],
    ["the first chunk", { firstChunk: 2 ** 23 + 1 }, "chunks"],
    ["the count of chunks", { chunkCount: 2 }, "chunks"],
  ])("%s", (_what, change, expected) => {
    const record = Object.assign(sample("write"), change)
    expect(reason(refuseIoForPool(record, pool))).toBe(expected)
  })

  it("another chunk size on the sender's side: refused, never marked wrongly", () => {
    for (const chunkSizeBytes of [4096, 65536, 262144, 2 ** 24]) {
      const refusal = refuseIoForPool(sample("write"), { ...pool, chunkSizeBytes })
      expect(reason(refusal)).toBe("chunks")
    }
  })

  it("nothing of the volume, for a flush and for the record", () => {
    const small = { ...pool, mappedSizeBytes: 0, queueDepth: 64 }
    for (const name of ["flush", "md-read", "md-write"]) {
      expect(refuseIoForPool(sample(name), small)).toBe(ACCEPTED)
    }
  })
})

describe("the absent members of a record", () => {
  it("are at most eight: more is our own mistake", () => {
    const record = new IoRecord()
    expect(() => setAbsentMembers(record, [1, 2, 3, 4, 5, 6, 7, 8, 9])).toThrow("MEMBERS_MAX")
  })
})
