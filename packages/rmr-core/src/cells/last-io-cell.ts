/**
 * The `last-io` cell: the newest mutation of each io unit, as a clean close leaves it (W2, Q6).
 *
 * It is trusted only by the opening that follows that close: the incarnation says which life wrote
 * it, so that one that outlived a crash is known for what it is.
 */
import { QUEUE_DEPTH_MAX } from "../limits.js"
import { U64 } from "../wire/field-types.js"
import { LAST_IO_ENTRY, type LastIoEntry } from "../wire/last-io-entry.js"
import { struct } from "../wire/layout.js"
import { Refused } from "../wire/refusal.js"
import { listTail } from "../wire/tails.js"
import { type CellCodec, cellCodec } from "./cell-codec.js"

export interface SavedLastIo {
  /** `incarnation` of the life that wrote it. */
  readonly incarnation: number
  /** Ascending by unit. */
  readonly entries: readonly LastIoEntry[]
}

export const LAST_IO_CELL: CellCodec<SavedLastIo> = cellCodec(
  "last-io",
  "RMLI",
  struct<SavedLastIo>(
    "last io",
    8,
    [["incarnation", 0, U64, "which life of the member wrote it"]],
    ["entries", 8, listTail(LAST_IO_ENTRY, 0, QUEUE_DEPTH_MAX), "one per unit, ascending"],
  ),
  ({ entries }) => {
    let before = -1
    for (const [index, { unit, sequence }] of entries.entries()) {
      if (unit <= before) return new Refused("unit", `entries.${index}`)
      if (sequence === 0) return new Refused("sequence", `entries.${index}`)
      before = unit
    }
    return undefined
  },
)
