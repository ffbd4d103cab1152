/**
 * Words: what the two ends of a path tell each other beside frames, in 28 bits. Native code takes
 * them for numbers (native/table.h).
 *
 * A beat says that somebody is alive. The others are about a path of the same session, by number:
 * the side that dialed says that a path is over, and the other one that it is gone, which is to say
 * that nothing will come from it any more.
 */
export const WORD_BEAT = 0x0fffffff
export const WORD_PATH_OVER = 1
export const WORD_PATH_GONE = 2

const NUMBER_BITS = 24
/** Paths of a session are numbered up to here, those that it has lost and found again too. */
export const PATH_NUMBER_MAX: number = 2 ** NUMBER_BITS - 1

export function pathWord(kind: number, number: number): number {
  return (kind << NUMBER_BITS) | number
}

export function kindOfWord(word: number): number {
  return word >>> NUMBER_BITS
}

export function numberOfWord(word: number): number {
  return word & PATH_NUMBER_MAX
}
