/**
 * What can be said of bytes without sending them: their digest, and whether they are all zero.
 *
 * A chunk that is only suspect is mostly equal at its source, and one that was discarded holds
 * nothing. A digest of 128 bits tells apart what accident makes different (S7); somebody who
 * chooses his bytes so that two of his own writes collide makes no bytes but his own uncertain.
 */
import { assert, Hash128, type Lease, type Memory } from "@rmr/core"

/** Digests are of whole blocks of so many bytes. */
const HASH_BYTES = 16

export class ChunkDigest {
  private readonly hash = new Hash128()
  private readonly words = new Int32Array(4)

  /** Four words; the array is the same each time. */
  of(memory: Memory, lease: Lease, at: number, bytes: number): Int32Array {
    assert(bytes % HASH_BYTES === 0, "blocks of a volume are whole blocks of a digest")
    const all = wordsOf(memory, lease, at, bytes)
    this.hash.begin()
    this.hash.addWords(all, 0, all.length)
    this.hash.end(this.words, 0)
    return this.words
  }
}

export function isZero(memory: Memory, lease: Lease, at: number, bytes: number): boolean {
  const all = wordsOf(memory, lease, at, bytes)
  for (let word = 0; word < all.length; word++) if (all[word] !== 0) return false
  return true
}

function wordsOf(memory: Memory, lease: Lease, at: number, bytes: number): Int32Array {
  const { buffer, byteOffset } = memory.arenaOf(lease).bytes
  return new Int32Array(buffer, byteOffset + memory.offsetOf(lease) + at, bytes / 4)
}
