import type { SeededRandom } from "./seeded-random.js"
import { seededRandom } from "./seeded-random.js"

function draws(random: SeededRandom, count = 8): number[] {
  return Array.from({ length: count }, () => random.u32())
}

const GOLDEN_OF_7 = [2337370224, 308495550, 1696724309, 2291283052]
const GOLDEN_OF_FORK = [3530636025, 1107115570, 1728013679, 2287803585]

/** How far counts are from even, in units of what chance allows: near 1 is even. */
function chiSquared(counts: readonly number[], total: number): number {
  const expected = total / counts.length
  const sum = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  return sum / (counts.length - 1)
}

describe("seededRandom", () => {
  it("gives for ever the numbers that an old seed gave, or no failure could be replayed", () => {
    expect(draws(seededRandom(7), 4)).toEqual(GOLDEN_OF_7)
    expect(draws(seededRandom("d1741a9").fork("disk"), 4)).toEqual(GOLDEN_OF_FORK)
  })

  it("forks by name alone: what was drawn before changes nothing", () => {
    const fresh = seededRandom(1)
    const used = seededRandom(1)
    draws(used, 1000)
    used.fork("other").u32()
    expect(draws(used.fork("disk"))).toEqual(draws(fresh.fork("disk")))
    expect(draws(fresh.fork("disk"))).not.toEqual(draws(fresh.fork("disc")))
    expect(draws(fresh.fork("a").fork("b"))).not.toEqual(draws(fresh.fork("b").fork("a")))
  })

  it("has nothing in common between seeds that differ by one", () => {
    const seen = new Set<number>()
    for (let seed = 0; seed < 2000; seed++)
      for (const one of draws(seededRandom(seed), 4)) seen.add(one)
    expect(seen.size).toBeGreaterThan(7990) // of 8,000 draws of 32 bits, collisions are rare
    const firsts = new Array<number>(16).fill(0)
    for (let seed = 0; seed < 8000; seed++) firsts[seededRandom(seed).u32() >>> 28]!++
    expect(chiSquared(firsts, 8000)).toBeLessThan(3)
  })

  it("is even below bounds that do not divide 2³²", () => {
    const random = seededRandom("bounds")
    for (const bound of [3, 10, 1000]) {
      const counts = new Array<number>(bound).fill(0)
      for (let at = 0; at < bound * 200; at++) counts[random.below(bound)]!++
      expect(chiSquared(counts, bound * 200)).toBeLessThan(3)
    }
    // Two thirds of the range: without rejection, the low half would come twice as often.
    const bound = Math.floor((2 ** 32 * 2) / 3)
    const low = Array.from({ length: 3000 }, () => random.below(bound)).filter(
      (value) => value < bound / 2,
    ).length
    expect(low / 3000).toBeCloseTo(0.5, 1)
    expect(random.below(1)).toBe(0)
    expect(random.below(2 ** 32)).toBeLessThan(2 ** 32)
    expect(() => random.below(0)).toThrow("not in 1…2³²")
    expect(() => random.below(2 ** 32 + 1)).toThrow("not in 1…2³²")
  })

  it("fills every byte, also of lengths that are no multiple of four", () => {
    for (let length = 0; length < 10; length++) {
      const seen = new Uint8Array(length)
      for (let round = 0; round < 20; round++) {
        const bytes = new Uint8Array(length + 1)
        seededRandom(round).fill(bytes.subarray(0, length))
        expect(bytes[length]).toBe(0)
        for (let at = 0; at < length; at++) seen[at]! |= bytes[at]!
      }
      expect(seen.every((byte) => byte !== 0)).toBe(true)
    }
  })

  it("draws nothing for what is certain, so that a switched off fault moves no other", () => {
    const random = seededRandom(2)
    const twin = seededRandom(2)
    expect([random.chance(0), random.chance(1), random.chance(-1)]).toEqual([false, true, false])
    expect(random.u32()).toBe(twin.u32())
    const hits = Array.from({ length: 4000 }, () => random.chance(0.25)).filter((hit) => hit)
    expect(hits.length / 4000).toBeCloseTo(0.25, 1)
  })

  it("stays inside its ranges", () => {
    const random = seededRandom(3)
    const seen = new Set(Array.from({ length: 200 }, () => random.between(-1, 2)))
    expect([...seen].sort((a, b) => a - b)).toEqual([-1, 0, 1, 2])
    for (let at = 0; at < 1000; at++) {
      const unit = random.unit()
      expect(unit >= 0 && unit < 1).toBe(true)
    }
    expect(() => random.between(3, 2)).toThrow("empty range")
    expect(() => random.pick([])).toThrow("nothing to pick")
  })
})
