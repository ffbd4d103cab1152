/**
 * Content that tells where it was written and by whom, so that a wrong byte names its own story.
 */

const WORD_BYTES = 4

/** Bytes for the range at `offset`: every word depends on the tag and on its own position. */
export function stamped(offset: number, bytes: number, tag: number): Uint8Array {
  const content = new Uint8Array(bytes)
  const words = new DataView(content.buffer)
  for (let at = 0; at < bytes; at += WORD_BYTES) {
    words.setUint32(at, stampAt(offset + at, tag), true)
  }
  return content
}

/** Never 0, so that stamped bytes are not taken for unwritten ones. */
function stampAt(position: number, tag: number): number {
  const word = Math.imul((position / WORD_BYTES) ^ Math.imul(tag + 1, 0x9e37_79b1), 0x85eb_ca6b)
  return (word | 1) >>> 0
}

export function zeroes(bytes: number): Uint8Array {
  return new Uint8Array(bytes)
}

export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}
