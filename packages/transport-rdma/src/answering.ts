/**
 * Requests on the side that accepted: where each wants its answer, and payloads that are fetched
 * from memory which the requester has exposed.
 */
import type { CreditedSession, Lane, Lease, Memory, PayloadDirection } from "@rmr/core"
import { indexOfRequest, NO_LEASE } from "@rmr/core"
import {
  addressHighOf,
  addressLowOf,
  FLAG_EXPOSED,
  FLAG_SUMMED,
  HEAD_BYTES,
  isExposed,
  KIND_REPLY,
  keyOf,
  placeOf,
  writeHead,
} from "./framing.js"
import { channelOf, type Lines } from "./lines.js"
import type { RoomShape } from "./room-shape.js"
import type { Verbs } from "./verbs.js"
import { POST_FRAME, POST_READ, POST_WRITE } from "./verbs-table.js"

/** Columns of a request, by its index. */
const ROW_PLACE = 0
/** Of exposed memory. */
const ROW_IS_EXPOSED = 1
const ROW_KEY = 2
const ROW_LOW = 3
const ROW_HIGH = 4
/** Of a payload that is fetched, and of how many bytes; or NO_LEASE. */
const ROW_LEASE = 5
const ROW_BYTES = 6
const ROW_IS_FETCHED = 7
/** Its frame comes again when there is memory. */
const ROW_WAITS = 8
const ROW_STRIDE = 10

export class Answering {
  private readonly verbs: Verbs
  private readonly memory: Memory
  private readonly lines: Lines
  private readonly shape: RoomShape
  private readonly rows: Int32Array

  constructor(verbs: Verbs, memory: Memory, lines: Lines, shape: RoomShape) {
    this.verbs = verbs
    this.memory = memory
    this.lines = lines
    this.shape = shape
    this.rows = new Int32Array(shape.creditCount * ROW_STRIDE)
    for (let row = 0; row < this.rows.length; row += ROW_STRIDE) {
      this.rows[row + ROW_LEASE] = NO_LEASE
    }
  }

  /** A request with this head is delivered: what its answer has to know. */
  note(id: number, head: DataView, at: number): void {
    const row = indexOfRequest(id) * ROW_STRIDE
    const { rows } = this
    rows[row + ROW_PLACE] = placeOf(head, at)
    rows[row + ROW_IS_EXPOSED] = isExposed(head, at) ? 1 : 0
    rows[row + ROW_KEY] = keyOf(head, at)
    rows[row + ROW_LOW] = addressLowOf(head, at)
    rows[row + ROW_HIGH] = addressHighOf(head, at)
  }

  /** Reads the payload of a frame into the lease; the frame comes again when that is done. */
  fetch(
    id: number,
    lane: Lane,
    head: DataView,
    at: number,
    frame: number,
    lease: Lease,
    bytes: number,
  ): void {
    const row = indexOfRequest(id) * ROW_STRIDE
    const { rows, verbs } = this
    rows[row + ROW_LEASE] = lease
    rows[row + ROW_BYTES] = bytes
    rows[row + ROW_IS_FETCHED] = 0
    const line = this.lines.at(channelOf(lane))!
    const arena = this.memory.arenaOf(lease).index
    const start = verbs.startOf(arena, this.memory.offsetOf(lease))
    verbs.posts.add(
      line.number,
      POST_READ,
      0,
      0,
      arena,
      start,
      bytes,
      0,
      keyOf(head, at),
      addressLowOf(head, at),
      addressHighOf(head, at),
      false,
      true,
    )
    line.postCount++
    line.visitWhenRead(id, frame)
    verbs.postsAdded()
  }

  /** False where it waits already. */
  waitForMemory(id: number): boolean {
    const row = indexOfRequest(id) * ROW_STRIDE
    if (this.rows[row + ROW_WAITS] === 1) return false
    this.rows[row + ROW_WAITS] = 1
    return true
  }

  /** There is some, and its frame comes again. */
  waitNoMore(id: number): void {
    this.rows[indexOfRequest(id) * ROW_STRIDE + ROW_WAITS] = 0
  }

  isWaiting(id: number): boolean {
    return this.rows[indexOfRequest(id) * ROW_STRIDE + ROW_WAITS] === 1
  }

  isFetching(id: number): boolean {
    return this.rows[indexOfRequest(id) * ROW_STRIDE + ROW_LEASE] !== NO_LEASE
  }

  /** All of it is in the lease. */
  onFetched(id: number): void {
    this.rows[indexOfRequest(id) * ROW_STRIDE + ROW_IS_FETCHED] = 1
  }

  /** Takes what was fetched; `NO_LEASE` where it is not whole, or not what the frame says now. */
  takeFetched(id: number, bytes: number): Lease {
    const row = indexOfRequest(id) * ROW_STRIDE
    const lease = this.rows[row + ROW_LEASE]! as Lease
    const isWhole = this.rows[row + ROW_IS_FETCHED] === 1
    if (!isWhole || this.rows[row + ROW_BYTES] !== bytes) return NO_LEASE
    this.rows[row + ROW_LEASE] = NO_LEASE
    return lease
  }

  send(
    session: CreditedSession,
    id: number,
    lane: Lane,
    direction: PayloadDirection,
    slot: number,
    headerBytes: number,
    lease: Lease,
    at: number,
    bytes: number,
  ): void {
    const row = indexOfRequest(id) * ROW_STRIDE
    const { rows, verbs } = this
    const { slots } = session
    const head = slot - HEAD_BYTES
    const isPaid = bytes > 0
    const isApart = isPaid && rows[row + ROW_IS_EXPOSED] !== 0
    const isSummed = isPaid && this.shape.isSummed
    const flags = (isApart ? FLAG_EXPOSED : 0) | (isSummed ? FLAG_SUMMED : 0)
    writeHead(slots, head, KIND_REPLY, lane, direction, id, headerBytes, flags, bytes, 0, 0)
    const line = this.lines.at(channelOf(lane))!
    const arena = isPaid ? this.memory.arenaOf(lease).index : -1
    const start = isPaid ? verbs.startOf(arena, this.memory.offsetOf(lease) + at) : 0
    if (isApart) {
      verbs.posts.add(
        line.number,
        POST_WRITE,
        0,
        0,
        arena,
        start,
        bytes,
        0,
        rows[row + ROW_KEY]!,
        rows[row + ROW_LOW]!,
        rows[row + ROW_HIGH]!,
        false,
        false,
      )
      line.postCount++
    }
    const place = rows[row + ROW_PLACE]!
    const frameBytes = HEAD_BYTES + headerBytes
    verbs.posts.add(
      line.number,
      POST_FRAME,
      head,
      frameBytes,
      arena,
      start,
      bytes,
      place,
      isApart ? 1 : 0,
      0,
      0,
      isSummed,
      isPaid,
    )
    line.postCount++
    if (isPaid) line.holdUntilSent(lease)
    verbs.postsAdded()
  }

  /** Nothing is read any more. */
  closeAll(): void {
    for (let row = 0; row < this.rows.length; row += ROW_STRIDE) {
      const lease = this.rows[row + ROW_LEASE]! as Lease
      if (lease !== NO_LEASE) this.memory.release(lease)
      this.rows[row + ROW_LEASE] = NO_LEASE
    }
  }
}
