/**
 * Chance from the operating system, drawn in pages: a call per number would cost a microsecond.
 */
import { randomFillSync } from "node:crypto"
import { assert, type Random } from "@rmr/core"

const PAGE_WORDS = 256
const TWO_32 = 2 ** 32

export class CryptoRandom implements Random {
  private readonly words = new Uint32Array(PAGE_WORDS)
  private next = PAGE_WORDS

  u32(): number {
    if (this.next === PAGE_WORDS) {
      randomFillSync(this.words)
      this.next = 0
    }
    const word = this.words[this.next]!
    // What was handed out may be a secret: it is not kept.
    this.words[this.next++] = 0
    return word
  }

  below(bound: number): number {
    const isBound = Number.isInteger(bound) && bound >= 1 && bound <= TWO_32
    assert(isBound, `${bound} is not in 1…2³²`)
    // The part of 2³² that is a multiple of the bound; the rest would favour small numbers.
    const fair = TWO_32 - (TWO_32 % bound)
    let word = this.u32()
    while (word >= fair) word = this.u32()
    return word % bound
  }

  unit(): number {
    const high = this.u32() >>> 5
    const low = this.u32() >>> 6
    return (high * 2 ** 26 + low) / 2 ** 53
  }

  fill(bytes: Uint8Array): void {
    randomFillSync(bytes)
  }
}
