/**
 * Cells survive being written and read, and nothing that was changed passes for one.
 */
import fc from "fast-check"
import {
  ascii,
  lastIoEntries,
  member,
  optionalView,
  poolMetadata,
  poolName,
  u32,
  u53,
  uuid,
  view,
} from "../../scripts/wire-arbitraries.js"
import { AssertionError } from "../assert.js"
import type { MemberId } from "../brand.js"
import { DirtyMap } from "../chunks/dirty-map.js"
import { MAP_RECORD_BYTES_MAX } from "../chunks/map-page-codec.js"
import { CELL_BYTES_MAX, type CellKind } from "../ports/store.js"
import { NO_VIEW, type PoolMetadata, ZERO_UUID } from "../rules/pool-metadata.js"
import { RANK_REAL } from "../rules/rank.js"
import { Refused } from "../wire/refusal.js"
import type { CellCodec } from "./cell-codec.js"
import { IDENTITY_CELL, type StoreIdentity } from "./identity-cell.js"
import { LAST_IO_CELL, type SavedLastIo } from "./last-io-cell.js"
import {
  MAP_CELL,
  MAP_PAGE_CELL,
  mapPageIndex,
  pageOfMapPageIndex,
  type SavedMap,
  type SavedMapPage,
  slotOfMapPageIndex,
} from "./map-cells.js"
import { POOL_METADATA_CELL, type SavedPoolMetadata } from "./pool-metadata-cell.js"
import { type MemberState, newMemberState, STATE_CELL } from "./state-cell.js"

/** Printed by fast-check when a property fails; fixed so that a run can be repeated. */
const runs = { seed: 20_261_126, numRuns: 200 }

const identity: fc.Arbitrary<StoreIdentity> = fc.record({
  poolUuid: uuid,
  storeUuid: uuid,
  memberId: member,
  chunkSizeBytes: fc.integer({ min: 12, max: 24 }).map((shift) => 2 ** shift),
  mappedSizeBytes: fc.integer({ min: 0, max: 2 ** 40 }),
  queueDepth: fc.integer({ min: 1, max: 4096 }),
  poolName,
})

const opened: fc.Arbitrary<MemberState> = fc
  .record({
    epoch: u32.filter((epoch) => epoch > 0),
    nonce: uuid,
    incarnation: u53,
    seen: view,
    seenNormal: fc.integer({ min: 1, max: 255 }),
    lineage: uuid,
    lifecycle: fc.constantFrom("closed" as const, "open" as const, "mapped" as const),
    holderHost: ascii(0, 255),
  })
  .chain((state) =>
    fc.constantFrom(NO_VIEW, state.seen).map((normalThrough) => ({ ...state, normalThrough })),
  )

const state = fc.oneof(opened, fc.constant(newMemberState("closed")))

const savedLastIo: fc.Arbitrary<SavedLastIo> = fc.record({
  incarnation: u53,
  entries: lastIoEntries(16),
})

const map: fc.Arbitrary<SavedMap> = fc.record({
  memberId: member,
  stamp: optionalView,
  generation: u32,
  elsewhere: fc.constantFrom(0, 1, 3, 5),
})

const mapPage: fc.Arbitrary<SavedMapPage> = fc.record({
  generation: u32,
  record: fc.uint8Array({ minLength: 1, maxLength: MAP_RECORD_BYTES_MAX }),
})

const savedMetadata: fc.Arbitrary<SavedPoolMetadata> = poolMetadata.chain((metadata) => {
  const length = metadata.ranges.length
  return fc
    .array(fc.constantFrom("none" as const, "real" as const, "suspected" as const), {
      minLength: length,
      maxLength: length,
    })
    .map((markings) => ({ metadata, markings }))
})

interface Subject {
  readonly kind: CellKind
  readonly codec: CellCodec<unknown>
  readonly values: fc.Arbitrary<unknown>
}

function subject<Value>(codec: CellCodec<Value>, values: fc.Arbitrary<Value>): Subject {
  return { kind: codec.kind, codec: codec as CellCodec<unknown>, values }
}

const SUBJECTS: readonly Subject[] = [
  subject(IDENTITY_CELL, identity),
  subject(STATE_CELL, state),
  subject(LAST_IO_CELL, savedLastIo),
  subject(MAP_CELL, map),
  subject(MAP_PAGE_CELL, mapPage),
  subject(POOL_METADATA_CELL, savedMetadata),
]

describe.each(SUBJECTS)("the $kind cell", ({ kind, codec, values }) => {
  it("is read as it was written, inside the size that a store allows", () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = codec.encode(value)
        expect(bytes.length).toBeLessThanOrEqual(CELL_BYTES_MAX[kind])
        expect(codec.decode(bytes)).toEqual(value)
      }),
      runs,
    )
  })

  it("is refused when any byte is another, is missing or is too much", () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, place, change) => {
        const bytes = codec.encode(value)
        const at = place % bytes.length
        const changed = bytes.slice()
        changed[at]! ^= change
        expect(codec.decode(changed)).toBeInstanceOf(Refused)
        expect(codec.decode(bytes.subarray(0, at))).toBeInstanceOf(Refused)
        expect(codec.decode(new Uint8Array([...bytes, 0]))).toBeInstanceOf(Refused)
      }),
      { ...runs, numRuns: 100 },
    )
  })

  it("is not mistaken for one of another kind", () => {
    const bytes = codec.encode(fc.sample(values, { ...runs, numRuns: 1 })[0])
    for (const other of SUBJECTS) {
      if (other.kind !== kind) expect(other.codec.decode(bytes)).toBeInstanceOf(Refused)
    }
  })

  it("is refused, not thrown at, whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(codec.decode(bytes)).toBeInstanceOf(Refused)
      }),
      runs,
    )
  })
})

describe("what no rule could have made", () => {
  const [sample] = fc.sample(opened, { ...runs, numRuns: 1 }) as [MemberState]

  it.each<[string, Partial<MemberState>]>([
    ["an epoch without its process", { nonce: ZERO_UUID }],
    ["a view without a history", { lineage: ZERO_UUID }],
    ["a view that nobody is normal in", { seenNormal: 0 }],
    [
      "a view that it persisted and never saw",
      { normalThrough: { epoch: 2 ** 32 - 1, version: 9 } },
    ],
  ])("is not written: %s", (_what, change) => {
    const seen = { epoch: 7, version: 7 }
    expect(() => STATE_CELL.encode({ ...sample, seen, ...change })).toThrow(AssertionError)
  })

  it("is not written: ranges of a record without what became of them", () => {
    const withRanges = fc.sample(poolMetadata, { ...runs, numRuns: 50 })
    const metadata = withRanges.find(({ ranges }) => ranges.length > 0) as PoolMetadata
    expect(() => POOL_METADATA_CELL.encode({ metadata, markings: [] })).toThrow(AssertionError)
  })
})

describe("map pages", () => {
  it("M1: a page that a dirty map exports is a record that a cell holds", () => {
    const dirty = new DirtyMap({ chunkCount: 10_000 })
    dirty.fill(RANK_REAL)
    const record = new Uint8Array(MAP_RECORD_BYTES_MAX)
    const bytes = dirty.exportPage(1, new DataView(record.buffer), 0)
    const cell = MAP_PAGE_CELL.encode({ generation: 3, record: record.subarray(0, bytes) })
    const found = MAP_PAGE_CELL.decode(cell)
    if (found instanceof Refused) throw found.toError()
    const again = new DirtyMap({ chunkCount: 10_000 })
    const page = new DataView(found.record.buffer, found.record.byteOffset)
    expect(again.importPages(page, 0, found.record.length)).toBe(0)
    expect(again.count).toBe(4096)
  })

  it("keep their index when the volume grows", () => {
    expect(mapPageIndex(0, 7)).toBe(7)
    expect(mapPageIndex(3, 2)).toBe(26)
    expect([pageOfMapPageIndex(26), slotOfMapPageIndex(26)]).toEqual([3, 2])
  })
})

it("pins the bytes of the smallest cells", () => {
  const cell = MAP_CELL.encode({
    memberId: 3 as MemberId,
    stamp: { epoch: 2, version: 9 },
    generation: 1,
    elsewhere: 5,
  })
  expect(Buffer.from(cell).toString("hex")).toBe(
    "524d444d0100000009000000020000000100000003050000dbb41869",
  )
})
