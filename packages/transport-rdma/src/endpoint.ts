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
import { parseRdmaAddress, parseRoutes } from "./address.js"
import { Answering } from "./answering.js"
import { Asking } from "./asking.js"
import {
  CALL_LANE,
  CALL_LINK,
  CALL_PATH,
  CALL_REFUSAL,
  type Calling,
  REFUSED_FULL,
  REFUSED_NONSENSE,
  readCalling,
  writeCalling,
} from "./calling.js"
import { RdmaCarrier } from "./carrier.js"
import { listenError } from "./codes.js"
import { Dial } from "./dial.js"
import { Failover } from "./failover.js"
import { HEAD_BYTES } from "./framing.js"
import { Guest, hexOf } from "./guest.js"
import type { Line } from "./line.js"
import { CHANNEL_LINK } from "./lines.js"
import { RdmaListener } from "./listener.js"
import { addressOf } from "./names.js"
import type { NativeAddon } from "./native-addon.js"
import type { Depths, Opening } from "./opening.js"
import type { RdmaTraits } from "./options.js"
import { Path } from "./path.js"
import { Paths } from "./paths.js"
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
  EVENT_CONNECTED,
  EVENT_FRAME,
  EVENT_GONE,
  EVENT_OVER,
  EVENT_READ,
  EVENT_ROUTED,
  EVENT_SAID,
  EVENT_SENT,
  EVENT_WORD,
} from "./verbs-table.js"
import type { Ways } from "./ways.js"
import { WORD_BEAT } from "./words.js"

/** Who answers those that call with a key. */
export interface KeyHolder {
  onCall(number: number, calling: Calling): void
}

/** Who knows of further paths of a session. */
type PathFinder = Pick<Ways, "end"> & Partial<Pick<Ways, "onLost">>

export class RdmaEndpoint implements Endpoint, VerbsTurns {
  readonly traits: RdmaTraits
  readonly verbs: Verbs
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly holdersByKey: Map<string, KeyHolder> = new Map()
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
  constructor(traits: RdmaTraits, options: EndpointOptions, native?: NativeAddon) {
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
    this.verbs = new Verbs(env, memory, traits.lingerUs ?? lingerUs(), this, native)
    this.all = new EndpointSessions(options, () => this.verbs.wake())
  }

  async dial(address: string, options: DialOptions): Promise<Session> {
    const routes = parseRoutes(address)
    checkCredits(options.credits)
    if (this.closing !== undefined) throw closedEndpoint()
    if (options.signal?.aborted === true) throw new RmrError("closed", "the dial was given up")
    const dial = new Dial(this, address, options)
    this.dials.add(dial)
    Promise.all(routes.map(async ({ from, to }) => ({ from, to: await addressOf(to) }))).then(
      (places) => dial.start(places),
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
    const paths = new Paths(this.traits.pathPolicy, this.clock)
    const firstPath = new Path(verbs, 0, terms.limits)
    paths.open(firstPath)
    const shape = roomShape(terms, this.traits)
    const asking = new Asking(verbs, memory, paths, shape)
    const answering = new Answering(verbs, memory, paths, shape)
    const carrier = new RdmaCarrier(paths, asking, answering)
    const session = new RdmaSession({
      ...{ id: this.all.ids.take(), side, peerName, limits: terms.limits, headBytes: HEAD_BYTES },
      ...{ memory, carrier, verbs },
      deliveries: this.all.deliveries,
      onDown: this.all.onDown,
    })
    return { session, terms, shape, carrier, firstPath }
  }

  /** Nothing came of it. */
  dropOpening({ session, carrier }: Opening): void {
    carrier.close()
    this.all.ids.give(session.id)
  }

  /** From now on it is a session: one that this side has dialed. */
  watch(opening: Opening, ways: Ways | undefined): void {
    this.all.add(opening.session)
    this.lookAfter(opening, ways)
    ways?.start()
  }

  /** An accepted session is there. */
  addUp(opening: Opening, joins: PathFinder): void {
    this.all.addUp(opening.session)
    this.lookAfter(opening, joins)
  }

  /** One more path of a session is there, to be looked after. */
  watchPath({ session, terms }: Opening, path: Path): void {
    path.lines.watch(this.clock, terms.silenceMs, (cause) => session.losePath(path, cause))
    const fields = { peer: session.peerName, session: session.id, path: path.number }
    if (path.number > 0) this.log.write("info", "path.up", fields)
  }

  /** Whether the device of this line needs frames to be told by SEND, or we want it so. */
  tellsBySend(line: number): boolean {
    return this.traits.tellBySend || this.verbs.native.isIwarp(this.verbs.engine, line)
  }

  /** 0, or why not. */
  connect(line: Line, calling: Uint8Array, { sends, receives }: Depths): number {
    const { native, engine } = this.verbs
    const isLink = line.channel === CHANNEL_LINK ? 1 : 0
    line.waitingMax = sends
    return native.connectLine(engine, line.number, calling, sends, receives, isLink)
  }

  /** 0, or why not. */
  accept(line: Line, calling: Uint8Array, depths: Depths, tellsBySend: boolean): number {
    const { native, engine } = this.verbs
    const { sends, receives } = depths
    const isLink = line.channel === CHANNEL_LINK ? 1 : 0
    line.waitingMax = sends
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
    else if (event === EVENT_WORD) onWord(line, value)
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
    else if (calling.kind === CALL_LANE || calling.kind === CALL_PATH) {
      const holder = this.holdersByKey.get(hexOf(calling.key))
      if (holder === undefined) this.refuseCall(number)
      else holder.onCall(number, calling)
    } else if (calling.kind !== CALL_LINK) this.refuseCall(number)
    else if (listener === undefined || listener.guests.size >= this.traits.guestsMax) {
      this.refuseCall(number, REFUSED_FULL)
    } else new Guest(this, listener, number, calling)
  }

  private lookAfter(opening: Opening, finder: PathFinder | undefined): void {
    const { session, terms, firstPath } = opening
    const { clock, log } = this
    const { silenceMs } = terms
    session.failover = new Failover({
      ...{ session, clock, silenceMs },
      onLost: (path, cause) => {
        const fields = { peer: session.peerName, session: session.id, path: path.number }
        log.write("warn", "path.lost", { ...fields, reason: cause.detail })
        finder?.onLost?.(path)
      },
      onEnd: () => finder?.end(),
    })
    this.watchPath(opening, firstPath)
  }

  private async closeAll(): Promise<void> {
    for (const dial of [...this.dials]) dial.fail("closed", "this side closed its endpoint")
    for (const listener of [...this.listeners]) void listener.close()
    await this.all.closeAll()
    await this.verbs.close()
  }
}

function onWord(line: Line, word: number): void {
  line.heardCount++
  const { session, path } = line
  if (word !== WORD_BEAT && path?.isUp === true) session?.failover?.onWord(path, word)
}
