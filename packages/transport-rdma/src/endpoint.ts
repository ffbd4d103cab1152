/**
 * One process's end of the transport: it owns the engine, and turns the rows of a turn into what
 * the user is told in it.
 */
import type {
  Clock,
  DialOptions,
  Endpoint,
  EndpointOptions,
  Greeting,
  LaneCredits,
  Lease,
  Listener,
  ListenOptions,
  Log,
  Memory,
  Offer,
  Random,
  Session,
  Terms,
} from "@rmr/core"
import {
  checkCredits,
  closedEndpoint,
  cutCredits,
  EndpointSessions,
  isHostName,
  ownOffer,
  RmrError,
} from "@rmr/core"
import { lingerUs } from "@rmr/io"
import { parseRdmaAddress } from "./address.js"
import { Answering } from "./answering.js"
import { Asking } from "./asking.js"
import {
  CALL_LANE,
  CALL_LINK,
  CALL_REFUSAL,
  REFUSED_FULL,
  REFUSED_NONSENSE,
  readCalling,
  writeCalling,
} from "./calling.js"
import { RdmaCarrier } from "./carrier.js"
import { listenError } from "./codes.js"
import { Dial } from "./dial.js"
import { HEAD_BYTES } from "./framing.js"
import { Guest, hexOf } from "./guest.js"
import type { Line } from "./line.js"
import { CHANNEL_LINK, Lines } from "./lines.js"
import { RdmaListener } from "./listener.js"
import { addressOf } from "./names.js"
import type { Depths, Opening } from "./opening.js"
import type { RdmaTraits } from "./options.js"
import { roomShape } from "./room-shape.js"
import { FRAME_IS_WRONG, FRAME_WAITS, RdmaSession } from "./session.js"
import { Verbs, type VerbsTurns } from "./verbs.js"
import {
  ARRIVAL_AT,
  ARRIVAL_BYTES,
  ARRIVAL_DETAIL,
  ARRIVAL_EVENT,
  ARRIVAL_LINE,
  ARRIVAL_PAYLOAD,
  ARRIVAL_STRIDE,
  ARRIVAL_VALUE,
  ARRIVALS_MAX,
  EVENT_ASKED,
  EVENT_BEAT,
  EVENT_CONNECTED,
  EVENT_FRAME,
  EVENT_GONE,
  EVENT_OVER,
  EVENT_READ,
  EVENT_ROUTED,
  EVENT_SAID,
  EVENT_SENT,
} from "./verbs-table.js"

export class RdmaEndpoint implements Endpoint, VerbsTurns {
  readonly traits: RdmaTraits
  readonly verbs: Verbs
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly guestsByKey: Map<string, Guest> = new Map()
  private readonly options: EndpointOptions
  private readonly memory: Memory
  private readonly offer: Offer
  private readonly all: EndpointSessions
  private readonly dials = new Set<Dial>()
  private readonly listeners = new Set<RdmaListener>()
  private readonly listenersByNumber = new Map<number, RdmaListener>()
  /** Of each row of this turn: the lease of its payload, or why it is not taken. */
  private readonly leases = new Int32Array(ARRIVALS_MAX)
  private closing: Promise<void> | undefined

  /** Fails with `unsupported` where there is no RDMA on this machine, and says why. */
  constructor(traits: RdmaTraits, options: EndpointOptions) {
    const { env, memory, hostName } = options
    if (!isHostName(hostName)) {
      throw new RmrError("invalid-argument", `"${hostName}" is no host name: visible ASCII`)
    }
    this.traits = traits
    this.options = options
    this.clock = env.clock
    this.random = env.random
    this.log = env.log
    this.memory = memory
    this.offer = ownOffer(traits.software, traits.payloadChecked ? ["payload-checksum"] : [])
    this.verbs = new Verbs(env, memory, traits.lingerUs ?? lingerUs(), this)
    this.all = new EndpointSessions(options, () => this.verbs.wake())
  }

  async dial(address: string, options: DialOptions): Promise<Session> {
    const to = parseRdmaAddress(address)
    if (to.port === 0) throw new RmrError("invalid-argument", `${address}: nobody is at port 0`)
    checkCredits(options.credits)
    if (this.closing !== undefined) throw closedEndpoint()
    if (options.signal?.aborted === true) throw new RmrError("closed", "the dial was given up")
    const dial = new Dial(this, address, options)
    this.dials.add(dial)
    addressOf(to).then(
      (place) => dial.start(place),
      (thrown) => dial.fail("unreachable", RmrError.from(thrown).detail),
    )
    return dial.promise
  }

  async listen(address: string, options: ListenOptions): Promise<Listener> {
    const to = parseRdmaAddress(address)
    checkCredits(options.creditsMax)
    if (this.closing !== undefined) throw closedEndpoint()
    const { host, port } = await addressOf(to)
    if (this.closing !== undefined) throw closedEndpoint()
    const { native, engine } = this.verbs
    const number = native.listen(engine, host, port)
    if (number < 0) throw listenError(address, -number)
    const at = { host, port: native.portOf(engine, number) }
    const listener = new RdmaListener(this, number, at, options.creditsMax)
    this.listeners.add(listener)
    this.listenersByNumber.set(number, listener)
    return listener
  }

  flush(): void {
    this.verbs.flush()
  }

  close(): Promise<void> {
    this.closing ??= this.closeAll()
    return this.closing
  }

  /** First where payloads go, then those in one call, then what came. */
  onRows(count: number): void {
    const { arrivals, texts } = this.verbs.table
    this.all.deliveries.begin(texts)
    let hasPayloads = false
    for (let nth = 0; nth < count; nth++) {
      const row = nth * ARRIVAL_STRIDE
      if (arrivals[row + ARRIVAL_EVENT] !== EVENT_FRAME) continue
      const line = this.verbs.lines[arrivals[row + ARRIVAL_LINE]!]
      const session = line?.session
      const isFor = line !== undefined && session?.isUp === true
      this.leases[nth] = isFor ? session.roomFor(line, row) : FRAME_WAITS
      hasPayloads ||= arrivals[row + ARRIVAL_PAYLOAD]! > 0
    }
    if (hasPayloads) this.verbs.native.takePayloads(this.verbs.engine)
    for (let nth = 0; nth < count; nth++) this.onRow(nth)
  }

  onTurnEnd(): void {
    this.all.endTurn()
  }

  /** What this side says of itself. */
  greeting(credits: LaneCredits, key: Uint8Array): Greeting {
    const { headerBytesMax, payloadBytesMax, silenceMsMax, creditsMax } = this.traits
    return {
      hostName: this.options.hostName,
      offer: this.offer,
      credits: cutCredits(credits, creditsMax),
      headerBytesMax,
      payloadBytesMax: Math.min(payloadBytesMax, this.memory.leaseBytesMax),
      silenceMs: silenceMsMax,
      key,
    }
  }

  /** A session without lines. It is nobody's until `watch`. */
  open(side: "dialed" | "accepted", peerName: string, terms: Terms): Opening {
    const { verbs, memory } = this
    const lines = new Lines(verbs, terms.limits)
    const shape = roomShape(terms, this.traits)
    const asking = new Asking(verbs, memory, lines, shape)
    const answering = new Answering(verbs, memory, lines, shape)
    const carrier = new RdmaCarrier(verbs, lines, asking, answering)
    const session = new RdmaSession({
      ...{ id: this.all.ids.take(), side, peerName, limits: terms.limits, headBytes: HEAD_BYTES },
      ...{ memory, carrier, verbs },
      deliveries: this.all.deliveries,
      onDown: this.all.onDown,
    })
    return { session, terms, shape, lines, carrier }
  }

  /** Nothing came of it. */
  dropOpening({ session, carrier }: Opening): void {
    carrier.close()
    this.all.ids.give(session.id)
  }

  /** From now on it is a session: one that this side has dialed. */
  watch(opening: Opening): void {
    this.all.add(opening.session)
    this.lookAfter(opening)
  }

  /** An accepted session is there. */
  addUp(opening: Opening): void {
    this.all.addUp(opening.session)
    this.lookAfter(opening)
  }

  /** Whether the device of this line needs frames to be told by SEND, or we want it so. */
  tellsBySend(line: number): boolean {
    return this.traits.tellBySend || this.verbs.native.isIwarp(this.verbs.engine, line)
  }

  /** 0, or why not. */
  connect(line: Line, calling: Uint8Array, { sends, receives }: Depths): number {
    const { native, engine } = this.verbs
    const isLink = line.channel === CHANNEL_LINK ? 1 : 0
    return native.connectLine(engine, line.number, calling, sends, receives, isLink)
  }

  /** 0, or why not. */
  accept(line: Line, calling: Uint8Array, depths: Depths, tellsBySend: boolean): number {
    const { native, engine } = this.verbs
    const { sends, receives } = depths
    const isLink = line.channel === CHANNEL_LINK ? 1 : 0
    if (tellsBySend) native.tellBySend(engine, line.number)
    return native.acceptLine(engine, line.number, calling, sends, receives, isLink)
  }

  refuseCall(number: number, why: number = REFUSED_NONSENSE): void {
    const { native, engine } = this.verbs
    native.rejectLine(engine, number, writeCalling(CALL_REFUSAL, { why }))
  }

  forgetDial(dial: Dial): void {
    this.dials.delete(dial)
  }

  /** It is closed. */
  forgetListener(listener: RdmaListener): void {
    this.listeners.delete(listener)
  }

  /** Who listens under a number, or nobody any more. */
  nameListener(number: number, listener: RdmaListener | undefined): void {
    if (listener === undefined) this.listenersByNumber.delete(number)
    else this.listenersByNumber.set(number, listener)
  }

  private onRow(nth: number): void {
    const { arrivals, texts } = this.verbs.table
    const row = nth * ARRIVAL_STRIDE
    const number = arrivals[row + ARRIVAL_LINE]!
    const event = arrivals[row + ARRIVAL_EVENT]!
    const at = arrivals[row + ARRIVAL_AT]!
    const bytes = arrivals[row + ARRIVAL_BYTES]!
    const value = arrivals[row + ARRIVAL_VALUE]!
    const line = this.verbs.lines[number]
    if (event === EVENT_FRAME) this.onFrame(line, row, this.leases[nth]!)
    else if (event === EVENT_ASKED) this.onAsked(number, value, texts, at, bytes)
    else if (event === EVENT_GONE) this.listenersByNumber.get(value)?.onGone()
    else if (line === undefined) return
    else if (event === EVENT_SENT) line.onSent(value)
    else if (event === EVENT_READ) line.onRead(value)
    else if (event === EVENT_BEAT) line.heardCount++
    else if (event === EVENT_SAID) line.onSaid(texts, at, bytes)
    else if (event === EVENT_ROUTED) line.onRouted()
    else if (event === EVENT_CONNECTED) line.onConnected(texts, at, bytes)
    else if (event === EVENT_OVER) {
      line.onOver(value, arrivals[row + ARRIVAL_DETAIL]!, texts, at, bytes)
    }
  }

  private onFrame(line: Line | undefined, row: number, lease: number): void {
    const session = line?.session
    if (line !== undefined) line.heardCount++
    if (line !== undefined && session?.isUp === true) {
      if (lease === FRAME_IS_WRONG) session.breakOff("a frame that answers nothing, or comes twice")
      else if (lease !== FRAME_WAITS) session.onFrame(line, row, lease as Lease)
    } else if (lease >= 0) {
      // An earlier row of this turn has ended the session.
      this.memory.release(lease as Lease)
    }
  }

  private onAsked(number: number, at: number, view: DataView, from: number, bytes: number): void {
    const listener = this.listenersByNumber.get(at)
    const calling = readCalling(view, from, bytes)
    if (typeof calling === "number") this.refuseCall(number, calling)
    else if (calling.kind === CALL_LANE) {
      const guest = this.guestsByKey.get(hexOf(calling.key))
      if (guest === undefined) this.refuseCall(number)
      else guest.join(number, calling.channel)
    } else if (calling.kind !== CALL_LINK) this.refuseCall(number)
    else if (listener === undefined || listener.guests.size >= this.traits.guestsMax) {
      this.refuseCall(number, REFUSED_FULL)
    } else new Guest(this, listener, number, calling)
  }

  private lookAfter({ session, lines, terms }: Opening): void {
    lines.watch(this.clock, terms.silenceMs, (cause) => session.goDown(cause))
  }

  private async closeAll(): Promise<void> {
    for (const dial of [...this.dials]) dial.fail("closed", "this side closed its endpoint")
    for (const listener of [...this.listeners]) void listener.close()
    await this.all.closeAll()
    await this.verbs.close()
  }
}
