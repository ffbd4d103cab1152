/**
 * Requests on the side that accepted: where each wants its answer, and payloads that are fetched
 * from memory which the requester has exposed.
 *
 * An answer goes the way that its request came. Where that way was lost meanwhile, or before the
 * device said that the answer has arrived, its payload is kept: the request is asked again on
 * another path (failover.ts), and answered from what is kept. Its header lies in the slot of the
 * request until there is another one.
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
import type { Line } from "./line.js"
import { channelOf } from "./lines.js"
import type { Path } from "./path.js"
import type { Paths } from "./paths.js"
import type { RoomShape } from "./room-shape.js"
import type { RdmaSession } from "./session.js"
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
/** Number of the path that it came by. */
const ROW_PATH = 9
/** Of its answer: what it takes to post it, now and again. */
const ROW_WAY = 10
const ROW_SLOT = 11
const ROW_HEADER_BYTES = 12
const ROW_ARENA = 13
const ROW_AT = 14
const ROW_PAYLOAD_BYTES = 15
/** Its payload, where the way to the requester is lost; or NO_LEASE. */
const ROW_KEPT = 16
/** Whose it is: an answer to an earlier request of this index may still be on its way. */
const ROW_ID = 17
const ROW_STRIDE = 18

export class Answering {
  private readonly verbs: Verbs
  private readonly memory: Memory
  private readonly paths: Paths
  private readonly shape: RoomShape
  private readonly rows: Int32Array
  /** Requests that came once more, and answers that left once more, since ever. */
  askedAgainCount = 0
  answeredAgainCount = 0

  constructor(verbs: Verbs, memory: Memory, paths: Paths, shape: RoomShape) {
    this.verbs = verbs
    this.memory = memory
    this.paths = paths
    this.shape = shape
    this.rows = new Int32Array(shape.creditCount * ROW_STRIDE)
    for (let row = 0; row < this.rows.length; row += ROW_STRIDE) {
      this.rows[row + ROW_LEASE] = NO_LEASE
      this.rows[row + ROW_KEPT] = NO_LEASE
    }
  }

  /** A request with this head is delivered, from this path: what its answer has to know. */
  note(id: number, head: DataView, at: number, path: Path): void {
    this.succeed(id)
    this.noteAgain(id, head, at, path)
  }

  /** One of this credit is here: nobody asks for the answer to the one before it again. */
  succeed(id: number): void {
    const row = indexOfRequest(id) * ROW_STRIDE
    if (this.rows[row + ROW_ID] === id) return
    this.rows[row + ROW_ID] = id
    this.keepNoMore(row)
  }

  /** The same, of one that was delivered before. */
  private noteAgain(id: number, head: DataView, at: number, path: Path): void {
    const row = indexOfRequest(id) * ROW_STRIDE
    const { rows } = this
    rows[row + ROW_PATH] = path.number
    rows[row + ROW_PLACE] = placeOf(head, at)
    rows[row + ROW_IS_EXPOSED] = isExposed(head, at) ? 1 : 0
    rows[row + ROW_KEY] = keyOf(head, at)
    rows[row + ROW_LOW] = addressLowOf(head, at)
    rows[row + ROW_HIGH] = addressHighOf(head, at)
  }

  /** Reads the payload of a frame into the lease; the frame comes again when that is done. */
  fetch(
    id: number,
    line: Line,
    head: DataView,
    at: number,
    frame: number,
    lease: Lease,
    bytes: number,
  ): void {
    const row = indexOfRequest(id) * ROW_STRIDE
    const { rows, verbs } = this
    rows[row + ROW_PATH] = line.path!.number
    rows[row + ROW_LEASE] = lease
    rows[row + ROW_BYTES] = bytes
    rows[row + ROW_IS_FETCHED] = 0
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
  waitForMemory(id: number, path: Path): boolean {
    const row = indexOfRequest(id) * ROW_STRIDE
    if (this.rows[row + ROW_WAITS] === 1) return false
    this.rows[row + ROW_WAITS] = 1
    this.rows[row + ROW_PATH] = path.number
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
    const arena = bytes > 0 ? this.memory.arenaOf(lease).index : -1
    rows[row + ROW_WAY] = lane | (direction << 2)
    rows[row + ROW_SLOT] = slot
    rows[row + ROW_HEADER_BYTES] = headerBytes
    rows[row + ROW_ARENA] = arena
    rows[row + ROW_AT] = bytes > 0 ? verbs.startOf(arena, this.memory.offsetOf(lease) + at) : 0
    rows[row + ROW_PAYLOAD_BYTES] = bytes
    const path = this.paths.at(rows[row + ROW_PATH]!)
    if (path !== undefined) this.post(session.slots, id, row, path, lease)
    else if (bytes > 0) {
      this.memory.retain(lease)
      rows[row + ROW_KEPT] = lease
    }
  }

  /** A request that was delivered comes again. False where it may not. */
  again(session: RdmaSession, line: Line, id: number, head: DataView, at: number): boolean {
    const row = indexOfRequest(id) * ROW_STRIDE
    const { rows } = this
    const path = line.path!
    // It was lost on its path, and what came by that is gone.
    if (this.paths.at(rows[row + ROW_PATH]!) !== undefined) return false
    this.noteAgain(id, head, at, path)
    this.askedAgainCount++
    if (!session.isAnswered(id)) return true
    const lease = rows[row + ROW_KEPT]! as Lease
    const isKept = lease !== NO_LEASE || rows[row + ROW_PAYLOAD_BYTES] === 0
    const isItsLane = line.channel === channelOf((rows[row + ROW_WAY]! & 3) as Lane)
    if (!isKept || !isItsLane || rows[row + ROW_HEADER_BYTES] === 0) return false
    this.answeredAgainCount++
    this.post(session.slots, id, row, path, lease)
    this.keepNoMore(row)
    return true
  }

  /** Payloads that left on this path, and may not have arrived, are kept from now on. */
  keepUnsent(path: Path): void {
    for (const line of path.lines.all) {
      line.handOverHeld((lease, id) => {
        const row = indexOfRequest(id) * ROW_STRIDE
        if (this.rows[row + ROW_ID] !== id) {
          this.memory.release(lease)
          return
        }
        this.keepNoMore(row)
        this.rows[row + ROW_KEPT] = lease
      })
    }
  }

  /** Whoever wants an answer again that was on its way by this path has asked by now. */
  forgetPath(number: number): void {
    const { rows } = this
    for (let row = 0; row < rows.length; row += ROW_STRIDE) {
      if (rows[row + ROW_PATH] === number) this.keepNoMore(row)
    }
  }

  /** Nothing comes by this path any more: what was not whole is not taken. */
  losePath(number: number): void {
    const { rows } = this
    for (let row = 0; row < rows.length; row += ROW_STRIDE) {
      if (rows[row + ROW_PATH] !== number) continue
      this.fetchNoMore(row)
      rows[row + ROW_WAITS] = 0
    }
  }

  /** Nothing is read any more. */
  closeAll(): void {
    for (let row = 0; row < this.rows.length; row += ROW_STRIDE) {
      this.fetchNoMore(row)
      this.keepNoMore(row)
    }
  }

  private fetchNoMore(row: number): void {
    const lease = this.rows[row + ROW_LEASE]! as Lease
    this.rows[row + ROW_LEASE] = NO_LEASE
    if (lease !== NO_LEASE) this.memory.release(lease)
  }

  private keepNoMore(row: number): void {
    const lease = this.rows[row + ROW_KEPT]! as Lease
    this.rows[row + ROW_KEPT] = NO_LEASE
    if (lease !== NO_LEASE) this.memory.release(lease)
  }

  private post(slots: DataView, id: number, row: number, path: Path, lease: Lease): void {
    const { rows, verbs } = this
    const way = rows[row + ROW_WAY]!
    const lane = (way & 3) as Lane
    const headerBytes = rows[row + ROW_HEADER_BYTES]!
    const arena = rows[row + ROW_ARENA]!
    const start = rows[row + ROW_AT]!
    const bytes = rows[row + ROW_PAYLOAD_BYTES]!
    const head = rows[row + ROW_SLOT]! - HEAD_BYTES
    const isPaid = bytes > 0
    const isApart = isPaid && rows[row + ROW_IS_EXPOSED] !== 0
    const isSummed = isPaid && this.shape.isSummed
    const flags = (isApart ? FLAG_EXPOSED : 0) | (isSummed ? FLAG_SUMMED : 0)
    const direction = (way >> 2) as PayloadDirection
    writeHead(slots, head, KIND_REPLY, lane, direction, id, headerBytes, flags, bytes, 0, 0)
    const line = path.lines.at(channelOf(lane))!
    if (isApart) {
      const key = rows[row + ROW_KEY]!
      const low = rows[row + ROW_LOW]!
      const high = rows[row + ROW_HIGH]!
      const { number } = line
      verbs.posts.add(
        number,
        POST_WRITE,
        0,
        0,
        arena,
        start,
        bytes,
        0,
        key,
        low,
        high,
        false,
        false,
      )
      line.postCount++
    }
    verbs.posts.add(
      line.number,
      POST_FRAME,
      head,
      HEAD_BYTES + headerBytes,
      arena,
      start,
      bytes,
      rows[row + ROW_PLACE]!,
      isApart ? 1 : 0,
      0,
      0,
      isSummed,
      isPaid,
    )
    line.postCount++
    if (isPaid) line.holdUntilSent(lease, id)
    verbs.postsAdded()
  }
}
