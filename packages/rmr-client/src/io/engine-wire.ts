/**
 * EngineWire: operations as messages on legs, and answers back (rules F3, W2, W7, I2).
 *
 * One record is filled for all requests; what all of them say (lineage, epoch, view, who is absent,
 * the stable number) is set when it changes. A request that finds no credit is owed to its leg and
 * sent when one comes back.
 */
import type { Checksum, Env, ErrorCode, Memory, Uuid, View } from "@rmr/core"
import {
  ACCEPTED,
  ChunkGeometry,
  decodeIoReply,
  encodeIo,
  FLAG_PAYLOAD_CRC,
  IoRecord,
  IoReplyRecord,
  LANE_IO,
  NO_LEASE,
  NO_SLOT,
  OP_FLUSH,
  OP_READ,
  OP_WRITE,
  PAYLOAD_BACK,
  PAYLOAD_OUT,
  refuseIoReplyFor,
  refuseIoReplyPayload,
  setAbsentMembers,
  setLineage,
} from "@rmr/core"
import { type EngineLeg, ReadBalance, type ReadPolicy } from "./engine-leg.js"
import { type IoRows, KIND_FREE, KIND_MUTATION, KIND_READ } from "./io-rows.js"
import { Submissions } from "./submissions.js"

export interface EngineEvents {
  /** Another client has the pool (F4). */
  onFenced(slot: number): void
  /** The leg answered, but not what was asked: it is between two states, or broken. */
  onLegRefused(slot: number, code: ErrorCode): void
  onFlushWanted(): void
  /** W3: these members missed what others have done, and have to mark it. */
  onMarksNeeded(row: number, slots: number): void
  /** F7: a read waits for members to say that they know this client. */
  onVouchNeeded(): void
  /** A mutation failed everywhere, or was given up (W4, W6). */
  onUncertain(row: number): void
  /** A chunk may have no clean copy in N any more (R6). */
  onCopyMissing(): void
  /** Something found no credit: whoever else has some may give it back. */
  onShort(): void
  /** An operation is over; so many are left. */
  onEnded(left: number): void
}

export interface EngineOptions {
  readonly env: Env
  readonly memory: Memory
  readonly groupId: number
  readonly queueDepth: number
  /** Reads and flushes that may be in flight. */
  readonly readsMax: number
  /** A chunk that nobody has clean is waited for so long (S8). */
  readonly noLegMs: number
  readonly readPolicy: ReadPolicy
  readonly readRunBytes: number
  readonly checksum: Checksum
  readonly isChecksumRequired: boolean
  /** The upper half of this pool's tokens. */
  readonly tokenBase: number
  readonly chunkSizeBytes: number
  readonly mappedSizeBytes: number
  readonly events: EngineEvents
}

const ENDED = { slot: 0, row: 0, isCurrent: false }
const LEGS_MAX = 8
const LATENCY_WEIGHT = 0.1

export class EngineWire {
  readonly submissions: Submissions
  readonly balance: ReadBalance
  private readonly options: EngineOptions
  private readonly rows: IoRows
  private readonly legs: readonly (EngineLeg | undefined)[]
  private readonly io = new IoRecord()
  private readonly reply = new IoReplyRecord()
  private readonly geometry: ChunkGeometry

  constructor(options: EngineOptions, rows: IoRows, legs: readonly (EngineLeg | undefined)[]) {
    const { queueDepth, readsMax, chunkSizeBytes, mappedSizeBytes } = options
    this.options = options
    this.rows = rows
    this.legs = legs
    // Twice what can be in flight, so that legs which were put out do not use up the room.
    this.submissions = new Submissions(2 * (queueDepth * LEGS_MAX + readsMax))
    this.balance = new ReadBalance(options.readPolicy, options.readRunBytes)
    this.geometry = new ChunkGeometry({ chunkSizeBytes, mappedSizeBytes })
    this.io.groupId = options.groupId
  }

  growTo(mappedSizeBytes: number): void {
    this.geometry.resizeTo(mappedSizeBytes)
  }

  setLineage(lineage: Uuid): void {
    setLineage(this.io, lineage)
  }

  setView(view: View, absentIds: readonly number[]): void {
    this.io.epoch = view.epoch
    this.io.viewVersion = view.version
    setAbsentMembers(this.io, absentIds)
    this.absent0 = this.io.absent0
    this.absent1 = this.io.absent1
  }

  setStable(epoch: number, sequence: number): void {
    this.io.stableEpoch = epoch
    this.io.stableSequence = sequence
  }

  private absent0 = 0
  private absent1 = 0

  /** The payload's checksum, once for all legs. */
  sealPayload(row: number): void {
    const { memory, checksum, isChecksumRequired } = this.options
    if (!isChecksumRequired || this.rows.operations[row] !== OP_WRITE) return
    const lease = this.rows.leaseOf(row)
    const at = memory.offsetOf(lease) + this.rows.leaseAts[row]!
    this.rows.payloadCrcs[row] = checksum(memory.arenaOf(lease).view, at, this.rows.lengths[row]!)
  }

  /** Sends a request to whoever it is owed, as far as they can take it. */
  payDebt(row: number, normal: number): void {
    const { rows, legs } = this
    const owed = rows.owed[row]! & normal
    if (owed === 0) return
    for (let slot = 0; slot < legs.length; slot++) {
      const bit = 1 << slot
      if ((owed & bit) === 0) continue
      const leg = legs[slot]
      if (leg?.session !== undefined && this.submit(row, leg)) rows.owed[row]! &= ~bit
    }
    if ((rows.owed[row]! & normal) === 0) return
    this.hasDebts = true
    this.options.events.onShort()
  }

  /** A mutation or flush found no credit, or no session. */
  hasDebts = false

  payDebts(normal: number): void {
    if (!this.hasDebts) return
    this.hasDebts = false
    const { rows } = this
    for (let row = 0; row < rows.rowCount; row++) {
      const kind = rows.kinds[row]
      if (kind === KIND_FREE || kind === KIND_READ || rows.owed[row] === 0) continue
      this.payDebt(row, normal)
    }
  }

  /** False where the leg has no credit, or is down. */
  submit(row: number, leg: EngineLeg): boolean {
    const { session } = leg
    const { rows, submissions, io, options } = this
    if (session === undefined || !session.isUp || !submissions.hasRoom) return false
    const slot = session.reserve(LANE_IO)
    if (slot === NO_SLOT) return false
    this.fill(row, leg)
    const headerBytes = encodeIo(session.slots, slot, io)
    const nowMs = options.env.clock.nowMs()
    const submission = submissions.add(row, rows.serials[row]!, leg.slot, nowMs)
    leg.inFlight++
    const lease = rows.leaseOf(row)
    const isRead = rows.operations[row] === OP_READ
    const bytes = lease === NO_LEASE ? 0 : rows.lengths[row]!
    session.submit(
      slot,
      headerBytes,
      options.tokenBase + submission,
      isRead ? PAYLOAD_BACK : PAYLOAD_OUT,
      lease,
      lease === NO_LEASE ? 0 : rows.leaseAts[row]!,
      bytes,
    )
    return true
  }

  /** A request has ended; whose it was, and whether its row is still about it. */
  end(submission: number): { slot: number; row: number; isCurrent: boolean } {
    const { submissions, rows } = this
    const row = submissions.rows[submission]!
    ENDED.slot = submissions.slots[submission]!
    ENDED.row = row
    ENDED.isCurrent =
      rows.kinds[row] !== KIND_FREE && rows.serials[row] === submissions.serials[submission]
    const leg = this.legs[ENDED.slot]
    if (leg !== undefined) leg.inFlight--
    submissions.remove(submission)
    return ENDED
  }

  /**
   * Since when this leg of the view owes an answer (V7). A mutation or flush that was refused for
   * the moment is sent again, and yet owed since it was sent first.
   */
  oldestMs(slot: number): number | undefined {
    const { rows, submissions, legs } = this
    let oldest = submissions.oldestMs(slot, rows.unitCount)
    if (rows.count === 0) return oldest
    const enabledMs = legs[slot]?.enabledMs ?? 0
    for (let row = 0; row < rows.rowCount; row++) {
      if (!rows.isOwedBy(row, slot)) continue
      const since = this.owedSinceMs(row, enabledMs)
      if (oldest === undefined || since < oldest) oldest = since
    }
    return oldest
  }

  /** Age of the oldest mutation that this leg of the view owes; 0 where it owes none. */
  mutationAgeMs(slot: number, nowMs: number): number {
    const { rows, legs } = this
    if (rows.count === 0) return 0
    const enabledMs = legs[slot]?.enabledMs ?? 0
    let ageMs = 0
    for (let row = 0; row < rows.unitCount; row++) {
      if (!rows.isOwedBy(row, slot)) continue
      ageMs = Math.max(ageMs, nowMs - this.owedSinceMs(row, enabledMs))
    }
    return ageMs
  }

  private owedSinceMs(row: number, enabledMs: number): number {
    const { rows } = this
    return Math.max(rows.sentMs[row]!, rows.grantedMs[row]!, enabledMs)
  }

  /** A mutation was carried out; the answer that says so was noted just now. */
  noteMutation(row: number, slot: number): void {
    const leg = this.legs[slot]
    if (leg === undefined) return
    leg.mutationCount++
    leg.mutationMs += Math.max(0, leg.lastAnswerMs - this.owedSinceMs(row, leg.enabledMs))
  }

  noteAnswer(submission: number, slot: number, isRead: boolean): void {
    const leg = this.legs[slot]
    if (leg === undefined) return
    const { submissions } = this
    const nowMs = this.options.env.clock.nowMs()
    leg.lastAnswerMs = nowMs
    leg.silentCount = 0
    leg.answeredNumber = Math.max(leg.answeredNumber, submissions.numbers[submission]!)
    const tookMs = nowMs - submissions.sentMs[submission]!
    leg.latencyMs += (tookMs - leg.latencyMs) * LATENCY_WEIGHT
    if (isRead) leg.readMs += (tookMs - leg.readMs) * LATENCY_WEIGHT
  }

  /** The answer, valid until the next one; undefined for bytes that are none. */
  decode(headers: DataView, at: number, bytes: number): IoReplyRecord | undefined {
    return decodeIoReply(headers, at, bytes, this.reply) === ACCEPTED ? this.reply : undefined
  }

  isPayloadGood(row: number, reply: IoReplyRecord, payloadBytes: number): boolean {
    const { memory, checksum, isChecksumRequired } = this.options
    const length = this.rows.lengths[row]!
    if (refuseIoReplyFor(reply, length) !== ACCEPTED || payloadBytes !== length) return false
    const lease = this.rows.leaseOf(row)
    const at = memory.offsetOf(lease) + this.rows.leaseAts[row]!
    const { view } = memory.arenaOf(lease)
    const refusal = refuseIoReplyPayload(
      reply,
      view,
      at,
      payloadBytes,
      isChecksumRequired,
      checksum,
    )
    return refusal === ACCEPTED
  }

  private fill(row: number, leg: EngineLeg): void {
    const { rows, io, geometry } = this
    const operation = rows.operations[row]!
    const offset = rows.offsets[row]!
    const length = rows.lengths[row]!
    const hasCrc = operation === OP_WRITE && this.options.isChecksumRequired
    const isMutation = rows.kinds[row] === KIND_MUTATION
    io.flags = hasCrc ? FLAG_PAYLOAD_CRC : 0
    io.payloadCrc = hasCrc ? rows.payloadCrcs[row]! : 0
    io.sessionGeneration = leg.sessionGeneration
    io.operation = operation
    io.ioFlags = rows.ioFlags[row]!
    io.offset = offset
    io.length = length
    io.firstChunk = operation === OP_FLUSH ? 0 : geometry.chunkOf(offset)
    io.chunkCount = operation === OP_FLUSH ? 0 : geometry.chunkSpan(offset, length)
    io.unit = isMutation ? row : 0
    io.sequence = rows.sequences[row]!
    io.absent0 = isMutation ? this.absent0 : 0
    io.absent1 = isMutation ? this.absent1 : 0
  }
}
