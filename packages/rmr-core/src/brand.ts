/**
 * Branded numbers: an index of one thing must not be passed for an index of another.
 *
 * A brand exists only for the compiler; at run time every one of these is a plain number. The
 * functions here are the only places where a bare number becomes a branded one, and each checks
 * the range it promises.
 */
import { RmrError } from "./errors.js"

declare const brand: unique symbol
type Branded<Name extends string> = number & { readonly [brand]: Name }

/** u32, the Linux kernel's jhash of the pool name. */
export type GroupId = Branded<"GroupId">
/** 1…255, set by the user when a server pool is created; unique in the pool. */
export type MemberId = Branded<"MemberId">
/** Which chunk of the pool, from 0. */
export type ChunkNumber = Branded<"ChunkNumber">
/** Which io unit of the pool, 0…queueDepth-1. */
export type UnitId = Branded<"UnitId">
/** Which session of an endpoint; small, and reused after the session is down. */
export type SessionId = Branded<"SessionId">
/** A handle on payload memory; see ports/memory.ts. */
export type Lease = Branded<"Lease">

export const MEMBER_ID_MIN = 1
export const MEMBER_ID_MAX = 255

export function isU32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff
}

/** A byte offset or length: an integer that a double holds exactly. */
export function isByteCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

export function memberId(value: number): MemberId {
  if (!Number.isInteger(value) || value < MEMBER_ID_MIN || value > MEMBER_ID_MAX) {
    throw new RmrError("invalid-argument", `member id ${value} is not in 1…255`)
  }
  return value as MemberId
}

export function groupIdOf(value: number): GroupId {
  if (!isU32(value)) throw new RmrError("invalid-argument", `group id ${value} is not a u32`)
  return value as GroupId
}

export function chunkNumber(value: number): ChunkNumber {
  if (!isByteCount(value)) {
    throw new RmrError("invalid-argument", `chunk number ${value} is not a safe integer`)
  }
  return value as ChunkNumber
}

export function unitId(value: number, queueDepth: number): UnitId {
  if (!Number.isInteger(value) || value < 0 || value >= queueDepth) {
    throw new RmrError("invalid-argument", `io unit ${value} is not in 0…${queueDepth - 1}`)
  }
  return value as UnitId
}
