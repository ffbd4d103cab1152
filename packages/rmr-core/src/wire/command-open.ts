/**
 * Commands around opening a pool: agree on a version, ask, take over, stay alive (rules F1, F2,
 * F5).
 */
import { HOST_NAME_BYTES_MAX } from "../limits.js"
import type { PoolMetadata, Uuid } from "../rules/pool-metadata.js"
import { type CommandSpec, NOTHING, type Nothing, type Shape } from "./command-spec.js"
import { BOOL, reserved, U32, U64, UUID } from "./field-types.js"
import { TYPE_CMD } from "./header.js"
import { OPEN_PAYLOAD, type OpenKnowledge } from "./last-io-entry.js"
import { struct } from "./layout.js"
import { type MemberReport, REPORT } from "./member-report.js"
import { OFFER, type Offer, refuseOffer } from "./negotiation.js"
import { NO_PAYLOAD, OPTIONAL_RECORD_PAYLOAD } from "./payload.js"
import { Refused } from "./refusal.js"
import { asciiTail } from "./tails.js"

export interface QueryResult {
  readonly report: MemberReport
  /** Since the member last heard from the holder; `NEVER_HEARD` if it did not in this process. */
  readonly holderSilentMs: number
  readonly isHeld: boolean
  /** Empty where the member knows of none. */
  readonly holderHost: string
}

export const NEVER_HEARD = 0xffff_ffff

export interface OpenBody {
  readonly nonce: Uuid
  readonly isTakeover: boolean
  readonly hostName: string
}

export interface OpenResult {
  readonly report: MemberReport
}

export interface HoldBody {
  readonly stableSequence: number
  readonly stableEpoch: number
}

export interface HoldResult {
  readonly hotExtents: number
  readonly isFlushWanted: boolean
}

export interface OpenCommandTypes {
  hello: Shape<Offer, undefined, Offer, undefined>
  query: Shape<Nothing, undefined, QueryResult, PoolMetadata | undefined>
  open: Shape<OpenBody, undefined, OpenResult, OpenKnowledge>
  hold: Shape<HoldBody, undefined, HoldResult, undefined>
}

export const HELLO: CommandSpec<OpenCommandTypes["hello"]> = {
  name: "HELLO",
  code: 1,
  type: TYPE_CMD,
  from: "either",
  names: "none",
  lane: "control",
  does: `
    The first request on every session, by the side that dialed. Both sides say which versions and
    features they have and need, and both compute the same agreement from the two offers. It
    belongs to no pool, carries version 0, and its layout never changes.`,
  rules: [],
  body: OFFER,
  payload: NO_PAYLOAD,
  result: OFFER,
  resultPayload: NO_PAYLOAD,
  check: refuseOffer,
  checkResult: refuseOffer,
}

export const QUERY: CommandSpec<OpenCommandTypes["query"]> = {
  name: "QUERY",
  code: 2,
  type: TYPE_CMD,
  from: "either",
  names: "known",
  lane: "control",
  does: `
    Asks what a member has, and changes nothing. A client asks all members before it opens any, so
    that a pool that cannot start is not taken from the client that serves it. The answer carries
    the member's view record, if it has one, and whether its holder is alive.`,
  rules: ["F2", "F5", "V5"],
  body: NOTHING,
  payload: NO_PAYLOAD,
  result: struct<QueryResult>(
    "QUERY result",
    68,
    [
      ["report", 0, REPORT, "what the member says about itself"],
      ["holderSilentMs", 60, U32, "since it heard from the holder; 2^32-1 for not in this process"],
      ["isHeld", 64, BOOL, "an OPEN without takeover would be refused now"],
      ["reserved", 65, reserved(3), "must be zero"],
    ],
    ["holderHost", 68, asciiTail(0, HOST_NAME_BYTES_MAX), "where the holder runs"],
  ),
  resultPayload: OPTIONAL_RECORD_PAYLOAD,
}

export const OPEN: CommandSpec<OpenCommandTypes["open"]> = {
  name: "OPEN",
  code: 3,
  type: TYPE_CMD,
  from: "client",
  names: "epoch",
  lane: "control",
  does: `
    Takes the pool over in the epoch that the header names. The store makes (epoch, nonce)
    durable, stops admitting older epochs, drains what it admitted, and only then reads what it
    answers: its view record, its last_io, and the extents that were hot when it was opened
    unclean. An epoch that is lower, or equal with another nonce, is refused "fenced"; a live
    holder without takeover, "held".`,
  rules: ["F1", "F2", "F3", "F5", "W5"],
  body: struct<OpenBody>(
    "OPEN body",
    20,
    [
      ["nonce", 0, UUID, "random per client process; with the epoch it names the holder"],
      ["isTakeover", 16, BOOL, "an admin said so: do not refuse because the holder is alive"],
      ["reserved", 17, reserved(3), "must be zero"],
    ],
    ["hostName", 20, asciiTail(1, HOST_NAME_BYTES_MAX), "where the client runs"],
  ),
  payload: NO_PAYLOAD,
  result: struct<OpenResult>("OPEN result", 60, [
    ["report", 0, REPORT, "what the member says about itself, after the drain"],
  ]),
  resultPayload: OPEN_PAYLOAD,
  check: (_body, _payload, { mapVersion }) =>
    mapVersion.version === 0 ? undefined : new Refused("view", "mapVersion.version"),
}

export const HOLD: CommandSpec<OpenCommandTypes["hold"]> = {
  name: "HOLD",
  code: 4,
  type: TYPE_CMD,
  from: "client",
  names: "epoch",
  lane: "control",
  does: `
    Says that the holder lives when nothing else does, and hands on the stable number of a pool
    that is idle, so that its extents cool. Any request of the holder counts as a sign of life;
    this one is sent only in silence.`,
  rules: ["F5", "I2", "I3"],
  body: struct<HoldBody>("HOLD body", 12, [
    ["stableSequence", 0, U64, "mutations up to it are durable everywhere"],
    ["stableEpoch", 8, U32, "the epoch of the stable number; 0 while there is none"],
  ]),
  payload: NO_PAYLOAD,
  result: struct<HoldResult>("HOLD result", 8, [
    ["hotExtents", 0, U32, "how many extents are hot"],
    ["isFlushWanted", 4, BOOL, "the intent log wants a flush soon"],
    ["reserved", 5, reserved(3), "must be zero"],
  ]),
  resultPayload: NO_PAYLOAD,
  check({ stableEpoch, stableSequence }, _payload, { mapVersion }) {
    const isNone = stableEpoch === 0 && stableSequence !== 0
    const isAhead = stableEpoch > mapVersion.epoch
    return isNone || isAhead ? new Refused("sequence", "stableEpoch") : undefined
  },
}
