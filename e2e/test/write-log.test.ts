/** Logs of writes that are no logs, or end too early, are refused with the place. */

import { seededRandom } from "@rmr/testkit"
import { DiskImage } from "./disk-image.js"
import { cutAt, imageAfter, powerCuts } from "./power-cuts.js"
import { FLAG_DISCARD, FLAG_FLUSH, FLAG_FUA, parseWriteLog } from "./write-log.js"

const SECTOR = 512
const DISK_BYTES = 64 * 1024
const random = seededRandom("write-log")

function superOf(count: number, magic = 0x6a736677736872n, version = 1n, sector = SECTOR): Buffer {
  const bytes = Buffer.alloc(SECTOR)
  bytes.writeBigUInt64LE(magic, 0)
  bytes.writeBigUInt64LE(version, 8)
  bytes.writeBigUInt64LE(BigInt(count), 16)
  bytes.writeUInt32LE(sector, 24)
  return bytes
}

function entry(sector: number, sectors: number, flags = 0, data: Buffer = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(SECTOR)
  bytes.writeBigUInt64LE(BigInt(sector), 0)
  bytes.writeBigUInt64LE(BigInt(sectors), 8)
  bytes.writeBigUInt64LE(BigInt(flags), 16)
  return Buffer.concat([bytes, data])
}

function filled(sectors: number, byte: number): Buffer {
  return Buffer.alloc(sectors * SECTOR, byte)
}

/** Two sectors, a flush, a third with FUA, a discard of the first, one sector more. */
const LOG = Buffer.concat([
  superOf(2),
  entry(0, 2, 0, filled(2, 1)),
  entry(0, 0, FLAG_FLUSH),
  entry(2, 1, FLAG_FUA, filled(1, 2)),
  entry(0, 1, FLAG_DISCARD),
  entry(3, 1, 0, filled(1, 3)),
  Buffer.alloc(4 * SECTOR),
])

/** The first four sectors, a byte for each. */
function sectorsOf(image: DiskImage): number[] {
  return [0, 1, 2, 3].map((sector) => image.byteAt(sector * SECTOR))
}

describe("a log of writes", () => {
  it("is read beyond its count, to where no entry is any more", () => {
    const { entries, countedEntries } = parseWriteLog(LOG, DISK_BYTES)
    expect(countedEntries).toBe(2)
    expect(entries.map(({ offset, bytes, flags }) => [offset, bytes, flags])).toEqual([
      [0, 1024, 0],
      [0, 0, FLAG_FLUSH],
      [1024, 512, FLAG_FUA],
      [0, 512, FLAG_DISCARD],
      [1536, 512, 0],
    ])
  })

  it.each([
    ["no super", Buffer.alloc(8), /a log of 8 bytes has no super/],
    ["another magic", superOf(0, 1n), /0x1 is not the magic/],
    ["another version", superOf(0, undefined, 2n), /version 2/],
    ["sectors of no size", superOf(0, undefined, undefined, 1000), /sectors of 1000 bytes/],
    ["fewer entries than it counts", superOf(1), /entry 0 of 1, at byte 512: the log ends before/],
    [
      "flags that there are not",
      Buffer.concat([superOf(1), entry(0, 1, 16)]),
      /there are no flags 16/,
    ],
    ["an entry that does nothing", Buffer.concat([superOf(1), entry(0, 0)]), /it does nothing/],
    [
      "a write behind the disk",
      Buffer.concat([superOf(1), entry(128, 1, 0, filled(1, 1))]),
      /it ends at 66048, behind the disk/,
    ],
    [
      "half of the bytes",
      Buffer.concat([superOf(1), entry(0, 2, 0, filled(1, 1))]),
      /the log ends in its bytes/,
    ],
  ])("with %s is refused", (_what, log, words) => {
    expect(() => parseWriteLog(log, DISK_BYTES)).toThrow(words)
  })
})

describe("a power cut", () => {
  const { entries } = parseWriteLog(LOG, DISK_BYTES)
  const empty = new DiskImage(DISK_BYTES)

  it("leaves what was flushed, and FUA writes, whatever else is lost", () => {
    const cut = cutAt(entries, empty, entries.length)
    expect(sectorsOf(imageAfter(cut, "lost", random))).toEqual([1, 1, 2, 0])
    expect(sectorsOf(imageAfter(cut, "kept", random))).toEqual([0, 1, 2, 3])
    expect(sectorsOf(imageAfter(cut, "torn", random))).toEqual([0, 1, 2, 0])
  })

  it("before a flush leaves any part of what it would have covered", () => {
    const cut = cutAt(entries, empty, 1)
    expect(sectorsOf(imageAfter(cut, "lost", random))).toEqual([0, 0, 0, 0])
    const found = new Set<string>()
    for (let nth = 0; nth < 64; nth++) {
      found.add(
        sectorsOf(imageAfter(cut, "scattered", random))
          .slice(0, 2)
          .join(),
      )
    }
    expect([...found].sort()).toEqual(["0,0", "0,1", "1,0", "1,1"])
  })

  it("comes at every flush and at the end, each with what was durable then", () => {
    const seen: [position: number, unflushed: number, durable: number[]][] = []
    for (const { position, unflushed, durable } of powerCuts(entries, empty, random)) {
      seen.push([position, unflushed.length, sectorsOf(durable)])
    }
    expect(seen.filter(([position]) => position !== 3 && position !== 4)).toEqual([
      [1, 1, [0, 0, 0, 0]],
      [5, 3, [1, 1, 0, 0]],
    ])
    expect(seen).toHaveLength(3)
  })
})
