/**
 * What wrappers add to a store: late news, failures by rule, and a trace. That they stay stores is
 * the business of the contract.
 */
import type { StoreSource } from "@rmr/core"
import { CLAUSE_SHAPE } from "../src/contract/block-io/clause.js"
import { stamped } from "../src/contract/block-io/content.js"
import type { StoreRig } from "../src/contract/store/index.js"
import { storeRig } from "../src/contract/store/rig.js"
import { seededRandom } from "../src/world/seeded-random.js"
import type { FailStoreSource, TraceRecord } from "../src/wrap/index.js"
import { delayStore, failStore, filterStore, traceStore } from "../src/wrap/index.js"
import { memoryHarness } from "./store-harness.js"

/** A rig over a wrapped memory store without latency of its own. */
async function openRig<Outer extends StoreSource>(
  wrap: (source: StoreSource) => Outer,
): Promise<{ rig: StoreRig; outer: Outer }> {
  let outer: Outer | undefined
  const harness = memoryHarness({
    wrap: (source) => {
      outer = wrap(source)
      return outer
    },
  })
  const rig = storeRig(harness, await harness.fresh(CLAUSE_SHAPE), CLAUSE_SHAPE)
  await rig.open()
  return { rig, outer: outer! }
}

describe("delayStore", () => {
  it("keeps completions back between the least delay and the most", async () => {
    const random = seededRandom("delay")
    const { rig } = await openRig((source) => delayStore(source, { random, delayMs: [10, 20] }))
    const { clock } = rig.current
    for (let round = 0; round < 20; round++) {
      const startMs = clock.nowMs()
      await rig.flush()
      expect(clock.nowMs() - startMs).toBeGreaterThanOrEqual(10)
      expect(clock.nowMs() - startMs).toBeLessThanOrEqual(20)
    }
  })

  it("delays only the kinds it is told to", async () => {
    const random = seededRandom("delay")
    const { rig } = await openRig((source) =>
      delayStore(source, { random, delayMs: [50, 50], on: ["flush"] }),
    )
    const startMs = rig.current.clock.nowMs()
    await rig.write(0, stamped(0, 4096, 1))
    await rig.read(0, 4096)
    expect(rig.current.clock.nowMs()).toBe(startMs)
    await rig.flush()
    expect(rig.current.clock.nowMs()).toBe(startMs + 50)
  })

  it("lets news overtake each other", async () => {
    const random = seededRandom("overtake")
    const { rig } = await openRig((source) => delayStore(source, { random, delayMs: [0, 10] }))
    const flushes = Array.from({ length: 16 }, () => rig.startFlush())
    const order: number[] = []
    for (const flush of flushes) {
      const push = flush.outcomes.push.bind(flush.outcomes)
      flush.outcomes.push = (outcome) => {
        order.push(flush.token)
        return push(outcome)
      }
    }
    await rig.done(...flushes)
    expect([...order].sort((a, b) => a - b)).toEqual(flushes.map(({ token }) => token))
    expect(order).not.toEqual(flushes.map(({ token }) => token))
  })
})

describe("failStore", () => {
  const open = () => openRig<FailStoreSource>(failStore)

  it("fails what touches its range, names the part, and leaves the bytes alone", async () => {
    const { rig, outer } = await open()
    await rig.write(0, stamped(0, 65_536, 1))
    const takeBack = outer.addRule({ offset: 10_000, bytes: 100, fails: "media-error" })
    const write = rig.startWrite(8192, stamped(8192, 4096, 2))
    expect(await rig.outcome(write)).toMatchObject({ badAt: 1808, badBytes: 100 })
    expect((await rig.failure(write)).code).toBe("media-error")
    await rig.done(rig.startWrite(12_288, stamped(12_288, 4096, 2)))
    takeBack()
    expect(await rig.read(8192, 4096)).toEqual(stamped(8192, 4096, 1))
    expect(outer.failedCount).toBe(1)
  })

  it("strikes as often as it is told, and only the kinds it is told", async () => {
    const { rig, outer } = await open()
    outer.addRule({ on: ["commit"], fails: "no-space", times: 2 })
    const cells = [{ kind: "state", index: 0, bytes: Uint8Array.of(1) }] as const
    await rig.flush()
    for (let time = 0; time < 2; time++) {
      expect((await rig.failure(rig.startCommit(cells))).code).toBe("no-space")
    }
    expect(await rig.cell("state")).toBeUndefined()
    await rig.commit(cells)
    expect(await rig.cell("state")).toEqual(Uint8Array.of(1))
  })

  it("spares operations without a range when its rule is about a place", async () => {
    const { rig, outer } = await open()
    outer.addRule({ offset: 0, bytes: 2 ** 40, fails: "io-error" })
    await rig.flush()
    await rig.heat([1])
    expect((await rig.failure(rig.startZero(65_536, 4096))).code).toBe("io-error")
  })

  it("remembers a flush that it failed as a lost cache, until that is settled", async () => {
    const { rig, outer } = await open()
    outer.addRule({ on: ["flush"], fails: "io-error", times: 1 })
    expect((await rig.failure(rig.startFlush())).code).toBe("io-error")
    await rig.reopen()
    expect(rig.io.restart).toBe("cache-lost")
    await rig.settleRestart()
    await rig.reopen()
    expect(rig.io.restart).toBe("none")
  })
})

describe("traceStore", () => {
  it("tells of each operation as it goes in and comes out", async () => {
    const records: TraceRecord[] = []
    const { rig } = await openRig((source) => traceStore(source, (record) => records.push(record)))
    await rig.write(4096, stamped(4096, 8192, 1))
    await rig.outcome(rig.startZero(1, 4096))
    await rig.flush()
    const story = records.map(({ what, kind, offset, bytes, status }) =>
      [what, kind, offset, bytes, status].join(" "),
    )
    expect(story).toEqual([
      "submit heat 0 0 0",
      "complete heat 0 0 0",
      "submit write 4096 8192 0",
      "complete write 4096 8192 0",
      "submit zero 1 4096 0",
      "complete zero 1 4096 5",
      "submit flush 0 0 0",
      "complete flush 0 0 0",
    ])
  })
})

describe("filterStore", () => {
  it("gives a slot back when the store inside refuses by assertion", async () => {
    const { rig } = await openRig((source) => filterStore(source, "plain", () => ({})))
    const { io } = rig
    for (let time = 0; time < 2 * io.inFlightMax; time++) {
      expect(() => io.heat(0, [-1])).toThrow("no extent -1")
    }
    await rig.done(...Array.from({ length: io.inFlightMax }, () => rig.startFlush()))
  })

  it("says in its name what it is", async () => {
    const { outer } = await openRig((source) => failStore(traceStore(source, () => undefined)))
    expect(outer.name).toBe("failing traced memory")
  })
})
