/**
 * MAP_ADD and MAP_CLEAR: upstream's two map messages, and what became of them here (rules V2, M4).
 *
 * Upstream's MAP_ADD marks one chunk for the legs that failed, after a write has failed. Here a
 * mark about a member exists only because that member is out of the view, so the message that marks
 * is the one that changes the view: MAP_ADD carries the new view record with the ranges of every
 * unresolved mutation, and a member persists both in one step (Q11).
 *
 * Upstream's MAP_CLEAR erases a mark at the others. Here only a member clears its own map, and what
 * others hold about a normal member is a hint: MAP_CLEAR refreshes it, and nothing depends on its
 * arrival.
 */
import {
  IO_BYTES_MAX,
  MISSED_RANGES_MAX,
  QUEUE_DEPTH_MAX,
  TAKEN_BACK_MAX,
  VOLUME_BYTES_MAX,
} from "../limits.js"
import { compareViews, type PoolMetadata, type ViewNumber } from "../rules/pool-metadata.js"
import { CHUNK_RANGES, type ChunkRange, refuseChunkRanges } from "./chunk-ranges.js"
import {
  type CommandSpec,
  NOTHING,
  type Nothing,
  type RequestEnvelope,
  type Shape,
} from "./command-spec.js"
import {
  BOOL,
  EXISTING_VIEW,
  integer,
  OPTIONAL_VIEW,
  oneOf,
  reserved,
  safeInteger,
  U64,
} from "./field-types.js"
import { TYPE_MAP_ADD, TYPE_MAP_CLEAR } from "./header.js"
import { type Struct, struct } from "./layout.js"
import { NO_PAYLOAD, OPTIONAL_RECORD_PAYLOAD } from "./payload.js"
import { VOLUME_BYTES } from "./pool-metadata-layout.js"
import { refuseOtherVersion } from "./record-match.js"
import { Refused } from "./refusal.js"
import { listTail } from "./tails.js"

/** Why the view changes; the record itself says how. `missed` changes no view. */
export type MapAddPurpose = "open" | "shrink" | "grow" | "change" | "missed"

/** A mutation that others have done and the receiver has missed (W3). */
export interface MissedRange {
  readonly sequence: number
  readonly offset: number
  readonly length: number
}

export interface MapAddBody {
  readonly base: ViewNumber
  readonly purpose: MapAddPurpose
  /** With `missed` only. */
  readonly missed: readonly MissedRange[]
}

/** Index of a range in the record, whose mutation the member has no more (V2). */
export interface TakenBack {
  readonly range: number
}

export interface MapAddResult {
  readonly seen: ViewNumber
  /** The view on its disk: the answer counts for a proposal only if it is this one (V4). */
  readonly durable: ViewNumber
  readonly markedChunks: number
  /** There are more than fit: what is listed behind the last of `takenBack` is taken back too. */
  readonly isMoreTakenBack: boolean
  /** Ascending. */
  readonly takenBack: readonly TakenBack[]
}

export const TAKEN_BACK: Struct<TakenBack> = struct<TakenBack>("taken back", 2, [
  ["range", 0, integer("u16", 2, 0, QUEUE_DEPTH_MAX - 1), "index in the record; ascending"],
])

export const MISSED_RANGE: Struct<MissedRange> = struct<MissedRange>("missed range", 20, [
  [
    "sequence",
    0,
    safeInteger("u64", Number.MAX_SAFE_INTEGER),
    "of the mutation, from 1; ascending",
  ],
  ["offset", 8, VOLUME_BYTES, "first byte in the volume"],
  ["length", 16, integer("u32", 4, 1, IO_BYTES_MAX), "bytes"],
])

export interface MapClearBody {
  readonly joinedView: ViewNumber
  readonly ranges: readonly ChunkRange[]
}

export interface ViewCommandTypes {
  "map-add": Shape<MapAddBody, PoolMetadata | undefined, MapAddResult, undefined>
  "map-clear": Shape<MapClearBody, undefined, Nothing, undefined>
}

export const MAP_ADD: CommandSpec<ViewCommandTypes["map-add"]> = {
  name: "MAP_ADD",
  code: 32,
  type: TYPE_MAP_ADD,
  from: "client",
  names: "view",
  lane: "control",
  does: `
    A view change: the payload is the new view record with the byte ranges of every unresolved and
    every uncertain mutation. A survivor persists the record and, in the same durable step, marks
    the "unresolved" ranges for all absent members: really where its own chunk is clean and it has
    applied the mutation, else as a suspicion that applying makes real; "uncertain" ranges become
    suspect in its own map. Then it answers. Joiners persist a grow first. The view counts once
    every member of its normal set has answered; until then no mutation is sent. A view that is
    older than what the member has seen changes nothing; the answer names the view that is on its
    disk, and counts for no other. It lists the unresolved ranges in which a chunk is dirty in the
    member's own map: it does not have them, whatever it answered before, and the client counts it
    as having missed them; where they are too many, all behind the last. With "missed" there is no
    record: the receiver missed mutations that others have done, and marks them, really and
    durably, for every absent member, before the client acknowledges them (W3).`,
  rules: ["V1", "V2", "V3", "V5", "W3", "W6", "R4", "F3", "G2"],
  body: struct<MapAddBody>(
    "MAP_ADD body",
    12,
    [
      [
        "base",
        0,
        OPTIONAL_VIEW,
        "the last effective view; 0 for a pool's first, or with missed (V3)",
      ],
      [
        "purpose",
        8,
        oneOf<MapAddPurpose>({ open: 1, shrink: 2, grow: 3, change: 4, missed: 5 }),
        "opening, members leave, members join, any other change; marks without a change",
      ],
      ["reserved", 9, reserved(3), "must be zero"],
    ],
    [
      "missed",
      12,
      listTail(MISSED_RANGE, 0, MISSED_RANGES_MAX),
      "with missed: what the receiver missed, at least one",
    ],
  ),
  payload: OPTIONAL_RECORD_PAYLOAD,
  result: struct<MapAddResult>(
    "MAP_ADD result",
    28,
    [
      ["seen", 0, EXISTING_VIEW, "the highest view that the member has seen, now"],
      ["durable", 8, OPTIONAL_VIEW, "the view on its disk, now; 0 for none"],
      ["markedChunks", 16, U64, "chunks that this step marked, for anybody"],
      ["isMoreTakenBack", 24, BOOL, "what is listed behind the last of these is taken back too"],
      ["reserved", 25, reserved(3), "must be zero"],
    ],
    [
      "takenBack",
      28,
      listTail(TAKEN_BACK, 0, TAKEN_BACK_MAX),
      "unresolved ranges that the member does not have, whatever it said",
    ],
  ),
  resultPayload: NO_PAYLOAD,
  check: refuseMapAdd,
  checkResult: refuseMapAddResult,
}

export const MAP_CLEAR: CommandSpec<ViewCommandTypes["map-clear"]> = {
  name: "MAP_CLEAR",
  code: 33,
  type: TYPE_MAP_CLEAR,
  from: "node",
  names: "view",
  lane: "sync",
  does: `
    A member tells its peers which of its own chunks it has made clean, durably. It names the view
    in which it joined; a holder that knows it normal by another joining, or not normal, ignores
    the message. Losing it costs nothing but a worse choice of source.`,
  rules: ["M1", "M4", "Q12"],
  body: struct<MapClearBody>(
    "MAP_CLEAR body",
    8,
    [["joinedView", 0, EXISTING_VIEW, "the view in which the sender became normal"]],
    ["ranges", 8, CHUNK_RANGES, "chunks that are clean now; ranges ascend and do not touch"],
  ),
  payload: NO_PAYLOAD,
  result: NOTHING,
  resultPayload: NO_PAYLOAD,
  check({ joinedView, ranges }, _payload, { mapVersion }) {
    if (compareViews(joinedView, mapVersion) > 0) return new Refused("view", "body.joinedView")
    return refuseChunkRanges(ranges, "body.ranges")
  },
}

function refuseMapAdd(
  body: MapAddBody,
  metadata: PoolMetadata | undefined,
  envelope: RequestEnvelope,
): Refused | undefined {
  if (body.purpose === "missed") {
    if (metadata !== undefined) return new Refused("payload-bytes")
    if (body.base.epoch !== 0) return new Refused("view", "body.base")
    return refuseMissed(body.missed)
  }
  if (metadata === undefined) return new Refused("payload-bytes")
  if (body.missed.length > 0) return new Refused("count", "body.missed")
  return compareViews(body.base, metadata.mapVersion) < 0
    ? refuseOtherVersion(metadata, envelope)
    : new Refused("view", "body.base")
}

function refuseMissed(missed: readonly MissedRange[]): Refused | undefined {
  if (missed.length === 0) return new Refused("count", "body.missed")
  let before = 0
  for (const [index, { sequence, offset, length }] of missed.entries()) {
    if (sequence <= before) return new Refused("sequence", `body.missed.${index}`)
    if (offset + length > VOLUME_BYTES_MAX) return new Refused("range", `body.missed.${index}`)
    before = sequence
  }
  return undefined
}

function refuseMapAddResult(result: MapAddResult): Refused | undefined {
  const { seen, durable, takenBack, isMoreTakenBack } = result
  if (compareViews(durable, seen) > 0) return new Refused("contradiction", "result.durable")
  if (isMoreTakenBack && takenBack.length < TAKEN_BACK_MAX) {
    return new Refused("count", "result.takenBack")
  }
  let before = -1
  for (const [index, { range }] of takenBack.entries()) {
    if (range <= before) return new Refused("sequence", `result.takenBack.${index}`)
    before = range
  }
  return undefined
}
