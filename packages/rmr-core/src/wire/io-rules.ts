/**
 * What makes an IO request valid: one function that refuses everything else.
 *
 * | operation | sender | range | chunks | sequence | absent | FUA | DIGEST | payload |
 * |---|---|---|---|---|---|---|---|---|
 * | read | client | yes | yes | 0 | – | – | – | back |
 * | write | client | yes | yes | ≥ 1 | may | may | – | out |
 * | discard, write-zeroes | client | yes | yes | ≥ 1 | may | may | – | none |
 * | sync-read | node | yes | yes | 0 | – | – | may | back |
 * | flush | client | 0 | 0 | 0 | – | – | – | none |
 * | md-read | either | of the record | 0 | 0 | – | – | – | back |
 * | md-write | client | of the record, from 0 | 0 | 0 | – | yes | – | out |
 *
 * Every request names a lineage, an epoch and a view (F3). A stable number is of this epoch or an
 * older one, and never reaches the mutation that carries it: that one is not resolved yet (I2).
 */
import { CHUNK_BYTES_MIN, IO_BYTES_MAX, QUEUE_DEPTH_MAX, VOLUME_BYTES_MAX } from "../limits.js"
import { FLAG_PAYLOAD_CRC, FLAG_SYNC, FLAGS_KNOWN } from "./header.js"
import {
  absentMemberAt,
  IO_DIGEST,
  IO_FUA,
  type IoRecord,
  isMutation,
  OP_DISCARD,
  OP_FLUSH,
  OP_MD_READ,
  OP_MD_WRITE,
  OP_READ,
  OP_SYNC_READ,
  OP_WRITE,
  OP_WRITE_ZEROES,
} from "./io-record.js"
import { POOL_METADATA_BYTES_MAX } from "./pool-metadata-layout.js"
import { ACCEPTED, REFUSALS, type Refusal } from "./refusal.js"

/** An IO of the largest size touches this many chunks when it starts in the middle of one. */
export const IO_CHUNKS_MAX: number = IO_BYTES_MAX / CHUNK_BYTES_MIN + 1

const CHUNKS_MAX = VOLUME_BYTES_MAX / CHUNK_BYTES_MIN

const FLAGS = REFUSALS.flags.number
const VALUE = REFUSALS.value.number
const UNSAFE = REFUSALS.unsafe.number
const VIEW = REFUSALS.view.number
const RANGE = REFUSALS.range.number
const CHUNKS = REFUSALS.chunks.number
const MEMBERS = REFUSALS.members.number
const SEQUENCE = REFUSALS.sequence.number
const SENDER = REFUSALS.sender.number
const UNIT = REFUSALS.unit.number

/** What an operation may carry, as bits: the rows of the table above. */
const FROM_CLIENT = 1
const FROM_NODE = 2
const HAS_RANGE = 4
const MAY_FUA = 8
const MAY_DIGEST = 16
const PAYLOAD_OUT = 32
const OF_RECORD = 64

const TRAITS: readonly number[] = makeTraits()

/** ACCEPTED, or the first thing that is wrong with the request whatever pool it is for. */
export function refuseIo(io: IoRecord): Refusal {
  const traits = TRAITS[io.operation]
  if (traits === undefined) return VALUE

  const flagsAllowed = (traits & PAYLOAD_OUT) === 0 ? FLAG_SYNC : FLAGS_KNOWN
  if ((io.flags & ~flagsAllowed) !== 0) return FLAGS
  if ((io.flags & FLAG_PAYLOAD_CRC) === 0 && io.payloadCrc !== 0) return FLAGS
  const ioFlagsAllowed =
    ((traits & MAY_FUA) === 0 ? 0 : IO_FUA) | ((traits & MAY_DIGEST) === 0 ? 0 : IO_DIGEST)
  if ((io.ioFlags & ~ioFlagsAllowed) !== 0) return FLAGS

  const isFromNode = (io.flags & FLAG_SYNC) !== 0
  if (isFromNode !== (io.senderMemberId !== 0)) return SENDER
  if ((traits & (isFromNode ? FROM_NODE : FROM_CLIENT)) === 0) return SENDER

  if (io.epoch === 0 || io.viewVersion === 0) return VIEW
  if (io.lineage0 === 0 && io.lineage1 === 0 && io.lineage2 === 0 && io.lineage3 === 0) return VIEW

  if (io.unit >= QUEUE_DEPTH_MAX) return UNIT
  const refusal = (traits & OF_RECORD) === 0 ? refuseRange(io, traits) : refuseRecordRange(io)
  return refusal === ACCEPTED ? refuseNumbers(io) : refusal
}

function refuseRange(io: IoRecord, traits: number): Refusal {
  if (io.offset > Number.MAX_SAFE_INTEGER || io.firstChunk > Number.MAX_SAFE_INTEGER) return UNSAFE
  if ((traits & HAS_RANGE) === 0) {
    if (io.offset !== 0 || io.length !== 0) return RANGE
    return io.firstChunk === 0 && io.chunkCount === 0 ? ACCEPTED : CHUNKS
  }
  if (io.length === 0 || io.length > IO_BYTES_MAX) return RANGE
  if (io.offset + io.length > VOLUME_BYTES_MAX) return RANGE
  if (io.chunkCount === 0 || io.chunkCount > IO_CHUNKS_MAX) return CHUNKS
  return io.firstChunk + io.chunkCount > CHUNKS_MAX ? CHUNKS : ACCEPTED
}

/** The md operations address bytes of the encoded record; an md-write replaces the whole of it. */
function refuseRecordRange(io: IoRecord): Refusal {
  if (io.firstChunk !== 0 || io.chunkCount !== 0) return CHUNKS
  if (io.offset > POOL_METADATA_BYTES_MAX || io.length === 0) return RANGE
  if (io.offset + io.length > POOL_METADATA_BYTES_MAX) return RANGE
  return io.operation === OP_MD_WRITE && io.offset !== 0 ? RANGE : ACCEPTED
}

function refuseNumbers(io: IoRecord): Refusal {
  if (io.sequence > Number.MAX_SAFE_INTEGER || io.stableSequence > Number.MAX_SAFE_INTEGER) {
    return UNSAFE
  }
  const mutates = isMutation(io.operation)
  if (mutates !== (io.sequence !== 0)) return SEQUENCE
  if (io.stableEpoch > io.epoch) return SEQUENCE
  if (io.stableEpoch === 0 && io.stableSequence !== 0) return SEQUENCE
  if (mutates && io.stableEpoch === io.epoch && io.stableSequence >= io.sequence) return SEQUENCE
  if (io.absent0 === 0 && io.absent1 === 0) return ACCEPTED
  return mutates ? refuseAbsentMembers(io) : MEMBERS
}

/** Ascending ids, then zeroes; not all eight, because somebody gets the mutation. */
function refuseAbsentMembers(io: IoRecord): Refusal {
  let before = 0
  let isEnded = false
  for (let index = 0; index < 8; index++) {
    const id = absentMemberAt(io, index)
    if (id === 0) isEnded = true
    else if (isEnded || id <= before) return MEMBERS
    else before = id
  }
  return isEnded ? ACCEPTED : MEMBERS
}

function makeTraits(): readonly number[] {
  const traits: number[] = []
  traits[OP_READ] = FROM_CLIENT | HAS_RANGE
  traits[OP_WRITE] = FROM_CLIENT | HAS_RANGE | MAY_FUA | PAYLOAD_OUT
  traits[OP_DISCARD] = FROM_CLIENT | HAS_RANGE | MAY_FUA
  traits[OP_SYNC_READ] = FROM_NODE | HAS_RANGE | MAY_DIGEST
  traits[OP_WRITE_ZEROES] = FROM_CLIENT | HAS_RANGE | MAY_FUA
  traits[OP_FLUSH] = FROM_CLIENT
  traits[OP_MD_READ] = FROM_CLIENT | FROM_NODE | OF_RECORD
  traits[OP_MD_WRITE] = FROM_CLIENT | OF_RECORD | PAYLOAD_OUT
  return traits
}
