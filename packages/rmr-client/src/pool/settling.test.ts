/** What a view change must not wait for: what absent members lack is only for users to look at. */
import { DirtyMap, type MapVersion, memberId, type PoolMetadata, RANK_REAL } from "@rmr/core"
import { nodeWorld } from "@rmr/testkit/node"
import { IncompleteChunks } from "../io/incomplete-chunks.js"
import { Settling, type SettlingOptions } from "./settling.js"

const CHUNKS = 64
const [HERE, AWAY] = [memberId(1), memberId(2)]

/** One member is in the view, one is not; what is asked about that one is answered by hand. */
function settlingOf(): {
  readonly settling: Settling
  readonly incomplete: IncompleteChunks
  answer(nth: number, dirty: number): void
  readonly asked: () => number
  /** Everything that an answer leads to has happened. */
  readonly rest: () => Promise<unknown>
} {
  const world = nodeWorld({ seed: 1 })
  const incomplete = new IncompleteChunks(CHUNKS)
  const open: ((reply: unknown) => void)[] = []
  const replyOf = (map: DirtyMap): unknown => {
    const bytes = new Uint8Array(4096)
    const length = map.exportPage(0, new DataView(bytes.buffer), 0)
    return { result: { isLast: true }, payload: [{ records: bytes.subarray(0, length) }] }
  }
  const own = (): DirtyMap => new DirtyMap({ chunkCount: CHUNKS })
  const marks = (chunk: number): DirtyMap => {
    const map = new DirtyMap({ chunkCount: CHUNKS, stamp: { epoch: 1, version: 1 } })
    map.mark(chunk as never, RANK_REAL)
    return map
  }
  const leg = {
    memberId: HERE,
    io: { session: {}, dirtyHint: 0 },
    ask: (_kind: string, _version: MapVersion, body: { readonly memberId: number }) =>
      body.memberId === HERE
        ? Promise.resolve(replyOf(own()))
        : new Promise((resolve) => open.push(resolve)),
  }
  const settling = new Settling({
    context: { env: world.env, poolName: "vault", times: { noLegMs: 1, commandMs: 1 } },
    keeper: { legs: [leg], enable: () => Promise.resolve() },
    engine: { core: { incomplete, grantTime: () => undefined }, thaw: () => undefined },
  } as unknown as SettlingOptions)
  return {
    settling,
    incomplete,
    answer: (nth, dirty) => open[nth]?.(replyOf(marks(dirty))),
    asked: () => open.length,
    rest: () => world.run(),
  }
}

const record = {
  mapVersion: { lineage: "0".repeat(32), epoch: 1, version: 1 },
  normal: 1,
  members: [{ memberId: HERE }, { memberId: AWAY }],
  chunkSizeBytes: 4096,
  mappedSizeBytes: CHUNKS * 4096,
} as unknown as PoolMetadata

describe("settling a view", () => {
  it("V7: does not wait for what is said of absent members; it counts when it comes", async () => {
    const { settling, incomplete, answer, asked, rest } = settlingOf()
    settling.enter(3, record)
    await settling.run(record)
    expect([asked(), incomplete.nextDirty(0)]).toEqual([1, 0])
    answer(0, 9)
    await rest()
    expect([incomplete.nextDirty(0), incomplete.nextClean(9)]).toEqual([9, 10])
    await settling.run(record)
    expect(asked()).toBe(1)
  })

  it("takes no answer of a view before this one", async () => {
    const { settling, incomplete, answer, asked, rest } = settlingOf()
    settling.enter(3, record)
    await settling.run(record)
    settling.enter(1, record)
    await settling.run(record)
    expect(asked()).toBe(2)
    answer(0, 3)
    await rest()
    expect(incomplete.nextDirty(0)).toBe(0)
    answer(1, 9)
    await rest()
    expect(incomplete.nextDirty(0)).toBe(9)
  })
})
