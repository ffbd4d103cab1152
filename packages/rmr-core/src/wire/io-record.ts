/**
 * The IO message as numbers: one record that is made once and filled for every request.
 *
 * What is longer than a double holds is several u32: a lineage is four words, the list of absent
 * members two. So encoding and decoding allocate nothing, and comparing a lineage is four compares.
 */
import { assert } from "../assert.js"
import { MEMBERS_MAX } from "../limits.js"
import type { Uuid } from "../rules/pool-metadata.js"

/** Operations; upstream's numbers, except that its 3 and 7 never leave a machine. */
export const OP_READ = 0
export const OP_WRITE = 1
export const OP_DISCARD = 2
export const OP_SYNC_READ = 3
export const OP_WRITE_ZEROES = 4
export const OP_FLUSH = 5
export const OP_MD_READ = 6
export const OP_MD_WRITE = 7

export const OP_NAMES: readonly string[] = [
  "read",
  "write",
  "discard",
  "sync-read",
  "write-zeroes",
  "flush",
  "md-read",
  "md-write",
]

/** Durable at completion, on every member that answers (Q17). */
export const IO_FUA = 1
/** A sync read that is answered by the digest of the bytes instead of the bytes (S7). */
export const IO_DIGEST = 2

/** Whether the operation changes the volume: the three that the rules call a mutation. */
export function isMutation(operation: number): boolean {
  return operation === OP_WRITE || operation === OP_DISCARD || operation === OP_WRITE_ZEROES
}

/** Whether the operation's payload goes with the request. */
export function sendsPayload(operation: number): boolean {
  return operation === OP_WRITE || operation === OP_MD_WRITE
}

/** Whether the operation is about the pool's metadata record and not about its volume. */
export function isMetadataOperation(operation: number): boolean {
  return operation === OP_MD_READ || operation === OP_MD_WRITE
}

export class IoRecord {
  groupId = 0
  /** FLAG_SYNC and FLAG_PAYLOAD_CRC of header.ts. */
  flags = 0
  epoch = 0
  viewVersion = 0
  lineage0 = 0
  lineage1 = 0
  lineage2 = 0
  lineage3 = 0
  sessionGeneration = 0
  operation: number = OP_READ
  /** IO_FUA, IO_DIGEST. */
  ioFlags = 0
  offset = 0
  length = 0
  /** `id.b` and `id.a`. */
  firstChunk = 0
  chunkCount = 0
  /** The io unit (`mem_id`). */
  unit = 0
  /** Of a mutation, gapless in its epoch; 0 for everything else (W1). */
  sequence = 0
  stableEpoch = 0
  stableSequence = 0
  /** Members that are absent in the sender's view: ascending ids, one a byte, then zeroes. */
  absent0 = 0
  absent1 = 0
  /** 0 for a compute client. */
  senderMemberId = 0
  /** Higher goes first where a node has to choose. */
  priority = 0
  payloadCrc = 0
}

/** Fills in the lineage of every request to come. */
export function setLineage(record: IoRecord, lineage: Uuid): void {
  record.lineage0 = lineageWord(lineage, 0)
  record.lineage1 = lineageWord(lineage, 1)
  record.lineage2 = lineageWord(lineage, 2)
  record.lineage3 = lineageWord(lineage, 3)
}

export function lineageOf(record: IoRecord): Uuid {
  return (
    hexOfWord(record.lineage0) +
    hexOfWord(record.lineage1) +
    hexOfWord(record.lineage2) +
    hexOfWord(record.lineage3)
  )
}

/**
 * The word of a lineage at its place in the record: compare these, not strings, in the data path.
 */
export function lineageWord(lineage: Uuid, word: 0 | 1 | 2 | 3): number {
  assert(/^[0-9a-f]{32}$/.test(lineage), `${lineage} is 32 lower-case hex digits`)
  return Number.parseInt(swapped(lineage.slice(word * 8, word * 8 + 8)), 16)
}

/** Fills in who is absent; `memberIds` ascend. */
export function setAbsentMembers(record: IoRecord, memberIds: readonly number[]): void {
  assert(memberIds.length <= MEMBERS_MAX, "a pool has at most MEMBERS_MAX members")
  let low = 0
  let high = 0
  for (let index = 0; index < memberIds.length; index++) {
    const shift = (index & 3) << 3
    if (index < 4) low |= memberIds[index]! << shift
    else high |= memberIds[index]! << shift
  }
  record.absent0 = low >>> 0
  record.absent1 = high >>> 0
}

/** The absent member at a place of the list, or 0 behind its end. */
export function absentMemberAt(record: IoRecord, index: number): number {
  const word = index < 4 ? record.absent0 : record.absent1
  return (word >>> ((index & 3) << 3)) & 0xff
}

function hexOfWord(word: number): string {
  return swapped(word.toString(16).padStart(8, "0"))
}

/** Eight hex digits with their four bytes the other way round. */
function swapped(hex: string): string {
  return hex.slice(6) + hex.slice(4, 6) + hex.slice(2, 4) + hex.slice(0, 2)
}
