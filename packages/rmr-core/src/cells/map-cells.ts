/**
 * The `map` and `map-page` cells: a dirty map on a store (M1, Q24).
 *
 * A `map` cell per member slot says what the map is about and which pages count; a `map-page` cell
 * holds one page as the map update sends it (chunks/map-page-codec.ts). Both carry a *generation*:
 * a page of another one is void. So a map is emptied, or made all dirty, by one commit of one small
 * cell, and the pages that it left behind go at leisure.
 */

import { assert } from "../assert.js"
import type { MemberId } from "../brand.js"
import { MAP_RECORD_BYTES_MAX } from "../chunks/map-page-codec.js"
import { MEMBERS_MAX } from "../limits.js"
import type { ViewNumber } from "../rules/pool-metadata.js"
import { isChunkByte } from "../rules/rank.js"
import { MEMBER_ID, OPTIONAL_VIEW, reserved, U8, U32 } from "../wire/field-types.js"
import { struct } from "../wire/layout.js"
import { Refused } from "../wire/refusal.js"
import { bytesTail } from "../wire/tails.js"
import { type CellCodec, cellCodec } from "./cell-codec.js"

export interface SavedMap {
  /** Whom the map is about. */
  readonly memberId: MemberId
  /** The view that expelled the member; (0, 0) in a member's own map (M1). */
  readonly stamp: ViewNumber
  /** Pages of this generation count. */
  readonly generation: number
  /** What every chunk of a page without a cell is (rules/rank.ts); 0 for clean. */
  readonly elsewhere: number
}

export interface SavedMapPage {
  readonly generation: number
  /** One record of chunks/map-page-codec.ts; whoever loads it checks it against its volume. */
  readonly record: Uint8Array
}

export const MAP_CELL: CellCodec<SavedMap> = cellCodec(
  "map",
  "RMDM",
  struct<SavedMap>("map", 16, [
    ["stamp", 0, OPTIONAL_VIEW, "the view that expelled the member; 0 for a member's own map (M1)"],
    ["generation", 8, U32, "pages of another generation are void"],
    ["memberId", 12, MEMBER_ID, "whom the map is about"],
    ["elsewhere", 13, U8, "what the chunks of a page without a cell are: 0 clean, else a mark"],
    ["reserved", 14, reserved(2), "must be zero"],
  ]),
  ({ elsewhere }) => (isChunkByte(elsewhere) ? undefined : new Refused("value", "elsewhere")),
)

export const MAP_PAGE_CELL: CellCodec<SavedMapPage> = cellCodec(
  "map-page",
  "RMMP",
  struct<SavedMapPage>(
    "map page",
    4,
    [["generation", 0, U32, "void unless it is that of the member's map cell"]],
    ["record", 4, bytesTail(MAP_RECORD_BYTES_MAX), "the page, as SEND_MAP_BUF carries it"],
  ),
  ({ record }) => (record.length === 0 ? new Refused("short", "record") : undefined),
)

/** The index of the cell that holds this page of this member's map. */
export function mapPageIndex(page: number, slot: number): number {
  assert(Number.isInteger(slot) && slot >= 0 && slot < MEMBERS_MAX, `${slot} is a member slot`)
  return page * MEMBERS_MAX + slot
}

export function pageOfMapPageIndex(index: number): number {
  return Math.floor(index / MEMBERS_MAX)
}

export function slotOfMapPageIndex(index: number): number {
  return index % MEMBERS_MAX
}
