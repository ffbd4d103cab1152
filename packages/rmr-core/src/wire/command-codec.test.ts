/** Requests of commands: PROTOCOL.md 1.3 to 1.5, 3, and 5 to 9. */
import { type Frame, frameOf } from "../../scripts/frames.js"
import { type Changes, patched, resized } from "../../scripts/patch.js"
import { RECORD, samples } from "../../scripts/wire-samples.js"
import { COMMANDS, type CommandKind } from "./command.js"
import { COMMAND_HEADER, decodeCommand } from "./command-codec.js"
import { CRC_BYTES } from "./header.js"
import { type RefusalReason, Refused } from "./refusal.js"

function frameOfSample(kind: string): Frame {
  const message = samples().get(`CMD ${kind}`)
  if (message === undefined) throw new Error(`no sample ${kind}`)
  return frameOf(message)
}

function decode({ header, payload }: Frame): unknown {
  const view = new DataView(header.buffer, header.byteOffset, header.length)
  return decodeCommand(view, 0, header.length, payload)
}

/** Every view, uuid or lineage of zeroes is this. */
const ZEROES = "00".repeat(24)

type Row = readonly [
  what: string,
  kind: CommandKind,
  changes: Changes,
  reason: RefusalReason,
  where: string,
]

const HEADER: readonly Row[] = [
  ["an unknown command", "map-check", { command: "ff" }, "command", ""],
  ["a type that is not the command's", "map-check", { type: "0500" }, "type", "map-check"],
  ["a MAP_ADD as CMD", "map-add", { type: "0000" }, "type", "map-add"],
  ["version 0, which is HELLO's", "map-check", { version: "00" }, "version", "map-check"],
  ["a HELLO of version 1", "hello", { version: "01" }, "version", "hello"],
  ["a version that nobody speaks", "map-check", { version: "02" }, "version", ""],
  ["an unknown flag", "map-check", { flags: "04" }, "flags", "map-check"],
  ["reserved bytes in use", "map-check", { reserved: "01" }, "reserved", "reserved"],
  ["a flag that says payload, and none", "map-check", { flags: "02" }, "flags", "map-check"],
  ["payload that no flag announces", "map-check", { payloadBytes: "01" }, "flags", "map-check"],
  ["a checksum of no payload", "map-check", { payloadCrc: "01" }, "payload-checksum", "map-check"],
  ["SYNC without a sender", "map-check", { flags: "01" }, "sender", "map-check"],
  ["a sender without SYNC", "map-check", { senderMemberId: "07" }, "sender", "map-check"],
  ["an OPEN from a storage node", "open", { flags: "01", senderMemberId: "07" }, "sender", "open"],
  [
    "map pages from a client",
    "map-buf-done",
    { flags: "02", senderMemberId: "00" },
    "sender",
    "map-buf-done",
  ],
]

const NAMING: readonly Row[] = [
  [
    "F3: no lineage",
    "map-ready",
    { mapVersion: `160000000b000000${"00".repeat(16)}` },
    "view",
    "map-ready.mapVersion",
  ],
  ["F3: no epoch", "map-ready", { mapVersion: "1600000000000000" }, "view", "map-ready.mapVersion"],
  ["F3: no view", "map-ready", { mapVersion: "00000000" }, "view", "map-ready.mapVersion.version"],
  ["F3: nothing at all", "map-ready", { mapVersion: ZEROES }, "view", "map-ready.mapVersion"],
  [
    "F3: nothing at all, before there is a view",
    "user",
    { mapVersion: ZEROES },
    "view",
    "user.mapVersion",
  ],
  [
    "half of what it knows",
    "query",
    { mapVersion: "0000000000000000" },
    "view",
    "query.mapVersion",
  ],
  ["a HELLO that names a view", "hello", { mapVersion: "01" }, "view", "hello.mapVersion"],
  ["a HELLO of a pool", "hello", { groupId: "01" }, "view", "hello.mapVersion"],
  [
    "F1: an OPEN that names a view already",
    "open",
    { mapVersion: "01000000" },
    "view",
    "open.mapVersion.version",
  ],
]

const BODIES: readonly Row[] = [
  [
    "an offer that contradicts itself",
    "hello",
    { "body.versionMin": "09" },
    "contradiction",
    "hello.versionMin",
  ],
  ["a host name with a blank", "open", { "body.hostName": "20" }, "text", "open.body.hostName"],
  ["a nonce of zeroes", "open", { "body.nonce": ZEROES.slice(0, 32) }, "value", "open.body.nonce"],
  [
    "I2: stable in a later epoch",
    "hold",
    { "body.stableEpoch": "0c" },
    "sequence",
    "hold.stableEpoch",
  ],
  ["a join of neither mode", "join-pool", { "body.mode": "03" }, "value", "join-pool.body.mode"],
  [
    "a name with a slash",
    "join-pool",
    { "body.poolName": "2f" },
    "text",
    "join-pool.body.poolName",
  ],
  [
    "another name than the hash",
    "join-pool",
    { "body.poolName": "47" },
    "group",
    "join-pool.groupId",
  ],
  ["the hash of another name", "join-pool", { groupId: "00" }, "group", "join-pool.groupId"],
  [
    "other parameters than the record",
    "join-pool",
    { "body.queueDepth": "81" },
    "contradiction",
    "join-pool.body",
  ],
  [
    "a store that the record has not",
    "join-pool",
    { "body.storeUuid": "00" },
    "contradiction",
    "join-pool.body.storeUuid",
  ],
  [
    "a member that the record has not",
    "join-pool",
    { "body.memberId": "08" },
    "contradiction",
    "join-pool.body.storeUuid",
  ],
  [
    "another view than the record's",
    "join-pool",
    { mapVersion: "17" },
    "view",
    "join-pool.payload.mapVersion",
  ],
  [
    "another view than the record's",
    "rejoin-pool",
    { mapVersion: "17" },
    "view",
    "rejoin-pool.payload.mapVersion",
  ],
  [
    "another pool than the record's",
    "rejoin-pool",
    { groupId: "00" },
    "group",
    "rejoin-pool.payload.groupId",
  ],
  [
    "R7: its own history to be given up",
    "rejoin-pool",
    { "body.abandonedLineage": RECORD.mapVersion.lineage },
    "contradiction",
    "rejoin-pool.body.abandonedLineage",
  ],
  [
    "R7: a history to be given up without its last view",
    "rejoin-pool",
    { "body.abandonedView": "0000000000000000" },
    "view",
    "rejoin-pool.body.abandonedView",
  ],
  [
    "W5: a joined view that is to come",
    "enable-pool",
    { "body.joinedView": "17" },
    "view",
    "enable-pool.body.joinedView",
  ],
  [
    "W5: no joined view",
    "enable-pool",
    { "body.joinedView": "0000000000000000" },
    "view",
    "enable-pool.body.joinedView",
  ],
  [
    "maintenance from a view on",
    "enable-pool",
    { "body.mode": "04" },
    "view",
    "enable-pool.body.joinedView",
  ],
  [
    "an add that deletes",
    "pool-info",
    { "body.mode": "04" },
    "contradiction",
    "pool-info.body.mode",
  ],
  [
    "a removal that creates",
    "pool-info",
    { "body.operation": "02" },
    "contradiction",
    "pool-info.body.mode",
  ],
  [
    "a known member that lacks all",
    "pool-info",
    { "body.mode": "02" },
    "contradiction",
    "pool-info.body.isDirty",
  ],
  ["member 0", "map-send", { "body.receiver": "00" }, "value", "map-send.body.receiver"],
  [
    "V4: nobody normal in what was seen",
    "map-set-ver",
    { "body.seenNormal": "00" },
    "value",
    "map-set-ver.body.seenNormal",
  ],
  ["V3: a base that is not before", "map-add", { "body.base": "16" }, "view", "map-add.body.base"],
  [
    "a view change that only marks",
    "map-add",
    { "body.purpose": "05" },
    "payload-bytes",
    "map-add",
  ],
  [
    "another view than the record's",
    "map-add",
    { mapVersion: "17" },
    "view",
    "map-add.payload.mapVersion",
  ],
  [
    "M4: joined in a view that is to come",
    "map-clear",
    { "body.joinedView": "0900000063000000" },
    "view",
    "map-clear.body.joinedView",
  ],
  [
    "V4: persisted by nobody of the record",
    "send-md-buf",
    { "body.persistedBy": "08" },
    "members",
    "send-md-buf.body.persistedBy",
  ],
  [
    "G3: a store replaced by itself",
    "send-discard",
    { "body.forgottenStoreUuid": "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf" },
    "contradiction",
    "send-discard.body.forgottenStoreUuid",
  ],
  [
    "entries that it does not list",
    "last-io-to-map",
    { "body.mode": "02" },
    "count",
    "last-io-to-map.payload",
  ],
]

/** What becomes of the list at the end of the message. */
type Change = (entries: Uint8Array) => readonly number[]

const swapped =
  (bytes: number): Change =>
  (entries) => [...entries.subarray(bytes), ...entries.subarray(0, bytes)]
const twice =
  (bytes: number): Change =>
  (entries) => [...entries.subarray(0, bytes), ...entries.subarray(0, bytes)]
const none: Change = () => []

/** A missed range whose last byte lies behind 512 TiB. */
const MISSED_TOO_FAR = "01000000000000000000000000000200" + "01000000"

const LISTS: readonly (readonly [
  what: string,
  kind: "map-buf-done" | "map-clear" | "elect" | "user",
  change: Change,
  reason: RefusalReason,
  where: string,
])[] = [
  [
    "M3: no map to compare after the last delta",
    "map-buf-done",
    none,
    "count",
    "map-buf-done.body.maps",
  ],
  ["maps that descend", "map-buf-done", swapped(28), "members", "map-buf-done.body.maps.1"],
  ["a map twice", "map-buf-done", twice(28), "members", "map-buf-done.body.maps.1"],
  [
    "half a map",
    "map-buf-done",
    (list) => [...list.subarray(1)],
    "count",
    "map-buf-done.body.maps",
  ],
  ["no chunks at all", "map-clear", none, "count", "map-clear.body.ranges"],
  ["chunk ranges that descend", "map-clear", swapped(12), "chunks", "map-clear.body.ranges.1"],
  [
    "chunks behind every volume",
    "map-clear",
    (list) => [...list.subarray(0, 8), 255, 255, 255, 255].with(4, 0x1f),
    "chunks",
    "map-clear.body.ranges.0",
  ],
  ["R6: chunk ranges that overlap", "elect", twice(12), "chunks", "elect.body.ranges.1"],
  ["R6: no chunks to elect for", "elect", none, "count", "elect.body.ranges"],
  ["chunk ranges that overlap", "map-clear", twice(12), "chunks", "map-clear.body.ranges.1"],
  ["more user data than fits", "user", () => [...new Uint8Array(441)], "long", "user.body"],
]

describe("a command is refused with", () => {
  it.each([...HEADER, ...NAMING, ...BODIES])("%s (%s)", (_what, kind, changes, reason, where) => {
    const frame = patched(frameOfSample(kind), COMMANDS[kind].body, changes)
    expect(decode(frame)).toEqual(new Refused(reason, where))
  })

  it.each(LISTS)("%s", (_what, kind, change, reason, where) => {
    const tail = COMMANDS[kind].body.tail!
    const frame = frameOfSample(kind)
    const kept = frame.header.slice(0, COMMAND_HEADER.bytes + tail.at)
    const entries = frame.header.slice(kept.length, -CRC_BYTES)
    const bent = Uint8Array.from([...kept, ...change(entries), 0, 0, 0, 0])
    expect(decode(resized({ header: bent, payload: frame.payload }, 0))).toEqual(
      new Refused(reason, where),
    )
  })

  it.each<readonly [string, Changes, RefusalReason, string]>([
    [
      "W3: a missed range without a number",
      { "body.missed": "00".repeat(8) },
      "sequence",
      "body.missed.0",
    ],
    [
      "a missed range behind every volume",
      { "body.missed": MISSED_TOO_FAR },
      "range",
      "body.missed.0",
    ],
    ["a base, though no view changes", { "body.base": "0100000001000000" }, "view", "body.base"],
  ])("%s", (_what, changes, reason, where) => {
    const frame = patched(frameOfSample("map-add missed"), COMMANDS["map-add"].body, changes)
    expect(decode(frame)).toEqual(new Refused(reason, `map-add.${where}`))
  })

  it("a missed range twice, and none at all", () => {
    const frame = frameOfSample("map-add missed")
    const tailAt = COMMAND_HEADER.bytes + COMMANDS["map-add"].body.bytes
    const kept = frame.header.slice(0, tailAt)
    const entry = frame.header.slice(tailAt, -CRC_BYTES)
    for (const [list, reason, where] of [
      [[...entry, ...entry], "sequence", "map-add.body.missed.1"],
      [[], "count", "map-add.body.missed"],
    ] as const) {
      const bent = Uint8Array.from([...kept, ...list, 0, 0, 0, 0])
      expect(decode(resized({ header: bent, payload: frame.payload }, 0))).toEqual(
        new Refused(reason, where),
      )
    }
  })

  it("a message that is longer or shorter than its command", () => {
    expect(decode(resized(frameOfSample("map-ready"), 1))).toEqual(
      new Refused("long", "map-ready.body"),
    )
    expect(decode(resized(frameOfSample("map-ready"), -1))).toEqual(
      new Refused("short", "map-ready.body"),
    )
    expect(decode({ header: new Uint8Array(51), payload: new Uint8Array(0) })).toEqual(
      new Refused("short"),
    )
    expect(decode({ header: new Uint8Array(513), payload: new Uint8Array(0) })).toEqual(
      new Refused("long"),
    )
  })

  it("any one flipped bit", () => {
    const frame = frameOfSample("map-send")
    for (let bit = 0; bit < frame.header.length * 8; bit++) {
      const header = frame.header.slice()
      header[bit >> 3]! ^= 1 << (bit & 7)
      expect(decode({ header, payload: frame.payload })).toBeInstanceOf(Refused)
    }
  })
})
