/**
 * What every block file and store checks before it does anything, in one place.
 *
 * A range comes from a wire or a person: a bad one is refused with a status. Leases, flags, cells
 * and extents come from our own code: a bad one is an assertion. Implementations that share these
 * checks cannot disagree about which is which.
 */
import { assert } from "../assert.js"
import type { Lease } from "../brand.js"
import { MEMBERS_MAX } from "../limits.js"
import type { BlockIo } from "./block-io.js"
import type { Memory } from "./memory.js"
import type { CellKind, CellWrite, StoreGeometry } from "./store.js"
import { CELL_BYTES_MAX, COMMIT_BYTES_MAX, COMMIT_CELLS_MAX } from "./store.js"

/** The part of a `BlockIo` that decides which ranges are legal. */
export type BlockRangeRules = Pick<BlockIo, "sizeBytes" | "blockBytes" | "ioBytesMax">

/** Whether an operation on this range is legal; where not, it completes with `invalid-range`. */
export function isBlockRange(rules: BlockRangeRules, offset: number, bytes: number): boolean {
  return (
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(bytes) &&
    offset >= 0 &&
    bytes >= rules.blockBytes &&
    bytes <= rules.ioBytesMax &&
    offset % rules.blockBytes === 0 &&
    bytes % rules.blockBytes === 0 &&
    offset <= rules.sizeBytes - bytes
  )
}

/** The memory of a legal operation: aligned as its blocks are, and inside its lease. */
export function assertLeaseRange(
  memory: Memory,
  blockBytes: number,
  lease: Lease,
  at: number,
  bytes: number,
): void {
  assert(at >= 0 && at % blockBytes === 0, "memory of block io is aligned as its blocks are")
  assert(at + bytes <= memory.capacityOf(lease), "block io stays inside its lease")
}

/** How many cells of a kind a store has room for: indexes are below this. */
export function cellCountMax(kind: CellKind, geometry: Pick<StoreGeometry, "mapPagesMax">): number {
  switch (kind) {
    case "map":
      return MEMBERS_MAX
    case "map-page":
      return MEMBERS_MAX * geometry.mapPagesMax
    default:
      return 1
  }
}

export function assertCellIndex(kind: CellKind, index: number, geometry: StoreGeometry): void {
  const isIndex = Number.isInteger(index) && index >= 0 && index < cellCountMax(kind, geometry)
  // Asked for each of a million map pages: words only where they are needed.
  if (!isIndex) assert(false, `there is no cell ${kind} ${index}`)
}

/** A commit that a store can make: cells that exist, each once, inside their sizes and the sum. */
export function assertCells(cells: readonly CellWrite[], geometry: StoreGeometry): void {
  const seen = new Set<string>()
  let bytes = 0
  for (const cell of cells) {
    assertCellIndex(cell.kind, cell.index, geometry)
    const name = `${cell.kind} ${cell.index}`
    assert(!seen.has(name), `a commit changes cell ${name} twice`)
    seen.add(name)
    const cellBytes = cell.bytes?.length ?? 0
    assert(cellBytes <= CELL_BYTES_MAX[cell.kind], `cell ${name} has ${cellBytes} bytes`)
    bytes += cellBytes
  }
  assert(bytes <= COMMIT_BYTES_MAX, `a commit has ${bytes} bytes`)
  assert(cells.length <= COMMIT_CELLS_MAX, `a commit has ${cells.length} cells`)
}

/** Extents of a volume, the last partial one included. */
export function extentCount(sizeBytes: number, geometry: StoreGeometry): number {
  return Math.ceil(sizeBytes / geometry.extentBytes)
}

export function assertExtents(
  extents: readonly number[],
  sizeBytes: number,
  geometry: StoreGeometry,
): void {
  const count = extentCount(sizeBytes, geometry)
  for (const extent of extents) {
    const isExtent = Number.isInteger(extent) && extent >= 0 && extent < count
    assert(isExtent, `there is no extent ${extent}`)
  }
}
