/** What is held against which sums, and in how many calls. */
import { type BlockChecksums, blockChecksumsBy, crc32c } from "@rmr/core"
import type { ExtentSums } from "./data-sums.js"
import { SumCheck } from "./sum-check.js"

const BLOCK = 4096
const PER_EXTENT = 16
const BLOCKS = 2 * PER_EXTENT

/** Counts blocks per call. */
function counted(): { readonly calls: number[]; readonly sum: BlockChecksums } {
  const calls: number[] = []
  const plain = blockChecksumsBy(crc32c)
  const sum: BlockChecksums = (view, at, blockBytes, count, sums, from) => {
    calls.push(count)
    plain(view, at, blockBytes, count, sums, from)
  }
  return { calls, sum }
}

/** Two extents of the volume in memory, each block with another content, and their sums. */
function made() {
  const { calls, sum } = counted()
  const check = new SumCheck(sum, PER_EXTENT)
  const bytes = new Uint8Array(BLOCKS * BLOCK)
  for (let block = 0; block < BLOCKS; block++) {
    bytes.fill(block + 1, block * BLOCK, (block + 1) * BLOCK)
  }
  const view = new DataView(bytes.buffer)
  const extents = [0, 1].map((extent): ExtentSums => {
    const sums = new Int32Array(PER_EXTENT)
    check.sum(view, extent * PER_EXTENT * BLOCK, PER_EXTENT, sums, 0)
    return { extent, sums, isUsed: false, isChanged: false }
  })
  calls.length = 0
  /** A read of these bytes of the volume. */
  const range = (offset: number, length: number) => {
    return { view, start: offset, offset, bytes: length }
  }
  const spoil = (...blocks: number[]): void => {
    for (const block of blocks) bytes[block * BLOCK + 7]! ^= 4
  }
  return { calls, check, extents, range, spoil }
}

describe("SumCheck", () => {
  it("sums neighbours in one call, and those beside a block without a sum in two", () => {
    const { calls, check, extents, range } = made()
    expect(check.firstDamage(range(0, 8 * BLOCK), extents[0]!)).toBeUndefined()
    expect(calls.splice(0)).toEqual([8])
    extents[0]!.sums[3] = 0
    expect(check.firstDamage(range(0, 8 * BLOCK), extents[0]!)).toBeUndefined()
    expect(calls.splice(0)).toEqual([3, 4])
    expect(check.counts.checkedBlocks).toBe(15)
  })

  it("looks at whole blocks of one extent only, wherever a range begins and ends", () => {
    const { calls, check, extents, range, spoil } = made()
    spoil(14, 17)
    const across = range(14 * BLOCK + 512, 4 * BLOCK)
    expect(check.firstDamage(across, extents[0]!)).toBeUndefined()
    expect(calls.splice(0)).toEqual([1])
    expect(check.firstDamage(across, extents[1]!)).toEqual({ at: 3 * BLOCK - 512, bytes: BLOCK })
    expect(check.firstDamage(range(20 * BLOCK, BLOCK), extents[0]!)).toBeUndefined()
    expect(check.firstDamage(range(512, BLOCK), extents[0]!)).toBeUndefined()
  })

  it("tells the first neighbours that differ, or all of them", () => {
    const { check, extents, range, spoil } = made()
    spoil(2, 3, 5, 15, 16)
    const [one] = extents
    const all = range(BLOCK, 31 * BLOCK)
    expect(check.firstDamage(all, one!)).toEqual({ at: BLOCK, bytes: 2 * BLOCK })
    expect(check.damageOf(all, one!, one!.sums.slice(1))).toEqual([
      { at: BLOCK, bytes: 2 * BLOCK },
      { at: 4 * BLOCK, bytes: BLOCK },
      { at: 14 * BLOCK, bytes: BLOCK },
    ])
  })

  it("W1: takes nothing for damage whose sum has changed meanwhile", () => {
    const { calls, check, extents, range, spoil } = made()
    const [one] = extents
    const before = one!.sums.slice()
    spoil(4, 6)
    one!.sums[4] = 99
    calls.length = 0
    const damage = check.firstDamage(range(0, 8 * BLOCK), one!, before)
    expect(damage).toEqual({ at: 6 * BLOCK, bytes: BLOCK })
    expect(calls).toEqual([4, 3])
  })

  it("keeps a checksum of 0 as 1, which is not the word for none", () => {
    const zero: BlockChecksums = (_view, _at, _bytes, count, sums, from) => {
      sums.fill(0, from, from + count)
    }
    const check = new SumCheck(zero, PER_EXTENT)
    const sums = new Int32Array(4)
    check.sum(new DataView(new ArrayBuffer(2 * BLOCK)), 0, 2, sums, 1)
    expect([...sums]).toEqual([0, 1, 1, 0])
    expect(check.zeroSum).toBe(1)
  })
})
