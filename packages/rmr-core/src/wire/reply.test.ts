/** Answers to commands: PROTOCOL.md 5.2. */
import { type Frame, frameOf } from "../../scripts/frames.js"
import { type Changes, patched, resized, withPayload } from "../../scripts/patch.js"
import { RECORD, samples } from "../../scripts/wire-samples.js"
import type { MemberId } from "../brand.js"
import { DETAIL_BYTES_MAX } from "../limits.js"
import { COMMANDS, type CommandKind } from "./command.js"
import { decodeMessage } from "./decode.js"
import { NO_TYPE, peekGroupId, peekType, TYPE_IO } from "./header.js"
import { encodePoolMetadata } from "./pool-metadata-codec.js"
import { type RefusalReason, Refused } from "./refusal.js"
import { decodeReply, encodeReply, REPLY_HEADER } from "./reply.js"

function frameOfAnswer(name: string): Frame {
  const message = samples().get(`CMD_RSP ${name}`)
  if (message === undefined) throw new Error(`no sample ${name}`)
  return frameOf(message)
}

function decode(kind: CommandKind, { header, payload }: Frame): unknown {
  const view = new DataView(header.buffer, header.byteOffset, header.length)
  return decodeReply(kind, view, 0, header.length, payload)
}

type Row = readonly [what: string, CommandKind, Changes, RefusalReason, where: string]

// The header of an answer has the fields of a request's at the same places; where names differ, the
// request's stand here: sessionGeneration is openEpoch, reserved is status.
const ROWS: readonly Row[] = [
  ["another type", "map-check", { type: "0000" }, "type", "map-check"],
  ["another version", "map-check", { version: "00" }, "version", ""],
  ["another command", "map-check", { command: "16" }, "command", "map-check"],
  ["SYNC, which answers do not have", "map-check", { flags: "01" }, "flags", "map-check"],
  ["payload that no flag announces", "map-check", { payloadBytes: "01" }, "flags", "map-check"],
  ["a status that nobody has", "map-check", { reserved: "e703" }, "status", "map-check"],
  ["nobody who answers", "map-check", { senderMemberId: "00" }, "sender", "map-check.memberId"],
  ["half a view", "map-check", { mapVersion: "00000000" }, "view", "map-check.mapVersion"],
  [
    "a view without lineage",
    "map-check",
    { mapVersion: `160000000b000000${"00".repeat(16)}` },
    "view",
    "map-check.mapVersion",
  ],
  ["a member that answers HELLO", "hello", { senderMemberId: "07" }, "view", "hello.mapVersion"],
  ["an epoch in HELLO", "hello", { sessionGeneration: "01" }, "view", "hello.mapVersion"],
  [
    "a failure that nobody knows",
    "store-check",
    { "body.lastStatus": "e703" },
    "status",
    "store-check.result.lastStatus",
  ],
  [
    "an unchanged record, sent anyway",
    "md-send",
    { "body.isUnchanged": "01" },
    "payload-bytes",
    "md-send",
  ],
  [
    "a view on disk that the member has not seen (V4)",
    "map-add",
    { "body.durable": "170000000b000000" },
    "contradiction",
    "map-add.result.durable",
  ],
  [
    "a page behind every map",
    "read-map-buf",
    { "body.nextPage": "01000002" },
    "value",
    "read-map-buf.result.nextPage",
  ],
]

describe("an answer is refused with", () => {
  it.each(ROWS)("%s (%s)", (_what, kind, changes, reason, where) => {
    const frame = patched(frameOfAnswer(kind), COMMANDS[kind].result, changes)
    expect(decode(kind, frame)).toEqual(new Refused(reason, where))
  })

  it("a state of a server pool that this version does not know", () => {
    const frame = frameOfAnswer("enable-pool")
    frame.header[48 + 57] = 6
    expect(decode("enable-pool", resized(frame, 0))).toEqual(
      new Refused("value", "enable-pool.result.report.state"),
    )
  })

  it("the result of a success behind a refusal, and words that are no text", () => {
    const success = patched(frameOfAnswer("map-check"), COMMANDS["map-check"].result, {
      reserved: "0c00",
      "body.dirtyChunks": "ff",
    })
    expect(decode("map-check", success)).toEqual(new Refused("text", "map-check.detail"))
    expect(decode("open", resized(frameOfAnswer("refused"), DETAIL_BYTES_MAX))).toEqual(
      new Refused("long", "open"),
    )
  })

  it("a payload with a refusal", () => {
    const frame = withPayload(frameOfAnswer("refused"), new Uint8Array(8))
    expect(decode("open", frame)).toEqual(new Refused("payload-bytes", "open"))
  })

  it("pages of two maps at once", () => {
    const { payload } = frameOf(samples().get("CMD send-map-buf")!)
    const frame = withPayload(frameOfAnswer("read-map-buf"), payload)
    expect(decode("read-map-buf", frame)).toEqual(new Refused("members", "read-map-buf.payload"))
  })

  it("V2: a range that is taken back twice, half an index, and more than there is room for", () => {
    const frame = frameOfAnswer("map-add")
    const at = REPLY_HEADER.bytes + COMMANDS["map-add"].result.bytes
    const kept = frame.header.slice(0, at)
    const answer = (...bytes: number[]) => {
      const header = Uint8Array.from([...kept, ...bytes, 0, 0, 0, 0])
      return decode("map-add", resized({ header, payload: frame.payload }, 0))
    }
    expect(answer(1, 0, 1, 0)).toEqual(new Refused("sequence", "map-add.result.takenBack.1"))
    expect(answer(1, 0, 1)).toEqual(new Refused("count", "map-add.result.takenBack"))
    const more = patched(frame, COMMANDS["map-add"].result, { "body.isMoreTakenBack": "01" })
    expect(decode("map-add", more)).toEqual(new Refused("count", "map-add.result.takenBack"))
  })

  it("the answer to another command than was asked", () => {
    expect(decode("map-get-ver", frameOfAnswer("map-check"))).toEqual(
      new Refused("command", "map-get-ver"),
    )
  })
})

describe("what OPEN answers is refused with", () => {
  const frame = frameOfAnswer("open")
  const record = encodePoolMetadata(RECORD).length

  function withByte(at: number, value: number): Frame {
    const payload = frame.payload.slice()
    payload[at] = value
    return withPayload(frame, payload)
  }

  it.each<readonly [string, Frame, RefusalReason, string]>([
    ["no head", withPayload(frame, frame.payload.slice(0, 7)), "short", "open.payload"],
    ["a byte too few", withPayload(frame, frame.payload.slice(0, -1)), "short", "open.payload"],
    ["one entry fewer than there are bytes for", withByte(4, 1), "long", "open.payload"],
    ["a record longer than the payload", withByte(2, 0xff), "short", "open.payload"],
    ["a bent record", withByte(8 + 40, 99), "checksum", "open.payload.metadata"],
    ["a unit above the queue depth", withByte(8 + record + 28, 128), "unit", "open.payload.lastIo"],
    [
      "an empty hot range",
      withByte(8 + record + 56 + 8 + 2, 0),
      "range",
      "open.payload.hotRanges.0",
    ],
  ])("%s", (_what, bent, reason, where) => {
    expect(decode("open", bent)).toEqual(new Refused(reason, where))
  })
})

describe("a refusal", () => {
  const view = new DataView(new ArrayBuffer(512))

  it("says why in words, cut between characters where they are too long", () => {
    const detail = "☂".repeat(200)
    const bytes = encodeReply(view, 0, {
      kind: "map-ready",
      groupId: RECORD.groupId,
      memberId: 7 as MemberId,
      mapVersion: RECORD.mapVersion,
      openEpoch: 12,
      outcome: "draining",
      detail,
    })
    expect(decodeReply("map-ready", view, 0, bytes)).toMatchObject({
      outcome: "draining",
      detail: "☂".repeat(Math.floor(DETAIL_BYTES_MAX / 3)),
    })
  })

  it("tells a client by which epoch it was fenced (F4)", () => {
    const { header } = frameOfAnswer("refused")
    const bytes = new DataView(header.buffer)
    expect(decodeMessage(bytes, 0, header.length)).toMatchObject({
      type: "reply",
      reply: { outcome: "held", openEpoch: 12 },
    })
  })
})

describe("a message of any kind", () => {
  const nothing = new DataView(new ArrayBuffer(512))

  it("is refused when it is too short to have a type, or has none of ours", () => {
    expect(decodeMessage(nothing, 0, 7)).toEqual(new Refused("short"))
    nothing.setUint16(4, 7, true)
    expect(decodeMessage(nothing, 0, 64)).toEqual(new Refused("type"))
  })

  it("says its type and pool before it is decoded, so that the right one is asked", () => {
    const { header } = frameOf(samples().get("IO read")!)
    const view = new DataView(header.buffer)
    expect(peekType(view, 0, header.length)).toBe(TYPE_IO)
    expect(peekGroupId(view, 0)).toBe(RECORD.groupId)
    expect(peekType(view, 0, 7)).toBe(NO_TYPE)
  })

  it("that answers an unknown command, or nothing, is refused", () => {
    nothing.setUint16(4, 1, true)
    expect(decodeMessage(nothing, 0, 64)).toEqual(new Refused("command", "reply"))
    expect(decodeMessage(nothing, 0, 47)).toEqual(new Refused("short", "reply"))
  })
})
