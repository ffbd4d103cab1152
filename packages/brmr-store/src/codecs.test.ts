/** What a crash or a bad medium leaves of a superblock or a frame is refused, never misread. */
import { RmrError } from "@rmr/core"
import {
  cellEntry,
  decodeHead,
  ENTRY_BYTES,
  ENTRY_HEAT,
  encodeFrame,
  extentsOf,
  FRAME_HEAD_BYTES,
  hotEntry,
  isWhole,
} from "./frame.js"
import {
  decodeSuperblock,
  encodeSuperblock,
  newestSuperblock,
  SUPERBLOCK_BYTES,
  type Superblock,
} from "./superblock.js"

const BLOCK: Superblock = {
  sequence: 7,
  extentBytes: 65_536,
  hotExtentsMax: 16,
  mapPagesMax: 3,
  areaBytes: 2 ** 20,
  areaStart: 8192,
  dataStart: 4 * 2 ** 20,
  sizeBytes: 2 ** 40,
  area: 1,
  generation: 9,
  isClean: true,
  logFrames: 5,
  pending: "process",
  isHotUnreadable: true,
  bootId: "0123456789abcdef",
}

const GENERATION = 3

function newFrame(): Uint8Array {
  const cell = cellEntry("state", 0, new Uint8Array(100).fill(5))
  return encodeFrame(GENERATION, 1, [cell, hotEntry(ENTRY_HEAT, [4, 2])], 4096)
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice()
  copy[at] = copy[at]! ^ (1 << (at % 8))
  return copy
}

describe("a superblock", () => {
  const bytes = encodeSuperblock(BLOCK)

  it("S10: says what was written", () => {
    expect(decodeSuperblock(bytes)).toEqual(BLOCK)
  })

  it("S19: is none with any byte changed, or with its end missing", () => {
    for (let at = 0; at < SUPERBLOCK_BYTES; at++) {
      // Without its first bytes nobody can tell that it was one.
      expect(decodeSuperblock(flipped(bytes, at))).toBe(at < 4 ? "none" : "damaged")
    }
    for (const length of [0, 3, 512, SUPERBLOCK_BYTES - 1]) {
      expect(decodeSuperblock(bytes.slice(0, length))).toBe("none")
    }
  })

  it("S9: torn between two versions is none, and the other copy counts", () => {
    const next = encodeSuperblock({ ...BLOCK, sequence: 8, bootId: "another boot" })
    for (let cut = 512; cut < SUPERBLOCK_BYTES; cut += 512) {
      const torn = Uint8Array.from([...next.slice(0, cut), ...bytes.slice(cut)])
      const copies = [decodeSuperblock(torn), decodeSuperblock(bytes)]
      expect(newestSuperblock(copies)).toEqual(BLOCK)
    }
  })

  it("S10: the newer of two whole copies counts, wherever it lies", () => {
    const next = { ...BLOCK, sequence: 8 }
    expect(newestSuperblock([BLOCK, next])).toBe(next)
    expect(newestSuperblock([next, BLOCK])).toBe(next)
    expect(newestSuperblock(["damaged", next])).toBe(next)
    expect(newestSuperblock(["none", "none"])).toBe("none")
    expect(newestSuperblock(["none", "damaged"])).toBe("damaged")
    const refused = new RmrError("bad-version", "newer")
    expect(newestSuperblock(["damaged", refused])).toBe(refused)
  })
})

describe("a frame", () => {
  it("S9: says what was put into it", () => {
    const frame = newFrame()
    const head = decodeHead(viewOf(frame), GENERATION)!
    expect([head.sequence, head.frameBytes, head.entries.length]).toEqual([1, 4096, 2])
    expect(head.entries.every((entry) => isWhole(frame, entry))).toBe(true)
    const { at, bytes } = head.entries[1]!
    expect(extentsOf(frame.subarray(at, at + bytes))).toEqual([4, 2])
  })

  it("S9: of another log is none", () => {
    expect(decodeHead(viewOf(newFrame()), GENERATION - 1)).toBeUndefined()
  })

  it("S19: has no head with any byte of it changed, or missing", () => {
    const headBytes = FRAME_HEAD_BYTES + 2 * ENTRY_BYTES
    for (let at = 0; at < headBytes; at++) {
      const cut = newFrame().slice(0, at)
      expect(decodeHead(viewOf(flipped(newFrame(), at)), GENERATION)).toBeUndefined()
      expect(decodeHead(viewOf(cut), GENERATION)).toBeUndefined()
    }
  })

  it("S19: a changed or missing byte in a body costs that entry and no other", () => {
    const frame = newFrame()
    const { entries } = decodeHead(viewOf(frame), GENERATION)!
    for (const [nth, { at, bytes }] of entries.entries()) {
      for (let byte = at; byte < at + bytes; byte++) {
        const changed = flipped(frame, byte)
        expect(entries.map((entry) => isWhole(changed, entry))).toEqual([nth !== 0, nth !== 1])
      }
      expect(isWhole(frame.subarray(0, at + bytes - 1), entries[nth]!)).toBe(false)
    }
  })
})
