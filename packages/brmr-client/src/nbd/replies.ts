/**
 * Heads of replies, written into one place that the engine copies from.
 *
 * READ and BLOCK_STATUS are answered in chunks where the client agreed to them, everything else
 * simply, as the specification allows.
 */
import { type Lease, NO_LEASE } from "@rmr/core"
import type { StreamConnection } from "@rmr/io"
import * as nbd from "./protocol.js"

const SIMPLE_BYTES = 16
const CHUNK_BYTES = 20

export class Replies {
  private readonly head = new DataView(new ArrayBuffer(64))

  simple(
    to: StreamConnection,
    cookieHigh: number,
    cookieLow: number,
    errno: number,
    lease: Lease,
    at: number,
    bytes: number,
  ): void {
    const { head } = this
    head.setUint32(0, nbd.SIMPLE_REPLY_MAGIC)
    head.setUint32(4, errno)
    head.setInt32(8, cookieHigh)
    head.setInt32(12, cookieLow)
    to.send(head, 0, SIMPLE_BYTES, lease, at, bytes)
  }

  /** All bytes of a read. */
  data(
    to: StreamConnection,
    cookieHigh: number,
    cookieLow: number,
    offset: number,
    lease: Lease,
    at: number,
    bytes: number,
  ): void {
    this.chunk(nbd.CHUNK_FLAG_DONE, nbd.CHUNK_OFFSET_DATA, cookieHigh, cookieLow, 8 + bytes)
    this.offset(CHUNK_BYTES, offset)
    to.send(this.head, 0, CHUNK_BYTES + 8, lease, at, bytes)
  }

  status(
    to: StreamConnection,
    cookieHigh: number,
    cookieLow: number,
    isLast: boolean,
    lease: Lease,
    at: number,
    bytes: number,
  ): void {
    const flags = isLast ? nbd.CHUNK_FLAG_DONE : 0
    this.chunk(flags, nbd.CHUNK_BLOCK_STATUS, cookieHigh, cookieLow, bytes)
    to.send(this.head, 0, CHUNK_BYTES, lease, at, bytes)
  }

  /** `badAt` is where the error was met, or -1. */
  error(
    to: StreamConnection,
    cookieHigh: number,
    cookieLow: number,
    errno: number,
    badAt: number,
  ): void {
    const hasPlace = badAt >= 0
    const type = hasPlace ? nbd.CHUNK_ERROR_OFFSET : nbd.CHUNK_ERROR
    const bytes = hasPlace ? 14 : 6
    this.chunk(nbd.CHUNK_FLAG_DONE, type, cookieHigh, cookieLow, bytes)
    this.head.setUint32(CHUNK_BYTES, errno)
    this.head.setUint16(CHUNK_BYTES + 4, 0)
    if (hasPlace) this.offset(CHUNK_BYTES + 6, badAt)
    to.send(this.head, 0, CHUNK_BYTES + bytes, NO_LEASE, 0, 0)
  }

  private chunk(flags: number, type: number, high: number, low: number, bytes: number): void {
    const { head } = this
    head.setUint32(0, nbd.STRUCTURED_REPLY_MAGIC)
    head.setUint16(4, flags)
    head.setUint16(6, type)
    head.setInt32(8, high)
    head.setInt32(12, low)
    head.setUint32(16, bytes)
  }

  private offset(at: number, offset: number): void {
    this.head.setUint32(at, Math.floor(offset / 2 ** 32))
    this.head.setUint32(at + 4, offset % 2 ** 32)
  }
}
