/**
 * A 128-bit digest of words: MurmurHash3's x86 variant of 128 bits, for whole blocks of 16 bytes.
 *
 * It tells apart what accident makes different: a lost page, a swapped one, a missed delta (rule
 * M3). It does not guard against somebody who chooses the bytes; who may speak at all is decided by
 * the session's authentication. Four 32-bit lanes, so that JavaScript computes it without bigint at
 * about a nanosecond per byte or less, and independent of the machine's byte order, because it eats
 * words.
 */

const C1 = 0x239b961b
const C2 = 0xab0e9789 | 0
const C3 = 0x38b34ae5
const C4 = 0xa1e38b93 | 0

export class Hash128 {
  private h1 = 0
  private h2 = 0
  private h3 = 0
  private h4 = 0
  private byteCount = 0
  private readonly block = new Int32Array(4)

  /** Starts a new digest. */
  begin(): void {
    this.h1 = 0
    this.h2 = 0
    this.h3 = 0
    this.h4 = 0
    this.byteCount = 0
  }

  /** One block of four words. */
  add(k1: number, k2: number, k3: number, k4: number): void {
    const block = this.block
    block[0] = k1
    block[1] = k2
    block[2] = k3
    block[3] = k4
    this.addWords(block, 0, 4)
  }

  /** `count` words from `from` on; a multiple of four. */
  addWords(words: Int32Array, from: number, count: number): void {
    // In variables, not in fields: the compiler keeps those in registers.
    let h1 = this.h1
    let h2 = this.h2
    let h3 = this.h3
    let h4 = this.h4
    for (let at = from; at < from + count; at += 4) {
      h1 ^= Math.imul(rotate(Math.imul(words[at]!, C1), 15), C2)
      h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0
      h2 ^= Math.imul(rotate(Math.imul(words[at + 1]!, C2), 16), C3)
      h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0
      h3 ^= Math.imul(rotate(Math.imul(words[at + 2]!, C3), 17), C4)
      h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0
      h4 ^= Math.imul(rotate(Math.imul(words[at + 3]!, C4), 18), C1)
      h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0
    }
    this.h1 = h1
    this.h2 = h2
    this.h3 = h3
    this.h4 = h4
    this.byteCount += 4 * count
  }

  /** Puts the digest into four words. */
  end(into: Int32Array, at: number): void {
    const bytes = this.byteCount | 0
    let h1 = this.h1 ^ bytes
    let h2 = this.h2 ^ bytes
    let h3 = this.h3 ^ bytes
    let h4 = this.h4 ^ bytes
    h1 = (h1 + h2 + h3 + h4) | 0
    h2 = (h2 + h1) | 0
    h3 = (h3 + h1) | 0
    h4 = (h4 + h1) | 0
    h1 = avalanche(h1)
    h2 = avalanche(h2)
    h3 = avalanche(h3)
    h4 = avalanche(h4)
    h1 = (h1 + h2 + h3 + h4) | 0
    into[at] = h1
    into[at + 1] = (h2 + h1) | 0
    into[at + 2] = (h3 + h1) | 0
    into[at + 3] = (h4 + h1) | 0
  }
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

/** Lets every bit of the input change every bit of the output. */
function avalanche(value: number): number {
  let h = value
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
