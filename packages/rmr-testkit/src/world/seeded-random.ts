/**
 * Chance from a seed: the same seed and name give the same numbers, everywhere and for ever.
 *
 * Streams are forked *by name*. A fork depends on the root seed and on the path of names alone,
 * never on how many numbers were drawn before it, so that a new consumer of chance leaves all
 * others as they were and an old seed still replays its failure. Forking one name twice gives the
 * same stream twice: whoever needs another one, such as the second life of a process, takes another
 * name.
 *
 * The generator is sfc32 (small, fast, 128 bits of state, passes PractRand); its state is filled by
 * a string hash of seed and path. It is not for secrets.
 */
import type { Random } from "@rmr/core"
import { assert } from "@rmr/core"

/** A number, or any text: a commit hash is a seed too. */
export type Seed = number | string

export interface SeededRandom extends Random {
  /** Where this stream is in the tree of forks, for messages. */
  readonly path: string
  /** The stream of this name; independent of what was drawn from this one. */
  fork(name: string): SeededRandom
  /** True with this probability. 0 never, 1 always, and neither draws a number. */
  chance(probability: number): boolean
  /** Uniform integer from `low` to `high`, both included. */
  between(low: number, high: number): number
  /** One of these, each equally likely. */
  pick<T>(choices: readonly T[]): T
}

export function seededRandom(seed: Seed): SeededRandom {
  return new Sfc32(String(seed))
}

/** Words thrown away after seeding, until close seeds have nothing in common. */
const WARM_UP_COUNT = 12
const TWO_POW_32 = 2 ** 32
const TWO_POW_53 = 2 ** 53

class Sfc32 implements SeededRandom {
  readonly path: string
  private readonly state = new Uint32Array(4)

  constructor(path: string) {
    this.path = path
    fillFromText(this.state, path)
    for (let round = 0; round < WARM_UP_COUNT; round++) this.u32()
  }

  fork(name: string): SeededRandom {
    return new Sfc32(`${this.path}/${name}`)
  }

  u32(): number {
    const state = this.state
    const a = state[0]!
    const b = state[1]!
    const c = state[2]!
    const counter = state[3]!
    const out = (a + b + counter) >>> 0
    state[3] = counter + 1
    state[0] = b ^ (b >>> 9)
    state[1] = c + (c << 3)
    state[2] = ((c << 21) | (c >>> 11)) + out
    return out
  }

  below(bound: number): number {
    assert(
      Number.isInteger(bound) && bound >= 1 && bound <= TWO_POW_32,
      `bound ${bound} is not in 1…2³²`,
    )
    // Draws at or above the last whole multiple of `bound` would favour small results.
    const fair = TWO_POW_32 - (TWO_POW_32 % bound)
    let drawn = this.u32()
    while (drawn >= fair) drawn = this.u32()
    return drawn % bound
  }

  unit(): number {
    const high = this.u32() >>> 5
    const low = this.u32() >>> 6
    return (high * 0x400_0000 + low) / TWO_POW_53
  }

  fill(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 4) {
      const word = this.u32()
      bytes[at] = word
      if (at + 1 < bytes.length) bytes[at + 1] = word >>> 8
      if (at + 2 < bytes.length) bytes[at + 2] = word >>> 16
      if (at + 3 < bytes.length) bytes[at + 3] = word >>> 24
    }
  }

  chance(probability: number): boolean {
    if (probability <= 0) return false
    if (probability >= 1) return true
    return this.unit() < probability
  }

  between(low: number, high: number): number {
    assert(low <= high, `an empty range ${low}…${high}`)
    return low + this.below(high - low + 1)
  }

  pick<T>(choices: readonly T[]): T {
    assert(choices.length > 0, "nothing to pick from")
    return choices[this.below(choices.length)]!
  }
}

/** Four chained 32-bit hashes of the text: similar paths get unrelated states. */
function fillFromText(state: Uint32Array, text: string): void {
  let a = 0x9e37_79b9
  let b = 0x85eb_ca6b
  let c = 0xc2b2_ae35
  let d = 0x27d4_eb2f
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    a = b ^ Math.imul(a ^ unit, 0x2545_f491)
    b = c ^ Math.imul(b ^ unit, 0x9e6c_63d1)
    c = d ^ Math.imul(c ^ unit, 0x3c6e_f373)
    d = a ^ Math.imul(d ^ unit, 0x1656_67b1)
  }
  state[0] = Math.imul(a ^ (c >>> 18), 0x2545_f491)
  state[1] = Math.imul(b ^ (d >>> 22), 0x9e6c_63d1)
  state[2] = Math.imul(c ^ (a >>> 17), 0x3c6e_f373)
  state[3] = Math.imul(d ^ (b >>> 19), 0x1656_67b1)
}
