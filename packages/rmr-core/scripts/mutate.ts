/**
 * Turns valid messages into almost valid ones: the raw material of the fuzzer.
 *
 * Most mutants get their checksums repaired afterwards, so that what is wrong with them is found by
 * the check that is meant to find it, and not by the first one. Everything follows from one seed.
 */
import { crc32c } from "../src/wire/crc32c.js"
import type { Layout } from "../src/wire/layout.js"
import type { Frame } from "./frames.js"

/** A small seeded generator (mulberry32): fast, and the same everywhere. */
export class Dice {
  private state: number

  constructor(seed: number) {
    this.state = seed | 0
  }

  u32(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let value = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return (value ^ (value >>> 14)) >>> 0
  }

  below(bound: number): number {
    return Math.floor((this.u32() / 2 ** 32) * bound)
  }

  oneIn(count: number): boolean {
    return this.below(count) === 0
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)]!
  }
}

/** What the mutator knows about a kind of message, so that it hits fields and not only bits. */
export interface MutationTarget {
  readonly header: readonly Layout[]
  /** Where the fields of the second layout begin. */
  readonly bodyAt: number
  /** Where a payload's length and checksum are in the header; undefined where it has none. */
  readonly payloadFieldsAt: { readonly bytesAt: number; readonly crcAt: number } | undefined
  /** Where a sealed view record lies in the payload, if there is one. */
  recordIn(payload: Uint8Array): { readonly at: number; readonly bytes: number } | undefined
}

/** One mutant of `frame`; `other` is a message of the same kind to take parts from. */
export function mutantOf(frame: Frame, other: Frame, target: MutationTarget, dice: Dice): Frame {
  const aimsAtPayload = frame.payload.length > 0 && dice.oneIn(2)
  let header: Uint8Array = frame.header
  let payload: Uint8Array = frame.payload
  if (aimsAtPayload) payload = mutated(payload, other.payload, NO_FIELDS, dice)
  else header = mutated(header, other.header, fieldsOf(target), dice)
  // A copy, because repairing writes, and what was not mutated still belongs to the sample.
  header = header.slice()
  payload = payload.slice()
  if (!dice.oneIn(8)) repairRecord(payload, target)
  if (!dice.oneIn(8)) repairPayloadFields(header, payload, target)
  if (!dice.oneIn(8)) repairSeal(header)
  return { header, payload }
}

interface Place {
  readonly at: number
  readonly bytes: number
}

const NO_FIELDS: readonly Place[] = []

function fieldsOf({ header, bodyAt }: MutationTarget): readonly Place[] {
  return header.flatMap(({ fields }, index) =>
    fields.map(({ at, bytes }) => ({ at: at + (index === 0 ? 0 : bodyAt), bytes })),
  )
}

function mutated(
  bytes: Uint8Array,
  other: Uint8Array,
  fields: readonly Place[],
  dice: Dice,
): Uint8Array {
  let result: Uint8Array = bytes.slice()
  const rounds = dice.oneIn(4) ? 1 + dice.below(4) : 1
  for (let round = 0; round < rounds; round++) {
    result = mutatedOnce(result, other, fields, dice)
  }
  return result
}

function mutatedOnce(
  bytes: Uint8Array,
  other: Uint8Array,
  fields: readonly Place[],
  dice: Dice,
): Uint8Array {
  if (bytes.length === 0) return new Uint8Array(dice.below(8))
  switch (dice.below(8)) {
    case 0:
    case 1:
      return withBitsFlipped(bytes, dice)
    case 2:
      return bytes.slice(0, dice.below(bytes.length))
    case 3:
      return extended(bytes, dice)
    case 4:
      return spliced(bytes, other, dice)
    case 5:
      return withField(bytes, other, randomPlace(bytes, dice), dice)
    default:
      return withField(
        bytes,
        other,
        fields.length > 0 ? dice.pick(fields) : randomPlace(bytes, dice),
        dice,
      )
  }
}

function withBitsFlipped(bytes: Uint8Array, dice: Dice): Uint8Array {
  const count = dice.oneIn(2) ? 1 : 1 + dice.below(8)
  for (let flip = 0; flip < count; flip++) bytes[dice.below(bytes.length)]! ^= 1 << dice.below(8)
  return bytes
}

function extended(bytes: Uint8Array, dice: Dice): Uint8Array {
  const result = new Uint8Array(bytes.length + 1 + dice.below(dice.oneIn(8) ? 600 : 40))
  result.set(bytes)
  if (dice.oneIn(2)) result.fill(dice.below(256), bytes.length)
  return result
}

/** A stretch of another message, here at the same place or at any other. */
function spliced(bytes: Uint8Array, other: Uint8Array, dice: Dice): Uint8Array {
  if (other.length === 0) return bytes
  const from = dice.below(other.length)
  const length = Math.min(1 + dice.below(32), other.length - from)
  const to = dice.oneIn(2) ? from : dice.below(bytes.length)
  for (let index = 0; index < length && to + index < bytes.length; index++) {
    bytes[to + index] = other[from + index]!
  }
  return bytes
}

function randomPlace(bytes: Uint8Array, dice: Dice): Place {
  return { at: dice.below(bytes.length), bytes: dice.pick([1, 2, 4, 8]) }
}

/** A field gets a value from the edge of something, or the one that another message has there. */
function withField(bytes: Uint8Array, other: Uint8Array, place: Place, dice: Dice): Uint8Array {
  const end = Math.min(place.at + place.bytes, bytes.length)
  const fill = dice.below(7)
  for (let at = place.at; at < end; at++) {
    const isTop = at === end - 1
    const isBottom = at === place.at
    if (fill === 0) bytes[at] = 0
    else if (fill === 1) bytes[at] = 0xff
    else if (fill === 2) bytes[at] = isBottom ? 1 : 0
    else if (fill === 3) bytes[at] = isTop ? 0x80 : 0
    else if (fill === 4) bytes[at] = other[at] ?? 0
    else if (fill === 5) bytes[at] = dice.below(256)
    else bytes[at]! += isBottom ? dice.pick([1, 255]) : 0
  }
  return bytes
}

/** The view record in a payload: its length and its own checksum. */
function repairRecord(payload: Uint8Array, target: MutationTarget): void {
  const record = target.recordIn(payload)
  if (record === undefined || record.bytes < 24 || record.at + record.bytes > payload.length) return
  const view = new DataView(payload.buffer, record.at, record.bytes)
  view.setUint32(16, record.bytes, true)
  view.setUint32(record.bytes - 4, crc32c(view, 0, record.bytes - 4), true)
}

function repairPayloadFields(
  header: Uint8Array,
  payload: Uint8Array,
  target: MutationTarget,
): void {
  const fields = target.payloadFieldsAt
  if (fields === undefined || header.length < fields.crcAt + 4) return
  const view = new DataView(header.buffer)
  const payloadView = new DataView(payload.buffer)
  view.setUint32(fields.bytesAt, payload.length, true)
  const crc = payload.length === 0 ? 0 : crc32c(payloadView, 0, payload.length)
  view.setUint32(fields.crcAt, crc, true)
}

function repairSeal(header: Uint8Array): void {
  if (header.length < 4) return
  const view = new DataView(header.buffer)
  view.setUint32(header.length - 4, crc32c(view, 0, header.length - 4), true)
}
