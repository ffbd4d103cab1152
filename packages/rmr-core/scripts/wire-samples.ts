/**
 * One fixed message of every kind, with a different value in every field, for the golden bytes.
 *
 * They are kept so that a layout cannot change by accident: a field that moves, or a number that is
 * given to another word, shows up as a difference in golden/messages.json.
 */
import type { MemberId } from "../src/brand.js"
import { groupIdOfName } from "../src/group-id.js"
import { NO_VIEW, type PoolMetadata, ZERO_UUID } from "../src/rules/pool-metadata.js"
import type { Command, CommandKind, CommandTypes } from "../src/wire/command.js"
import type { Message } from "../src/wire/decode.js"
import { FLAG_PAYLOAD_CRC, FLAG_SYNC } from "../src/wire/header.js"
import {
  IO_DIGEST,
  IO_FUA,
  IoRecord,
  OP_DISCARD,
  OP_FLUSH,
  OP_MD_READ,
  OP_MD_WRITE,
  OP_READ,
  OP_SYNC_READ,
  OP_WRITE,
  OP_WRITE_ZEROES,
  setAbsentMembers,
  setLineage,
} from "../src/wire/io-record.js"
import {
  IoReplyRecord,
  REPLY_DIGEST,
  REPLY_DRAINING,
  REPLY_FLUSH_WANTED,
  REPLY_LAST_IO,
  REPLY_MISSED,
} from "../src/wire/io-reply.js"
import type { MemberReport } from "../src/wire/member-report.js"
import type { Reply } from "../src/wire/reply.js"

const LINEAGE = "00112233445566778899aabbccddeeff"
const OTHER_LINEAGE = "ffeeddccbbaa99887766554433221100"
const POOL_UUID = "0102030405060708090a0b0c0d0e0f10"
const STORE_A = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
const STORE_B = "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
const NONCE = "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
const DIGEST = "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"

const A = 7 as MemberId
const B = 9 as MemberId
const FORK = { epoch: 5, version: 6 }
const GIVEN_UP = { nonce: NONCE, abandonedLineage: OTHER_LINEAGE, abandonedView: FORK }
export const RECORD: PoolMetadata = {
  poolName: "golden",
  groupId: groupIdOfName("golden"),
  poolUuid: POOL_UUID,
  chunkSizeBytes: 128 * 1024,
  mappedSizeBytes: 5 * 2 ** 40,
  queueDepth: 128,
  minNormal: 1,
  mapVersion: { lineage: LINEAGE, epoch: 11, version: 22 },
  history: [{ lineage: OTHER_LINEAGE, fork: FORK, lostChunks: 7, isSettled: true }],
  members: [
    {
      memberId: A,
      storeUuid: STORE_A,
      address: "tcp://10.0.0.1:7000",
      role: "data",
      normalThrough: { epoch: 11, version: 22 },
      reported: { epoch: 11, version: 21 },
      incarnation: 33,
    },
    undefined,
    {
      memberId: B,
      storeUuid: STORE_B,
      address: "tcp://[::1]:7001",
      role: "data",
      normalThrough: { epoch: 10, version: 3 },
      reported: { epoch: 9, version: 2 },
      incarnation: 2 ** 40,
    },
  ],
  normal: 0b001,
  ranges: [
    { kind: "unresolved", offset: 2 ** 33, length: 4096, unit: 3, epoch: 7, sequence: 2 ** 34 },
    { kind: "uncertain", offset: 512, length: 32 * 2 ** 20, unit: 0, epoch: 0, sequence: 0 },
  ],
}

const REPORT: MemberReport = {
  storeUuid: STORE_A,
  seen: { epoch: 11, version: 23 },
  normalThrough: { epoch: 11, version: 21 },
  joinedView: { epoch: 11, version: 20 },
  incarnation: 2 ** 35,
  sizeBytes: 6 * 2 ** 40,
  seenNormal: 0b101,
  state: "no-io",
  restart: "cache-lost",
  lifecycle: "mapped",
}

const WHOLE = { operation: "write", isPartial: false } as const
const PARTIAL = { operation: "write-zeroes", isPartial: true } as const
const LAST_IO: CommandTypes["last-io-to-map"]["payload"] = [
  { ...WHOLE, unit: 1, epoch: 10, sequence: 2 ** 34, offset: 2 ** 35, length: 8192 },
  { ...PARTIAL, unit: 127, epoch: 11, sequence: 5, offset: 4096, length: 1 },
]

const MAPS: CommandTypes["map-buf-done"]["body"]["maps"] = [
  { digest: DIGEST, dirtyChunks: 2 ** 33, memberId: A },
  { digest: STORE_B, dirtyChunks: 1, memberId: B },
]

const PAGES: CommandTypes["send-map-buf"]["payload"] = [
  { memberId: A, records: Uint8Array.of(1, 2, 3) },
  { memberId: B, records: Uint8Array.of(4) },
]

const LAST = "last-delta"
const none = { payload: undefined }

type Exchange<K extends CommandKind> = {
  readonly request: Pick<CommandTypes[K], "body" | "payload">
  readonly answer: Pick<CommandTypes[K], "result"> & {
    readonly payload: CommandTypes[K]["resultPayload"]
  }
}

const OFFER = { versionMin: 1, versionMax: 3, features: 7, requiredFeatures: 5, software: "rmr ☂" }
const SEEN = { seen: { epoch: 12, version: 13 }, seenNormal: 5 }
const OWN_MAP = { dirtyChunks: 2 ** 34, suspectChunks: 17 }
const NOTHING = { result: {}, ...none }

const EXCHANGES: { readonly [K in CommandKind]: Exchange<K> } = {
  hello: { request: { body: OFFER, ...none }, answer: { result: OFFER, ...none } },
  query: {
    request: { body: {}, ...none },
    answer: {
      result: { report: REPORT, holderSilentMs: 1500, isHeld: true, holderHost: "client-1" },
      payload: RECORD,
    },
  },
  open: {
    request: { body: { nonce: NONCE, isTakeover: true, hostName: "client-2" }, ...none },
    answer: {
      result: { report: REPORT },
      payload: {
        metadata: RECORD,
        lastIo: LAST_IO,
        hotRanges: [{ offset: 2 ** 32, length: 2 ** 22 }],
      },
    },
  },
  hold: {
    request: { body: { stableEpoch: 11, stableSequence: 2 ** 36 }, ...none },
    answer: { result: { hotExtents: 12, isFlushWanted: true }, ...none },
  },
  "join-pool": {
    request: {
      body: {
        mode: "create",
        startsDirty: true,
        memberId: B,
        minNormal: RECORD.minNormal,
        chunkSizeBytes: RECORD.chunkSizeBytes,
        queueDepth: RECORD.queueDepth,
        mappedSizeBytes: RECORD.mappedSizeBytes,
        poolUuid: POOL_UUID,
        storeUuid: STORE_B,
        nonce: NONCE,
        poolName: RECORD.poolName,
      },
      payload: RECORD,
    },
    answer: { result: { report: REPORT }, ...none },
  },
  "rejoin-pool": {
    request: { body: GIVEN_UP, payload: RECORD },
    answer: { result: { report: REPORT }, ...none },
  },
  "enable-pool": {
    request: { body: { mode: "rejoin", joinedView: { epoch: 11, version: 21 } }, ...none },
    answer: { result: { report: REPORT }, ...none },
  },
  "leave-pool": { request: { body: { mode: "delete", memberId: B }, ...none }, answer: NOTHING },
  "pool-info": {
    request: {
      body: { operation: "add", mode: "create", memberId: B, isDirty: true, storeUuid: STORE_B },
      ...none,
    },
    answer: NOTHING,
  },
  "grow-store": {
    request: { body: { sizeBytes: 2 ** 40 }, ...none },
    answer: { result: { sizeBytes: 2 ** 41 }, ...none },
  },
  "map-ready": { request: { body: { update: 41 }, ...none }, answer: { result: OWN_MAP, ...none } },
  "map-send": {
    request: { body: { update: 42, phase: "delta", receiver: B }, ...none },
    answer: { result: { bufferCount: 3 }, ...none },
  },
  "send-map-buf": {
    request: { body: { update: 43, bufferNumber: 44, phase: "pages" }, payload: PAGES },
    answer: NOTHING,
  },
  "map-buf-done": {
    request: { body: { update: 45, bufferCount: 46, phase: LAST, maps: MAPS }, payload: PAGES },
    answer: NOTHING,
  },
  "map-done": {
    request: { body: { update: 47 }, ...none },
    answer: { result: OWN_MAP, ...none },
  },
  "map-disable": { request: { body: { update: 48 }, ...none }, answer: NOTHING },
  "read-map-buf": {
    request: { body: { firstPage: 49, memberId: A }, ...none },
    answer: { result: { nextPage: 50, isLast: true }, payload: PAGES.slice(0, 1) },
  },
  "map-check": {
    request: { body: {}, ...none },
    answer: {
      result: { dirtyChunks: 51, suspectChunks: 52, lostChunks: 53, isNormal: true },
      ...none,
    },
  },
  "map-get-ver": {
    request: { body: {}, ...none },
    answer: {
      result: {
        ...SEEN,
        normalThrough: { epoch: 9, version: 8 },
        joinedView: { epoch: 7, version: 6 },
        incarnation: 54,
      },
      ...none,
    },
  },
  "map-set-ver": {
    request: { body: { ...SEEN, persistedBy: A }, ...none },
    answer: { result: SEEN, ...none },
  },
  "map-add": {
    request: {
      body: { base: { epoch: 11, version: 20 }, purpose: "shrink", missed: [] },
      payload: RECORD,
    },
    answer: {
      result: {
        seen: { epoch: 11, version: 22 },
        durable: { epoch: 11, version: 21 },
        markedChunks: 55,
        isMoreTakenBack: false,
        takenBack: [{ range: 1 }, { range: 258 }],
      },
      payload: undefined,
    },
  },
  "map-clear": {
    request: {
      body: {
        joinedView: { epoch: 10, version: 9 },
        ranges: [
          { firstChunk: 56, chunkCount: 2 },
          { firstChunk: 2 ** 33, chunkCount: 57 },
        ],
      },
      ...none,
    },
    answer: NOTHING,
  },
  "last-io-to-map": {
    request: { body: { mode: "listed" }, payload: LAST_IO },
    answer: { result: { markedChunks: 58 }, ...none },
  },
  "read-last-io": { request: { body: {}, ...none }, answer: { result: {}, payload: LAST_IO } },
  elect: {
    request: {
      body: { step: "clear", elected: B, ranges: [{ firstChunk: 2 ** 34, chunkCount: 64 }] },
      ...none,
    },
    answer: { result: { changedChunks: 65 }, ...none },
  },
  "store-check": {
    request: { body: {}, ...none },
    answer: {
      result: { report: REPORT, hotExtents: 59, lastStatus: 20, isFlushWanted: true },
      ...none,
    },
  },
  "send-md-buf": {
    request: { body: { persistedBy: A }, payload: RECORD },
    answer: { result: SEEN, ...none },
  },
  "md-send": {
    request: { body: { known: { lineage: OTHER_LINEAGE, epoch: 3, version: 4 } }, ...none },
    answer: { result: { isUnchanged: false }, payload: RECORD },
  },
  "send-discard": {
    request: {
      body: { memberId: B, storeUuid: STORE_B, forgottenStoreUuid: STORE_A },
      ...none,
    },
    answer: { result: { markedChunks: 60 }, ...none },
  },
  "discard-clear-flag": {
    request: { body: { memberId: B, storeUuid: STORE_B }, ...none },
    answer: NOTHING,
  },
  user: {
    request: { body: { data: Uint8Array.of(9, 8, 7) }, ...none },
    answer: { result: { userStatus: -22 }, payload: Uint8Array.of(6, 5) },
  },
}

/** What a request of the holder of RECORD names. */
const HOLDER = {
  groupId: RECORD.groupId,
  mapVersion: RECORD.mapVersion,
  sessionGeneration: 61,
  senderMemberId: 0,
} as const
const NAMELESS = {
  groupId: 0,
  mapVersion: { lineage: ZERO_UUID, ...NO_VIEW },
  sessionGeneration: 0,
  senderMemberId: 0,
} as const

const FROM_NODES: readonly CommandKind[] = ["send-map-buf", "map-buf-done", "map-clear"]

function requestOf(kind: CommandKind): Command {
  const envelope = kind === "hello" ? NAMELESS : HOLDER
  const senderMemberId = FROM_NODES.includes(kind) ? A : 0
  const mapVersion = kind === "open" ? { ...envelope.mapVersion, version: 0 } : envelope.mapVersion
  return { kind, ...envelope, mapVersion, senderMemberId, ...EXCHANGES[kind].request } as Command
}

function answerTo(kind: CommandKind): Reply {
  const envelope =
    kind === "hello"
      ? { groupId: 0, memberId: 0, mapVersion: NAMELESS.mapVersion, openEpoch: 0 }
      : { groupId: RECORD.groupId, memberId: A, mapVersion: RECORD.mapVersion, openEpoch: 12 }
  return { kind, ...envelope, outcome: "ok", ...EXCHANGES[kind].answer } as Reply
}

/** A request with everything that all operations share. */
function ioOf(operation: number, more: Partial<IoRecord> = {}): IoRecord {
  const io = Object.assign(new IoRecord(), {
    groupId: RECORD.groupId,
    epoch: 11,
    viewVersion: 22,
    sessionGeneration: 61,
    operation,
    unit: 62,
    priority: 63,
    stableEpoch: 10,
    stableSequence: 2 ** 37,
    ...more,
  })
  setLineage(io, LINEAGE)
  return io
}

const RANGE = { offset: 2 ** 40 + 4096, length: 262144, firstChunk: 2 ** 23, chunkCount: 3 }

function mutation(operation: number, more: Partial<IoRecord>): IoRecord {
  const io = ioOf(operation, { ...RANGE, sequence: 2 ** 41 + 1, ...more })
  setAbsentMembers(io, [3, 9, 21, 40, 255])
  return io
}

const IOS: Readonly<Record<string, IoRecord>> = {
  read: ioOf(OP_READ, RANGE),
  write: mutation(OP_WRITE, { flags: FLAG_PAYLOAD_CRC, payloadCrc: 0xfedcba98, ioFlags: IO_FUA }),
  "write without payload checksum": mutation(OP_WRITE, {}),
  discard: mutation(OP_DISCARD, {}),
  "write-zeroes": mutation(OP_WRITE_ZEROES, { ioFlags: IO_FUA }),
  flush: ioOf(OP_FLUSH),
  "sync-read": ioOf(OP_SYNC_READ, { ...RANGE, flags: FLAG_SYNC, senderMemberId: 9 }),
  "sync-read by digest": ioOf(OP_SYNC_READ, {
    ...RANGE,
    flags: FLAG_SYNC,
    senderMemberId: 9,
    ioFlags: IO_DIGEST,
  }),
  "md-read": ioOf(OP_MD_READ, { offset: 64, length: 128 }),
  "md-write": ioOf(OP_MD_WRITE, { length: 300, flags: FLAG_PAYLOAD_CRC, payloadCrc: 0x1234567 }),
}

const IO_REPLIES: Readonly<Record<string, Partial<IoReplyRecord>>> = {
  done: { replyFlags: REPLY_FLUSH_WANTED },
  "read done": { payloadBytes: 262144, payloadCrc: 0x89abcdef, flags: FLAG_PAYLOAD_CRC },
  digest: {
    replyFlags: REPLY_DIGEST,
    digest0: 0x03020100,
    digest1: 0x07060504,
    digest2: 0x0b0a0908,
    digest3: 0x0f0e0d0c,
  },
  missed: { status: 20, replyFlags: REPLY_MISSED, badAt: 8192, badBytes: 512 },
  draining: { status: 15, replyFlags: REPLY_DRAINING },
  fenced: { status: 12, openEpoch: 99 },
  "sync-read done": { payloadBytes: 131072, replyFlags: REPLY_LAST_IO, lastIoCount: 2 },
}

const IO_REPLY: Partial<IoReplyRecord> = {
  groupId: RECORD.groupId,
  viewEpoch: 11,
  viewVersion: 22,
  openEpoch: 12,
}

const MISSED: Command = {
  kind: "map-add",
  ...HOLDER,
  body: {
    base: NO_VIEW,
    purpose: "missed",
    missed: [{ sequence: 2 ** 42, offset: 2 ** 43, length: 64 }],
  },
  payload: undefined,
}

const REFUSED: Reply = {
  kind: "open",
  groupId: RECORD.groupId,
  memberId: A,
  mapVersion: RECORD.mapVersion,
  openEpoch: 12,
  outcome: "held",
  detail: "client-1 was heard 1.5 s ago — wait, or take over",
}

/** Every sample by name. */
export function samples(): ReadonlyMap<string, Message> {
  const all = new Map<string, Message>()
  for (const [name, io] of Object.entries(IOS)) all.set(`IO ${name}`, { type: "io", io })
  for (const [name, fields] of Object.entries(IO_REPLIES)) {
    const reply = Object.assign(new IoReplyRecord(), IO_REPLY, fields)
    const lastIo = LAST_IO.slice(0, reply.lastIoCount)
    all.set(`IO_RSP ${name}`, { type: "io-reply", reply, lastIo })
  }
  for (const kind of Object.keys(EXCHANGES) as CommandKind[]) {
    all.set(`CMD ${kind}`, { type: "command", command: requestOf(kind) })
    all.set(`CMD_RSP ${kind}`, { type: "reply", reply: answerTo(kind) })
  }
  all.set("CMD map-add missed", { type: "command", command: MISSED })
  all.set("CMD_RSP refused", { type: "reply", reply: REFUSED })
  return all
}
