/**
 * One entry of `last_io` on the wire, and the payloads that list them.
 *
 * An entry is what a member recorded when it admitted the newest mutation of an io unit (W2):
 * enough to compare members unit by unit (R4), and to know which chunks to suspect.
 */
import { HOT_RANGES_MAX, IO_BYTES_MAX, QUEUE_DEPTH_MAX } from "../limits.js"
import type { PoolMetadata } from "../rules/pool-metadata.js"
import { BOOL, integer, oneOf, safeInteger, U32 } from "./field-types.js"
import { OP_DISCARD, OP_WRITE, OP_WRITE_ZEROES } from "./io-record.js"
import { type Struct, struct } from "./layout.js"
import type { PayloadCodec } from "./payload.js"
import { poolMetadataBytes, readPoolMetadata, writePoolMetadata } from "./pool-metadata-codec.js"
import { POOL_METADATA_BYTES_MAX, VOLUME_BYTES } from "./pool-metadata-layout.js"
import { Refused } from "./refusal.js"
import { readList, writeList } from "./tails.js"

export type MutationOperation = "write" | "discard" | "write-zeroes"

export const MUTATION_NUMBERS: Readonly<Record<MutationOperation, number>> = {
  write: OP_WRITE,
  discard: OP_DISCARD,
  "write-zeroes": OP_WRITE_ZEROES,
}

export interface LastIoEntry {
  readonly unit: number
  readonly operation: MutationOperation
  readonly epoch: number
  readonly sequence: number
  readonly offset: number
  readonly length: number
  /**
   * The member may lack it, or a part: it came with a copy of one chunk (RT-77), or was refused
   * when it waited (RT-79).
   */
  readonly isPartial: boolean
}

export const LAST_IO_ENTRY: Struct<LastIoEntry> = struct<LastIoEntry>("last_io entry", 28, [
  ["unit", 0, integer("u16", 2, 0, QUEUE_DEPTH_MAX - 1), "the io unit; entries ascend by it"],
  ["operation", 2, oneOf(MUTATION_NUMBERS), "what the mutation was"],
  ["isPartial", 3, BOOL, "the member may lack it, or a part of its range (S9, W5)"],
  ["epoch", 4, integer("u32", 4, 1, 0xffff_ffff), "of the mutation"],
  ["sequence", 8, safeInteger("u64", Number.MAX_SAFE_INTEGER), "of the mutation, from 1"],
  ["offset", 16, VOLUME_BYTES, "first byte in the volume"],
  ["length", 24, integer("u32", 4, 1, IO_BYTES_MAX), "bytes"],
])

/** A range of the volume that was hot when the store was last open (R3). */
export interface HotRange {
  readonly offset: number
  readonly length: number
}

export const HOT_RANGE: Struct<HotRange> = struct<HotRange>("hot range", 16, [
  ["offset", 0, VOLUME_BYTES, "first byte in the volume; ranges ascend and do not touch"],
  ["length", 8, VOLUME_BYTES, "bytes, at least 1"],
])

/** What a member knows that the next view must know too: the payload of OPEN's answer (F1). */
export interface OpenKnowledge {
  /** The view record on its disk. */
  readonly metadata: PoolMetadata
  /** By unit, ascending; without units that it recorded nothing for. */
  readonly lastIo: readonly LastIoEntry[]
  readonly hotRanges: readonly HotRange[]
}

interface OpenKnowledgeHead {
  readonly metadataBytes: number
  readonly lastIoCount: number
  readonly hotRangeCount: number
}

export const OPEN_KNOWLEDGE_HEAD: Struct<OpenKnowledgeHead> = struct<OpenKnowledgeHead>(
  "open knowledge head",
  8,
  [
    ["metadataBytes", 0, U32, "length of the view record that follows"],
    ["lastIoCount", 4, integer("u16", 2, 0, QUEUE_DEPTH_MAX), "last_io entries after the record"],
    ["hotRangeCount", 6, integer("u16", 2, 0, HOT_RANGES_MAX), "hot ranges after those"],
  ],
)

export const LAST_IO_PAYLOAD: PayloadCodec<readonly LastIoEntry[]> = {
  name: "last_io entries",
  bytesMax: QUEUE_DEPTH_MAX * LAST_IO_ENTRY.bytes,
  layouts: [LAST_IO_ENTRY],
  bytesOf: (entries) => entries.length * LAST_IO_ENTRY.bytes,
  read(view, at, bytes) {
    const count = bytes / LAST_IO_ENTRY.bytes
    if (!Number.isInteger(count) || count > QUEUE_DEPTH_MAX) return new Refused("count")
    return readLastIo(view, at, count)
  },
  write: (view, at, entries) => {
    writeList(LAST_IO_ENTRY, view, at, entries)
  },
}

export const OPEN_PAYLOAD: PayloadCodec<OpenKnowledge> = {
  name: "open knowledge",
  bytesMax:
    OPEN_KNOWLEDGE_HEAD.bytes +
    POOL_METADATA_BYTES_MAX +
    QUEUE_DEPTH_MAX * LAST_IO_ENTRY.bytes +
    HOT_RANGES_MAX * HOT_RANGE.bytes,
  layouts: [OPEN_KNOWLEDGE_HEAD, LAST_IO_ENTRY, HOT_RANGE],
  bytesOf: ({ metadata, lastIo, hotRanges }) =>
    OPEN_KNOWLEDGE_HEAD.bytes +
    poolMetadataBytes(metadata) +
    lastIo.length * LAST_IO_ENTRY.bytes +
    hotRanges.length * HOT_RANGE.bytes,
  read: readOpenKnowledge,
  write(view, at, { metadata, lastIo, hotRanges }) {
    const metadataBytes = poolMetadataBytes(metadata)
    const head = { metadataBytes, lastIoCount: lastIo.length, hotRangeCount: hotRanges.length }
    let end = OPEN_KNOWLEDGE_HEAD.write(view, at, head)
    end += writePoolMetadata(view, at + end, metadata)
    end += writeList(LAST_IO_ENTRY, view, at + end, lastIo)
    writeList(HOT_RANGE, view, at + end, hotRanges)
  },
}

function readOpenKnowledge(view: DataView, at: number, bytes: number): OpenKnowledge | Refused {
  if (bytes < OPEN_KNOWLEDGE_HEAD.bytes) return new Refused("short")
  const head = OPEN_KNOWLEDGE_HEAD.read(view, at, OPEN_KNOWLEDGE_HEAD.bytes)
  if (head instanceof Refused) return head
  const lastIoAt = OPEN_KNOWLEDGE_HEAD.bytes + head.metadataBytes
  const hotAt = lastIoAt + head.lastIoCount * LAST_IO_ENTRY.bytes
  const end = hotAt + head.hotRangeCount * HOT_RANGE.bytes
  if (end !== bytes) return new Refused(end > bytes ? "short" : "long")
  const metadata = readPoolMetadata(view, at + OPEN_KNOWLEDGE_HEAD.bytes, head.metadataBytes)
  if (metadata instanceof Refused) return metadata.in("metadata")
  const lastIo = readLastIo(view, at + lastIoAt, head.lastIoCount)
  if (lastIo instanceof Refused) return lastIo.in("lastIo")
  const hotRanges = readHotRanges(view, at + hotAt, head.hotRangeCount)
  if (hotRanges instanceof Refused) return hotRanges.in("hotRanges")
  const last = lastIo.at(-1)
  if (last !== undefined && last.unit >= metadata.queueDepth) return new Refused("unit", "lastIo")
  return { metadata, lastIo, hotRanges }
}

/** `count` entries, ascending by unit. */
export function readLastIo(
  view: DataView,
  at: number,
  count: number,
): readonly LastIoEntry[] | Refused {
  const entries = readList(LAST_IO_ENTRY, view, at, count)
  if (entries instanceof Refused) return entries
  let before = -1
  for (const [index, { unit, sequence }] of entries.entries()) {
    if (unit <= before) return new Refused("unit", `${index}`)
    if (sequence === 0) return new Refused("sequence", `${index}`)
    before = unit
  }
  return entries
}

function readHotRanges(view: DataView, at: number, count: number): readonly HotRange[] | Refused {
  const ranges = readList(HOT_RANGE, view, at, count)
  if (ranges instanceof Refused) return ranges
  let end = -1
  for (const [index, { offset, length }] of ranges.entries()) {
    if (offset <= end || length === 0) return new Refused("range", `${index}`)
    end = offset + length
  }
  return ranges
}
