/**
 * What every golden image holds, whatever its format: a small store with cells of each kind, hot
 * extents and data, once closed cleanly and once left by a process that died.
 */
import type { CellKind, CellWrite } from "@rmr/core"

export const GOLDEN_SHAPE = {
  sizeBytes: 1024 * 1024,
  sizeBytesMax: 1024 * 1024,
  extentBytes: 65_536,
  hotExtentsMax: 16,
  chunkSizeBytes: 4096,
} as const

/** Hot at the end, in both images. */
export const GOLDEN_HOT: readonly number[] = [1, 5]
/** Written before extent 3 cooled. */
export const GOLDEN_DATA: readonly { readonly offset: number; readonly byte: number }[] = [
  { offset: 65_536, byte: 0x11 },
  { offset: 3 * 65_536 + 4096, byte: 0x33 },
  { offset: 5 * 65_536 + 61_440, byte: 0x55 },
]

/** The last version of each cell that is left; every other one is absent. */
export const GOLDEN_CELLS: readonly CellWrite[] = [
  cell("identity", 0, 200),
  cell("state", 0, 96),
  cell("pool-metadata", 0, 20_000),
  cell("last-io", 0, 5000),
  cell("map", 0, 28),
  cell("map", 2, 28),
  cell("map-page", 0, 2100),
  cell("map-page", 2, 4032),
]
/** Committed first and then replaced. */
export const GOLDEN_REPLACED: readonly CellWrite[] = [cell("state", 0, 64), cell("map", 2, 40)]
/** Committed first and then removed. */
export const GOLDEN_REMOVED: readonly CellWrite[] = [cell("map-page", 1, 300)]

function cell(kind: CellKind, index: number, bytes: number): CellWrite {
  const content = Uint8Array.from({ length: bytes }, (_, at) => (at * 7 + bytes + index) & 0xff)
  return { kind, index, bytes: content }
}
