/** Arbitrary valid IO requests and answers; see wire-arbitraries.ts. */
import fc from "fast-check"
import { ERROR_CODES } from "../src/errors.js"
import {
  IO_BYTES_MAX,
  QUEUE_DEPTH_MAX,
  REPLY_LAST_IO_MAX,
  VOLUME_BYTES_MAX,
} from "../src/limits.js"
import { FLAG_PAYLOAD_CRC, FLAG_SYNC } from "../src/wire/header.js"
import {
  IO_DIGEST,
  IO_FUA,
  IoRecord,
  isMetadataOperation,
  isMutation,
  OP_FLUSH,
  OP_MD_READ,
  OP_MD_WRITE,
  OP_NAMES,
  OP_SYNC_READ,
  sendsPayload,
  setAbsentMembers,
  setLineage,
} from "../src/wire/io-record.js"
import {
  IoReplyRecord,
  REPLY_DIGEST,
  REPLY_DRAINING,
  REPLY_FLUSH_WANTED,
  REPLY_FOREGROUND,
  REPLY_LAST_IO,
  REPLY_LAST_IO_MORE,
  REPLY_MISSED,
  REPLY_PRESSED,
} from "../src/wire/io-reply.js"
import type { LastIoEntry } from "../src/wire/last-io-entry.js"
import { POOL_METADATA_BYTES_MAX } from "../src/wire/pool-metadata-layout.js"
import { lastIoEntries, nonZero, rangeIn, u8, u32, u53, uuid } from "./wire-arbitraries.js"

/** The pool for which every request from here is valid. */
export const IO_POOL = {
  mappedSizeBytes: VOLUME_BYTES_MAX,
  chunkSizeBytes: 128 * 1024,
  queueDepth: QUEUE_DEPTH_MAX,
  blockBytes: 1,
} as const

const operation = fc.integer({ min: 0, max: OP_NAMES.length - 1 })

/** What every request names, whatever it asks. */
const envelope = fc.record({
  groupId: u32,
  epoch: nonZero,
  viewVersion: nonZero,
  sessionGeneration: u32,
  lineage: uuid,
  unit: fc.integer({ min: 0, max: QUEUE_DEPTH_MAX - 1 }),
  priority: u8,
  sender: fc.integer({ min: 1, max: 255 }),
})

const choices = fc.record({
  range: rangeIn(VOLUME_BYTES_MAX, IO_BYTES_MAX),
  recordRange: rangeIn(POOL_METADATA_BYTES_MAX, POOL_METADATA_BYTES_MAX),
  sequence: u53.map((value) => Math.max(1, value)),
  stableEpoch: u32,
  stableSequence: u53,
  absent: fc.uniqueArray(fc.integer({ min: 1, max: 255 }), { maxLength: 7 }),
  isFua: fc.boolean(),
  isDigest: fc.boolean(),
  isFromNode: fc.boolean(),
  payloadCrc: fc.option(u32, { nil: undefined }),
})

type Choices = typeof choices extends fc.Arbitrary<infer Value> ? Value : never

export const ioRecord: fc.Arbitrary<IoRecord> = fc
  .tuple(operation, envelope, choices)
  .map(([op, { lineage, sender, ...numbers }, choice]) => {
    const io = Object.assign(new IoRecord(), numbers, { operation: op })
    setLineage(io, lineage)
    fillRange(io, choice)
    fillNumbers(io, choice)
    const isFromNode = op === OP_SYNC_READ || (op === OP_MD_READ && choice.isFromNode)
    if (isFromNode) {
      io.flags |= FLAG_SYNC
      io.senderMemberId = sender
    }
    if (choice.isDigest && op === OP_SYNC_READ) io.ioFlags |= IO_DIGEST
    if (sendsPayload(op) && choice.payloadCrc !== undefined) {
      io.flags |= FLAG_PAYLOAD_CRC
      io.payloadCrc = choice.payloadCrc
    }
    return io
  })

function fillRange(io: IoRecord, { range, recordRange }: Choices): void {
  if (io.operation === OP_FLUSH) return
  if (isMetadataOperation(io.operation)) {
    io.offset = io.operation === OP_MD_WRITE ? 0 : recordRange.offset
    io.length = recordRange.length
    return
  }
  const { chunkSizeBytes } = IO_POOL
  io.offset = range.offset
  io.length = range.length
  io.firstChunk = Math.floor(range.offset / chunkSizeBytes)
  const last = Math.floor((range.offset + range.length - 1) / chunkSizeBytes)
  io.chunkCount = last - io.firstChunk + 1
}

function fillNumbers(io: IoRecord, choice: Choices): void {
  io.stableEpoch = Math.min(choice.stableEpoch, io.epoch)
  io.stableSequence = io.stableEpoch === 0 ? 0 : choice.stableSequence
  if (!isMutation(io.operation)) return
  io.sequence = choice.sequence
  if (io.stableEpoch === io.epoch) {
    io.stableSequence = Math.min(io.stableSequence, io.sequence - 1)
  }
  if (choice.isFua) io.ioFlags |= IO_FUA
  setAbsentMembers(
    io,
    [...choice.absent].sort((a, b) => a - b),
  )
}

const statuses = Object.values(ERROR_CODES).map(({ status }) => status)

const plainReply: fc.Arbitrary<IoReplyRecord> = fc
  .record({
    groupId: u32,
    view: fc.option(fc.record({ viewEpoch: nonZero, viewVersion: nonZero }), { nil: undefined }),
    openEpoch: u32,
    status: fc.oneof(fc.constant(0), fc.constantFrom(...statuses)),
    hints: fc.constantFrom(
      0,
      REPLY_FLUSH_WANTED,
      REPLY_DRAINING,
      REPLY_FOREGROUND,
      REPLY_FOREGROUND | REPLY_PRESSED,
    ),
    isMissed: fc.boolean(),
    digest: fc.option(fc.tuple(u32, u32, u32, u32), { nil: undefined }),
    payload: fc.option(
      fc.record({
        bytes: fc.integer({ min: 1, max: IO_BYTES_MAX }),
        crc: fc.option(u32, { nil: undefined }),
      }),
      { nil: undefined },
    ),
    bad: fc.option(rangeIn(IO_BYTES_MAX, IO_BYTES_MAX), { nil: undefined }),
  })
  .map(({ groupId, view, openEpoch, status, hints, isMissed, digest, payload, bad }) => {
    const reply = Object.assign(new IoReplyRecord(), { groupId, openEpoch, status }, view)
    reply.replyFlags = hints
    const { "media-error": media, "no-clean-copy": noCopy, corrupt, lost } = ERROR_CODES
    if (isMissed && (status === media.status || status === noCopy.status)) {
      reply.replyFlags |= REPLY_MISSED
    }
    const mayBeBad = [media.status, corrupt.status, lost.status].some((one) => one === status)
    if (bad !== undefined && mayBeBad)
      Object.assign(reply, { badAt: bad.offset, badBytes: bad.length })
    if (status !== 0) return reply
    if (digest !== undefined) {
      reply.replyFlags |= REPLY_DIGEST
      ;[reply.digest0, reply.digest1, reply.digest2, reply.digest3] = digest
    } else if (payload !== undefined) {
      reply.payloadBytes = payload.bytes
      if (payload.crc !== undefined) {
        reply.flags = FLAG_PAYLOAD_CRC
        reply.payloadCrc = payload.crc
      }
    }
    return reply
  })

/** An answer, and the last io entries that it lists. */
export interface IoReply {
  readonly reply: IoReplyRecord
  readonly lastIo: readonly LastIoEntry[]
}

export const ioReply: fc.Arbitrary<IoReply> = fc
  .tuple(
    plainReply,
    fc.oneof(fc.constant([]), lastIoEntries(4096), lastIoEntries(4096, REPLY_LAST_IO_MAX)),
    fc.boolean(),
  )
  .map(([reply, entries, isCut]) => {
    const lastIo = reply.status === 0 ? entries : []
    reply.lastIoCount = lastIo.length
    if (lastIo.length > 0) reply.replyFlags |= REPLY_LAST_IO
    if (lastIo.length === REPLY_LAST_IO_MAX && isCut) reply.replyFlags |= REPLY_LAST_IO_MORE
    return { reply, lastIo }
  })
