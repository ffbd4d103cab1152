/**
 * A path on the side that dials, from the first call until frames may come and go: its link, the
 * lines of the lanes, and where the rooms are.
 *
 * Whoever wants it says what the link is, and what is to become of it.
 */
import type { ErrorCode, RmrError as RmrErrorType } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { Route } from "./address.js"
import {
  CALL_LANE,
  CALL_REFUSAL,
  CALL_WELCOME,
  REFUSED_VERSION,
  readCalling,
  writeCalling,
} from "./calling.js"
import { reasonOf, WHY_REFUSED } from "./codes.js"
import type { RdmaEndpoint } from "./endpoint.js"
import type { Line, LineEvents } from "./line.js"
import { CHANNEL_LINK } from "./lines.js"
import { LINK_DEPTHS, laneDepths, type Opening } from "./opening.js"
import type { Path } from "./path.js"
import { furnish, openRooms, type Rooms } from "./rooms.js"
import {
  readRoom,
  roomText,
  SAY_READY,
  SAY_ROOM,
  said,
  saidKind,
  saidTextAt,
  saidTextBytes,
} from "./saying.js"

export interface PathDialEvents {
  /** What to call with, on the link. */
  linkCall(tellsBySend: boolean): Uint8Array
  onLink(): void
  /** Something that is said on the link, beside where the room is. */
  onSaid(kind: number, view: DataView, textAt: number, textBytes: number): void
  /** The path is up: the other side's room has so many bytes. */
  onUp(peerRoomBytes: number): void
  /** It ends itself. */
  onFail(code: ErrorCode, detail: string, cause?: RmrErrorType): void
}

export class PathDial implements LineEvents {
  private readonly endpoint: RdmaEndpoint
  private readonly route: Route
  private readonly events: PathDialEvents
  private readonly lines: Line[] = []
  private tellsBySend = false
  private opening: Opening | undefined
  private path: Path | undefined
  private key: Uint8Array | undefined
  private rooms: Rooms | undefined
  private isOver = false

  constructor(endpoint: RdmaEndpoint, route: Route, events: PathDialEvents) {
    this.endpoint = endpoint
    this.route = route
    this.events = events
  }

  /** The host of its route is an address, no name. */
  start(): void {
    this.call(CHANNEL_LINK)
  }

  /** The other side knows who calls: the other lines go to the same place. */
  complete(opening: Opening, path: Path, key: Uint8Array): void {
    this.opening = opening
    this.path = path
    this.key = key
    path.lines.add(this.lines[0]!)
    for (const channel of path.lines.missing) this.call(channel)
    if (path.lines.areConnected) this.sayRoom()
  }

  say(kind: number, text: Uint8Array): void {
    const { native, engine } = this.endpoint.verbs
    const isSaid = native.say(engine, this.lines[0]!.number, said(kind, text))
    if (!isSaid) this.fail("unreachable", "the link broke")
  }

  /** Nothing comes of it. Idempotent; a path that is up is none of its business any more. */
  end(): void {
    if (this.isOver) return
    this.isOver = true
    for (const line of this.lines) line.end()
  }

  onRouted(line: Line): void {
    const { endpoint, path } = this
    const isLink = line.channel === CHANNEL_LINK
    if (isLink) this.tellsBySend = endpoint.tellsBySend(line.number)
    const { tellsBySend } = this
    const calling = isLink
      ? this.events.linkCall(tellsBySend)
      : writeCalling(CALL_LANE, {
          ...{ channel: line.channel, tellsBySend },
          ...{ key: this.key!, path: path!.number },
        })
    const credits = this.opening?.terms.limits.credits[line.channel - 1] ?? 0
    const why = endpoint.connect(line, calling, isLink ? LINK_DEPTHS : laneDepths(credits))
    if (why !== 0) this.fail("unreachable", reasonOf(why))
  }

  onConnected(line: Line, view: DataView, at: number, bytes: number): void {
    const calling = readCalling(view, at, bytes)
    if (typeof calling === "number" || calling.kind !== CALL_WELCOME) {
      this.failForeign()
      return
    }
    const { native, engine } = this.endpoint.verbs
    if (line.channel === CHANNEL_LINK) this.tellsBySend = calling.tellsBySend
    if (this.tellsBySend) native.tellBySend(engine, line.number)
    if (line.channel === CHANNEL_LINK) this.events.onLink()
    if (this.path?.lines.areConnected === true) this.sayRoom()
  }

  onSaid(line: Line, view: DataView, at: number, bytes: number): void {
    const kind = saidKind(view, at, bytes)
    const text = saidTextAt(at)
    const textBytes = saidTextBytes(bytes)
    if (line.channel !== CHANNEL_LINK) this.failForeign()
    else if (kind !== SAY_READY) this.events.onSaid(kind, view, text, textBytes)
    else this.up(readRoom(view, text, textBytes))
  }

  onOver(
    _: Line,
    cause: RmrErrorType,
    why: number,
    view: DataView,
    at: number,
    bytes: number,
  ): void {
    const refusal = why === WHY_REFUSED && bytes > 0 ? readCalling(view, at, bytes) : undefined
    const isOther = refusal === REFUSED_VERSION
    const isTold = typeof refusal === "object" && refusal.kind === CALL_REFUSAL
    if (isOther || (isTold && refusal.why === REFUSED_VERSION)) {
      this.fail("unsupported", "whoever answers there speaks another version", cause)
    } else this.fail("unreachable", cause.detail, cause)
  }

  failForeign(): void {
    this.fail("unsupported", "whoever answers there does not speak this protocol")
  }

  private fail(code: ErrorCode, detail: string, cause?: RmrErrorType): void {
    if (this.isOver) return
    this.end()
    this.events.onFail(code, detail, cause)
  }

  private call(channel: number): void {
    if (this.isOver) return
    const { verbs } = this.endpoint
    const { from, to } = this.route
    const number = verbs.native.dialLine(verbs.engine, to.host, to.port, from)
    if (number < 0) {
      this.fail("unreachable", reasonOf(-number))
      return
    }
    const line = verbs.addLine(number, channel, this)
    this.lines.push(line)
    this.path?.lines.add(line)
  }

  private sayRoom(): void {
    const { opening, path, endpoint } = this
    if (this.rooms !== undefined || opening === undefined || path === undefined) return
    try {
      this.rooms = openRooms(endpoint.verbs, opening, path)
    } catch (thrown) {
      const error = RmrError.from(thrown)
      this.fail("unreachable", error.detail, error)
      return
    }
    this.say(SAY_ROOM, roomText(this.rooms.words))
  }

  private up(peer: Int32Array | undefined): void {
    const { opening, path, rooms, endpoint } = this
    if (opening === undefined || path === undefined || rooms === undefined || peer === undefined) {
      this.failForeign()
      return
    }
    this.isOver = true
    furnish(endpoint.verbs, opening, path, rooms, peer)
    this.events.onUp(peer[3]!)
  }
}
