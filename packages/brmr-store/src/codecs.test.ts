/** What a crash or a bad medium leaves of a block of metadata is refused, never misread. */
import { RmrError } from "@rmr/core"
import {
  bodyIn,
  cellEntry,
  decodeHead,
  ENTRY_BYTES,
  ENTRY_HEAT,
  encodeFrame,
  extentsOf,
  FRAME_HEAD_BYTES,
  hotEntry,
} from "./frame.js"
import { decodeSlotHead, encodeSlot, SLOT_HEAD_BYTES, type Slot, slotBody } from "./slot.js"
import { superblockFor } from "./store-shape.js"
import {
  decodeSuperblock,
  encodeSuperblock,
  newestSuperblock,
  SUPERBLOCK_BYTES,
  type Superblock,
} from "./superblock.js"

const UUID = "00112233445566778899aabbccddeeff"
const OTHER = "ff112233445566778899aabbccddeeff"

const SHAPE = {
  sizeBytes: 2 ** 40,
  extentBytes: 65_536,
  hotExtentsMax: 16,
  hotExtentsSoft: 12,
  dataSums: true,
}
const NEW = superblockFor(SHAPE, UUID)
const BLOCK: Superblock = {
  ...NEW,
  sequence: 7,
  tailSequence: 9,
  tailAt: NEW.logStart + 8192,
  lastSequence: 11,
  sumsFrom: 5,
  pending: "process",
  isHotUnreadable: true,
  areSumsSaved: true,
  bootId: "0123456789abcdef",
}

const NAME = { uuid: UUID, sequence: 5, attempt: 2 }

/** Both copies. */
function newFrame(): Uint8Array {
  const cell = cellEntry("state", 0, new Uint8Array(100).fill(5))
  return encodeFrame(NAME, [cell, hotEntry(ENTRY_HEAT, [4, 2])])
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

  const tampered: readonly Partial<Superblock>[] = [
    { extentBytes: 65_537 },
    { extentBytes: 0 },
    { hotExtentsMax: 2 ** 40 },
    { hotExtentsSoft: 0 },
    { hotExtentsSoft: 17 },
    { mapPagesMax: 0 },
    { mapPagesMax: 2 ** 50 },
    { sizeBytes: 2 ** 52 },
    { sizeBytes: 4097 },
    { secondAt: NEW.logStart },
    { logStart: 0 },
    { logBytes: 4096 },
    { cellsStart: NEW.cellsStart + 4096 },
    { directoryStart: 0 },
    { pagesStart: NEW.dataStart },
    { dataStart: NEW.pagesStart },
    { tailAt: NEW.logStart - 4096 },
    { tailAt: NEW.logStart + 1 },
    { tailAt: NEW.cellsStart },
    { tailSequence: 0 },
    { lastSequence: 8 },
    { sizeBytesMax: SHAPE.sizeBytes - 4096 },
    { sumsStart: 0 },
    { sumsStart: NEW.sumsStart + 1 },
    { sumsStart: NEW.sumsStart - 4096 },
    { sumsExtents: SHAPE.sizeBytes / SHAPE.extentBytes - 1 },
    { sumsExtents: 2 * NEW.sumsExtents },
    { sumsExtents: 0 },
  ]
  it.each(tampered)(
    "is damaged where it is whole and says what nobody has written: %j",
    (change) => {
      expect(decodeSuperblock(encodeSuperblock({ ...BLOCK, ...change }))).toBe("damaged")
    },
  )

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
  it("S9: says what was put into it, in both copies", () => {
    const frame = newFrame()
    expect(frame.length).toBe(8192)
    for (const copy of [0, 1]) {
      const bytes = frame.subarray(copy * 4096, (copy + 1) * 4096)
      const head = decodeHead(viewOf(bytes), UUID)!
      expect(head).toMatchObject({ sequence: 5, attempt: 2, copy, frameBytes: 4096 })
      const [cell, hot] = head.entries.map((entry) => bodyIn(bytes, entry))
      expect(cell).toEqual(new Uint8Array(100).fill(5))
      expect(extentsOf(hot!)).toEqual([4, 2])
    }
  })

  it("S9: of another store is none", () => {
    expect(decodeHead(viewOf(newFrame()), OTHER)).toBeUndefined()
  })

  it("S19: has no head with any byte of it changed, or missing", () => {
    const headBytes = FRAME_HEAD_BYTES + 2 * ENTRY_BYTES
    for (let at = 0; at < headBytes; at++) {
      const cut = newFrame().slice(0, at)
      expect(decodeHead(viewOf(flipped(newFrame(), at)), UUID)).toBeUndefined()
      expect(decodeHead(viewOf(cut), UUID)).toBeUndefined()
    }
  })

  it("S19: a changed or missing byte in a body costs that entry and no other", () => {
    const frame = newFrame()
    const { entries } = decodeHead(viewOf(frame), UUID)!
    for (const [nth, { at, bytes }] of entries.entries()) {
      for (let byte = at; byte < at + bytes; byte++) {
        const changed = flipped(frame, byte)
        const isWhole = entries.map((entry) => bodyIn(changed, entry) !== undefined)
        expect(isWhole).toEqual([nth !== 0, nth !== 1])
      }
      expect(bodyIn(frame.subarray(0, at + bytes - 1), entries[nth]!)).toBeUndefined()
    }
  })
})

describe("a slot", () => {
  const slot: Slot = {
    kind: 1,
    index: 7,
    state: "held",
    sequence: 12,
    body: new Uint8Array(300).fill(3),
  }
  const bytes = encodeSlot(UUID, slot)

  it("S10: says what was put into it", () => {
    const head = decodeSlotHead(bytes, UUID, 1, 7)
    expect(head).toMatchObject({ kind: 1, index: 7, state: "held", sequence: 12, bodyBytes: 300 })
    if (typeof head === "object") expect(slotBody(bytes, head)).toEqual(slot.body)
  })

  it("S19: that is another one's is damaged, and one that was never written is blank", () => {
    expect(decodeSlotHead(bytes, OTHER, 1, 7)).toBe("damaged")
    expect(decodeSlotHead(bytes, UUID, 2, 7)).toBe("damaged")
    expect(decodeSlotHead(bytes, UUID, 1, 8)).toBe("damaged")
    expect(decodeSlotHead(new Uint8Array(4096), UUID, 1, 7)).toBe("blank")
    expect(decodeSlotHead(new Uint8Array(0), UUID, 1, 7)).toBe("damaged")
  })

  it("S19: is damaged with any byte of its head changed, or without its body's", () => {
    for (let at = 0; at < SLOT_HEAD_BYTES; at++) {
      expect(decodeSlotHead(flipped(bytes, at), UUID, 1, 7)).toBe("damaged")
    }
    const head = decodeSlotHead(bytes, UUID, 1, 7)
    if (typeof head === "string") throw new Error("the head is whole")
    for (let at = 0; at < 300; at++) {
      expect(slotBody(flipped(bytes, SLOT_HEAD_BYTES + at), head)).toBeUndefined()
    }
    expect(slotBody(bytes.subarray(0, SLOT_HEAD_BYTES + 299), head)).toBeUndefined()
  })
})
