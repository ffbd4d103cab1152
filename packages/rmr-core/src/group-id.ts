/**
 * The group id: a pool's name as the 32 bits that every message carries.
 *
 * It is the Linux kernel's `jhash(poolName, length, 0)`, byte for byte, so that a pool has the same
 * number here and in the kernel's RMR. Nobody sets it and nobody stores it as a choice: whoever
 * knows the name knows the id. Two names may share one hash; the full name and the pool's UUID tell
 * them apart at join (PROTOCOL.md), never the id.
 *
 * The hash is Bob Jenkins' public-domain lookup3 with the kernel's start value.
 * wire/golden/jhash.json holds what the kernel's own header answers, and scripts/jhash-vectors.ts
 * asks it again.
 */
import type { GroupId } from "./brand.js"
import { RmrError } from "./errors.js"
import { POOL_NAME_BYTES_MAX, SHARD_COUNT } from "./limits.js"

/**
 * The shard of a pool: whoever dials says for which one a session is, so that it is received by the
 * thread that has those pools. The hash has mixed its bits.
 */
export function shardOf(groupId: GroupId): number {
  return groupId & (SHARD_COUNT - 1)
}

/** What the kernel starts from: an arbitrary number that everybody must agree on. */
const JHASH_START = 0xdeadbeef | 0

const ASCII_FIRST = 0x21 // after the space
const ASCII_LAST = 0x7e // before DEL
const SLASH = 0x2f

/** The group id of a pool; throws `invalid-argument` for what cannot be a pool name. */
export function groupIdOfName(poolName: string): GroupId {
  const length = nameIntoScratch(poolName)
  if (length < 0) {
    throw new RmrError("invalid-argument", poolNameProblem(poolName) ?? "not a pool name")
  }
  return jhash(scratch, 0, length) as GroupId
}

/**
 * Why this cannot be a pool name, in words for a person; undefined where it can.
 *
 * A name is 1…255 visible ASCII characters without '/': it is hashed as bytes on every machine,
 * stands in one line of every tool's output, and is a part of file names and session names.
 */
export function poolNameProblem(poolName: string): string | undefined {
  if (poolName.length === 0) return "the pool name is empty"
  if (poolName.length > POOL_NAME_BYTES_MAX) {
    return `the pool name has ${poolName.length} characters, at most ${POOL_NAME_BYTES_MAX} may be`
  }
  for (let index = 0; index < poolName.length; index++) {
    const unit = poolName.charCodeAt(index)
    if (!isNameUnit(unit)) {
      const shown = unit.toString(16).padStart(4, "0").toUpperCase()
      return `the pool name has U+${shown} at ${index}; visible ASCII except '/' is allowed`
    }
  }
  return undefined
}

/** The kernel's jhash over the first `length` bytes, as a u32. */
export function jhash(bytes: Uint8Array, initval: number, length: number = bytes.length): number {
  let a = (JHASH_START + length + initval) | 0
  let b = a
  let c = a
  let at = 0
  // Twelve bytes a round; the last one to twelve bytes are left for the end.
  for (; length - at > 12; at += 12) {
    a = (a + word(bytes, at)) | 0
    b = (b + word(bytes, at + 4)) | 0
    c = (c + word(bytes, at + 8)) | 0

    a = ((a - c) | 0) ^ rotate(c, 4)
    c = (c + b) | 0
    b = ((b - a) | 0) ^ rotate(a, 6)
    a = (a + c) | 0
    c = ((c - b) | 0) ^ rotate(b, 8)
    b = (b + a) | 0
    a = ((a - c) | 0) ^ rotate(c, 16)
    c = (c + b) | 0
    b = ((b - a) | 0) ^ rotate(a, 19)
    a = (a + c) | 0
    c = ((c - b) | 0) ^ rotate(b, 4)
    b = (b + a) | 0
  }
  if (length === at) return c >>> 0

  a = (a + partialWord(bytes, at, length)) | 0
  b = (b + partialWord(bytes, at + 4, length)) | 0
  c = (c + partialWord(bytes, at + 8, length)) | 0

  c = ((c ^ b) - rotate(b, 14)) | 0
  a = ((a ^ c) - rotate(c, 11)) | 0
  b = ((b ^ a) - rotate(a, 25)) | 0
  c = ((c ^ b) - rotate(b, 16)) | 0
  a = ((a ^ c) - rotate(c, 4)) | 0
  b = ((b ^ a) - rotate(a, 14)) | 0
  c = ((c ^ b) - rotate(b, 24)) | 0
  return c >>> 0
}

/** Names are hashed through here, so that hashing one allocates nothing. */
const scratch: Uint8Array = new Uint8Array(POOL_NAME_BYTES_MAX)

/** Copies the name; its length, or -1 where it is no pool name. */
function nameIntoScratch(poolName: string): number {
  const length = poolName.length
  if (length === 0 || length > POOL_NAME_BYTES_MAX) return -1
  for (let index = 0; index < length; index++) {
    const unit = poolName.charCodeAt(index)
    if (!isNameUnit(unit)) return -1
    scratch[index] = unit
  }
  return length
}

function isNameUnit(unit: number): boolean {
  return unit >= ASCII_FIRST && unit <= ASCII_LAST && unit !== SLASH
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

/**
 * Four bytes, little-endian: the kernel reads them in its own order, which is this one wherever RMR
 * runs.
 */
function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

/** As `word`, with zeroes from `end` on. */
function partialWord(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) return word(bytes, at)
  let value = 0
  for (let index = at; index < end; index++) value |= bytes[index]! << ((index - at) << 3)
  return value
}
