import { type UnitId, unitId } from "../brand.js"
import { RANK_IN_FLIGHT } from "../rules/rank.js"
import { OP_DISCARD, OP_READ, OP_WRITE, OP_WRITE_ZEROES } from "../wire/io-record.js"
import { LAST_IO_ENTRY, type LastIoEntry } from "../wire/last-io-entry.js"
import { ChunkGeometry } from "./chunk-geometry.js"
import { DirtyMap } from "./dirty-map.js"
import { type AdmittedMutation, LastIo } from "./last-io.js"

const KiB = 1024
const DEPTH = 8
const geometry = new ChunkGeometry({ chunkSizeBytes: 128 * KiB, mappedSizeBytes: 2 ** 40 })
const unit = (value: number): UnitId => unitId(value, DEPTH)

/** A mutation as the wire decodes it. */
function mutation(
  unitNumber: number,
  epoch: number,
  sequence: number,
  offset: number,
  length: number,
  operation: number,
): AdmittedMutation {
  return { unit: unitNumber, epoch, sequence, offset, length, operation }
}

/** An entry of a mutation that the member recorded by itself. */
function whole(
  unitNumber: number,
  operation: LastIoEntry["operation"],
  epoch: number,
  sequence: number,
  offset: number,
  length: number,
): LastIoEntry {
  return { unit: unitNumber, operation, epoch, sequence, offset, length, isPartial: false }
}

function someLastIo(): LastIo {
  const lastIo = new LastIo(DEPTH)
  lastIo.admit(mutation(1, 3, 17, 4096, 512, OP_WRITE))
  lastIo.admit(mutation(7, 3, 18, 2 ** 32 - 128 * KiB, 256 * KiB, OP_DISCARD))
  lastIo.admit(mutation(0, 2, 900, 0, 4096, OP_WRITE_ZEROES))
  return lastIo
}

describe("LastIo", () => {
  it("remembers the newest mutation of each io unit, and says nothing about the others", () => {
    const lastIo = someLastIo()
    lastIo.admit(mutation(1, 3, 19, 8192, 1024, OP_WRITE))
    expect(lastIo.entries()).toEqual<LastIoEntry[]>([
      whole(0, "write-zeroes", 2, 900, 0, 4096),
      whole(1, "write", 3, 19, 8192, 1024),
      whole(7, "discard", 3, 18, 2 ** 32 - 128 * KiB, 256 * KiB),
    ])
    expect(lastIo.entryOf(unit(2))).toBeUndefined()
  })

  it("W7: a unit goes forward; an older mutation is refused, a repeated one is taken again", () => {
    const lastIo = someLastIo()
    expect(lastIo.admit(mutation(1, 3, 17, 4096, 512, OP_WRITE))).toBe(true)
    expect(lastIo.admit(mutation(1, 3, 16, 0, 512, OP_WRITE))).toBe(false)
    expect(lastIo.admit(mutation(1, 2, 99, 0, 512, OP_WRITE))).toBe(false)
    expect(lastIo.entryOf(unit(1))).toMatchObject({ sequence: 17, offset: 4096 })
    expect(lastIo.admit(mutation(1, 4, 1, 0, 512, OP_WRITE))).toBe(true)
    expect(lastIo.entryOf(unit(1))).toMatchObject({ epoch: 4, sequence: 1, offset: 0 })
  })

  it("asserts that what it records is a mutation of one of the pool's units", () => {
    const lastIo = new LastIo(DEPTH)
    const admit =
      (unitNumber: number, epoch: number, sequence: number, op: number) => (): unknown =>
        lastIo.admit(mutation(unitNumber, epoch, sequence, 0, 512, op))
    expect(admit(DEPTH, 1, 1, OP_WRITE)).toThrow("io units")
    expect(admit(0, 0, 1, OP_WRITE)).toThrow("numbered from 1")
    expect(admit(0, 1, 0, OP_WRITE)).toThrow("numbered from 1")
    expect(admit(0, 1, 1, OP_READ)).toThrow("about mutations")
    expect(lastIo.entries()).toEqual([])
  })

  it("R5: a joiner suspects every chunk that its last io touches, and no other", () => {
    const map = new DirtyMap({ chunkCount: geometry.chunkCount })
    someLastIo().markChunks(map, geometry, RANK_IN_FLIGHT)
    const found = new Float64Array(10)
    expect(Array.from(found.subarray(0, map.scan(0, found)))).toEqual([0, 32767, 32768])
    expect(map.countOf(RANK_IN_FLIGHT)).toBe(3)
  })

  it("S9: knows what it recorded about a chunk, and takes over what a source knows better", () => {
    const source = someLastIo()
    const ofChunk = (number: number): number[] =>
      source.overlapping(number * 128 * KiB, 128 * KiB).map((entry) => entry.unit)
    expect([ofChunk(0), ofChunk(1), ofChunk(32767), ofChunk(32768), ofChunk(32769)]).toEqual([
      [0, 1],
      [],
      [7],
      [7],
      [],
    ])
    expect(source.overlapping(4096 + 512, 4096)).toEqual([])
    const target = new LastIo(DEPTH)
    target.admit(mutation(1, 3, 20, 0, 512, OP_WRITE))
    expect(source.entries().map((entry) => target.adopt(entry, true))).toEqual([true, false, true])
    expect(target.entries().map((entry) => entry.sequence)).toEqual([900, 20, 18])
  })

  it("S9: knows what came with a copy of a part, until it is carried out here or stable", () => {
    const partial = whole(1, "write", 3, 17, 4096, 512)
    const number = { unit: 1, epoch: 3, sequence: 17 }
    const of = (lastIo: LastIo): boolean[] => [
      lastIo.entryOf(unit(1))!.isPartial,
      lastIo.holds(number),
      lastIo.holds({ ...number, sequence: 16 }),
    ]
    const target = new LastIo(DEPTH)
    expect(target.adopt(partial, false)).toBe(true)
    expect(of(target)).toEqual([true, false, true])
    // A copy of all of its range is worth no more than its source.
    const next = new LastIo(DEPTH)
    expect(next.adopt(target.entries()[0]!, true)).toBe(true)
    expect(of(next)).toEqual([true, false, true])
    const copy = new LastIo(DEPTH)
    expect(copy.load(target.entries(), geometry)).toBeUndefined()
    expect(of(copy)).toEqual([true, false, true])
    target.noteStable(3, 16)
    expect(of(target)).toEqual([true, false, true])
    target.noteStable(3, 17)
    expect(of(target)).toEqual([false, true, true])
    copy.admit(mutation(1, 3, 17, 4096, 512, OP_WRITE))
    expect(of(copy)).toEqual([false, true, true])
    // Another copy of a part of it takes nothing away.
    expect(copy.adopt(partial, false)).toBe(true)
    expect(of(copy)).toEqual([false, true, true])
    // Nor does what is said of another mutation; what is said of this one, does.
    copy.noteUndone({ ...number, sequence: 16 })
    expect(of(copy)).toEqual([false, true, true])
    copy.noteUndone(number)
    expect(of(copy)).toEqual([true, false, true])
    // The next mutation of the unit is another one, and partial again.
    expect(copy.adopt({ ...partial, sequence: 18 }, false)).toBe(true)
    expect(of(copy)).toEqual([true, true, true])
  })

  it("W6: forgets what was given up and what its unit recorded before, and nothing later", () => {
    const left = (epoch: number, sequence: number): (number | undefined)[] => {
      const lastIo = someLastIo()
      lastIo.forgetUpTo(1, epoch, sequence)
      lastIo.forgetUpTo(2, epoch, sequence)
      return [lastIo.entryOf(unit(1))?.sequence, lastIo.entries().length]
    }
    expect([left(3, 17), left(3, 18), left(4, 1)]).toEqual(Array(3).fill([undefined, 2]))
    expect([left(3, 16), left(2, 99)]).toEqual(Array(2).fill([17, 3]))
  })

  it("S10: holds a mutation that it recorded, and every older one of its unit", () => {
    const lastIo = someLastIo()
    const isHeld = (unitNumber: number, epoch: number, sequence: number): boolean =>
      lastIo.holds({ unit: unitNumber, epoch, sequence })
    expect([isHeld(1, 3, 17), isHeld(1, 3, 16), isHeld(1, 2, 99)]).toEqual([true, true, true])
    expect([isHeld(1, 3, 18), isHeld(1, 4, 1)]).toEqual([false, false])
    expect([isHeld(2, 1, 1), isHeld(DEPTH, 1, 1)]).toEqual([false, false])
  })

  it("goes to bytes and back, and a clear forgets everything", () => {
    const lastIo = someLastIo()
    const bytes = new DataView(new ArrayBuffer(lastIo.exportBytes + 4))
    expect(lastIo.exportTo(bytes, 4)).toBe(3 * LAST_IO_ENTRY.bytes)
    const copy = new LastIo(DEPTH)
    copy.admit(mutation(5, 9, 9, 0, 512, OP_WRITE))
    expect(copy.importFrom(bytes, 4, lastIo.exportBytes, geometry)).toBeUndefined()
    expect(copy.entries()).toEqual(lastIo.entries())
    copy.clear()
    expect([copy.entries(), copy.exportBytes]).toEqual([[], 0])
  })

  it("P8: refuses entries that this pool cannot have recorded, and stays as it is", () => {
    const [entry] = someLastIo().entries()
    const before = someLastIo()
    const load = (change: Partial<LastIoEntry>): string | undefined =>
      before.load([{ ...entry!, ...change }], geometry)?.reason
    expect(load({ unit: DEPTH })).toBe("unit")
    expect(load({ offset: 2 ** 40 })).toBe("range")
    expect(load({ offset: 2 ** 40 - 512, length: 1024 })).toBe("range")
    expect(load({ length: 0 })).toBe("range")
    expect(load({ offset: 100 })).toBe("range")
    const bytes = new DataView(new ArrayBuffer(LAST_IO_ENTRY.bytes))
    expect(before.importFrom(bytes, 0, 5, geometry)?.reason).toBe("count")
    expect(before.importFrom(bytes, 0, LAST_IO_ENTRY.bytes, geometry)).toBeDefined()
    expect(before.entries()).toEqual(someLastIo().entries())
  })
})
