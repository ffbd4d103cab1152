/**
 * Requests on the side that dialed: where each goes in the room of the other side, and where its
 * answer comes in ours.
 *
 * A room has a slot for each credit, for frames without payload, and pieces behind them that this
 * side gives out in both rooms (Extents). A payload that is too large for a piece, or finds none
 * free, is exposed: the device is told of the part of the arena that it lies in, and the other side
 * reads from it, or writes to it. The right to that ends with the request, before anybody else can
 * have the memory.
 *
 * What a request needs is kept until it is complete, so that it can be asked again on another path
 * when its own is lost (failover.ts): at the same places of the rooms, since paths share them.
 */
import type { Lane, Lease, Memory, PayloadDirection } from "@rmr/core"
import { indexOfRequest, PAYLOAD_OUT, RmrError } from "@rmr/core"
import { reasonOf } from "./codes.js"
import { Extents, NO_EXTENT } from "./extents.js"
import {
  exposeIn,
  FLAG_AGAIN,
  FLAG_EXPOSED,
  FLAG_SUMMED,
  HEAD_BYTES,
  KIND_REQUEST,
  writeHead,
} from "./framing.js"
import { channelOf } from "./lines.js"
import { RIGHTS_PEER_READS, RIGHTS_PEER_WRITES } from "./native-addon.js"
import type { Path } from "./path.js"
import type { Paths } from "./paths.js"
import type { RoomShape } from "./room-shape.js"
import type { RdmaSession } from "./session.js"
import type { Verbs } from "./verbs.js"
import { POST_FRAME } from "./verbs-table.js"

/** Columns of a request in flight, by its index. */
const ROW_OUT = 0 // piece of the other room, for the payload; or NO_EXTENT
const ROW_IN = 1 // piece of our room, for the answer's payload; or NO_EXTENT
const ROW_PLACE = 2 // where the answer's frame comes
const ROW_REGION = 3 // exposed memory, or NO_REGION
const ROW_ARENA = 4 // where the payload that comes back goes
const ROW_AT = 5
const ROW_BYTES = 6
/** What it takes to post it, now and again. */
const ROW_ID = 7
const ROW_WAY = 8 // lane, and direction above
const ROW_SLOT = 9
const ROW_HEADER_BYTES = 10
const ROW_PAYLOAD_BYTES = 11
const ROW_PATH = 12 // number of the path that it took
const ROW_IS_EXPOSED = 13
const ROW_STRIDE = 14
const NO_REGION = -1
const NO_PATH = -1
/** More of the other room is of no use. */
const PIECES_BYTES_MAX: number = 64 * 1024 * 1024
/** Address (low, high) and key of exposed memory. */
const KEY_WORDS: Int32Array = new Int32Array(3)

export class Asking {
  private readonly verbs: Verbs
  private readonly memory: Memory
  private readonly paths: Paths
  private readonly shape: RoomShape
  private readonly rows: Int32Array
  private readonly incoming: Extents
  private outgoing: Extents = new Extents(0, 0)
  /** Requests that were asked once more, since ever. */
  againCount = 0

  constructor(verbs: Verbs, memory: Memory, paths: Paths, shape: RoomShape) {
    this.verbs = verbs
    this.memory = memory
    this.paths = paths
    this.shape = shape
    this.incoming = new Extents(shape.slotsBytes, shape.roomBytes - shape.slotsBytes)
    this.rows = new Int32Array(shape.creditCount * ROW_STRIDE).fill(-1)
  }

  /** The room of the other side has so many bytes. */
  open(peerRoomBytes: number): void {
    const { slotsBytes } = this.shape
    const bytes = Math.min(Math.max(0, peerRoomBytes - slotsBytes), PIECES_BYTES_MAX)
    this.outgoing = new Extents(slotsBytes, bytes)
  }

  send(
    session: RdmaSession,
    id: number,
    lane: Lane,
    direction: PayloadDirection,
    slot: number,
    headerBytes: number,
    lease: Lease,
    at: number,
    bytes: number,
  ): void {
    const isOut = direction === PAYLOAD_OUT
    const index = indexOfRequest(id)
    const row = index * ROW_STRIDE
    const { rows } = this
    rows[row + ROW_OUT] = NO_EXTENT
    rows[row + ROW_IN] = NO_EXTENT
    rows[row + ROW_PLACE] = index * this.shape.slotBytes
    rows[row + ROW_REGION] = NO_REGION
    rows[row + ROW_BYTES] = 0
    rows[row + ROW_IS_EXPOSED] = 0
    rows[row + ROW_ID] = id
    rows[row + ROW_WAY] = lane | (direction << 2)
    rows[row + ROW_SLOT] = slot
    rows[row + ROW_HEADER_BYTES] = headerBytes
    rows[row + ROW_PAYLOAD_BYTES] = bytes
    if (bytes > 0) this.findRoom(row, lease, at, bytes, headerBytes, isOut)
    this.ask(session, row, 0)
  }

  /** This path is over, and nothing comes over it: what was exposed for it is not any more. */
  losePath(number: number): void {
    const { rows } = this
    for (let row = 0; row < rows.length; row += ROW_STRIDE) {
      if (rows[row + ROW_PATH] === number) this.closeRegion(row)
    }
  }

  /** The other side has nothing of this path either. */
  again(session: RdmaSession, number: number): void {
    const { rows } = this
    for (let row = 0; row < rows.length && session.isUp; row += ROW_STRIDE) {
      if (rows[row + ROW_PATH] !== number) continue
      this.againCount++
      this.ask(session, row, FLAG_AGAIN)
    }
  }

  /** Whether an answer of this id may come here with so much. */
  expects(id: number, place: number, payloadBytes: number): boolean {
    const row = indexOfRequest(id) * ROW_STRIDE
    const { rows } = this
    const room = rows[row + ROW_BYTES]!
    return rows[row + ROW_PLACE] === place && payloadBytes >= 0 && payloadBytes <= room
  }

  /** Whether its payload comes to where we exposed memory, and nowhere else. */
  hasExposed(id: number): boolean {
    return this.rows[indexOfRequest(id) * ROW_STRIDE + ROW_REGION]! >= 0
  }

  arenaOf(id: number): number {
    return this.rows[indexOfRequest(id) * ROW_STRIDE + ROW_ARENA]!
  }

  startOf(id: number): number {
    return this.rows[indexOfRequest(id) * ROW_STRIDE + ROW_AT]!
  }

  /** The request is complete. */
  close(id: number): void {
    const row = indexOfRequest(id) * ROW_STRIDE
    const { rows } = this
    const out = rows[row + ROW_OUT]!
    const back = rows[row + ROW_IN]!
    if (out !== NO_EXTENT) this.outgoing.give(out)
    if (back !== NO_EXTENT) this.incoming.give(back)
    rows[row + ROW_OUT] = NO_EXTENT
    rows[row + ROW_IN] = NO_EXTENT
    this.closeRegion(row)
    this.paths.give(rows[row + ROW_PATH]!, id)
    // Nobody looks at the others before there is another request.
    rows[row + ROW_PATH] = NO_PATH
  }

  /** Nothing can reach what is exposed any more. */
  closeAll(): void {
    for (let row = 0; row < this.rows.length; row += ROW_STRIDE) this.closeRegion(row)
  }

  private closeRegion(row: number): void {
    const region = this.rows[row + ROW_REGION]!
    if (region >= 0) this.verbs.native.closeRegion(this.verbs.engine, region)
    this.rows[row + ROW_REGION] = NO_REGION
  }

  /** On one of the paths that are up: a session that is up has one. */
  private ask(session: RdmaSession, row: number, flag: number): void {
    const { rows } = this
    const path = this.paths.take(rows[row + ROW_ID]!)
    rows[row + ROW_PATH] = path.number
    if (rows[row + ROW_IS_EXPOSED] === 1 && !this.expose(session, row, path)) return
    this.post(session.slots, row, path, flag)
  }

  private findRoom(
    row: number,
    lease: Lease,
    at: number,
    bytes: number,
    headerBytes: number,
    isOut: boolean,
  ): void {
    const { rows, shape } = this
    const arena = this.memory.arenaOf(lease).index
    const start = this.verbs.startOf(arena, this.memory.offsetOf(lease) + at)
    rows[row + ROW_ARENA] = arena
    rows[row + ROW_AT] = start
    rows[row + ROW_BYTES] = isOut ? 0 : bytes
    if (bytes <= shape.placedBytesMax) {
      if (isOut) rows[row + ROW_OUT] = this.outgoing.take(HEAD_BYTES + headerBytes + bytes)
      else rows[row + ROW_IN] = this.incoming.take(shape.slotBytes + bytes)
      if (rows[row + (isOut ? ROW_OUT : ROW_IN)] !== NO_EXTENT) {
        if (!isOut) rows[row + ROW_PLACE] = rows[row + ROW_IN]!
        return
      }
    }
    rows[row + ROW_IS_EXPOSED] = 1
  }

  /** On the device of this path. False where it takes no more: the path is of no use then. */
  private expose(session: RdmaSession, row: number, path: Path): boolean {
    const { rows } = this
    const { native, engine } = this.verbs
    const isOut = rows[row + ROW_WAY]! >> 2 === PAYLOAD_OUT
    const region = native.exposeArena(
      engine,
      path.lines.link.number,
      rows[row + ROW_ARENA]!,
      rows[row + ROW_AT]!,
      rows[row + ROW_PAYLOAD_BYTES]!,
      isOut ? RIGHTS_PEER_READS : RIGHTS_PEER_WRITES,
    )
    rows[row + ROW_REGION] = Math.max(region, NO_REGION)
    if (region >= 0) return true
    // It is asked again when this path is gone, where there is another one.
    session.losePath(
      path,
      new RmrError("link-lost", `no memory for a payload: ${reasonOf(-region)}`),
    )
    return false
  }

  private post(slots: DataView, row: number, path: Path, flag: number): void {
    const { rows, verbs } = this
    const id = rows[row + ROW_ID]!
    const way = rows[row + ROW_WAY]!
    const lane = (way & 3) as Lane
    const direction = (way >> 2) as PayloadDirection
    const headerBytes = rows[row + ROW_HEADER_BYTES]!
    const bytes = rows[row + ROW_PAYLOAD_BYTES]!
    const line = path.lines.at(channelOf(lane))!
    const isOut = direction === PAYLOAD_OUT
    const isExposed = rows[row + ROW_IS_EXPOSED] === 1
    const isSummed = isOut && bytes > 0 && this.shape.isSummed
    const flags = flag | (isExposed ? FLAG_EXPOSED : 0) | (isSummed ? FLAG_SUMMED : 0)
    const head = rows[row + ROW_SLOT]! - HEAD_BYTES
    const out = isOut ? bytes : 0
    const back = isOut ? 0 : bytes
    const answerAt = rows[row + ROW_PLACE]!
    writeHead(
      slots,
      head,
      KIND_REQUEST,
      lane,
      direction,
      id,
      headerBytes,
      flags,
      out,
      back,
      answerAt,
    )
    if (isExposed) {
      verbs.native.regionKey(verbs.engine, rows[row + ROW_REGION]!, KEY_WORDS)
      exposeIn(slots, head, KEY_WORDS[2]!, KEY_WORDS[0]!, KEY_WORDS[1]!)
    }
    const piece = rows[row + ROW_OUT]!
    const place = piece === NO_EXTENT ? indexOfRequest(id) * this.shape.slotBytes : piece
    const arena = out > 0 ? rows[row + ROW_ARENA]! : -1
    const start = out > 0 ? rows[row + ROW_AT]! : 0
    const frameBytes = HEAD_BYTES + headerBytes
    const key = isExposed ? 1 : 0
    verbs.posts.add(
      line.number,
      POST_FRAME,
      head,
      frameBytes,
      arena,
      start,
      out,
      place,
      key,
      0,
      0,
      isSummed,
      false,
    )
    line.postCount++
    verbs.postsAdded()
  }
}
