/**
 * The `pool-metadata` cell: the view record, and what became of each of its ranges at this member.
 *
 * A view change is one atomic step: the record together with its marks (V2). Where the marks are
 * too many for one commit this cell is the step: whoever opens the store makes them from it again,
 * and the map pages follow in commits of their own (docs/adr/0003).
 */
import { assert } from "../assert.js"
import { QUEUE_DEPTH_MAX, RECOVERY_RANGES_MAX } from "../limits.js"
import type { PoolMetadata } from "../rules/pool-metadata.js"
import { oneOf, U32 } from "../wire/field-types.js"
import { struct } from "../wire/layout.js"
import {
  decodePoolMetadata,
  encodePoolMetadata,
  poolMetadataBytes,
} from "../wire/pool-metadata-codec.js"
import { POOL_METADATA_BYTES_MAX } from "../wire/pool-metadata-layout.js"
import { Refused } from "../wire/refusal.js"
import { bytesTail } from "../wire/tails.js"
import { type CellCodec, cellCodec } from "./cell-codec.js"

/**
 * How this member marked a range for the absent members (V2): `real` where its own chunk is clean
 * and it has applied the mutation, `suspected` elsewhere, `none` where nobody is absent.
 */
export type RangeMarking = "none" | "real" | "suspected"

const MARKING_NUMBERS: Readonly<Record<RangeMarking, number>> = { none: 1, real: 2, suspected: 3 }
const MARKING = oneOf(MARKING_NUMBERS)

export interface SavedPoolMetadata {
  readonly metadata: PoolMetadata
  /** One for each of `metadata.ranges`, in the same order. */
  readonly markings: readonly RangeMarking[]
}

interface Packed {
  readonly recordBytes: number
  /** The record, then a byte for each range. */
  readonly content: Uint8Array
}

const BYTES_MAX = POOL_METADATA_BYTES_MAX + QUEUE_DEPTH_MAX + RECOVERY_RANGES_MAX

const PACKED_CELL: CellCodec<Packed> = cellCodec(
  "pool-metadata",
  "RMPM",
  struct<Packed>(
    "pool metadata",
    4,
    [["recordBytes", 0, U32, "length of the view record"]],
    ["content", 4, bytesTail(BYTES_MAX), "the view record, then a byte for each of its ranges"],
  ),
  ({ recordBytes, content }) =>
    recordBytes <= content.length ? undefined : new Refused("short", "recordBytes"),
)

export const POOL_METADATA_CELL: CellCodec<SavedPoolMetadata> = {
  kind: "pool-metadata",
  layout: PACKED_CELL.layout,
  encode({ metadata, markings }) {
    assert(markings.length === metadata.ranges.length, "each range of a record has a marking")
    const recordBytes = poolMetadataBytes(metadata)
    const content = new Uint8Array(recordBytes + markings.length)
    content.set(encodePoolMetadata(metadata))
    const view = new DataView(content.buffer)
    for (const [nth, marking] of markings.entries()) MARKING.write(view, recordBytes + nth, marking)
    return PACKED_CELL.encode({ recordBytes, content })
  },
  decode(bytes) {
    const packed = PACKED_CELL.decode(bytes)
    if (packed instanceof Refused) return packed
    const { recordBytes, content } = packed
    const metadata = decodePoolMetadata(content.subarray(0, recordBytes))
    if (metadata instanceof Refused) return metadata.in("pool-metadata.record")
    const markings = readMarkings(content, recordBytes)
    if (markings instanceof Refused) return markings.in("pool-metadata")
    if (markings.length === metadata.ranges.length) return { metadata, markings }
    return new Refused("count", "pool-metadata.markings")
  },
}

function readMarkings(content: Uint8Array, from: number): RangeMarking[] | Refused {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  const markings: RangeMarking[] = []
  for (let at = from; at < content.length; at++) {
    const marking = MARKING.read(view, at)
    if (marking instanceof Refused) return marking.in(`markings.${at - from}`)
    markings.push(marking)
  }
  return markings
}
