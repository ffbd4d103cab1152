/**
 * Arbitrary valid messages, for property tests and as the raw material of the fuzzer.
 *
 * Whatever comes out of here must be encodable: a rule that an arbitrary does not know shows up as
 * a failed assertion in the encoder, not as a skipped case. Numbers lean to the ends of their
 * ranges.
 */
import fc from "fast-check"
import type { MemberId } from "../src/brand.js"
import { groupIdOfName } from "../src/group-id.js"
import {
  CHUNK_BYTES_MIN,
  IO_BYTES_MAX,
  MEMBERS_MAX,
  QUEUE_DEPTH_MAX,
  VOLUME_BLOCK_BYTES,
  VOLUME_BYTES_MAX,
} from "../src/limits.js"
import { sizeOf } from "../src/rules/member-set.js"
import {
  compareViews,
  type LineageEntry,
  type MapVersion,
  type MemberEntry,
  NO_VIEW,
  type PoolMetadata,
  type Uuid,
  type ViewNumber,
  ZERO_UUID,
} from "../src/rules/pool-metadata.js"
import type { HotRange, LastIoEntry, OpenKnowledge } from "../src/wire/last-io-entry.js"
import type { MapPages, MapState } from "../src/wire/map-pages.js"
import type { MemberReport } from "../src/wire/member-report.js"

const U32_MAX = 0xffff_ffff
/** What names the mutation of a range that is of no single one. */
const NO_MUTATION = { unit: 0, epoch: 0, sequence: 0 }

export const u8: fc.Arbitrary<number> = fc.integer({ min: 0, max: 255 })
export const u32: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 0, max: 9 }),
  fc.integer({ min: 0, max: U32_MAX }),
  fc.integer({ min: U32_MAX - 3, max: U32_MAX }),
)
export const nonZero: fc.Arbitrary<number> = u32.filter((value) => value !== 0)
export const u53: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 0, max: 9 }),
  fc.integer({ min: 2 ** 32 - 2, max: 2 ** 32 + 2 }),
  fc.maxSafeNat(),
  fc.constant(Number.MAX_SAFE_INTEGER),
)

export const uuid: fc.Arbitrary<Uuid> = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString("hex"))
  .filter((hex) => hex !== ZERO_UUID)
export const optionalUuid: fc.Arbitrary<Uuid> = fc.oneof(uuid, fc.constant(ZERO_UUID))
export const digest: fc.Arbitrary<string> = optionalUuid

export const member: fc.Arbitrary<MemberId> = fc
  .integer({ min: 1, max: 255 })
  .map((id) => id as MemberId)

export const view: fc.Arbitrary<ViewNumber> = fc.record({ epoch: nonZero, version: nonZero })
export const optionalView: fc.Arbitrary<ViewNumber> = fc.oneof(view, fc.constant(NO_VIEW))

export const mapVersion: fc.Arbitrary<MapVersion> = fc.record({
  lineage: uuid,
  epoch: nonZero,
  version: nonZero,
})
export const noVersion: MapVersion = { lineage: ZERO_UUID, ...NO_VIEW }

export function ascii(minLength: number, maxLength: number): fc.Arbitrary<string> {
  const unit = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code))
  return fc.string({ unit, minLength, maxLength })
}

export const poolName: fc.Arbitrary<string> = fc
  .oneof(ascii(1, 12), ascii(1, 255))
  .map((name) => name.replaceAll("/", "_"))

/** An existing view at or before another one. */
export function viewUpTo(limit: ViewNumber): fc.Arbitrary<ViewNumber> {
  return fc
    .record({
      epoch: fc.integer({ min: 1, max: limit.epoch }),
      version: fc.integer({ min: 1, max: limit.version }),
    })
    .map((candidate) => (compareViews(candidate, limit) <= 0 ? candidate : limit))
}

/** Blocks of a volume, so that sizes are what they must be. */
export const volumeBytes: fc.Arbitrary<number> = fc
  .oneof(
    fc.integer({ min: 1, max: 64 }),
    fc.integer({ min: 1, max: VOLUME_BYTES_MAX / VOLUME_BLOCK_BYTES }),
    fc.constant(VOLUME_BYTES_MAX / VOLUME_BLOCK_BYTES),
  )
  .map((blocks) => blocks * VOLUME_BLOCK_BYTES)

/** A range of at least one byte inside so many bytes. */
export function rangeIn(
  bytes: number,
  lengthMax: number,
): fc.Arbitrary<{ offset: number; length: number }> {
  return fc
    .record({
      length: fc.integer({ min: 1, max: Math.min(lengthMax, bytes) }),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    .map(({ length, at }) => ({ length, offset: Math.floor((bytes - length) * at) }))
}

interface MemberSeed {
  readonly slot: number
  readonly memberId: MemberId
  readonly storeUuid: Uuid
  readonly address: string
  readonly through: number
  readonly incarnation: number
  readonly isNormal: boolean
}

const memberSeeds: fc.Arbitrary<readonly MemberSeed[]> = fc
  .uniqueArray(
    fc.record({
      slot: fc.integer({ min: 0, max: MEMBERS_MAX - 1 }),
      memberId: member,
      storeUuid: uuid,
      address: ascii(1, 40),
      through: fc.double({ min: 0, max: 1, noNaN: true }),
      incarnation: u53,
      isNormal: fc.boolean(),
    }),
    {
      minLength: 1,
      maxLength: MEMBERS_MAX,
      comparator: (a, b) =>
        a.slot === b.slot || a.memberId === b.memberId || a.storeUuid === b.storeUuid,
    },
  )
  .map(([first, ...others]) => [{ ...first!, isNormal: true }, ...others])

/** A view at some part of the way to another one; none at all at the very beginning. */
function throughOf(part: number, limit: ViewNumber): ViewNumber {
  if (part < 0.1) return NO_VIEW
  if (part > 0.9) return { epoch: limit.epoch, version: limit.version }
  return {
    epoch: Math.max(1, Math.floor(limit.epoch * part)),
    version: Math.max(1, Math.floor(limit.version * part)),
  }
}

function tableOf(
  seeds: readonly MemberSeed[],
  version: MapVersion,
): Pick<PoolMetadata, "members" | "normal"> {
  const slots = Math.max(...seeds.map(({ slot }) => slot)) + 1
  const members: (MemberEntry | undefined)[] = Array.from({ length: slots }, () => undefined)
  let normal = 0
  for (const { slot, memberId, storeUuid, address, through, incarnation, isNormal } of seeds) {
    const normalThrough = throughOf(through, version)
    const reported = throughOf(through / 2, version)
    const claims = { normalThrough, reported, incarnation }
    members[slot] = { memberId, storeUuid, address, role: "data", ...claims }
    if (isNormal) normal |= 1 << slot
  }
  return { members, normal }
}

/** Lineages whose forks go back in time, as far as there is time before the view. */
function historyOf(lineages: readonly Uuid[], version: MapVersion): PoolMetadata["history"] {
  const history: LineageEntry[] = []
  let epoch = version.epoch
  for (const lineage of lineages) {
    if (epoch <= 1 || lineage === version.lineage) break
    epoch = Math.ceil(epoch / 2)
    if (epoch >= (history.at(-1)?.fork.epoch ?? version.epoch)) break
    const fork = { epoch, version: version.version }
    history.push({ lineage, fork, lostChunks: epoch, isSettled: epoch % 2 === 0 })
  }
  return history
}

export const poolMetadata: fc.Arbitrary<PoolMetadata> = fc
  .record({
    name: poolName,
    poolUuid: uuid,
    chunkShift: fc.integer({ min: 12, max: 24 }),
    mappedSizeBytes: volumeBytes,
    queueDepth: fc.oneof(
      fc.integer({ min: 1, max: 16 }),
      fc.integer({ min: 1, max: QUEUE_DEPTH_MAX }),
    ),
    version: mapVersion,
    lineages: fc.uniqueArray(uuid, { maxLength: 6 }),
    seeds: memberSeeds,
    minNormalPart: fc.double({ min: 0, max: 1, noNaN: true }),
    rangeSeeds: fc.array(
      fc.record({
        isUncertain: fc.boolean(),
        length: fc.double({ min: 0, max: 1, noNaN: true }),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        mutation: fc.option(
          fc.record({ unit: fc.nat({ max: 4095 }), epoch: nonZero, sequence: nonZero }),
          { nil: NO_MUTATION },
        ),
      }),
      { maxLength: 12 },
    ),
  })
  .map((seed) => {
    const table = tableOf(seed.seeds, seed.version)
    const ranges = seed.rangeSeeds
      .slice(0, seed.queueDepth)
      .map(({ isUncertain, length, at, mutation }) => {
        const bytes = Math.max(1, Math.floor(length * seed.mappedSizeBytes))
        return {
          kind: isUncertain ? ("uncertain" as const) : ("unresolved" as const),
          offset: Math.floor((seed.mappedSizeBytes - bytes) * at),
          length: bytes,
          ...mutation,
          unit: mutation.unit % seed.queueDepth,
        }
      })
    return {
      poolName: seed.name,
      groupId: groupIdOfName(seed.name),
      poolUuid: seed.poolUuid,
      chunkSizeBytes: 2 ** seed.chunkShift,
      mappedSizeBytes: seed.mappedSizeBytes,
      queueDepth: seed.queueDepth,
      minNormal: 1 + Math.floor((sizeOf(table.normal) - 1) * seed.minNormalPart),
      mapVersion: seed.version,
      history: historyOf(seed.lineages, seed.version),
      ...table,
      ranges,
    }
  })

export const report: fc.Arbitrary<MemberReport> = fc.record({
  storeUuid: optionalUuid,
  seen: optionalView,
  normalThrough: optionalView,
  joinedView: optionalView,
  incarnation: u53,
  sizeBytes: volumeBytes,
  seenNormal: u8,
  state: fc.constantFrom("empty", "registered", "created", "normal", "no-io"),
  restart: fc.constantFrom("none", "process", "cache-lost"),
  lifecycle: fc.constantFrom("closed", "open", "mapped"),
})

export function lastIoEntries(
  queueDepth: number,
  minLength = 0,
): fc.Arbitrary<readonly LastIoEntry[]> {
  const entry = fc
    .record({
      unit: fc.integer({ min: 0, max: queueDepth - 1 }),
      operation: fc.constantFrom("write" as const, "discard" as const, "write-zeroes" as const),
      epoch: nonZero,
      sequence: u53.map((value) => Math.max(1, value)),
      range: rangeIn(VOLUME_BYTES_MAX, IO_BYTES_MAX),
      isPartial: fc.boolean(),
    })
    .map(({ range, ...rest }) => ({ ...rest, ...range }))
  return fc
    .uniqueArray(entry, {
      minLength,
      maxLength: Math.max(8, minLength),
      selector: ({ unit }) => unit,
    })
    .map((entries) => [...entries].sort((a, b) => a.unit - b.unit))
}

const hotRanges: fc.Arbitrary<readonly HotRange[]> = fc
  .array(fc.record({ gap: fc.nat(2 ** 30), length: fc.integer({ min: 1, max: 2 ** 30 }) }), {
    maxLength: 6,
  })
  .map((seeds) => {
    let at = 0
    return seeds.map(({ gap, length }, index) => {
      const offset = at + gap + (index === 0 ? 0 : 1)
      at = offset + length
      return { offset, length }
    })
  })

export const openKnowledge: fc.Arbitrary<OpenKnowledge> = poolMetadata.chain((metadata) =>
  fc.record({
    metadata: fc.constant(metadata),
    lastIo: lastIoEntries(metadata.queueDepth),
    hotRanges,
  }),
)

/** Members ascend, each once. */
function ascending<Value extends { readonly memberId: MemberId }>(
  value: fc.Arbitrary<Value>,
  minLength: number,
  maxLength: number,
): fc.Arbitrary<readonly Value[]> {
  return fc
    .uniqueArray(value, { minLength, maxLength, selector: ({ memberId }) => memberId })
    .map((values) => [...values].sort((a, b) => a.memberId - b.memberId))
}

export function mapPages(minLength: number, maxLength: number): fc.Arbitrary<readonly MapPages[]> {
  const records = fc.uint8Array({ minLength: 1, maxLength: 120 })
  return ascending(fc.record({ memberId: member, records }), minLength, maxLength)
}

export function mapStates(minLength: number): fc.Arbitrary<readonly MapState[]> {
  const state = fc.record({ digest, dirtyChunks: u53, memberId: member })
  return ascending(state, minLength, MEMBERS_MAX)
}

const CHUNKS_MAX = VOLUME_BYTES_MAX / CHUNK_BYTES_MIN

/** Chunk ranges that ascend and do not touch. */
export const chunkRanges: fc.Arbitrary<
  readonly { readonly firstChunk: number; readonly chunkCount: number }[]
> = fc
  .array(fc.record({ gap: fc.nat(2 ** 30), count: fc.integer({ min: 1, max: 2 ** 20 }) }), {
    minLength: 1,
    maxLength: 32,
  })
  .map((seeds) => {
    let at = 0
    return seeds.map(({ gap, count }, index) => {
      const firstChunk = at + gap + (index === 0 ? 0 : 1)
      at = firstChunk + count
      return { firstChunk, chunkCount: count }
    })
  })
  .filter((ranges) => ranges.every((range) => range.firstChunk + range.chunkCount <= CHUNKS_MAX))
