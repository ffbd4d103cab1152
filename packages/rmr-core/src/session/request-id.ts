/**
 * Ids of requests: the index of a credit in the low bits, a generation above.
 *
 * The generation changes with each request of a credit, so that an answer to an earlier one is
 * noticed. Ids are int32 and not negative, because they are tickets too.
 */
export const REQUEST_INDEX_BITS = 14
const GENERATION_MASK: number = 2 ** (31 - REQUEST_INDEX_BITS) - 1
const INDEX_MASK: number = 2 ** REQUEST_INDEX_BITS - 1

export function requestId(index: number, generation: number): number {
  return (generation << REQUEST_INDEX_BITS) | index
}

/** The generation of a credit's next request, by the id of its last. */
export function generationAfter(id: number): number {
  return ((id >>> REQUEST_INDEX_BITS) + 1) & GENERATION_MASK
}

export function indexOfRequest(id: number): number {
  return id & INDEX_MASK
}
