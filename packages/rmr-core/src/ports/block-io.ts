/**
 * Block IO: the four operations that files, block devices and stores have in common.
 *
 * Submissions leave together at the end of the turn; what is done comes back as one batch, in a
 * turn of its own and never inside a call of the submitter. An operation completes exactly once.
 * Operations in flight at the same time may be carried out in any order, also when they overlap:
 * who needs an order waits.
 *
 * A lease is held from submit to completion (ports/memory.ts). Offsets and lengths are multiples of
 * `blockBytes`, lengths 1 block…`ioBytesMax`, ranges inside `sizeBytes`; anything else completes
 * with `invalid-range` and changes nothing. What only a mistake of ours can ask is refused by
 * assertion: `at` that is no multiple of `blockBytes` (direct IO needs aligned memory), bytes
 * outside the lease, a flag that does not exist, an operation more than `inFlightMax`.
 */
import type { Lease } from "../brand.js"

/** Columns of a completion descriptor. */
export const BLOCK_TOKEN = 0
/**
 * 0, or a status of errors.ts: `invalid-range`, `media-error`, `io-error`, `no-space`,
 * `unsupported`, `closed`.
 */
export const BLOCK_STATUS = 1
/** With `media-error`: the first bad range, relative to the operation's offset, in bytes. */
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

/** Tokens are the caller's: any int32, handed back with the completion, not looked at. */
export interface BlockIo {
  readonly sizeBytes: number
  /** Alignment of offsets and lengths; a power of two, 512…4096. */
  readonly blockBytes: number
  /**
   * What one aligned unit of this size holds is never torn; a power of two, 512…`blockBytes`. It is
   * smaller where a file system asks for 4096 above a disk with sectors of 512.
   */
  readonly atomicBytes: number
  /** The longest single operation. */
  readonly ioBytesMax: number
  /** How many operations may be in flight. */
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
