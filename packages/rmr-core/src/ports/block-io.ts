/**
 * Block IO: the four operations that files, block devices and stores have in common.
 *
 * Submissions take effect together at the end of the turn; what is done comes back as one batch.
 * An operation completes exactly once. Operations in flight at the same time may be carried out in
 * any order, also when they overlap: who needs an order waits.
 *
 * A lease is held from submit to completion (ports/memory.ts). Offsets and lengths are multiples of
 * `blockBytes` and inside `sizeBytes`; anything else completes with `invalid-range` and changes
 * nothing.
 */
import type { Lease } from "../brand.js"

/** Columns of a completion descriptor. */
export const BLOCK_TOKEN = 0
/** 0, or a status of errors.ts: `invalid-range`, `media-error`, `io-error`, `no-space`, `closed`. */
export const BLOCK_STATUS = 1
/** With `media-error`: the bad range, relative to the operation's offset, in bytes. */
export const BLOCK_BAD_AT = 2
export const BLOCK_BAD_BYTES = 3
export const BLOCK_STRIDE = 4

/** `write` and `zero`: durable at completion, without a flush. */
export const BLOCK_FUA = 1
/** `zero`: the space may be given back; it reads zero all the same. */
export const BLOCK_UNMAP = 2

export interface BlockBatch {
  readonly count: number
  readonly words: Int32Array
}

export interface BlockEvents {
  /** Operations that ended in this turn. The batch is valid only during the call. */
  onCompletions(batch: BlockBatch): void
}

export interface BlockIo {
  readonly sizeBytes: number
  /** Alignment of offsets and lengths; a power of two, at least 512. What one such unit holds is never torn. */
  readonly blockBytes: number
  /** The longest single operation. */
  readonly ioBytesMax: number
  /** How many operations may be in flight; one more is refused by assertion. */
  readonly inFlightMax: number

  read(token: number, offset: number, lease: Lease, at: number, bytes: number): void
  write(token: number, offset: number, lease: Lease, at: number, bytes: number, flags: number): void
  /** The range reads zero afterwards. */
  zero(token: number, offset: number, bytes: number, flags: number): void
  /** Everything that had completed when this was submitted is durable at its completion. */
  flush(token: number): void
  /** Starts what was submitted now, instead of at the end of the turn. */
  submit(): void
}
