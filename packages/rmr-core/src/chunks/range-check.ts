/**
 * Whether two numbers are a range that an IO may name: the check of the data path, which must not
 * throw, and its twin for the edges, which does.
 *
 * The numbers come from a wire, a kernel or a person. Nothing is assumed about them, not even that
 * they are integers; the order of the rules makes every later comparison exact.
 */
import { RmrError } from "../errors.js"
import { IO_BYTES_MAX } from "../limits.js"

export const RANGE_OK = 0
/** Not both are safe integers ≥ 0. */
export const RANGE_NOT_INTEGER = 1
export const RANGE_EMPTY = 2
/** Longer than one IO may be (IO_BYTES_MAX). */
export const RANGE_TOO_LONG = 3
/** Not both are multiples of the block size. */
export const RANGE_MISALIGNED = 4
/** Not wholly inside the volume. */
export const RANGE_OUT_OF_BOUNDS = 5

export type RangeCheck =
  | typeof RANGE_OK
  | typeof RANGE_NOT_INTEGER
  | typeof RANGE_EMPTY
  | typeof RANGE_TOO_LONG
  | typeof RANGE_MISALIGNED
  | typeof RANGE_OUT_OF_BOUNDS

/** What each number says, for messages. */
export const RANGE_CHECK_WORDS: Readonly<Record<RangeCheck, string>> = {
  [RANGE_OK]: "is a range of the volume",
  [RANGE_NOT_INTEGER]: "is not two integers in 0…2^53-1",
  [RANGE_EMPTY]: "is empty",
  [RANGE_TOO_LONG]: "is longer than one io may be",
  [RANGE_MISALIGNED]: "is not made of whole blocks",
  [RANGE_OUT_OF_BOUNDS]: "is not inside the volume",
}

export function rangeRefusal(
  offset: number,
  length: number,
  volumeBytes: number,
  blockBytes: number,
): RangeCheck {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length)) return RANGE_NOT_INTEGER
  if (offset < 0 || length < 0) return RANGE_NOT_INTEGER
  if (length === 0) return RANGE_EMPTY
  if (length > IO_BYTES_MAX) return RANGE_TOO_LONG
  if (offset % blockBytes !== 0 || length % blockBytes !== 0) return RANGE_MISALIGNED
  // The sum of two safe integers may round; a difference of them never does.
  if (offset > volumeBytes - length) return RANGE_OUT_OF_BOUNDS
  return RANGE_OK
}

/** The same for an edge that may throw: a library call, a command line. */
export function requireRange(
  offset: number,
  length: number,
  volumeBytes: number,
  blockBytes: number,
): void {
  const check = rangeRefusal(offset, length, volumeBytes, blockBytes)
  if (check === RANGE_OK) return
  const words = `offset ${offset}, length ${length} ${RANGE_CHECK_WORDS[check]}`
  throw new RmrError("invalid-range", words)
}
