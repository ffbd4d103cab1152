/**
 * The way of a request: from a frame of the engine to its export, and back as a reply.
 *
 * | step | may have to wait for |
 * |---|---|
 * | judged: a bad one is answered at once | – |
 * | memory: a read gets a lease, a write came with one | memory, first come first served |
 * | its export carries it out | the volume, a lock |
 * | answered from its lease | the client, in the engine |
 *
 * All waiting counts as open, and a connection with `openFramesMax` open requests is not read. A
 * request whose client is gone is carried through all the same, and answered to nobody.
 */
import type { Lease, Memory } from "@rmr/core"
import { NO_LEASE } from "@rmr/core"
import type { FrameBatch } from "@rmr/io"
import {
  FRAME_CONNECTION,
  FRAME_HEAD_AT,
  FRAME_LEASE,
  FRAME_PAYLOAD_BYTES,
  FRAME_STRIDE,
} from "@rmr/io"
import { putAllocation, putDirty, STATUS_HALF_BYTES, STATUS_LEASE_BYTES } from "./block-status.js"
import { CONTEXT_ALLOCATION, CONTEXT_DIRTY } from "./export-facts.js"
import { isMutation, judgeRequest } from "./judge-request.js"
import type { NbdConnection } from "./nbd-connection.js"
import * as nbd from "./protocol.js"
import { Replies } from "./replies.js"
import * as rows from "./request-table.js"
import { RequestTable, RowQueue } from "./request-table.js"

export interface FlowCounts {
  requestCount: number
  readBytes: number
  writtenBytes: number
  /** Requests that were answered with an error. */
  errorCount: number
}

export class RequestFlow {
  readonly requests: RequestTable
  readonly counts: FlowCounts = { requestCount: 0, readBytes: 0, writtenBytes: 0, errorCount: 0 }
  /** Open requests of clients that are gone. */
  orphanCount = 0
  private readonly memory: Memory
  private readonly connections: (NbdConnection | undefined)[]
  private readonly connectionOf: (engineId: number) => NbdConnection | undefined
  private readonly replies = new Replies()
  private readonly hungry: RowQueue
  private isAsking = false
  private fedCount = 0
  private fedBefore = -1

  constructor(
    memory: Memory,
    rowCount: number,
    connectionOf: (engineId: number) => NbdConnection | undefined,
  ) {
    this.memory = memory
    this.requests = new RequestTable(rowCount)
    this.connections = new Array(rowCount).fill(undefined)
    this.connectionOf = connectionOf
    this.hungry = new RowQueue(this.requests)
  }

  take({ count, words, bytes }: FrameBatch): void {
    for (let nth = 0; nth < count; nth++) {
      const at = nth * FRAME_STRIDE
      const connection = this.connectionOf(words[at + FRAME_CONNECTION]!)
      const lease = words[at + FRAME_LEASE]! as Lease
      if (connection?.phase === "serving") {
        const payloadBytes = words[at + FRAME_PAYLOAD_BYTES]!
        this.takeOne(connection, bytes, words[at + FRAME_HEAD_AT]!, lease, payloadBytes)
        continue
      }
      // It took its leave before this, or is gone.
      if (lease !== NO_LEASE) this.memory.release(lease)
      if (connection?.phase === "leaving") connection.stream.finishFrame()
    }
  }

  /** The request is over: its client hears of it. */
  onDone(row: number): void {
    const connection = this.connections[row]!
    const { requests } = this
    const lease = requests.word(row, rows.ROW_LEASE) as Lease
    if (connection.phase !== "gone") {
      const errno = requests.word(row, rows.ROW_ERRNO)
      if (errno !== 0) this.counts.errorCount++
      this.answer(connection, row, errno, lease)
      connection.stream.finishFrame()
    } else this.orphanCount--
    connection.openCount--
    this.connections[row] = undefined
    requests.give(row)
    // The engine holds what it still sends.
    if (lease !== NO_LEASE) this.memory.release(lease)
  }

  /** The client is gone: what it asked for is nobody's, and waits for memory no longer. */
  disown(connection: NbdConnection): void {
    this.orphanCount += connection.openCount
    const waiting: number[] = []
    while (!this.hungry.isEmpty) waiting.push(this.hungry.shift())
    for (const row of waiting) {
      if (this.connections[row] === connection) connection.serves?.finish(row)
      else this.hungry.push(row)
    }
  }

  /**
   * Called now and then: who waits for memory though nobody was given any since the last call, is
   * refused. Memory is with others, and they need not be ours.
   */
  refuseHungry(): void {
    const isStuck = !this.hungry.isEmpty && this.fedCount === this.fedBefore
    this.fedBefore = this.hungry.isEmpty ? -1 : this.fedCount
    if (!isStuck) return
    const waiting: number[] = []
    while (!this.hungry.isEmpty) waiting.push(this.hungry.shift())
    for (const row of waiting) {
      this.requests.set(row, rows.ROW_ERRNO, nbd.ENOMEM)
      this.connections[row]?.serves?.finish(row)
    }
  }

  private takeOne(
    connection: NbdConnection,
    head: DataView,
    at: number,
    lease: Lease,
    payloadBytes: number,
  ): void {
    const { requests, counts } = this
    const serves = connection.serves!
    const kind = head.getUint16(at + nbd.REQUEST_KIND_AT)
    if (kind === nbd.CMD_DISC) {
      connection.leave()
      connection.stream.finishFrame()
      return
    }
    const flags = head.getUint16(at + nbd.REQUEST_FLAGS_AT)
    const high = head.getUint32(at + nbd.REQUEST_OFFSET_AT)
    const offset = high * 2 ** 32 + head.getUint32(at + nbd.REQUEST_OFFSET_AT + 4)
    const bytes = head.getUint32(at + nbd.REQUEST_LENGTH_AT)
    const row = requests.take()
    this.connections[row] = connection
    serves.openCount++
    connection.openCount++
    counts.requestCount++
    counts.writtenBytes += payloadBytes
    requests.set(row, rows.ROW_KIND, kind)
    requests.set(row, rows.ROW_FLAGS, flags)
    requests.set(row, rows.ROW_COOKIE_HIGH, head.getInt32(at + nbd.REQUEST_COOKIE_AT))
    requests.set(row, rows.ROW_COOKIE_LOW, head.getInt32(at + nbd.REQUEST_COOKIE_AT + 4))
    requests.set(row, rows.ROW_LEASE, lease)
    requests.set(row, rows.ROW_PENDING, 0)
    requests.set(row, rows.ROW_MUTATION_PLACE, -1)
    requests.set(row, rows.ROW_IS_UNALIGNED, 0)
    requests.setPlace(row, rows.ROW_OFFSET, offset)
    requests.setPlace(row, rows.ROW_BYTES, bytes)
    requests.setPlace(row, rows.ROW_BAD_AT, -1)
    const errno = judgeRequest(connection.transmission!, kind, flags, offset, bytes)
    requests.set(row, rows.ROW_ERRNO, errno)
    if (errno === 0) this.admit(connection, row, kind, offset, bytes)
    else serves.finish(row)
  }

  /** Sets which blocks it is about, and gives it the memory it needs. */
  private admit(
    connection: NbdConnection,
    row: number,
    kind: number,
    offset: number,
    bytes: number,
  ): void {
    const { requests } = this
    const serves = connection.serves!
    const { blockBytes } = serves.facts
    const before = offset % blockBytes
    const behind = (blockBytes - ((offset + bytes) % blockBytes)) % blockBytes
    let from = offset - before
    let to = offset + bytes + behind
    if (kind === nbd.CMD_FLUSH) {
      from = 0
      to = 1
    } else if (kind === nbd.CMD_TRIM) {
      // A hint: it is for whole blocks only.
      from = before === 0 ? from : from + blockBytes
      to = behind === 0 ? to : to - blockBytes
    } else if (isMutation(kind) && before + behind > 0) requests.set(row, rows.ROW_IS_UNALIGNED, 1)
    requests.setPlace(row, rows.ROW_FROM, from)
    requests.setPlace(row, rows.ROW_TO, to)
    requests.setPlace(row, rows.ROW_AT, from)
    if (kind === nbd.CMD_CACHE || to <= from) serves.finish(row)
    else if (kind !== nbd.CMD_READ && kind !== nbd.CMD_BLOCK_STATUS) serves.begin(row)
    else if (kind === nbd.CMD_READ && to - from > this.memory.leaseBytesMax) {
      requests.set(row, rows.ROW_ERRNO, nbd.EINVAL)
      serves.finish(row)
    } else if (this.hungry.isEmpty && this.feed(row)) this.start(row)
    else {
      this.hungry.push(row)
      this.askForMemory()
    }
  }

  private feed(row: number): boolean {
    const { requests } = this
    const from = requests.place(row, rows.ROW_FROM)
    const isRead = requests.word(row, rows.ROW_KIND) === nbd.CMD_READ
    const bytes = isRead ? requests.place(row, rows.ROW_TO) - from : STATUS_LEASE_BYTES
    const lease = this.memory.lease(bytes)
    if (lease === NO_LEASE) return false
    requests.set(row, rows.ROW_LEASE, lease)
    this.fedCount++
    return true
  }

  /** It has its memory. */
  private start(row: number): void {
    const serves = this.connections[row]!.serves!
    if (this.requests.word(row, rows.ROW_KIND) === nbd.CMD_READ) serves.begin(row)
    else serves.finish(row)
  }

  private askForMemory(): void {
    if (this.isAsking) return
    this.isAsking = true
    this.memory.whenFree(this.feedHungry)
  }

  private readonly feedHungry = (): void => {
    this.isAsking = false
    while (!this.hungry.isEmpty) {
      if (!this.feed(this.hungry.first)) {
        this.askForMemory()
        return
      }
      this.start(this.hungry.shift())
    }
  }

  private answer(connection: NbdConnection, row: number, errno: number, lease: Lease): void {
    const { requests, replies } = this
    const { stream } = connection
    const kind = requests.word(row, rows.ROW_KIND)
    const high = requests.word(row, rows.ROW_COOKIE_HIGH)
    const low = requests.word(row, rows.ROW_COOKIE_LOW)
    const isChunked = kind === nbd.CMD_READ || kind === nbd.CMD_BLOCK_STATUS
    const isStructured = isChunked && connection.transmission?.isStructured === true
    if (errno !== 0 && isStructured) {
      replies.error(stream, high, low, errno, requests.place(row, rows.ROW_BAD_AT))
    } else if (errno !== 0 || !isChunked) {
      replies.simple(stream, high, low, errno, NO_LEASE, 0, 0)
    } else if (kind === nbd.CMD_BLOCK_STATUS) this.answerStatus(connection, row, lease)
    else {
      const offset = requests.place(row, rows.ROW_OFFSET)
      const bytes = requests.place(row, rows.ROW_BYTES)
      const at = offset - requests.place(row, rows.ROW_FROM)
      this.counts.readBytes += bytes
      if (isStructured) replies.data(stream, high, low, offset, lease, at, bytes)
      else replies.simple(stream, high, low, 0, lease, at, bytes)
    }
  }

  private answerStatus(connection: NbdConnection, row: number, lease: Lease): void {
    const { requests, replies, memory } = this
    const { stream, transmission } = connection
    const contexts = transmission?.contexts ?? 0
    const high = requests.word(row, rows.ROW_COOKIE_HIGH)
    const low = requests.word(row, rows.ROW_COOKIE_LOW)
    const offset = requests.place(row, rows.ROW_OFFSET)
    const bytes = requests.place(row, rows.ROW_BYTES)
    const isDirtyAsked = (contexts & CONTEXT_DIRTY) !== 0
    if ((contexts & CONTEXT_ALLOCATION) !== 0) {
      const written = putAllocation(memory, lease, bytes)
      replies.status(stream, high, low, !isDirtyAsked, lease, 0, written)
    }
    if (!isDirtyAsked) return
    const isOne = (requests.word(row, rows.ROW_FLAGS) & nbd.FLAG_REQ_ONE) !== 0
    const { volume } = connection.serves!
    const written = putDirty(memory, lease, volume, offset, bytes, isOne)
    replies.status(stream, high, low, true, lease, STATUS_HALF_BYTES, written)
  }
}
