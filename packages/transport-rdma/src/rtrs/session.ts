/**
 * A session of RTRS, of the side that dialed: writes and reads, as many at a time as the other side
 * has buffers.
 *
 * It takes nothing back: a session that breaks a rule, falls silent or does not answer in time is
 * over, with all of its requests. Queue pairs go first, then the right to memory that they reach,
 * then leases, then those who wait are told.
 */
import type { RmrError as RmrErrorType, Timer } from "@rmr/core"
import { assert, RmrError } from "@rmr/core"
import { lineError, reasonOf } from "../codes.js"
import { RIGHTS_OURS, RIGHTS_PEER_WRITES } from "../native-addon.js"
import type { RtrsBuffers } from "./buffers.js"
import type { RtrsClient } from "./client.js"
import { errnoError } from "./errno.js"
import {
  answeredBuffer,
  answeredErrno,
  requestTold,
  TOLD_ANSWER,
  TOLD_BEAT,
  TOLD_BEAT_ANSWER,
  toldType,
} from "./immediate.js"
import {
  isKeyOf,
  keyIn,
  READ_HEAD_BYTES,
  WRITE_HEAD_BYTES,
  writeReadHead,
  writeWriteHead,
} from "./messages.js"
import {
  ANSWER_MS_DEFAULT,
  LOOKS_PER_SILENCE,
  type RtrsDialOptions,
  type RtrsPayload,
  SILENCE_MS_DEFAULT,
} from "./options.js"
import type { RawLine, RawLineOwner } from "./raw-line.js"

/** The user's header and the head of RTRS, until they are sent. */
const SLOT_BYTES = 512
export const USER_BYTES_MAX: number = SLOT_BYTES - 32
/** Over the first queue pair, which has fewer receives. */
const SERVICE_MAX = 8
/** Beats that nobody takes must not pile up. */
const UNSENT_BEATS_MAX = 4
const NO_REGION = -1

/** A request under way. */
interface Asked {
  readonly line: RawLine
  readonly payload: RtrsPayload | undefined
  readonly region: number
  readonly look: number
  readonly resolve: () => void
  readonly reject: (error: RmrErrorType) => void
}

/** Where the other side may write: low and high word of the address, key. */
const KEY_WORDS: Int32Array = new Int32Array(3)

export class RtrsSession implements RawLineOwner {
  private readonly client: RtrsClient
  private readonly address: string
  private readonly lines: readonly RawLine[]
  private readonly buffers: RtrsBuffers
  private readonly options: RtrsDialOptions
  private readonly slots: DataView
  private readonly slotsRegion: number
  private readonly lookMs: number
  private readonly asked: (Asked | undefined)[]
  private timer: Timer
  private look = 0
  private silentLooks = 0
  private heardCount = 0
  private serviceCount = 0
  private isOver = false

  /** Takes the lines over. Fails with `out-of-memory`, and has taken nothing then. */
  constructor(
    client: RtrsClient,
    address: string,
    lines: readonly RawLine[],
    buffers: RtrsBuffers,
    options: RtrsDialOptions,
  ) {
    this.client = client
    this.address = address
    this.lines = lines
    this.buffers = buffers
    this.options = options
    this.asked = Array.from({ length: buffers.count }, () => undefined)
    this.slots = new DataView(new ArrayBuffer(buffers.count * SLOT_BYTES))
    const { native, engine } = client.verbs
    const region = native.openRegion(engine, lines[0]!.number, this.slots.buffer, RIGHTS_OURS)
    if (region < 0) throw new RmrError("out-of-memory", `for a session: ${reasonOf(-region)}`)
    this.slotsRegion = region
    for (const line of lines) {
      line.owner = this
      native.furnishLine(engine, line.number, region, NO_REGION, new Int32Array(4))
    }
    this.lookMs = (options.silenceMsMax ?? SILENCE_MS_DEFAULT) / LOOKS_PER_SILENCE
    this.timer = client.env.clock.schedule(this.lookMs, this.onLook)
  }

  get isUp(): boolean {
    return !this.isOver
  }

  /** Requests at a time. */
  get depth(): number {
    return this.buffers.count
  }

  get payloadBytesMax(): number {
    return this.buffers.terms.payloadBytesMax
  }

  /** The payload goes to the other side's memory, and is the user's there. */
  write(user: Uint8Array, payload?: RtrsPayload): Promise<void> {
    return this.ask(user, payload, false, false)
  }

  /** The other side fills the memory of the payload, before this is fulfilled. */
  read(user: Uint8Array, payload: RtrsPayload): Promise<void> {
    return this.ask(user, payload, true, false)
  }

  /** As a read or a write, but what is no IO: over the queue pair that is kept for it. */
  service(user: Uint8Array, answer?: RtrsPayload): Promise<void> {
    return this.ask(user, answer, answer !== undefined, true)
  }

  /** Idempotent. */
  close(): void {
    this.goDown(new RmrError("closed", "this side closed the session"))
  }

  onRouted(): void {
    this.breakOff("a route for a line that has one")
  }

  onConnected(): void {
    this.breakOff("a line that is connected twice")
  }

  onSaid(): void {
    this.breakOff("it says what belongs to no request")
  }

  onTold(line: RawLine, told: number, view: DataView, at: number, bytes: number): void {
    const type = toldType(told)
    if (line.place === 0 && type === TOLD_BEAT) this.beat(TOLD_BEAT_ANSWER)
    else if (line.place === 0 && type === TOLD_BEAT_ANSWER) return
    else if (type === TOLD_ANSWER) this.onAnswer(line, told, view, at, bytes)
    else this.breakOff(`immediate data of type ${type}`)
  }

  onOver(_: RawLine, why: number, detail: number): void {
    this.goDown(lineError(why, detail))
  }

  private ask(
    user: Uint8Array,
    payload: RtrsPayload | undefined,
    isRead: boolean,
    isService: boolean,
  ): Promise<void> {
    const payloadBytes = payload?.bytes ?? 0
    assert(
      user.length > 0 && user.length <= USER_BYTES_MAX,
      `a header of 1…${USER_BYTES_MAX} bytes`,
    )
    assert(payload === undefined || this.isPart(payload), "a payload is a part of its lease")
    if (this.isOver) return Promise.reject(new RmrError("link-lost", `${this.address}: it is over`))
    if (!this.buffers.takes(payloadBytes, user.length)) {
      const detail = `${payloadBytes} bytes; it takes ${this.payloadBytesMax}`
      return Promise.reject(new RmrError("invalid-argument", detail))
    }
    const isServiceFull = isService && this.serviceCount === SERVICE_MAX
    if (!this.buffers.isAnyFree || isServiceFull) {
      return Promise.reject(new RmrError("busy", `${this.address}: all buffers are in use`))
    }
    const buffer = this.buffers.take()
    const line = isService ? this.lines[0]! : this.lineFor(buffer)
    const region = isRead && payload !== undefined ? this.expose(line, payload) : NO_REGION
    if (region < NO_REGION) {
      this.buffers.give(buffer)
      const detail = `for what is read: ${reasonOf(NO_REGION - region)}`
      return Promise.reject(new RmrError("out-of-memory", detail))
    }
    if (payload !== undefined) this.client.memory.retain(payload.lease)
    if (isService) this.serviceCount++
    return new Promise((resolve, reject) => {
      const { look } = this
      this.asked[buffer] = { line, payload, region, look, resolve, reject }
      if (isRead) this.postRead(line, buffer, user, payloadBytes, region)
      else this.postWrite(line, buffer, user, payload)
    })
  }

  private isPart({ lease, at, bytes }: RtrsPayload): boolean {
    return at >= 0 && bytes > 0 && at + bytes <= this.client.memory.capacityOf(lease)
  }

  private lineFor(buffer: number): RawLine {
    return this.lines[1 + (buffer % (this.lines.length - 1))]!
  }

  /** A region, or less than NO_REGION by the code of why there is none. */
  private expose(line: RawLine, { lease, at, bytes }: RtrsPayload): number {
    const { verbs, memory } = this.client
    const arena = memory.arenaOf(lease).index
    const start = verbs.startOf(arena, memory.offsetOf(lease) + at)
    const { native, engine } = verbs
    const region = native.exposeArena(engine, line.number, arena, start, bytes, RIGHTS_PEER_WRITES)
    return region < 0 ? NO_REGION + region : region
  }

  private postWrite(
    line: RawLine,
    buffer: number,
    user: Uint8Array,
    payload: RtrsPayload | undefined,
  ): void {
    const { buffers, slots } = this
    const { memory, verbs } = this.client
    const slot = this.putUser(buffer, user)
    writeWriteHead(slots, slot + user.length, user.length)
    const bytes = payload?.bytes ?? 0
    const arena = payload === undefined ? -1 : memory.arenaOf(payload.lease).index
    const from = payload === undefined ? 0 : memory.offsetOf(payload.lease) + payload.at
    line.request(
      slot,
      user.length + WRITE_HEAD_BYTES,
      arena,
      arena < 0 ? 0 : verbs.startOf(arena, from),
      bytes,
      requestTold(buffer, bytes + user.length, buffers.count),
      buffers.keyOf(buffer),
      buffers.lowOf(buffer, 0),
      buffers.highOf(buffer, 0),
    )
    if (payload !== undefined) line.holdUntilSent(payload.lease)
  }

  /** What is read has its place in the buffer, before the header, though nothing is sent of it. */
  private postRead(
    line: RawLine,
    buffer: number,
    user: Uint8Array,
    bytes: number,
    region: number,
  ): void {
    const { buffers, slots } = this
    const { native, engine } = this.client.verbs
    native.regionKey(engine, region, KEY_WORDS)
    const slot = this.putUser(buffer, user)
    writeReadHead(slots, slot + user.length, user.length, KEY_WORDS, bytes)
    line.request(
      slot,
      user.length + READ_HEAD_BYTES,
      -1,
      0,
      0,
      requestTold(buffer, bytes + user.length, buffers.count),
      buffers.keyOf(buffer),
      buffers.lowOf(buffer, bytes),
      buffers.highOf(buffer, bytes),
    )
  }

  private putUser(buffer: number, user: Uint8Array): number {
    const slot = buffer * SLOT_BYTES
    new Uint8Array(this.slots.buffer, slot, user.length).set(user)
    return slot
  }

  private onAnswer(line: RawLine, told: number, view: DataView, at: number, bytes: number): void {
    const { buffers, asked } = this
    const buffer = answeredBuffer(told)
    const request = asked[buffer]
    if (request === undefined || request.line !== line) {
      this.breakOff("it answers what nobody has asked")
      return
    }
    const isRight = buffers.terms.renewsKeys ? isKeyOf(view, at, bytes, buffer) : bytes === 0
    if (!isRight) {
      this.breakOff("an answer that brings no key for its buffer, or one that nobody takes")
      return
    }
    if (buffers.terms.renewsKeys) buffers.renewKey(buffer, keyIn(view, at))
    asked[buffer] = undefined
    buffers.give(buffer)
    if (line.place === 0) this.serviceCount--
    this.release(request)
    const errno = answeredErrno(told)
    if (errno === 0) request.resolve()
    else request.reject(errnoError(errno, `${this.address}: it failed`))
  }

  /** Nobody may write to what was read any more, and the lease is the caller's alone. */
  private release({ region, payload }: Asked): void {
    const { native, engine } = this.client.verbs
    if (region !== NO_REGION) native.closeRegion(engine, region)
    if (payload !== undefined) this.client.memory.release(payload.lease)
  }

  private readonly onLook = (): void => {
    if (this.isOver) return
    this.timer = this.client.env.clock.schedule(this.lookMs, this.onLook)
    const heardCount = this.lines.reduce((sum, line) => sum + line.heardCount, 0)
    this.silentLooks = heardCount === this.heardCount ? this.silentLooks + 1 : 0
    this.heardCount = heardCount
    this.look++
    const looksMax = Math.ceil((this.options.answerMsMax ?? ANSWER_MS_DEFAULT) / this.lookMs)
    if (this.silentLooks >= LOOKS_PER_SILENCE) this.breakOff("it fell silent")
    else if (this.asked.some((one) => one !== undefined && this.look - one.look > looksMax)) {
      this.goDown(new RmrError("deadline", "a request was not answered in time"))
    } else this.beat(TOLD_BEAT)
  }

  private beat(type: number): void {
    const first = this.lines[0]!
    if (first.unsentCount <= UNSENT_BEATS_MAX) first.beat(type)
  }

  private breakOff(detail: string): void {
    this.goDown(new RmrError("link-lost", detail))
  }

  private goDown(cause: RmrErrorType): void {
    if (this.isOver) return
    this.isOver = true
    this.timer.cancel()
    for (const line of this.lines) line.end()
    const { native, engine } = this.client.verbs
    native.closeRegion(engine, this.slotsRegion)
    const requests = this.asked.filter((one) => one !== undefined)
    this.asked.fill(undefined)
    for (const request of requests) this.release(request)
    this.client.forgetSession(this)
    const error = new RmrError(cause.code, `${this.address}: ${cause.detail}`, { cause })
    for (const request of requests) request.reject(error)
    this.options.onDown?.()
  }
}
