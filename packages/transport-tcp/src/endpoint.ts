/**
 * One process's end of the transport: it owns the engine, and turns what the engine brings in a
 * turn into what the user is told in it.
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
import type { FrameBatch, SocketEngine, SocketTurns } from "@rmr/io"
import {
  FRAME_CONNECTION,
  FRAME_HEAD_AT,
  FRAME_LEASE,
  FRAME_PAYLOAD_BYTES,
  FRAME_STRIDE,
  FRAME_TEXT_BYTES,
  RoomTable,
} from "@rmr/io"
import { parseTcpAddress } from "./address.js"
import { TcpCarrier } from "./carrier.js"
import { Channels } from "./channels.js"
import { Dial } from "./dial.js"
import { FRAME_SHAPE, HEAD_BYTES } from "./framing.js"
import type { Guest } from "./guest.js"
import type { Line } from "./line.js"
import { TcpListener } from "./listener.js"
import type { Opening } from "./opening.js"
import type { TcpTraits } from "./options.js"
import { TcpSession } from "./session.js"
import { STRANGER_LIMITS } from "./terms.js"

export class TcpEndpoint implements Endpoint, SocketTurns {
  readonly traits: TcpTraits
  readonly engine: SocketEngine
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly guestsByKey: Map<string, Guest> = new Map()
  private readonly options: EndpointOptions
  private readonly memory: Memory
  private readonly offer: Offer
  private readonly all: EndpointSessions
  private readonly lines: (Line | undefined)[] = []
  private readonly dials = new Set<Dial>()
  private readonly listeners = new Set<TcpListener>()
  private closing: Promise<void> | undefined

  constructor(traits: TcpTraits, options: EndpointOptions) {
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
    this.all = new EndpointSessions(options, () => this.engine.wake())
    this.engine = traits.engine({ env, memory, shape: FRAME_SHAPE, turns: this })
  }

  async dial(address: string, options: DialOptions): Promise<Session> {
    const to = parseTcpAddress(address)
    if (to.port === 0) throw new RmrError("invalid-argument", `${address}: nobody is at port 0`)
    checkCredits(options.credits)
    if (this.closing !== undefined) throw closedEndpoint()
    if (options.signal?.aborted === true) throw new RmrError("closed", "the dial was given up")
    const dial = new Dial(this, address, options)
    this.dials.add(dial)
    dial.start(to)
    return dial.promise
  }

  async listen(address: string, options: ListenOptions): Promise<Listener> {
    const at = parseTcpAddress(address)
    checkCredits(options.creditsMax)
    if (this.closing !== undefined) throw closedEndpoint()
    const listener = new TcpListener(this, options.creditsMax)
    this.listeners.add(listener)
    try {
      const accept = listener.accept.bind(listener)
      listener.open(await this.engine.listen(at, STRANGER_LIMITS, accept))
    } catch (thrown) {
      this.listeners.delete(listener)
      throw RmrError.from(thrown)
    }
    return listener
  }

  flush(): void {
    this.engine.flush()
  }

  close(): Promise<void> {
    this.closing ??= this.closeAll()
    return this.closing
  }

  onFrames(batch: FrameBatch): void {
    const { count, words, bytes } = batch
    this.all.deliveries.begin(bytes)
    for (let at = 0; at < count * FRAME_STRIDE; at += FRAME_STRIDE) {
      this.lines[words[at + FRAME_CONNECTION]!]?.onFrame(
        bytes,
        words[at + FRAME_HEAD_AT]!,
        words[at + FRAME_TEXT_BYTES]!,
        words[at + FRAME_LEASE]! as Lease,
        words[at + FRAME_PAYLOAD_BYTES]!,
        this.memory,
      )
    }
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

  /** A session without connections. It is nobody's until `watch`. */
  open(side: "dialed" | "accepted", peerName: string, terms: Terms): Opening {
    const { limits } = terms
    const channels = new Channels(limits)
    const [io, sync, control] = limits.credits
    const rooms = new RoomTable(io + sync + control)
    const session = new TcpSession({
      ...{ id: this.all.ids.take(), side, peerName, limits, headBytes: HEAD_BYTES },
      memory: this.memory,
      carrier: new TcpCarrier(channels, rooms, this.memory),
      deliveries: this.all.deliveries,
      onDown: this.all.onDown,
    })
    return { session, terms, channels, rooms }
  }

  /** Nothing came of it. */
  dropOpening({ session, channels }: Opening): void {
    channels.close()
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

  adopt(line: Line): void {
    this.lines[line.connection.id] = line
  }

  forgetDial(dial: Dial): void {
    this.dials.delete(dial)
  }

  forgetListener(listener: TcpListener): void {
    this.listeners.delete(listener)
  }

  private lookAfter({ session, channels, terms }: Opening): void {
    channels.watch(this.clock, terms.silenceMs, (cause) => session.goDown(cause))
  }

  private async closeAll(): Promise<void> {
    for (const dial of [...this.dials]) dial.fail("closed", "this side closed its endpoint")
    for (const listener of [...this.listeners]) void listener.close()
    await this.all.closeAll()
    await this.engine.close()
  }
}
