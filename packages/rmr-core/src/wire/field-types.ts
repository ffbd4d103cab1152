/**
 * The kinds of values that fields hold: each reads strictly, so that no two byte strings mean the
 * same.
 *
 * Enumerations start at 1: a field of zeroes is never a valid choice. Where 0 stands for "none",
 * the type says so.
 */
import { assert } from "../assert.js"
import { MEMBER_ID_MAX, type MemberId } from "../brand.js"
import type { MapVersion, Uuid, ViewNumber } from "../rules/pool-metadata.js"
import { ZERO_UUID } from "../rules/pool-metadata.js"
import { readUuid, writeUuid } from "../uuid.js"
import type { FieldType } from "./layout.js"
import { Refused } from "./refusal.js"

/** A member, or 0 where a compute client stands. */
export type OptionalMemberId = MemberId | 0

/** 16 bytes of a digest as 32 lower-case hex digits. */
export type Digest = string
export const ZERO_DIGEST: Digest = ZERO_UUID

const TWO_32 = 2 ** 32
const U32_MAX = TWO_32 - 1

/** The refusals of field types carry no place: whoever walks the table adds it. */
export const REFUSED_VALUE: Refused = new Refused("value")
export const REFUSED_UNSAFE: Refused = new Refused("unsafe")
const REFUSED_RESERVED = new Refused("reserved")
const REFUSED_VIEW = new Refused("view")

export const U8: FieldType<number> = integer("u8", 1, 0, 0xff)
export const U16: FieldType<number> = integer("u16", 2, 0, 0xffff)
export const U32: FieldType<number> = integer("u32", 4, 0, U32_MAX)

/** An integer of 1, 2 or 4 bytes inside fixed bounds. */
export function integer(
  name: string,
  bytes: 1 | 2 | 4,
  min: number,
  max: number,
): FieldType<number> {
  return {
    name,
    bytes,
    read(view, at) {
      const value = readUnsigned(view, at, bytes)
      return value < min || value > max ? REFUSED_VALUE : value
    },
    write(view, at, value) {
      assert(Number.isInteger(value) && value >= min && value <= max, `${value} is a ${name}`)
      if (bytes === 1) view.setUint8(at, value)
      else if (bytes === 2) view.setUint16(at, value, true)
      else view.setUint32(at, value, true)
    },
  }
}

/** 0…2^53-1 in eight bytes. */
export const U64: FieldType<number> = safeInteger("u64", Number.MAX_SAFE_INTEGER)

export function safeInteger(name: string, max: number): FieldType<number> {
  return {
    name,
    bytes: 8,
    read(view, at) {
      const value = readU64(view, at)
      if (!Number.isSafeInteger(value)) return REFUSED_UNSAFE
      return value > max ? REFUSED_VALUE : value
    },
    write(view, at, value) {
      assert(Number.isSafeInteger(value) && value >= 0 && value <= max, `${value} is a ${name}`)
      writeU64(view, at, value)
    },
  }
}

/** A power of two as its value; `orZero` allows 0 for "not said". */
export function powerOfTwo(min: number, max: number, orZero: boolean): FieldType<number> {
  const accepts = (value: number): boolean =>
    (orZero && value === 0) || (value >= min && value <= max && (value & (value - 1)) === 0)
  return {
    name: "u32",
    bytes: 4,
    read(view, at) {
      const value = view.getUint32(at, true)
      return accepts(value) ? value : REFUSED_VALUE
    },
    write(view, at, value) {
      assert(accepts(value), `${value} is a power of two in ${min}…${max}`)
      view.setUint32(at, value, true)
    },
  }
}

export const I32: FieldType<number> = {
  name: "i32",
  bytes: 4,
  read: (view, at) => view.getInt32(at, true),
  write(view, at, value) {
    assert((value | 0) === value, `${value} is an i32`)
    view.setInt32(at, value, true)
  },
}

export const BOOL: FieldType<boolean> = {
  name: "bool",
  bytes: 1,
  read(view, at) {
    const value = view.getUint8(at)
    return value > 1 ? REFUSED_VALUE : value === 1
  },
  write: (view, at, value) => view.setUint8(at, value ? 1 : 0),
}

/** Bytes that nobody may use yet: written as zero, refused when they are not. */
export function reserved(bytes: number): FieldType<undefined> {
  return {
    name: "zero",
    bytes,
    read(view, at) {
      for (let index = 0; index < bytes; index++) {
        if (view.getUint8(at + index) !== 0) return REFUSED_RESERVED
      }
      return undefined
    },
    write(view, at) {
      for (let index = 0; index < bytes; index++) view.setUint8(at + index, 0)
    },
  }
}

/** One of several words, each with its fixed number. */
export function oneOf<Word extends string>(
  numbers: Readonly<Record<Word, number>>,
): FieldType<Word> {
  const wordsByNumber = new Map<number, Word>()
  for (const word of Object.keys(numbers) as Word[]) wordsByNumber.set(numbers[word], word)
  const shown = [...wordsByNumber].map(([number, word]) => `${number} ${word}`).join(", ")
  return {
    name: `u8: ${shown}`,
    bytes: 1,
    read: (view, at) => wordsByNumber.get(view.getUint8(at)) ?? REFUSED_VALUE,
    write(view, at, word) {
      assert(numbers[word] !== undefined, `${word} is one of ${shown}`)
      view.setUint8(at, numbers[word])
    },
  }
}

export const MEMBER_ID: FieldType<MemberId> = {
  name: "member id",
  bytes: 1,
  read(view, at) {
    const value = view.getUint8(at)
    return value === 0 ? REFUSED_VALUE : (value as MemberId)
  },
  write(view, at, value) {
    assert(value >= 1 && value <= MEMBER_ID_MAX, `${value} is a member id`)
    view.setUint8(at, value)
  },
}

export const OPTIONAL_MEMBER_ID: FieldType<OptionalMemberId> = {
  name: "member id or 0",
  bytes: 1,
  read: (view, at) => view.getUint8(at) as OptionalMemberId,
  write(view, at, value) {
    assert(value >= 0 && value <= MEMBER_ID_MAX, `${value} is a member id or 0`)
    view.setUint8(at, value)
  },
}

/** 16 bytes as 32 hex digits, in the order in which they are read. */
function hex16(name: string, orZero: boolean): FieldType<string> {
  return {
    name,
    bytes: 16,
    read(view, at) {
      const value = readUuid(view, at)
      return !orZero && value === ZERO_UUID ? REFUSED_VALUE : value
    },
    write(view, at, value) {
      assert(orZero || value !== ZERO_UUID, `a ${name} is not zero`)
      writeUuid(view, at, value)
    },
  }
}

export const UUID: FieldType<Uuid> = hex16("uuid", false)
export const OPTIONAL_UUID: FieldType<Uuid> = hex16("uuid or 0", true)
export const DIGEST: FieldType<Digest> = hex16("128 bit", true)

/**
 * (epoch, version) as one u64 with the epoch in the upper half, so that it sorts as a number would.
 */
export const VIEW: FieldType<ViewNumber> = {
  name: "view",
  bytes: 8,
  read: (view, at) => ({ version: view.getUint32(at, true), epoch: view.getUint32(at + 4, true) }),
  write(view, at, value) {
    U32.write(view, at, value.version)
    U32.write(view, at + 4, value.epoch)
  },
}

/** A view that exists, or (0, 0) for none. A half of one is refused. */
export const OPTIONAL_VIEW: FieldType<ViewNumber> = {
  ...VIEW,
  name: "view or 0",
  read(view, at) {
    const value = VIEW.read(view, at) as ViewNumber
    return (value.epoch === 0) === (value.version === 0) ? value : REFUSED_VIEW
  },
}

export const EXISTING_VIEW: FieldType<ViewNumber> = {
  ...VIEW,
  read(view, at) {
    const value = VIEW.read(view, at) as ViewNumber
    return value.epoch === 0 || value.version === 0 ? REFUSED_VIEW : value
  },
}

/**
 * map_ver: a view and the lineage it belongs to. What each message must name, its own check says.
 */
export const MAP_VERSION: FieldType<MapVersion> = {
  name: "map_ver",
  bytes: 24,
  read(view, at) {
    const { epoch, version } = VIEW.read(view, at) as ViewNumber
    return { lineage: readUuid(view, at + 8), epoch, version }
  },
  write(view, at, value) {
    VIEW.write(view, at, value)
    OPTIONAL_UUID.write(view, at + 8, value.lineage)
  },
}

/** Eight bytes as a double; above 2^53-1 the answer is not exact and not a safe integer. */
export function readU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true)
}

export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value, true) // the conversion takes the lower 32 bits
  view.setUint32(at + 4, Math.floor(value / TWO_32), true)
}

function readUnsigned(view: DataView, at: number, bytes: 1 | 2 | 4): number {
  if (bytes === 1) return view.getUint8(at)
  return bytes === 2 ? view.getUint16(at, true) : view.getUint32(at, true)
}
