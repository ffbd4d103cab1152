/**
 * A storage node's end of the transport on a device that does nothing: a test says, row by row,
 * what has arrived, and sees what was posted, furnished and said.
 */

import type { Lease, Session } from "@rmr/core"
import {
  type BuddyMemory,
  buddyMemory,
  type Env,
  greetingText,
  KEY_BYTES,
  NO_LEASE,
  NO_SLOT,
  ownOffer,
  REQUEST_LEASE,
  REQUEST_SESSION,
  REQUEST_STRIDE,
  REQUEST_TICKET,
  silentLog,
} from "@rmr/core"
import { CALL_LANE, CALL_LINK, CALL_PATH, writeCalling } from "../src/calling.js"
import { RdmaEndpoint } from "../src/endpoint.js"
import { HEAD_BYTES, KIND_REQUEST, writeHead } from "../src/framing.js"
import type { NativeAddon } from "../src/native-addon.js"
import { traitsOf } from "../src/options.js"
import { roomText, SAY_HELLO, SAY_ROOM, said } from "../src/saying.js"
import {
  ARRIVAL_ARENA,
  ARRIVAL_AT,
  ARRIVAL_BYTES,
  ARRIVAL_EVENT,
  ARRIVAL_FRAME,
  ARRIVAL_IS_RIGHT,
  ARRIVAL_LINE,
  ARRIVAL_PAYLOAD,
  ARRIVAL_STRIDE,
  ARRIVAL_VALUE,
  ARRIVALS_MAX,
  EVENT_ASKED,
  EVENT_CONNECTED,
  EVENT_FRAME,
  EVENT_SAID,
  EVENT_WORD,
  POST_KIND,
  POST_LINE,
  POST_STRIDE,
  POSTS_MAX,
} from "../src/verbs-table.js"

const CREDITS = [4, 4, 0] as const
const LANES = [1, 2]
const LISTENER = 1
const HEADER_BYTES = 8
const ROOM_BYTES = 65_536

interface Row {
  readonly line: number
  readonly event: number
  readonly value?: number
  readonly text?: Uint8Array
  readonly bytes?: number
  readonly payload?: number
}

export class PretendDevice {
  readonly memory: BuddyMemory = buddyMemory({ arenas: [64 * 4096], leaseCountMax: 64 })
  /** Lines that were furnished though they are closed, or anybody else's. */
  readonly furnished: number[] = []
  /** Whose posts left, in order; those of a stuck line stay. */
  readonly postedLines: number[] = []
  readonly downs: string[] = []
  stuckLine = -1
  /** Whether requests are answered in the turn in which they come. */
  answers = false
  private readonly open = new Set<number>()
  private readonly endpoint: RdmaEndpoint
  private readonly ends: (() => void)[] = []
  private onTurn: (count: number) => void = () => undefined
  private words = new ArrayBuffer(0)
  private count = 0
  private seed = 0
  private readonly sessions = new Map<number, Session>()

  constructor() {
    const traits = traitsOf({ payloadChecked: false, creditsMax: CREDITS, roomBytes: ROOM_BYTES })
    const env = {
      ...{ random: { fill: (bytes: Uint8Array) => bytes.fill(++this.seed), unit: () => 0.5 } },
      clock: {
        ...{ nowMs: () => 0, schedule: () => ({ cancel: () => undefined }) },
        endOfTurn: (run: () => void) => this.ends.push(run),
      },
      log: silentLog,
    } as unknown as Env
    const events = {
      onCompletions: () => undefined,
      onSessionUp: (session: Session) => this.sessions.set(session.id, session),
      onRequests: ({ count, words }: { count: number; words: Int32Array }) => {
        for (let row = 0; row < count * REQUEST_STRIDE; row += REQUEST_STRIDE) {
          const lease = words[row + REQUEST_LEASE]! as Lease
          if (lease !== NO_LEASE) this.memory.release(lease)
          if (this.answers) this.answer(words[row + REQUEST_SESSION]!, words[row + REQUEST_TICKET]!)
        }
      },
      onSessionDown: ({ peerName }: { peerName: string }) => this.downs.push(peerName),
    }
    const options = { env, memory: this.memory, events, hostName: "node" }
    this.endpoint = new RdmaEndpoint(traits, options, this.native())
  }

  async listen(): Promise<void> {
    await this.endpoint.listen("rdma://127.0.0.1:4710", { creditsMax: CREDITS })
  }

  /** A session of this name, whose lines have numbers from here on; its key. */
  session(name: string, line: number): Uint8Array {
    this.call(line, CALL_LINK, {})
    const own = { hostName: name, offer: ownOffer("", []), key: new Uint8Array(KEY_BYTES) }
    const limits = { headerBytesMax: 512, payloadBytesMax: ROOM_BYTES, silenceMs: 5000 }
    const hello = greetingText({ ...own, ...limits, credits: CREDITS })
    this.turn([{ line, event: EVENT_SAID, text: said(SAY_HELLO, hello) }])
    // Keys are what the pretended chance makes of them.
    const key = new Uint8Array(KEY_BYTES).fill(this.seed)
    for (const channel of LANES) this.call(line + channel, CALL_LANE, { key, channel })
    this.sayRoom(line)
    return key
  }

  /** A further path, whole. */
  path(line: number, key: Uint8Array, path: number): void {
    this.call(line, CALL_PATH, { key, path })
    for (const channel of LANES) this.call(line + channel, CALL_LANE, { key, path, channel })
    this.sayRoom(line)
  }

  call(line: number, kind: number, parts: Parameters<typeof writeCalling>[1]): void {
    this.open.add(line)
    const text = writeCalling(kind, parts)
    this.turn([{ line, event: EVENT_ASKED, value: LISTENER, text }])
    this.turn([{ line, event: EVENT_CONNECTED }])
  }

  sayRoom(line: number): void {
    const text = said(SAY_ROOM, roomText(Int32Array.of(line, 0, line, ROOM_BYTES)))
    this.turn([{ line, event: EVENT_SAID, text }])
  }

  /** One turn with these rows. */
  turn(rows: readonly Row[]): void {
    const arrivals = new Int32Array(this.words, 0, ARRIVALS_MAX * ARRIVAL_STRIDE)
    const { texts } = this.endpoint.verbs.table
    let at = 0
    for (const [
      nth,
      { line, event, value = 0, text = new Uint8Array(0), ...more },
    ] of rows.entries()) {
      const row = nth * ARRIVAL_STRIDE
      arrivals.fill(0, row, row + ARRIVAL_STRIDE)
      arrivals[row + ARRIVAL_LINE] = line
      arrivals[row + ARRIVAL_EVENT] = event
      arrivals[row + ARRIVAL_VALUE] = value
      arrivals[row + ARRIVAL_AT] = at
      arrivals[row + ARRIVAL_BYTES] = more.bytes ?? text.length
      arrivals[row + ARRIVAL_PAYLOAD] = more.payload ?? 0
      arrivals[row + ARRIVAL_ARENA] = -1
      arrivals[row + ARRIVAL_FRAME] = at
      new Uint8Array(texts.buffer, texts.byteOffset + at).set(text)
      at += (text.length + 7) & ~7
    }
    this.count = rows.length
    this.onTurn(rows.length)
    while (this.ends.length > 0) this.ends.shift()!()
  }

  private answer(id: number, ticket: number): void {
    const session = this.sessions.get(id)!
    const slot = session.reserveReply(ticket)
    if (slot !== NO_SLOT) session.reply(slot, HEADER_BYTES, ticket, NO_LEASE, 0, 0)
  }

  private native(): NativeAddon {
    const pretended = {
      openEngine: (words: ArrayBuffer, _: unknown, onTurn: (count: number) => void) => {
        this.words = words
        this.onTurn = onTurn
        return {}
      },
      ...{
        tell: () => 0,
        wake: () => undefined,
        visitFrame: () => 0,
        closeEngine: () => undefined,
      },
      ...{ listen: () => LISTENER, portOf: () => 4710, acceptLine: () => 0, isIwarp: () => false },
      ...{ say: (_: object, line: number) => this.open.has(line), tellBySend: () => undefined },
      ...{ openRegion: () => 7, closeRegion: () => undefined, breakLine: () => undefined },
      regionKey: (_: object, __: number, words: Int32Array) => words.fill(1),
      rejectLine: (_: object, line: number) => this.open.delete(line),
      closeLine: (_: object, line: number) => this.open.delete(line),
      furnishLine: (_: object, line: number) => this.furnished.push(line),
      takePayloads: () => {
        const arrivals = new Int32Array(this.words, 0, this.count * ARRIVAL_STRIDE)
        for (let row = 0; row < arrivals.length; row += ARRIVAL_STRIDE) {
          if (arrivals[row + ARRIVAL_ARENA]! >= 0) arrivals[row + ARRIVAL_IS_RIGHT] = 1
        }
      },
      post: (_: object, count: number) => this.post(count),
    }
    return pretended as unknown as NativeAddon
  }

  private post(count: number): number {
    const from = ARRIVALS_MAX * ARRIVAL_STRIDE * 4
    const rows = new Int32Array(this.words, from, POSTS_MAX * POST_STRIDE)
    let waiting = 0
    for (let nth = 0; nth < count; nth++) {
      const row = rows.slice(nth * POST_STRIDE, (nth + 1) * POST_STRIDE)
      if (row[POST_KIND] === 0) continue
      if (row[POST_LINE] === this.stuckLine) rows.set(row, POST_STRIDE * waiting++)
      else this.postedLines.push(row[POST_LINE]!)
    }
    return waiting
  }
}

/** A request to write so much, on a line of the first lane. */
export function requestRow(line: number, id: number, flags: number, payload: number): Row {
  const text = new Uint8Array(HEAD_BYTES + HEADER_BYTES)
  writeHead(
    new DataView(text.buffer),
    0,
    KIND_REQUEST,
    0,
    0,
    id,
    HEADER_BYTES,
    flags,
    payload,
    0,
    0,
  )
  return { line, event: EVENT_FRAME, text, bytes: HEADER_BYTES, payload }
}

export function wordRow(line: number, word: number): Row {
  return { line, event: EVENT_WORD, value: word }
}
