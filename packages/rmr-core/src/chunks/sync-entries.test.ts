import type { ChunkNumber } from "../brand.js"
import { STATUS_OK, statusOf } from "../errors.js"
import type { TokenBatch } from "./ready-tokens.js"
import {
  NO_SYNC,
  START_DONE,
  START_FULL,
  START_RUNNING,
  SYNC_ENDED,
  SYNC_FETCHING,
  SYNC_SUPERSEDED,
  SYNC_WRITING,
  SyncEntries,
} from "./sync-entries.js"

const chunk = (value: number): ChunkNumber => value as ChunkNumber
const C = chunk(9)
const NO_CLEAN_COPY = statusOf("no-clean-copy")

interface Rig {
  readonly entries: SyncEntries
  /** [token, status] in the order in which they were told. */
  readonly told: [number, number][]
}

function rig(entriesMax = 4): Rig {
  const told: [number, number][] = []
  const onReady = ({ count, tokens, statuses }: TokenBatch): void => {
    for (let at = 0; at < count; at++) told.push([tokens[at]!, statuses[at]!])
  }
  return { entries: new SyncEntries({ entriesMax, tokensMax: 16, events: { onReady } }), told }
}

describe("SyncEntries", () => {
  it("the first IO on a dirty chunk starts its sync, others wait, all go on in order", () => {
    const { entries, told } = rig()
    expect(entries.start(C)).toBe(START_DONE)
    expect(entries.start(C)).toBe(START_RUNNING)
    for (const token of [5, 3, 8]) entries.wait(C, token)
    expect([entries.waitCount(C), entries.syncCount(C), entries.count]).toEqual([3, 1, 1])
    expect(entries.beginWrite(C, true)).toBe(true)
    entries.deliver()
    expect(told).toEqual([])
    entries.end(C, STATUS_OK)
    entries.dropReference(C)
    expect([entries.count, told]).toEqual([0, []])
    entries.deliver()
    expect(told).toEqual([
      [5, STATUS_OK],
      [3, STATUS_OK],
      [8, STATUS_OK],
    ])
  })

  it("S8: a sync that fails tells its status to all who wait", () => {
    const { entries, told } = rig()
    entries.start(C)
    entries.wait(C, 1)
    entries.wait(C, 2)
    entries.end(C, NO_CLEAN_COPY)
    entries.dropReference(C)
    entries.deliver()
    expect(told).toEqual([
      [1, NO_CLEAN_COPY],
      [2, NO_CLEAN_COPY],
    ])
    expect(entries.stateOf(C)).toBe(NO_SYNC)
  })

  it("an entry lives until its last part is done; who comes meanwhile waits for that", () => {
    const { entries, told } = rig()
    entries.start(C)
    entries.addReference(C)
    entries.addReference(C)
    entries.end(C, NO_CLEAN_COPY)
    entries.dropReference(C)
    expect([entries.stateOf(C), entries.syncCount(C)]).toEqual([SYNC_ENDED, 2])
    expect(entries.start(C)).toBe(START_RUNNING)
    entries.wait(C, 4)
    entries.dropReference(C)
    entries.deliver()
    expect(told).toEqual([])
    entries.dropReference(C)
    entries.deliver()
    expect([told, entries.start(C)]).toEqual([[[4, STATUS_OK]], START_DONE])
  })

  it("S3: a mutation that covers the chunk supersedes a fetch: its copy is dropped", () => {
    const { entries, told } = rig()
    entries.start(C)
    entries.wait(C, 1)
    expect(entries.supersede(C)).toBe(true)
    expect(entries.stateOf(C)).toBe(SYNC_SUPERSEDED)
    expect(entries.beginWrite(C, true)).toBe(false)
    entries.end(C, NO_CLEAN_COPY) // the copy has nothing to say any more
    entries.dropReference(C)
    entries.deliver()
    expect([told, entries.count]).toEqual([[], 1])
    entries.overwritten(C)
    entries.deliver()
    expect([told, entries.count]).toEqual([[[1, STATUS_OK]], 0])
  })

  it("S3: a copy that is being written is waited for", () => {
    const { entries } = rig()
    entries.start(C)
    entries.beginWrite(C, true)
    expect(entries.supersede(C)).toBe(false)
    expect(entries.stateOf(C)).toBe(SYNC_WRITING)
    entries.end(C, STATUS_OK)
    entries.dropReference(C)
    expect(entries.supersede(C)).toBe(true)
  })

  it("S3: a copy that was fetched while the mutation ran is not written after it", () => {
    const { entries } = rig()
    expect(entries.supersede(C)).toBe(true) // nothing to supersede yet
    entries.start(C)
    entries.overwritten(C)
    // Dirty again, by a media error: the copy in flight is from before the mutation all the same.
    expect(entries.beginWrite(C, true)).toBe(false)
    entries.dropReference(C)
    expect(entries.count).toBe(0)
  })

  it("S3: a copy for a chunk that is clean by now is dropped", () => {
    const { entries } = rig()
    entries.start(C)
    expect(entries.beginWrite(C, false)).toBe(false)
    expect(entries.stateOf(C)).toBe(SYNC_FETCHING)
    entries.end(C, STATUS_OK)
    entries.dropReference(C)
  })

  it("RT-31: before a new view running copies are dropped, or counted if being written", () => {
    const { entries, told } = rig()
    for (const number of [1, 2, 3]) entries.start(chunk(number))
    entries.wait(chunk(1), 1)
    entries.wait(chunk(2), 2)
    entries.wait(chunk(3), 3)
    entries.beginWrite(chunk(2), true)
    entries.supersede(chunk(3))
    expect(entries.endAll(STATUS_OK)).toBe(1)
    entries.deliver()
    expect(told.toSorted(([a], [b]) => a - b)).toEqual([
      [1, STATUS_OK],
      [3, STATUS_OK],
    ])
    expect(entries.beginWrite(chunk(1), true)).toBe(false)
    expect(entries.beginWrite(chunk(3), true)).toBe(false)
    expect(entries.beginWrite(chunk(2), true)).toBe(true)
    entries.end(chunk(2), STATUS_OK)
    entries.overwritten(chunk(3))
    for (const number of [1, 2, 3]) entries.dropReference(chunk(number))
    expect([entries.count, entries.endAll(STATUS_OK)]).toEqual([0, 0])
  })

  it("P6: is bounded, and a wait can be given up at any time before it was told", () => {
    const { entries, told } = rig(2)
    entries.start(chunk(1))
    entries.start(chunk(2))
    expect(entries.start(chunk(3))).toBe(START_FULL)
    for (const token of [1, 2, 3]) entries.wait(chunk(1), token)
    entries.cancelWait(2)
    entries.end(chunk(1), STATUS_OK)
    entries.dropReference(chunk(1))
    entries.cancelWait(3)
    expect([entries.isWaiting(1), entries.isWaiting(3)]).toEqual([true, false])
    entries.deliver()
    expect(told).toEqual([[1, STATUS_OK]])
    expect(entries.isWaiting(1)).toBe(false)
    expect(entries.start(chunk(3))).toBe(START_DONE)
  })

  it("asserts what would lose a waiter or a chunk", () => {
    const { entries } = rig()
    expect(() => entries.wait(C, 1)).toThrow("the chunk is being synced")
    expect(() => entries.beginWrite(C, true)).toThrow("the chunk is being synced")
    entries.start(C)
    entries.wait(C, 1)
    expect(() => entries.wait(C, 1)).toThrow("one place at a time")
    expect(() => entries.wait(C, 16)).toThrow("planned for")
    expect(() => entries.dropReference(C)).toThrow("ends the sync before it goes")
    expect(() => entries.cancelWait(2)).toThrow("has waited")
  })
})
