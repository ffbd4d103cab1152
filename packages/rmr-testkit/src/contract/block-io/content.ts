/**
 * Content that tells where it was written and by whom, so that a wrong byte names its own story.
 */

const WORD_BYTES = 4
// Looked up once: in a test framework's sandbox every look at a global costs more than the product.
const { imul } = Math

/** Bytes for the range at `offset`: every word depends on the tag and on its own position. */
export function stamped(offset: number, bytes: number, tag: number): Uint8Array {
  const words = new Uint32Array(bytes / WORD_BYTES)
  const seed = imul(tag + 1, 0x9e37_79b1)
  const first = offset / WORD_BYTES
  // Never 0, so that stamped bytes are not taken for unwritten ones.
  for (let at = 0; at < words.length; at++) words[at] = imul((first + at) ^ seed, 0x85eb_ca6b) | 1
  return new Uint8Array(words.buffer)
}

export function zeroes(bytes: number): Uint8Array {
  return new Uint8Array(bytes)
}

export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}
