import type { Lease } from "../brand.js"
import { MEMBERS_MAX } from "../limits.js"
import { buddyMemory } from "../memory/index.js"
import {
  assertCells,
  assertExtents,
  assertLeaseRange,
  cellCountMax,
  extentCount,
  isBlockRange,
} from "./io-checks.js"
import type { CellWrite, StoreGeometry } from "./store.js"
import { CELL_BYTES_MAX, COMMIT_BYTES_MAX, COMMIT_CELLS_MAX } from "./store.js"

const geometry: StoreGeometry = {
  extentBytes: 65_536,
  hotExtentsMax: 4,
  hotExtentsSoft: 4,
  mapPagesMax: 3,
}

describe("isBlockRange", () => {
  const rules = { sizeBytes: 2 ** 40, blockBytes: 4096, ioBytesMax: 1 << 20 }
  it.each([
    ["the first block", 0, 4096, true],
    ["the last block", 2 ** 40 - 4096, 4096, true],
    ["the longest operation", 4096, 1 << 20, true],
    ["one block longer than the longest", 0, (1 << 20) + 4096, false],
    ["nothing", 0, 0, false],
    ["one block past the end", 2 ** 40 - 4096, 8192, false],
    ["a misaligned offset", 512, 4096, false],
    ["a misaligned length", 0, 4608, false],
    ["a negative offset", -4096, 4096, false],
    ["a negative length", 4096, -4096, false],
    ["an offset that no double holds", 2 ** 60, 4096, false],
    ["a fraction", 0.5, 4096, false],
    ["no number", Number.NaN, 4096, false],
  ])("says of %s whether it is legal", (_what, offset, bytes, isLegal) => {
    expect(isBlockRange(rules, offset, bytes)).toBe(isLegal)
  })
})

describe("assertLeaseRange", () => {
  const memory = buddyMemory({ arenas: [16_384], leaseCountMax: 4 })
  const lease: Lease = memory.lease(8192)

  it("takes what is inside the lease and aligned", () => {
    expect(() => assertLeaseRange(memory, 4096, lease, 4096, 4096)).not.toThrow()
  })

  it("refuses what leaves the lease, and memory that direct io could not use", () => {
    expect(() => assertLeaseRange(memory, 4096, lease, 4096, 8192)).toThrow("inside its lease")
    expect(() => assertLeaseRange(memory, 4096, lease, 512, 4096)).toThrow("aligned")
    expect(() => assertLeaseRange(memory, 4096, lease, -4096, 4096)).toThrow("aligned")
  })
})

describe("assertCells", () => {
  const cell = (kind: CellWrite["kind"], index: number, bytes?: number): CellWrite => ({
    kind,
    index,
    bytes: bytes === undefined ? undefined : new Uint8Array(bytes),
  })

  it("knows how many cells of a kind there are", () => {
    expect(cellCountMax("state", geometry)).toBe(1)
    expect(cellCountMax("map", geometry)).toBe(MEMBERS_MAX)
    expect(cellCountMax("map-page", geometry)).toBe(3 * MEMBERS_MAX)
  })

  it("takes the largest cell of every kind, and removals", () => {
    const largest = [cell("last-io", 0, CELL_BYTES_MAX["last-io"]), cell("map-page", 23, 4032)]
    expect(() => assertCells([...largest, cell("map", 7)], geometry)).not.toThrow()
  })

  it.each([
    ["a cell twice", [cell("state", 0, 1), cell("state", 0)], "twice"],
    ["an index that does not exist", [cell("map-page", 24, 1)], "no cell map-page 24"],
    ["a fraction of an index", [cell("map", 0.5, 1)], "no cell map 0.5"],
    ["a cell that is too large", [cell("state", 0, 4033)], "4033 bytes"],
  ])("refuses %s", (_what, cells, message) => {
    expect(() => assertCells(cells, geometry)).toThrow(message)
  })

  it("refuses a commit of more cells than a store has room for", () => {
    const wide: StoreGeometry = { ...geometry, mapPagesMax: 1000 }
    const pages = Array.from({ length: COMMIT_CELLS_MAX + 1 }, (_, index) =>
      cell("map-page", index),
    )
    expect(() => assertCells(pages, wide)).toThrow("a commit has 4097 cells")
    expect(() => assertCells(pages.slice(1), wide)).not.toThrow()
  })

  it("refuses a commit that is larger than a store has room for", () => {
    const wide: StoreGeometry = { ...geometry, mapPagesMax: 1000 }
    const tooMany = Math.floor(COMMIT_BYTES_MAX / 4032) + 1
    const pages = Array.from({ length: tooMany }, (_, index) => cell("map-page", index, 4032))
    expect(() => assertCells(pages, wide)).toThrow("a commit has")
    expect(() => assertCells(pages.slice(1), wide)).not.toThrow()
  })
})

describe("assertExtents", () => {
  it("counts a partial extent at the end", () => {
    expect(extentCount(65_536 * 2 + 4096, geometry)).toBe(3)
    expect(() => assertExtents([0, 2], 65_536 * 2 + 4096, geometry)).not.toThrow()
  })

  it("refuses an extent outside the volume", () => {
    expect(() => assertExtents([0, 2], 65_536 * 2, geometry)).toThrow("no extent 2")
    expect(() => assertExtents([-1], 65_536 * 2, geometry)).toThrow("no extent -1")
  })
})
