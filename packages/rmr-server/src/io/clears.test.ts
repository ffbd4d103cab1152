/** Chunks that become clean together. */
import { type ChunkNumber, RmrError } from "@rmr/core"
import type { World } from "@rmr/testkit"
import { nodeWorld } from "@rmr/testkit/node"
import type { Member } from "../pool/member.js"
import { Clears, LATE_MAX, LATE_MS } from "./clears.js"

interface Story {
  readonly world: World
  readonly clears: Clears
  /** What was made durable by each round. */
  readonly rounds: number[][]
  readonly cleared: number[]
  readonly failed: number[]
  flushes: number
  failure: RmrError | undefined
}

/** A member whose chunks are all dirty, and whose flush takes five milliseconds. */
function story(seed: number): Story {
  const world = nodeWorld({ seed })
  const { clock } = world.env
  const rounds: number[][] = []
  const cleared: number[] = []
  const failed: number[] = []
  const own = {
    isDirty: () => true,
    nextDirty: (chunk: number, end: number) => (chunk < end ? chunk : -1),
  }
  const member = {
    volume: { maps: { own } },
    jobs: {
      flush: () => {
        all.flushes++
        return new Promise<void>((resolve) => clock.schedule(5, () => resolve()))
      },
    },
    clearDurably: async (chunks: readonly ChunkNumber[]) => {
      if (all.failure !== undefined) throw all.failure
      rounds.push([...chunks])
    },
  }
  const clears = new Clears(clock, member as unknown as Member, {
    onCleared: (token, error) => (error === undefined ? cleared : failed).push(token),
    onRoundEnd: () => undefined,
  })
  const all: Story = { world, clears, rounds, cleared, failed, flushes: 0, failure: undefined }
  return all
}

const chunk = (number: number): ChunkNumber => number as ChunkNumber

describe("clears", () => {
  it("S11: of copies that nobody waits for are one round, soon", async () => {
    const { world, clears, rounds, cleared } = story(1)
    for (let nth = 0; nth < 5; nth++) {
      clears.addLate(nth, chunk(nth), false)
      await world.runFor(5)
    }
    expect(cleared).toEqual([])
    await world.runFor(LATE_MS)
    expect(rounds).toEqual([[0, 1, 2, 3, 4]])
    expect(cleared).toEqual([0, 1, 2, 3, 4])
  })

  it("S11: do not let more than a few wait", async () => {
    const { world, clears, cleared } = story(2)
    for (let nth = 0; nth < LATE_MAX; nth++) clears.addLate(nth, chunk(nth), false)
    await world.runFor(6)
    expect(cleared).toHaveLength(LATE_MAX)
  })

  it("S11: are made at once where anybody needs one of them", async () => {
    const { world, clears, rounds, cleared } = story(3)
    clears.addLate(1, chunk(1), false)
    clears.hurry()
    await world.runFor(6)
    expect(cleared).toEqual([1])
    clears.addLate(2, chunk(2), false)
    clears.add(3, chunk(3), 1, false)
    await world.runFor(6)
    expect(rounds).toEqual([[1], [2, 3]])
  })

  it("S11: that come late during a round wait for their own, and it comes", async () => {
    const { world, clears, rounds } = story(4)
    clears.add(1, chunk(1), 1, false)
    await world.runFor(1)
    clears.addLate(2, chunk(2), false)
    await world.runFor(3)
    clears.addLate(3, chunk(3), false)
    await world.runFor(10)
    expect(rounds).toEqual([[1]])
    await world.runFor(LATE_MS)
    expect(rounds).toEqual([[1], [2, 3]])
  })

  it("S11: of what is durable already flush nothing", async () => {
    const all = story(7)
    const { world, clears, rounds } = all
    clears.addLate(1, chunk(1), true)
    clears.add(2, chunk(2), 1, true)
    await world.runFor(1)
    expect([rounds, all.flushes]).toEqual([[[1, 2]], 0])
  })

  it("S4: of what is durable already flush where others in the round are not", async () => {
    const all = story(8)
    const { world, clears, rounds } = all
    clears.addLate(1, chunk(1), false)
    clears.addLate(2, chunk(2), true)
    clears.hurry()
    await world.runFor(6)
    expect([rounds, all.flushes]).toEqual([[[1, 2]], 1])
    clears.add(3, chunk(3), 1, true)
    await world.runFor(1)
    expect([rounds, all.flushes]).toEqual([[[1, 2], [3]], 1])
  })

  it("S4: that are needed during a round get one behind it", async () => {
    const { world, clears, rounds } = story(5)
    clears.add(1, chunk(1), 1, false)
    await world.runFor(1)
    clears.addLate(2, chunk(2), false)
    clears.hurry()
    await world.runFor(10)
    expect(rounds).toEqual([[1], [2]])
  })

  it("S4: that fail say so to everybody in the round, and to nobody else", async () => {
    const all = story(6)
    all.failure = new RmrError("io-error", "the disk is gone")
    all.clears.addLate(1, chunk(1), false)
    all.clears.add(2, chunk(2), 1, false)
    await all.world.runFor(6)
    expect(all.failed).toEqual([1, 2])
    all.failure = undefined
    all.clears.add(3, chunk(3), 1, false)
    await all.world.runFor(6)
    expect(all.cleared).toEqual([3])
  })
})
