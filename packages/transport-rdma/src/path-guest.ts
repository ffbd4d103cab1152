/**
 * A path on the side that is called, from the first call until frames may come and go: its link,
 * the lines that join it, and where the rooms are.
 *
 * It gets time until a deadline and a queue pair for what is said; no key of any memory, and
 * whatever it does against the rules ends it, and nothing but it (T19).
 */
import type { Timer } from "@rmr/core"
import { RmrError } from "@rmr/core"
import { CALL_WELCOME, type Calling, writeCalling } from "./calling.js"
import { reasonOf } from "./codes.js"
import type { RdmaEndpoint } from "./endpoint.js"
import type { Line, LineEvents } from "./line.js"
import { CHANNEL_LINK } from "./lines.js"
import { type Depths, LINK_DEPTHS, laneDepths, type Opening } from "./opening.js"
import type { Path } from "./path.js"
import { furnish, openRooms } from "./rooms.js"
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

export interface PathGuestEvents {
  /** Something that is said on the link, beside where the room is. */
  onSaid(kind: number, view: DataView, textAt: number, textBytes: number): void
  /** Frames may come and go: the other side is told so next. */
  onUp(): void
  /** It has ended itself. */
  onEnd(): void
}

export class PathGuest implements LineEvents {
  private readonly endpoint: RdmaEndpoint
  private readonly events: PathGuestEvents
  private readonly link: Line
  private readonly timer: Timer
  private readonly tellsBySend: boolean
  private opening: Opening | undefined
  private path: Path | undefined
  /** Where the room of the other side is, as soon as it has said so. */
  private peerRoom: Int32Array | undefined
  private isOver = false

  constructor(endpoint: RdmaEndpoint, number: number, calling: Calling, events: PathGuestEvents) {
    this.endpoint = endpoint
    this.events = events
    this.tellsBySend = calling.tellsBySend || endpoint.tellsBySend(number)
    this.link = endpoint.verbs.addLine(number, CHANNEL_LINK, this)
    this.timer = endpoint.clock.schedule(endpoint.traits.handshakeMsMax, () => this.fail())
  }

  /** Answers the call. */
  accept(): void {
    this.welcome(this.link, LINK_DEPTHS)
  }

  /** It is known who calls, and for what. */
  complete(opening: Opening, path: Path): void {
    this.opening = opening
    this.path = path
    path.lines.add(this.link)
  }

  /** One more line of its path. */
  join(number: number, channel: number): void {
    const { opening, path, endpoint } = this
    const isWanted = channel !== CHANNEL_LINK && path?.lines.missing.includes(channel) === true
    if (opening === undefined || path === undefined || !isWanted || this.isOver) {
      endpoint.refuseCall(number)
      return
    }
    const line = endpoint.verbs.addLine(number, channel, this)
    path.lines.add(line)
    this.welcome(line, laneDepths(opening.terms.limits.credits[channel - 1]!))
  }

  say(kind: number, text: Uint8Array): void {
    const { native, engine } = this.endpoint.verbs
    if (!native.say(engine, this.link.number, said(kind, text))) this.fail()
  }

  /** Hangs up. Idempotent; a path that is up is none of its business any more. */
  end(): void {
    if (this.isOver) return
    this.isOver = true
    this.timer.cancel()
    if (this.path === undefined) this.link.end()
    else this.path.end()
  }

  /** And says so. */
  fail(): void {
    if (this.isOver) return
    this.end()
    this.events.onEnd()
  }

  onRouted(): void {
    // Only who dials looks for a way.
  }

  onConnected(): void {
    this.upWhenWhole()
  }

  onSaid(line: Line, view: DataView, at: number, bytes: number): void {
    const kind = saidKind(view, at, bytes)
    const text = saidTextAt(at)
    const textBytes = saidTextBytes(bytes)
    if (line !== this.link) this.fail()
    else if (kind !== SAY_ROOM) this.events.onSaid(kind, view, text, textBytes)
    else {
      this.peerRoom = this.path === undefined ? undefined : readRoom(view, text, textBytes)
      if (this.peerRoom === undefined) this.fail()
      else this.upWhenWhole()
    }
  }

  onOver(): void {
    this.fail()
  }

  private welcome(line: Line, depths: Depths): void {
    const { tellsBySend, endpoint } = this
    const calling = writeCalling(CALL_WELCOME, { channel: line.channel, tellsBySend })
    const why = endpoint.accept(line, calling, depths, tellsBySend)
    if (why !== 0) this.refuseFor(reasonOf(why))
  }

  private upWhenWhole(): void {
    const { opening, path, peerRoom, endpoint } = this
    if (opening === undefined || path === undefined || peerRoom === undefined) return
    if (this.isOver || !path.lines.areConnected) return
    try {
      const rooms = openRooms(endpoint.verbs, opening, path)
      furnish(endpoint.verbs, opening, path, rooms, peerRoom)
      this.isOver = true
      this.timer.cancel()
      this.events.onUp()
      const { native, engine } = endpoint.verbs
      native.say(engine, this.link.number, said(SAY_READY, roomText(rooms.words)))
    } catch (thrown) {
      this.refuseFor(RmrError.from(thrown).message)
    }
  }

  private refuseFor(reason: string): void {
    this.endpoint.log.write("warn", "session.refused", { reason })
    this.fail()
  }
}
