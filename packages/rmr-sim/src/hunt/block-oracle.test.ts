/** What the oracle of hunts lets a block hold, and what not. */
import { VOLUME_BLOCK_BYTES } from "@rmr/core"
import { BlockOracle, fillBlocks, type Lacks } from "./block-oracle.js"

const NOBODY: Lacks = () => 0

function blocksOf(oracle: BlockOracle, id: number, firstBlock = 0): Uint8Array {
  const bytes = new Uint8Array(VOLUME_BLOCK_BYTES)
  fillBlocks(bytes, firstBlock, id)
  expect(oracle.blockCount).toBe(4)
  return bytes
}

describe("its oracle", () => {
  const fresh = (): BlockOracle => new BlockOracle(4 * VOLUME_BLOCK_BYTES)

  it("P2: refuses bytes of before what was acknowledged", () => {
    const oracle = fresh()
    const first = oracle.begin(0, 1, false)
    oracle.acknowledge(first, false, 0)
    const second = oracle.begin(0, 1, false)
    const during = oracle.beginRead()
    expect(oracle.judge(during, 0, blocksOf(oracle, first.id))).toBeUndefined()
    expect(oracle.judge(during, 0, blocksOf(oracle, second.id))).toBeUndefined()
    oracle.acknowledge(second, false, 0)
    const after = oracle.beginRead()
    expect(oracle.judge(after, 0, blocksOf(oracle, first.id))).toContain("holds 1")
    expect(oracle.judge(after, 0, blocksOf(oracle, second.id))).toBeUndefined()
    expect(oracle.judge(during, 0, blocksOf(oracle, first.id))).toBeUndefined()
  })

  it("P1: lets a loss of power take what no flush covered, and nothing else", () => {
    const oracle = fresh()
    const flushed = oracle.begin(0, 1, false)
    oracle.acknowledge(flushed, false, 0)
    oracle.flushed(oracle.beginFlush())
    const later = oracle.begin(0, 1, false)
    oracle.acknowledge(later, false, 0)
    oracle.losePower(0b01, 0b11, NOBODY)
    const old = blocksOf(oracle, flushed.id)
    expect(oracle.judge(oracle.beginRead(), 0, old)).toContain("holds 1")
    oracle.losePower(0b10, 0b11, NOBODY)
    expect(oracle.judge(oracle.beginRead(), 0, old)).toBeUndefined()
    expect(oracle.judge(oracle.beginRead(), 0, blocksOf(oracle, 0))).toContain("holds 0")
  })

  it("P1: lets it take what others have not fetched yet", () => {
    const oracle = fresh()
    const alone = oracle.begin(0, 1, false)
    oracle.acknowledge(alone, false, 0)
    const old = blocksOf(oracle, 0)
    oracle.losePower(0b01, 0b11, () => 0b01)
    expect(oracle.judge(oracle.beginRead(), 0, old)).toContain("holds 0")
    oracle.losePower(0b01, 0b11, () => 0b10)
    expect(oracle.judge(oracle.beginRead(), 0, old)).toBeUndefined()
  })

  it("F6: lets another history have what was written since all were equal, and no more", () => {
    const oracle = fresh()
    const known = oracle.begin(0, 1, false)
    oracle.acknowledge(known, true, 0)
    oracle.settle(0, blocksOf(oracle, known.id))
    const other = oracle.begin(1, 1, false)
    oracle.acknowledge(other, true, 0)
    oracle.fork(true)
    const read = oracle.beginRead()
    expect(oracle.judge(read, 0, blocksOf(oracle, 0))).toContain("holds 0")
    expect(oracle.judge(read, 1, blocksOf(oracle, 0, 1))).toBeUndefined()
    const after = oracle.begin(1, 1, false)
    oracle.acknowledge(after, true, 0)
    expect(oracle.judge(oracle.beginRead(), 1, blocksOf(oracle, other.id, 1))).toContain("holds 2")
    oracle.fork(false)
    expect(oracle.judge(oracle.beginRead(), 0, blocksOf(oracle, 0))).toBeUndefined()
  })

  it("Q23: lets what an admin gave up be anything, until it is written again", () => {
    const oracle = fresh()
    const lost = oracle.begin(2, 1, false)
    oracle.acknowledge(lost, true, 0)
    oracle.giveUp(2, 1)
    expect(oracle.judge(oracle.beginRead(), 2, blocksOf(oracle, 0, 2))).toBeUndefined()
    const after = oracle.begin(2, 1, false)
    oracle.acknowledge(after, false, 0)
    expect(oracle.judge(oracle.beginRead(), 2, blocksOf(oracle, 0, 2))).toContain("holds 0")
  })

  it("P1: refuses torn units, other blocks, and lets unknown outcomes be either", () => {
    const oracle = fresh()
    const failed = oracle.begin(0, 2, false)
    oracle.fail(failed)
    const read = oracle.beginRead()
    expect(oracle.judge(read, 0, blocksOf(oracle, failed.id))).toBeUndefined()
    expect(oracle.judge(read, 0, blocksOf(oracle, 0))).toBeUndefined()
    expect(oracle.judge(read, 1, blocksOf(oracle, failed.id, 0))).toContain("torn")
    const torn = blocksOf(oracle, failed.id)
    torn.fill(0, 0, 256)
    expect(oracle.judge(read, 0, torn)).toContain("torn")
  })

  it("P2: holds a block to what the next client has read of it, until power is lost", () => {
    const oracle = fresh()
    const left = oracle.begin(0, 1, false)
    const told = oracle.beginRead()
    const old = blocksOf(oracle, 0)
    oracle.noteRead(told, 1, 0, old)
    // Its client is still there: the write may come, or not.
    const written = blocksOf(oracle, left.id)
    expect(oracle.judge(oracle.beginRead(), 0, written)).toBeUndefined()
    oracle.open()
    oracle.fail(left)
    oracle.noteRead(told, 1, 0, old)
    expect(oracle.judge(oracle.beginRead(), 0, written)).toBeUndefined()
    oracle.noteRead(oracle.beginRead(), 1, 0, old)
    expect(oracle.judge(oracle.beginRead(), 0, written)).toContain("holds 1")
    oracle.losePower(0b01, 0b11, NOBODY)
    expect(oracle.judge(oracle.beginRead(), 0, written)).toBeUndefined()
    oracle.noteRead(oracle.beginRead(), 1, 0, written)
    oracle.flushed(oracle.beginFlush())
    oracle.losePower(0b11, 0b11, NOBODY)
    expect(oracle.judge(oracle.beginRead(), 0, old)).toContain("holds 0")
  })

  it("P2: holds a block to what was read of it once a view has listed what failed (W6)", () => {
    const oracle = fresh()
    const failed = oracle.begin(0, 1, false)
    oracle.fail(failed, 4)
    const old = blocksOf(oracle, 0)
    oracle.noteRead(oracle.beginRead(), 3, 0, old)
    const written = blocksOf(oracle, failed.id)
    expect(oracle.judge(oracle.beginRead(), 0, written)).toBeUndefined()
    oracle.noteRead(oracle.beginRead(), 4, 0, old)
    expect(oracle.judge(oracle.beginRead(), 0, written)).toContain("holds 1")
  })

  it("P5: lets nobody hold what was asked for without having the pool", () => {
    const oracle = fresh()
    const forbidden = oracle.beginForbidden(0, 1)
    const bytes = blocksOf(oracle, forbidden.id)
    expect(oracle.judge(oracle.beginRead(), 0, bytes)).toContain("holds 1")
  })
})
