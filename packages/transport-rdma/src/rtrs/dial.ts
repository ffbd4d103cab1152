/**
 * From an address to a session of RTRS, or to one reason why there is none.
 *
 * | step | waits for | then |
 * |---|---|---|
 * | 1 | a route for the first queue pair | calls, and names path and session |
 * | 2 | the answer, which says how many buffers there are | calls with the others |
 * | 3 | all of them | says who calls, over the first one |
 * | 4 | where the buffers are | the session is up |
 *
 * At every step it can run out of time or be refused; each ends all of its queue pairs.
 */
import type { ErrorCode, RmrError as RmrErrorType, Timer } from "@rmr/core"
import { RmrError } from "@rmr/core"
import type { Route } from "../address.js"
import { reasonOf } from "../codes.js"
import { RtrsBuffers } from "./buffers.js"
import type { RtrsClient } from "./client.js"
import { errnoError } from "./errno.js"
import { type RtrsTerms, readRefusedErrno, readTerms, UUID_BYTES, writeCall } from "./handshake.js"
import { TOLD_BEAT, toldType } from "./immediate.js"
import { buffersBytes, writeCaller } from "./messages.js"
import type { RtrsDialOptions } from "./options.js"
import type { RawLine, RawLineOwner } from "./raw-line.js"
import { RtrsSession } from "./session.js"

/** The message that says where all buffers are is the longest. */
const SAID_BYTES_MAX: number = buffersBytes(2047)
/** Of the first queue pair: beats, and requests that are no IO, with their answers. */
const FIRST_SENDS = 64
const FIRST_RECEIVES = 32
/** Of the others: keys. */
const KEY_BYTES_MAX = 64
const BESIDE = 64

export class RtrsDial implements RawLineOwner {
  readonly promise: Promise<RtrsSession>
  private readonly client: RtrsClient
  private readonly address: string
  private readonly options: RtrsDialOptions
  private readonly lineCount: number
  private readonly caller: Uint8Array
  private readonly path: Uint8Array = new Uint8Array(UUID_BYTES)
  private readonly session: Uint8Array = new Uint8Array(UUID_BYTES)
  private readonly lines: RawLine[] = []
  private readonly timer: Timer
  private route: Route | undefined
  private terms: RtrsTerms | undefined
  private isOver = false
  private resolve!: (session: RtrsSession) => void
  private reject!: (error: RmrErrorType) => void

  constructor(client: RtrsClient, address: string, options: RtrsDialOptions, lineCount: number) {
    this.client = client
    this.address = address
    this.options = options
    this.lineCount = lineCount
    this.caller = writeCaller(options.name)
    client.env.random.fill(this.path)
    client.env.random.fill(this.session)
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    const { deadlineMs } = options
    this.timer = client.env.clock.schedule(deadlineMs, () => {
      this.fail("unreachable", `no session after ${deadlineMs} ms`)
    })
  }

  /** The host is an address, no name. */
  start(route: Route): void {
    if (this.isOver) return
    this.route = route
    this.call(0)
  }

  /** Nothing comes of it. Idempotent. */
  fail(code: ErrorCode, detail: string, cause?: RmrErrorType): void {
    if (this.isOver) return
    this.settle()
    for (const line of this.lines) line.end()
    this.reject(new RmrError(code, `${this.address}: ${detail}`, { cause }))
  }

  onRouted(line: RawLine): void {
    const { native, engine } = this.client.verbs
    if (native.isIwarp(engine, line.number)) {
      this.fail("unsupported", "RTRS takes immediate data, which iWARP has not")
      return
    }
    const { path, session, lineCount } = this
    const call = writeCall({ number: line.place, lineCount, path, session })
    const count = this.terms?.bufferCount ?? 0
    const isFirst = line.place === 0
    const sends = isFirst ? FIRST_SENDS : 2 * count + BESIDE
    const receives = isFirst ? FIRST_RECEIVES : count + BESIDE
    native.rawLine(engine, line.number, isFirst ? SAID_BYTES_MAX : KEY_BYTES_MAX)
    const why = native.connectLine(engine, line.number, call, sends, receives, 0)
    if (why !== 0) this.fail("unreachable", reasonOf(why))
  }

  onConnected(line: RawLine, view: DataView, at: number, bytes: number): void {
    line.isConnected = true
    try {
      const terms = readTerms(view, at, bytes)
      if (line.place === 0) this.terms = terms
      else if (terms.bufferCount !== this.terms?.bufferCount) {
        throw new RmrError("bad-message", "each queue pair is told of other buffers")
      }
    } catch (thrown) {
      this.failWith(RmrError.from(thrown))
      return
    }
    for (let place = 1; line.place === 0 && place < this.lineCount; place++) this.call(place)
    if (this.areConnected) this.sayWhoCalls()
  }

  onSaid(line: RawLine, view: DataView, at: number, bytes: number): void {
    if (line.place !== 0 || this.terms === undefined || !this.areConnected) {
      this.fail("bad-message", "it speaks out of turn")
      return
    }
    try {
      const buffers = new RtrsBuffers(this.terms, view, at, bytes)
      const session = new RtrsSession(this.client, this.address, this.lines, buffers, this.options)
      this.settle()
      this.client.addUp(session)
      this.resolve(session)
    } catch (thrown) {
      this.failWith(RmrError.from(thrown))
    }
  }

  onTold(line: RawLine, told: number): void {
    // It may beat before it has said where its buffers are.
    if (line.place !== 0 || toldType(told) !== TOLD_BEAT) {
      this.fail("bad-message", "it answers what nobody has asked")
    }
  }

  onOver(_: RawLine, why: number, detail: number, view: DataView, at: number, bytes: number): void {
    const errno = readRefusedErrno(view, at, bytes)
    if (errno === undefined) this.fail("unreachable", reasonOf(why, detail))
    else this.fail("unreachable", `it refuses (errno ${errno})`, errnoError(errno, "refused"))
  }

  private get areConnected(): boolean {
    return this.lines.length === this.lineCount && this.lines.every((line) => line.isConnected)
  }

  private call(place: number): void {
    if (this.isOver) return
    const { native, engine } = this.client.verbs
    const { from, to } = this.route!
    const number = native.dialLine(engine, to.host, to.port, from)
    if (number < 0) this.fail("unreachable", reasonOf(-number))
    else this.lines.push(this.client.addLine(number, place, this))
  }

  private sayWhoCalls(): void {
    const { native, engine } = this.client.verbs
    if (native.say(engine, this.lines[0]!.number, this.caller)) return
    this.fail("unreachable", "the first queue pair broke")
  }

  private settle(): void {
    this.isOver = true
    this.timer.cancel()
    this.client.forgetDial(this)
  }

  private failWith(error: RmrErrorType): void {
    this.fail(error.code, error.detail, error)
  }
}
