/**
 * The byte of a chunk in a dirty map, and the order of its facts (rule R1).
 *
 * ```
 *   bit   7 … 3      2 … 1    0
 *         0          rank     dirty
 * ```
 *
 * A member's own chunk is clean, or dirty with a rank. *Real*: it certainly lacks something.
 * *Suspect*: it may differ, because something was in flight (1) or because its cache was lost (2).
 * Facts only get stronger until the chunk is clean again: real > suspect 2 > suspect 1.
 */

export const RANK_REAL = 0
export const RANK_IN_FLIGHT = 1
export const RANK_CACHE_LOST = 2
export type Rank = typeof RANK_REAL | typeof RANK_IN_FLIGHT | typeof RANK_CACHE_LOST

export const CHUNK_CLEAN = 0
export const CHUNK_REAL = 1
export const CHUNK_SUSPECT_IN_FLIGHT = 3
export const CHUNK_SUSPECT_CACHE_LOST = 5

export function chunkByte(rank: Rank): number {
  return 1 | (rank << 1)
}

/** The rank in a dirty byte. */
export function rankOfByte(byte: number): Rank {
  return ((byte >> 1) & 3) as Rank
}

export function isChunkByte(byte: number): boolean {
  return byte === CHUNK_CLEAN || byte === CHUNK_REAL || byte === 3 || byte === 5
}

/** How strong a fact is: clean 0, suspect in flight 1, suspect cache lost 2, real 3. */
function strength(byte: number): number {
  if (byte === CHUNK_CLEAN) return 0
  const rank = rankOfByte(byte)
  return rank === RANK_REAL ? 3 : rank
}

/** R1: both facts are true; the stronger one is kept. */
export function strongerByte(a: number, b: number): number {
  return strength(a) >= strength(b) ? a : b
}
