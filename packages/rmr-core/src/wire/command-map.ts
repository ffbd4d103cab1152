/**
 * Commands of a map update, and those that look at maps (rule M3, readings Q12 to Q14).
 *
 * An update has a number, unique in its epoch. Everything that belongs to it carries the number, so
 * that a page that was under way when its update was given up cannot land in the next one.
 */
import type { MemberId } from "../brand.js"
import { MEMBERS_MAX } from "../limits.js"
import type { MemberSet } from "../rules/member-set.js"
import type { ViewNumber } from "../rules/pool-metadata.js"
import { type CommandSpec, NOTHING, type Nothing, type Shape } from "./command-spec.js"
import {
  BOOL,
  EXISTING_VIEW,
  integer,
  MEMBER_ID,
  OPTIONAL_VIEW,
  oneOf,
  reserved,
  U8,
  U32,
  U64,
} from "./field-types.js"
import { TYPE_CMD } from "./header.js"
import { type Struct, struct } from "./layout.js"
import {
  MAP_PAGES_MAX,
  MAP_PAGES_PAYLOAD,
  MAP_STATE,
  type MapPages,
  type MapState,
  refuseMapStates,
} from "./map-pages.js"
import { NO_PAYLOAD } from "./payload.js"
import { Refused } from "./refusal.js"
import { listTail } from "./tails.js"

/** `pages` and `delta` run beside IO; `last-delta` is the one that is sent while IO is frozen. */
export type MapPhase = "pages" | "delta" | "last-delta"
const MAP_PHASE_NUMBERS: Readonly<Record<MapPhase, number>> = {
  pages: 1,
  delta: 2,
  "last-delta": 3,
}

/** What a source has sent in a phase. */
export interface MapSent {
  readonly bufferCount: number
}

export interface MapBufDoneBody extends UpdateBody, MapSent {
  readonly phase: MapPhase
  /**
   * How the source's maps stand. Ascending by member; empty where nobody is to compare yet, because
   * IO is running.
   */
  readonly maps: readonly MapState[]
}

export interface MapReadyResult {
  readonly dirtyChunks: number
  readonly suspectChunks: number
}

export interface UpdateBody {
  readonly update: number
}

export interface MapSendBody extends UpdateBody {
  readonly phase: MapPhase
  readonly receiver: MemberId
}

export interface SendMapBufBody extends UpdateBody {
  readonly bufferNumber: number
  readonly phase: MapPhase
}

export interface ReadMapBufBody {
  readonly firstPage: number
  readonly memberId: MemberId
}

export interface ReadMapBufResult {
  readonly nextPage: number
  readonly isLast: boolean
}

export interface MapCheckResult {
  readonly dirtyChunks: number
  readonly suspectChunks: number
  readonly lostChunks: number
  readonly isNormal: boolean
}

export interface MapVersionResult {
  readonly seen: ViewNumber
  readonly normalThrough: ViewNumber
  readonly joinedView: ViewNumber
  readonly incarnation: number
  readonly seenNormal: MemberSet
}

export interface MapSetVerBody {
  readonly seen: ViewNumber
  readonly seenNormal: MemberSet
  readonly persistedBy: MemberId
}

export interface SeenResult {
  readonly seen: ViewNumber
  readonly seenNormal: MemberSet
}

export interface MapCommandTypes {
  "map-ready": Shape<UpdateBody, undefined, MapReadyResult, undefined>
  "map-send": Shape<MapSendBody, undefined, MapSent, undefined>
  "send-map-buf": Shape<SendMapBufBody, readonly MapPages[], Nothing, undefined>
  "map-buf-done": Shape<MapBufDoneBody, readonly MapPages[], Nothing, undefined>
  "map-done": Shape<UpdateBody, undefined, MapReadyResult, undefined>
  "map-disable": Shape<UpdateBody, undefined, Nothing, undefined>
  "read-map-buf": Shape<ReadMapBufBody, undefined, ReadMapBufResult, readonly MapPages[]>
  "map-check": Shape<Nothing, undefined, MapCheckResult, undefined>
  "map-get-ver": Shape<Nothing, undefined, MapVersionResult, undefined>
  "map-set-ver": Shape<MapSetVerBody, undefined, SeenResult, undefined>
}

const MAP_STATES = listTail(MAP_STATE, 0, MEMBERS_MAX)

const UPDATE_WHY = "which map update, unique in the epoch"
const ZERO_WHY = "must be zero"

const UPDATE_BODY = struct<UpdateBody>("update body", 4, [["update", 0, U32, UPDATE_WHY]])

const MAP_READY_RESULT = struct<MapReadyResult>("own map result", 16, [
  ["dirtyChunks", 0, U64, "dirty chunks in the member's own map"],
  ["suspectChunks", 8, U64, "those of them that are only suspect"],
])

export const SEEN_RESULT: Struct<SeenResult> = struct<SeenResult>("seen result", 12, [
  ["seen", 0, OPTIONAL_VIEW, "the highest view that the member has seen, now"],
  ["seenNormal", 8, U8, "its normal set, a bit per slot"],
  ["reserved", 9, reserved(3), ZERO_WHY],
])

export const MAP_READY: CommandSpec<MapCommandTypes["map-ready"]> = {
  name: "MAP_READY",
  code: 16,
  type: TYPE_CMD,
  from: "client",
  names: "view",
  lane: "control",
  does: `
    Begins a map update at the member that returns. It is drained, has durably marked the chunks
    of its own last_io and hot extents as suspect, and takes map pages from now on. Nothing that
    it knew is thrown away.`,
  rules: ["M3", "R5", "W5"],
  body: UPDATE_BODY,
  payload: NO_PAYLOAD,
  result: MAP_READY_RESULT,
  resultPayload: NO_PAYLOAD,
}

export const MAP_SEND: CommandSpec<MapCommandTypes["map-send"]> = {
  name: "MAP_SEND",
  code: 17,
  type: TYPE_CMD,
  from: "client",
  names: "view",
  lane: "control",
  does: `
    Asks a normal member to send its valid marks about the receiver, and about every other absent
    member, to the receiver: all pages that hold something, then what changed since, and in the
    freeze the last of it. It is answered when the receiver has acknowledged MAP_BUF_DONE, which
    after the last delta says that every map is there as it is at the source.`,
  rules: ["M2", "M3"],
  body: struct<MapSendBody>("MAP_SEND body", 8, [
    ["update", 0, U32, UPDATE_WHY],
    ["phase", 4, oneOf(MAP_PHASE_NUMBERS), "what to send"],
    ["receiver", 5, MEMBER_ID, "the member that returns"],
    ["reserved", 6, reserved(2), ZERO_WHY],
  ]),
  payload: NO_PAYLOAD,
  result: struct<MapSent>("MAP_SEND result", 4, [
    ["bufferCount", 0, U32, "how many SEND_MAP_BUF the phase had"],
  ]),
  resultPayload: NO_PAYLOAD,
}

export const SEND_MAP_BUF: CommandSpec<MapCommandTypes["send-map-buf"]> = {
  name: "SEND_MAP_BUF",
  code: 18,
  type: TYPE_CMD,
  from: "node",
  names: "view",
  lane: "sync",
  does: `
    Map pages from the source to the member that returns. It ORs pages about itself into its own
    map, and keeps pages about other absent members beside the map that they replace when the
    update is done. Buffers may arrive in any order; each is taken once, by its number.`,
  rules: ["M1", "M2", "M3", "W8"],
  body: struct<SendMapBufBody>("SEND_MAP_BUF body", 12, [
    ["update", 0, U32, UPDATE_WHY],
    ["bufferNumber", 4, U32, "from 0 in each phase"],
    ["phase", 8, oneOf(MAP_PHASE_NUMBERS), "what the pages belong to"],
    ["reserved", 9, reserved(3), ZERO_WHY],
  ]),
  payload: MAP_PAGES_PAYLOAD,
  result: NOTHING,
  resultPayload: NO_PAYLOAD,
  check: (_body, maps) => (maps.length === 0 ? new Refused("count", "payload") : undefined),
}

export const MAP_BUF_DONE: CommandSpec<MapCommandTypes["map-buf-done"]> = {
  name: "MAP_BUF_DONE",
  code: 19,
  type: TYPE_CMD,
  from: "node",
  names: "view",
  lane: "sync",
  does: `
    The source has sent a whole phase, and here are the last of its pages, as many as a buffer has
    room for. The receiver compares the number of buffers, and after the last delta how every map
    stands, with what it received; where they differ it refuses "mismatch", and the phase is sent
    again. After the last delta the receiver may persist the view that names it normal, and makes
    what came last durable in the same step.`,
  rules: ["M3"],
  body: struct<MapBufDoneBody>(
    "MAP_BUF_DONE body",
    12,
    [
      ["update", 0, U32, UPDATE_WHY],
      ["bufferCount", 4, U32, "how many SEND_MAP_BUF the phase had"],
      ["phase", 8, oneOf(MAP_PHASE_NUMBERS), "the phase that is complete"],
      ["reserved", 9, reserved(3), ZERO_WHY],
    ],
    ["maps", 12, MAP_STATES, "the source's maps after the phase; needed after the last delta"],
  ),
  payload: MAP_PAGES_PAYLOAD,
  result: NOTHING,
  resultPayload: NO_PAYLOAD,
  check({ phase, maps }) {
    if (phase === "last-delta" && maps.length === 0) return new Refused("count", "body.maps")
    return refuseMapStates(maps, "body.maps")
  },
}

export const MAP_DONE: CommandSpec<MapCommandTypes["map-done"]> = {
  name: "MAP_DONE",
  code: 20,
  type: TYPE_CMD,
  from: "client",
  names: "view",
  lane: "control",
  does: `
    Makes the marks of an update durable before IO is frozen, so that little of it is left to do
    then: all that has come so far at the member that returns, which also flushes; all that it has
    marked at a member that is normal. It is asked after each delta but the last.`,
  rules: ["M3", "I4"],
  body: UPDATE_BODY,
  payload: NO_PAYLOAD,
  result: MAP_READY_RESULT,
  resultPayload: NO_PAYLOAD,
}

export const MAP_DISABLE: CommandSpec<MapCommandTypes["map-disable"]> = {
  name: "MAP_DISABLE",
  code: 21,
  type: TYPE_CMD,
  from: "client",
  names: "view",
  lane: "control",
  does: `
    Gives an update up, at the member that returns or at the source. The member keeps what it
    marked in its own map and forgets what it received about others.`,
  rules: ["M3"],
  body: UPDATE_BODY,
  payload: NO_PAYLOAD,
  result: NOTHING,
  resultPayload: NO_PAYLOAD,
}

export const READ_MAP_BUF: CommandSpec<MapCommandTypes["read-map-buf"]> = {
  name: "READ_MAP_BUF",
  code: 22,
  type: TYPE_CMD,
  from: "either",
  names: "epoch",
  lane: "sync",
  does: `
    Reads pages of one map from a member, from a page on: its own map (for the election of R6, for
    progress), or its marks about an absent member. It answers with as many pages as the sender
    has room for, without those that mark nothing; "nextPage" says where to go on.`,
  rules: ["M1", "R6", "R7"],
  body: struct<ReadMapBufBody>("READ_MAP_BUF body", 8, [
    ["firstPage", 0, integer("u32", 4, 0, MAP_PAGES_MAX - 1), "no page below this"],
    ["memberId", 4, MEMBER_ID, "whose missing chunks"],
    ["reserved", 5, reserved(3), ZERO_WHY],
  ]),
  payload: NO_PAYLOAD,
  result: struct<ReadMapBufResult>("READ_MAP_BUF result", 8, [
    ["nextPage", 0, integer("u32", 4, 0, MAP_PAGES_MAX), "where the next one begins"],
    ["isLast", 4, BOOL, "nothing is left behind it"],
    ["reserved", 5, reserved(3), ZERO_WHY],
  ]),
  resultPayload: MAP_PAGES_PAYLOAD,
  checkResult: (_result, maps) => (maps.length > 1 ? new Refused("members", "payload") : undefined),
}

export const MAP_CHECK: CommandSpec<MapCommandTypes["map-check"]> = {
  name: "MAP_CHECK",
  code: 23,
  type: TYPE_CMD,
  from: "either",
  names: "known",
  lane: "control",
  does: `
    Asks how dirty the member itself is. The answer refreshes hints, for balancing and for status;
    no durable map is ever changed because of it.`,
  rules: ["M1", "Q14"],
  body: NOTHING,
  payload: NO_PAYLOAD,
  result: struct<MapCheckResult>("MAP_CHECK result", 28, [
    ["dirtyChunks", 0, U64, "dirty chunks in its own map"],
    ["suspectChunks", 8, U64, "those of them that are only suspect"],
    ["lostChunks", 16, U64, "those of them that no member has (Q23)"],
    ["isNormal", 24, BOOL, "the server pool is normal"],
    ["reserved", 25, reserved(3), ZERO_WHY],
  ]),
  resultPayload: NO_PAYLOAD,
}

export const MAP_GET_VER: CommandSpec<MapCommandTypes["map-get-ver"]> = {
  name: "MAP_GET_VER",
  code: 24,
  type: TYPE_CMD,
  from: "either",
  names: "known",
  lane: "control",
  does: `
    Asks for the member's versions; its map_ver is in the header of the answer. "normalThrough"
    and "incarnation" are its claim, which the record of the highest view confirms or refutes.`,
  rules: ["V4", "Q13"],
  body: NOTHING,
  payload: NO_PAYLOAD,
  result: struct<MapVersionResult>("MAP_GET_VER result", 36, [
    ["seen", 0, OPTIONAL_VIEW, "the highest view it has persisted or was told of"],
    ["normalThrough", 8, OPTIONAL_VIEW, "the last view naming it normal that it persisted"],
    ["joinedView", 16, OPTIONAL_VIEW, "the view in which this process became normal"],
    ["incarnation", 24, U64, "counts openings of its store"],
    ["seenNormal", 32, U8, "normal set of the view in `seen`"],
    ["reserved", 33, reserved(3), ZERO_WHY],
  ]),
  resultPayload: NO_PAYLOAD,
}

export const MAP_SET_VER: CommandSpec<MapCommandTypes["map-set-ver"]> = {
  name: "MAP_SET_VER",
  code: 25,
  type: TYPE_CMD,
  from: "either",
  names: "epoch",
  lane: "control",
  does: `
    Raises "seen" of a member, durably; never its map_ver, and never what it claims about
    content. Only a view that some member has persisted may be told, and the message says which
    member.`,
  rules: ["V4"],
  body: struct<MapSetVerBody>("MAP_SET_VER body", 12, [
    ["seen", 0, EXISTING_VIEW, "the view"],
    ["seenNormal", 8, integer("u8", 1, 1, 255), "its normal set, a bit per slot"],
    ["persistedBy", 9, MEMBER_ID, "a member that has it on its disk"],
    ["reserved", 10, reserved(2), ZERO_WHY],
  ]),
  payload: NO_PAYLOAD,
  result: SEEN_RESULT,
  resultPayload: NO_PAYLOAD,
}
