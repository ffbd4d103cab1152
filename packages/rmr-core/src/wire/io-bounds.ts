/**
 * What an IO request must satisfy for the pool that it names: size, chunks, queue depth, alignment.
 *
 * The chunk range is redundant on purpose. It is what upstream calls the id of an IO, every map is
 * indexed by it, and a sender with another chunk size would mark the wrong chunks: it is refused
 * here.
 */
import { type IoRecord, isMetadataOperation, OP_FLUSH } from "./io-record.js"
import { ACCEPTED, REFUSALS, type Refusal } from "./refusal.js"

/** The pool's numbers, in the shape that the data path wants. */
export interface IoBounds {
  readonly mappedSizeBytes: number
  readonly chunkSizeBytes: number
  readonly queueDepth: number
  /** Offsets and lengths are multiples of this. A power of two. */
  readonly blockBytes: number
}

const RANGE = REFUSALS.range.number
const CHUNKS = REFUSALS.chunks.number
const UNIT = REFUSALS.unit.number

/** For a record that `decodeIo` has accepted. */
export function refuseIoForPool(io: IoRecord, bounds: IoBounds): Refusal {
  if (io.unit >= bounds.queueDepth) return UNIT
  if (io.operation === OP_FLUSH || isMetadataOperation(io.operation)) return ACCEPTED

  const { offset, length } = io
  if (offset + length > bounds.mappedSizeBytes) return RANGE
  const blockMask = bounds.blockBytes - 1
  // A conversion to 32 bits keeps the lower half, where the bits of a block's size are.
  if (((offset & blockMask) | (length & blockMask)) !== 0) return RANGE

  const firstChunk = Math.floor(offset / bounds.chunkSizeBytes)
  const lastChunk = Math.floor((offset + length - 1) / bounds.chunkSizeBytes)
  if (io.firstChunk !== firstChunk) return CHUNKS
  return io.chunkCount === lastChunk - firstChunk + 1 ? ACCEPTED : CHUNKS
}
