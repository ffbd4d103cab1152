/** The view record: PROTOCOL.md 10.1. */
import { RECORD } from "../../scripts/wire-samples.js"
import { AssertionError } from "../assert.js"
import type { GroupId, MemberId } from "../brand.js"
import { groupIdOfName } from "../group-id.js"
import {
  LINEAGE_HISTORY_MAX,
  MEMBERS_MAX,
  QUEUE_DEPTH_MAX,
  RECOVERY_RANGES_MAX,
  VOLUME_BYTES_MAX,
} from "../limits.js"
import {
  type MemberEntry,
  type MutationRange,
  NO_VIEW,
  type PoolMetadata,
  ZERO_UUID,
} from "../rules/pool-metadata.js"
import { crc32cOf } from "./crc32c.js"
import { decodePoolMetadata, encodePoolMetadata, poolMetadataBytes } from "./pool-metadata-codec.js"
import {
  METADATA_MEMBER,
  POOL_METADATA_BYTES_MAX,
  POOL_METADATA_BYTES_MIN,
} from "./pool-metadata-layout.js"
import { refusePoolMetadata } from "./pool-metadata-rules.js"
import { type RefusalReason, Refused } from "./refusal.js"

const [A, , B] = RECORD.members as readonly [MemberEntry, undefined, MemberEntry]

function withMember(change: Partial<MemberEntry>): Partial<PoolMetadata> {
  return { members: [{ ...A, ...change }, undefined, B] }
}

function rangeAt(offset: number, length: number, sequence = 0): MutationRange {
  return { kind: "unresolved", offset, length, unit: 0, epoch: sequence === 0 ? 0 : 1, sequence }
}

function ranges(count: number): readonly MutationRange[] {
  return Array.from({ length: count }, (_, at) => rangeAt(at, 1))
}

function history(...forks: readonly (readonly [number, number])[]): Partial<PoolMetadata> {
  return {
    history: forks.map(([epoch, version], at) => ({
      lineage: `${at + 1}`.padStart(32, "e"),
      fork: { epoch, version },
      lostChunks: 0,
      isSettled: true,
    })),
  }
}

type Row = readonly [what: string, Partial<PoolMetadata>, RefusalReason, where: string]

const WRONG: readonly Row[] = [
  ["no name", { poolName: "" }, "text", "poolName"],
  ["a name with a blank", { poolName: "gol den" }, "text", "poolName"],
  ["a name that is too long", { poolName: "g".repeat(256) }, "text", "poolName"],
  ["another hash", { groupId: (RECORD.groupId ^ 1) as GroupId }, "group", "groupId"],
  ["no pool uuid", { poolUuid: ZERO_UUID }, "value", "poolUuid"],
  ["a chunk size that is no power of two", { chunkSizeBytes: 12288 }, "value", "chunkSizeBytes"],
  ["chunks too small", { chunkSizeBytes: 2048 }, "value", "chunkSizeBytes"],
  ["chunks too large", { chunkSizeBytes: 2 ** 25 }, "value", "chunkSizeBytes"],
  [
    "a size above every volume",
    { mappedSizeBytes: VOLUME_BYTES_MAX + 4096 },
    "value",
    "mappedSizeBytes",
  ],
  ["a size of half blocks", { mappedSizeBytes: 2 ** 30 + 512 }, "value", "mappedSizeBytes"],
  ["no queue", { queueDepth: 0 }, "value", "queueDepth"],
  ["a queue too deep", { queueDepth: QUEUE_DEPTH_MAX + 1 }, "value", "queueDepth"],
  [
    "no lineage",
    { mapVersion: { ...RECORD.mapVersion, lineage: ZERO_UUID } },
    "view",
    "mapVersion.lineage",
  ],
  ["no epoch", { mapVersion: { ...RECORD.mapVersion, epoch: 0 } }, "view", "mapVersion"],
  ["no version", { mapVersion: { ...RECORD.mapVersion, version: 0 } }, "view", "mapVersion"],
  [
    "too long a history",
    history(...Array.from({ length: LINEAGE_HISTORY_MAX + 1 }, (_, at) => [1, 99 - at] as const)),
    "count",
    "history",
  ],
  ["a fork after the view", history([11, 23]), "contradiction", "history.0.fork"],
  ["a fork at the view", history([11, 22]), "contradiction", "history.0.fork"],
  ["forks that go forward in time", history([5, 6], [5, 7]), "contradiction", "history.1.fork"],
  ["a fork that is no view", history([0, 0]), "contradiction", "history.0.fork"],
  [
    "itself as its ancestor",
    { history: [{ ...RECORD.history[0]!, lineage: RECORD.mapVersion.lineage }] },
    "contradiction",
    "history.0.lineage",
  ],
  ["no members", { members: [], normal: 0, minNormal: 1 }, "count", "members"],
  ["more members than there are slots", { members: Array(9).fill(undefined) }, "count", "members"],
  ["a member id twice", withMember({ memberId: B.memberId }), "members", "members.2.memberId"],
  ["a store twice (G3)", withMember({ storeUuid: B.storeUuid }), "members", "members.2.storeUuid"],
  ["member 0", withMember({ memberId: 0 as MemberId }), "value", "members.0.memberId"],
  ["member 256", withMember({ memberId: 256 as MemberId }), "value", "members.0.memberId"],
  ["a member without store", withMember({ storeUuid: ZERO_UUID }), "value", "members.0.storeUuid"],
  ["a member without address", withMember({ address: "" }), "text", "members.0.address"],
  ["an address of two lines", withMember({ address: "a\nb" }), "text", "members.0.address"],
  [
    "an unsafe incarnation",
    withMember({ incarnation: 2 ** 53 }),
    "unsafe",
    "members.0.incarnation",
  ],
  [
    "half a view",
    withMember({ normalThrough: { epoch: 1, version: 0 } }),
    "view",
    "members.0.normalThrough",
  ],
  [
    "V4: a member that was normal in a view to come",
    withMember({ normalThrough: { epoch: 11, version: 23 } }),
    "contradiction",
    "members.0.normalThrough",
  ],
  [
    "V4b: a member that has reported half a view",
    withMember({ reported: { epoch: 0, version: 1 } }),
    "view",
    "members.0.reported",
  ],
  [
    "V4b: a member that has reported a view to come",
    withMember({ reported: { epoch: 11, version: 23 } }),
    "contradiction",
    "members.0.reported",
  ],
  ["a normal slot without a member", { normal: 0b010 }, "members", "normal"],
  ["a normal slot behind the table", { normal: 0b1001 }, "members", "normal"],
  ["a minimum of nobody", { minNormal: 0 }, "value", "minNormal"],
  ["a minimum above all members", { minNormal: 3 }, "value", "minNormal"],
  ["V5: fewer normal than the minimum", { minNormal: 2 }, "contradiction", "normal"],
  ["V5: nobody normal", { normal: 0 }, "contradiction", "normal"],
  [
    "V2, R4: more ranges than a view may list",
    { ranges: ranges(128 + RECOVERY_RANGES_MAX + 1) },
    "count",
    "ranges",
  ],
  ["an empty range", { ranges: [rangeAt(0, 0)] }, "range", "ranges.0"],
  [
    "V2: a range of a mutation without a number",
    { ranges: [{ ...rangeAt(0, 1), epoch: 3 }] },
    "sequence",
    "ranges.0",
  ],
  [
    "V2: a range of a mutation whose io unit the pool does not have",
    { ranges: [{ ...rangeAt(0, 1, 5), unit: RECORD.queueDepth }] },
    "sequence",
    "ranges.0",
  ],
  [
    "a range behind the volume",
    { ranges: [rangeAt(RECORD.mappedSizeBytes - 1, 2)] },
    "range",
    "ranges.0",
  ],
]

describe("a view record is refused with", () => {
  it.each(WRONG)("%s", (_what, change, reason, where) => {
    const record = { ...RECORD, ...change }
    expect(refusePoolMetadata(record)).toEqual(new Refused(reason, where))
    expect(() => encodePoolMetadata(record)).toThrow(AssertionError)
  })
})

describe("a view record is accepted with", () => {
  const members = Array.from({ length: MEMBERS_MAX }, (_, at) => ({
    ...A,
    memberId: (at + 1) as MemberId,
    storeUuid: `${at}`.padStart(32, "5"),
    address: "x".repeat(255),
  }))

  it.each<readonly [string, Partial<PoolMetadata>]>([
    ["a volume that is not mapped yet", { mappedSizeBytes: 0, ranges: [] }],
    [
      "the largest volume, and a range over all of it",
      {
        mappedSizeBytes: VOLUME_BYTES_MAX,
        ranges: [rangeAt(0, VOLUME_BYTES_MAX, 9)],
      },
    ],
    ["a member that was never normal", withMember({ normalThrough: NO_VIEW })],
    ["deleted members at the end of the table", { members: [A, undefined, B, undefined] }],
    ["all slots taken, all normal", { members, normal: 0xff, minNormal: 8 }],
  ])("%s", (_what, change) => {
    const record = { ...RECORD, ...change }
    const bytes = encodePoolMetadata(record)
    expect(bytes).toHaveLength(poolMetadataBytes(record))
    expect(decodePoolMetadata(bytes)).toEqual(record)
  })

  it("everything at its largest: exactly the bound that buffers are made for", () => {
    const name = "n".repeat(255)
    const largest: PoolMetadata = {
      ...RECORD,
      poolName: name,
      groupId: groupIdOfName(name),
      queueDepth: QUEUE_DEPTH_MAX,
      members,
      normal: 0xff,
      ...history(...Array.from({ length: LINEAGE_HISTORY_MAX }, (_, at) => [1, 99 - at] as const)),
      ranges: ranges(QUEUE_DEPTH_MAX + RECOVERY_RANGES_MAX),
    }
    expect(poolMetadataBytes(largest)).toBe(POOL_METADATA_BYTES_MAX)
    expect(decodePoolMetadata(encodePoolMetadata(largest))).toEqual(largest)
  })
})

/** The golden record, or another, with some bytes changed and its checksum repaired. */
function patched(
  changes: Readonly<Record<number, number>>,
  record: PoolMetadata = RECORD,
): Uint8Array {
  const bytes = encodePoolMetadata(record)
  for (const [at, value] of Object.entries(changes)) bytes[Number(at)] = value
  const end = bytes.length - 4
  new DataView(bytes.buffer).setUint32(end, crc32cOf(bytes.subarray(0, end)), true)
  return bytes
}

describe("bytes are no view record with", () => {
  const whole = encodePoolMetadata(RECORD)
  // Nothing follows the members here, so that whatever is too long reaches the checksum.
  const bare: PoolMetadata = { ...RECORD, ranges: [] }
  const lastAddressBytesAt =
    encodePoolMetadata(bare).length - 4 - B.address.length - METADATA_MEMBER.bytes + 2

  it.each<readonly [string, Uint8Array, RefusalReason, string]>([
    ["nothing", new Uint8Array(0), "short", ""],
    ["less than the shortest record", whole.subarray(0, POOL_METADATA_BYTES_MIN - 1), "short", ""],
    ["more than the longest", new Uint8Array(POOL_METADATA_BYTES_MAX + 1), "long", ""],
    ["another magic", patched({ 0: 0x53 }), "value", "magic"],
    ["another format", patched({ 4: 2 }), "version", "format"],
    ["a byte cut off", whole.subarray(0, whole.length - 1), "value", "totalBytes"],
    ["no slots", patched({ 6: 0 }), "value", "slotCount"],
    ["more slots than there may be", patched({ 6: 9 }), "value", "slotCount"],
    ["a member behind the table", patched({ 7: 0b1101 }), "members", "memberSlots"],
    [
      "one member more, where the ranges are",
      patched({ 6: 4, 7: 0b1101 }, { ...RECORD, ranges: [...RECORD.ranges, ...RECORD.ranges] }),
      "value",
      "members.3.memberId",
    ],
    ["one member fewer", patched({ 7: 0b001 }), "long", ""],
    ["one range more", patched({ 12: 3 }), "short", ""],
    ["one range fewer", patched({ 12: 1 }), "long", ""],
    ["65,535 ranges", patched({ 12: 255, 13: 255 }), "short", ""],
    ["a member where the record ends", patched({ 6: 4, 7: 0b1101 }, bare), "short", "members.3"],
    [
      "an address that goes on into the checksum",
      patched({ [lastAddressBytesAt]: B.address.length + 1 }, bare),
      "short",
      "members.2",
    ],
    ["sixteen lineages", patched({ 14: 16 }), "short", ""],
    ["seventeen lineages", patched({ 14: 17 }), "value", "historyCount"],
    ["a name as long as the record", patched({ 15: 255 }), "short", ""],
  ])("%s", (_what, bytes, reason, where) => {
    expect(decodePoolMetadata(bytes)).toEqual(new Refused(reason, where))
  })

  it("any one flipped bit", () => {
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const bytes = whole.slice()
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      expect(decodePoolMetadata(bytes)).toBeInstanceOf(Refused)
    }
  })

  it("a cut anywhere", () => {
    for (let bytes = 0; bytes < whole.length; bytes++) {
      expect(decodePoolMetadata(whole.subarray(0, bytes))).toBeInstanceOf(Refused)
    }
  })
})
